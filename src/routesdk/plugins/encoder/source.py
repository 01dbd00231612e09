"""Finds the encoder that a trainer is to use, and the engine that runs it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import attrs

from routesdk.errors import MissingExtraError, TrainingError
from routesdk.host import attempt
from routesdk.plugins.encoder import INSTALL, EncoderTrainerConfig
from routesdk.plugins.encoder.engine import Engine
from routesdk.plugins.encoder.onnx_engine import TOKENIZER, OnnxEngine
from routesdk.plugins.encoder.pooling import UnsuitableError, read_pooling, token_limit

NAME = "encoder"

_PATTERNS = ("*.json", "*.safetensors", "*.txt", "*.model")
_USUAL_GRAPH = "onnx/model.onnx"
# What an encoder of this kind was trained with, where its folder does not say.
_MOST_TOKENS = 512


@attrs.frozen(kw_only=True)
class Source:
    """Where an encoder lies.

    Attributes:
        folder: The folder, the Hub's cache where it came from there.
        hub_id: Its Hub id; empty for a folder.
        commit: The commit of the Hub that was taken; empty for a folder.
    """

    folder: Path
    hub_id: str = ""
    commit: str = ""


def find_source(name: str, revision: str | None, graph: str = "") -> Source:
    """Find a folder, or else fetch the files of a Hub id that are read here.

    Args:
        name: A folder or a Hub id.
        revision: Branch, tag or commit, for a Hub id; None for the newest.
        graph: ONNX file to fetch as well, which most of the Hub's encoders have in many forms.

    Raises:
        FileNotFoundError: There is no such folder, and the name cannot be a Hub id.
        Exception: What huggingface_hub raises where the files cannot be had.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return Source(folder=folder)
    if folder.is_absolute() or name.startswith(".") or name.count("/") > 1:
        raise FileNotFoundError(f"there is no folder {name}")
    return fetch_source(name, revision, graph)


def fetch_source(hub_id: str, revision: str | None, graph: str = "") -> Source:
    """Fetch the files of a Hub id that are read here, whatever folders there are.

    Args:
        hub_id: The Hub id.
        revision: As for `find_source`.
        graph: As for `find_source`.

    Raises:
        Exception: What huggingface_hub raises where the files cannot be had.
    """
    from huggingface_hub import snapshot_download

    wanted = [*_PATTERNS, *([graph] if graph else [])]
    found = Path(snapshot_download(hub_id, revision=revision, allow_patterns=wanted))
    # The cache keeps each commit in a folder of its name.
    return Source(folder=found, hub_id=hub_id, commit=found.name)


def open_source(config: EncoderTrainerConfig) -> tuple[Source, Engine]:
    """Find the encoder and load it with the engine that the config asks for.

    Raises:
        TrainingError: It cannot be found, loaded, or used in the way that is asked for.
        MissingExtraError: A package that it needs is missing.
    """
    wanted = "" if _against_onnx(config) else config.onnx_file or _USUAL_GRAPH
    source, error = attempt(find_source, config.encoder, config.revision, wanted)
    if source is None:
        raise _unusable(config.encoder, error) from error
    if not config.embed_encoder and not source.hub_id:
        fix = "Leave embed_encoder at true, or name a Hub id."
        raise TrainingError(NAME, "a checkpoint cannot name the encoder's folder, only a Hub id", fix)
    if config.embed_encoder:
        source = attrs.evolve(source, hub_id="", commit="")
    graph = _graph(source.folder, config)
    opener = open_torch if graph is None else open_onnx
    engine, error = attempt(opener, source.folder, graph or config.device, config.max_tokens)
    if engine is None:
        raise error if isinstance(error, MissingExtraError) else _unusable(config.encoder, error) from error
    return source, engine


def open_torch(folder: Path, device: str, max_tokens: int | None) -> Engine:
    """Load an encoder into torch.

    Raises:
        MissingExtraError: torch or sentence-transformers is missing.
        UnsuitableError: The folder would run other code, or its tokenizer cannot be used.
    """
    try:
        from routesdk.plugins.encoder.torch_engine import TorchEngine
    except ImportError as error:
        raise MissingExtraError(NAME, INSTALL, str(error)) from error
    return TorchEngine(folder, device=device, max_tokens=max_tokens)


def open_onnx(folder: Path, graph: str, max_tokens: int | None) -> Engine:
    """Load an encoder from an ONNX file within a sentence-transformers folder.

    Raises:
        MissingExtraError: onnxruntime is missing.
        UnsuitableError: The folder pools in a way that numpy does not do here.
    """
    limits = [limit for limit in (token_limit(folder), max_tokens) if limit is not None]
    tokenizer = (folder / TOKENIZER).read_bytes()
    content = (folder / graph).read_bytes()
    try:
        return OnnxEngine(content, tokenizer, read_pooling(folder), min(limits, default=_MOST_TOKENS))
    except ImportError as error:
        raise MissingExtraError(NAME, INSTALL, str(error)) from error


def _graph(folder: Path, config: EncoderTrainerConfig) -> str | None:
    """Return the ONNX file to run within the folder; None to run torch.

    Raises:
        TrainingError: ONNX is asked for, and cannot be had.
    """
    if config.onnx == "off":
        return None
    file, problem = _onnx_file(folder, config)
    if not problem:
        return file
    if config.onnx == "on":
        raise TrainingError(NAME, f"the encoder cannot run from ONNX: {problem}", "Set onnx to 'off'.")
    return None


def _onnx_file(folder: Path, config: EncoderTrainerConfig) -> tuple[str, str]:
    """Return the ONNX file to run, and what stands against it."""
    problem = _against_onnx(config)
    if problem:
        return "", problem
    files = sorted(file.relative_to(folder).as_posix() for file in folder.glob("onnx/*.onnx"))
    usual = _USUAL_GRAPH
    file = config.onnx_file or (usual if usual in files else files[0] if len(files) == 1 else "")
    if not file or ".." in Path(file).parts or not (folder / file).is_file():
        return "", f"there is no {file or usual} in its folder" + (f", only {', '.join(files)}" * bool(files))
    if not (folder / TOKENIZER).is_file():
        return "", f"there is no {TOKENIZER} in its folder"
    try:
        read_pooling(folder)
    except UnsuitableError as error:
        return "", str(error)
    return file, ""


def _against_onnx(config: EncoderTrainerConfig) -> str:
    """Say what stands against ONNX, whatever the encoder is; empty for nothing."""
    if config.onnx == "off":
        return "it is turned off"
    if config.tune != "frozen":
        return "tuning changes the weights, and makes no new file"
    if not config.embed_encoder:
        return "the checkpoint would not hold the file"
    if importlib.util.find_spec("onnxruntime") is None:
        return "onnxruntime is not installed"
    return "" if _on_cpu(config.device) else "it is run on the CPU alone"


def _on_cpu(device: str) -> bool:
    if device != "auto" or importlib.util.find_spec("torch") is None:
        return device in ("auto", "cpu")
    import torch

    return not (torch.cuda.is_available() or torch.backends.mps.is_available())


def _unusable(name: str, error: Exception | None) -> TrainingError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    fix = "Name a sentence-transformers folder with safetensors, or the Hub id of one."
    return TrainingError(NAME, f"the encoder {name!r} cannot be used ({lines[0][:300]})", fix)
