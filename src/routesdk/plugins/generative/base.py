"""The base model: found, loaded in as many bits as asked for, and known again by its fingerprint."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
import transformers
from transformers.utils import logging

from routesdk.errors import CheckpointError, MissingExtraError, TrainingError
from routesdk.host import attempt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BASES_ENV = "ROUTESDK_BASE_MODELS"
"""Environment variable: a folder in which base models lie by name, for checkpoints trained on a folder."""

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@attrs.frozen(kw_only=True)
class BaseRecord:
    """Which base model a router stands on.

    Attributes:
        name: Hub id, or the name of the folder that it was loaded from.
        revision: Commit on the Hub; empty for a folder.
        hub: Whether `name` is an id of the Hub.
        fingerprint: SHA-256 over config, tokenizer and the shapes of the weights.
        family: The model type, such as `gemma2`.
        parameters: How many weights it has.
    """

    name: str
    revision: str
    hub: bool
    fingerprint: str
    family: str
    parameters: int


@attrs.frozen(eq=False)
class Base:
    """A base model in memory, with its tokenizer.

    Attributes:
        model: The causal language model, in evaluation mode.
        tokenizer: Its tokenizer.
        record: Which one it is.
        device: Where it is.
        bits: Bits per weight.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    record: BaseRecord
    device: str
    bits: int

    @property
    def precision(self) -> str:
        """The type that it is computed in."""
        return str(self.model.dtype).removeprefix("torch.")


def load_base(
    name: str,
    revision: str | None,
    *,
    device: str,
    bits: int | None,
    precision: str = "auto",
    attention: str | None = None,
    tokenizer: Path | None = None,
) -> Base:
    """Load a base model and its tokenizer; only safetensors are read, and no code beside them is run.

    Args:
        name: Folder or Hub id.
        revision: Branch, tag or commit on the Hub.
        device: `auto`, `cpu` or a CUDA device.
        bits: 4, 8 or 16; None takes 4 on a CUDA device and 16 elsewhere.
        precision: `auto` or a type that is computed in.
        attention: How attention is computed; None leaves it to transformers.
        tokenizer: Folder of the tokenizer, where it is not the base model's own.

    Raises:
        TrainingError: There is no such model, it cannot be loaded, or the device cannot hold it so.
        MissingExtraError: bitsandbytes is needed and not installed.
    """
    place = _device(device)
    width = bits or (4 if place.startswith("cuda") else 16)
    _check_width(width, place, device)
    dtype = _dtype(precision, place)
    how: dict[str, object] = {"dtype": dtype, "use_safetensors": True, "trust_remote_code": False}
    if attention:
        how["attn_implementation"] = attention
    if width < 16:
        how["quantization_config"] = _quantisation(width, dtype)
        how["device_map"] = {"": place}
    where = _place(name)
    with quiet():
        loaded, error = attempt(_load, where, revision, how, tokenizer)
    if loaded is None:
        problem = f"the base model {name!r} cannot be loaded ({_line(error)})"
        fix = "Name a folder or a Hub id of a causal language model in safetensors."
        raise TrainingError("generative", problem, fix) from error
    model, words = loaded
    if width == 16:
        model = model.to(place)
    if words.eos_token_id is None:
        problem = f"the tokenizer of {name!r} names no token that ends a text"
        raise TrainingError("generative", problem, "Take another base model.")
    if words.pad_token_id is None:
        words.pad_token = words.eos_token
    return Base(model.eval(), words, _record(where, name, model), place, width)


def find_base(record: BaseRecord, given: str | None) -> tuple[str, str | None]:
    """Return where the base model of a checkpoint is, and its revision.

    A folder that is given comes first, then one of its name in the folder that
    `ROUTESDK_BASE_MODELS` names, then the Hub.

    Raises:
        CheckpointError: It was trained on a folder, and nothing says where that is.
    """
    if given:
        return given, None
    shelf = os.environ.get(BASES_ENV)
    if shelf:
        for here in (Path(shelf) / record.name, Path(shelf) / record.name.rpartition("/")[2]):
            if here.is_dir():
                return str(here), None
    if record.hub:
        return record.name, record.revision or None
    problem = f"needs its base model {record.name!r}, which was a folder when it was trained"
    fix = f"Give model_options={{'base_model': FOLDER}}, set {BASES_ENV}, or merge the checkpoint."
    raise CheckpointError(record.name, problem, fix)


def check_base(record: BaseRecord, found: BaseRecord) -> None:
    """Refuse another base model than the one that the adapter was trained on.

    Raises:
        CheckpointError: Its config, tokenizer or shapes differ.
    """
    if record.fingerprint != found.fingerprint:
        problem = f"is not the base model {record.name!r} that the adapter was trained on: its files differ"
        raise CheckpointError(found.name, problem, "Give the very model, or train again.")


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 over a model's config, tokenizer, and the names, types and shapes of its weights.

    The weights themselves are left out: reading gigabytes at each start would cost
    more than it tells, for another model has other shapes, another vocabulary, or another config.
    """
    digest = hashlib.sha256()
    for name in ("config.json", "tokenizer.json", "tokenizer.model"):
        file = folder / name
        if file.is_file():
            data = file.read_bytes()
            digest.update(f"{name}:{len(data)}:".encode() + _stable(name, data))
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            digest.update(stream.read(size))
    return digest.hexdigest()


def _stable(name: str, data: bytes) -> bytes:
    """Leave out of a config what the library that saved it adds: its version and where it read it."""
    if name != "config.json":
        return data
    config = json.loads(data)
    kept = {
        key: value for key, value in config.items() if key not in ("transformers_version", "_name_or_path")
    }
    return json.dumps(kept, sort_keys=True).encode()


def _load(
    place: str, revision: str | None, how: dict[str, object], words: Path | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    source, version = (place, revision) if words is None else (str(words), None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, revision=version, trust_remote_code=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(place, revision=revision, **how)
    return model, tokenizer


def _record(place: str, name: str, model: PreTrainedModel) -> BaseRecord:
    folder = Path(place)
    commit = ""
    local = folder.is_dir()
    if not local:
        commit = str(getattr(model.config, "_commit_hash", None) or "")
        cached = transformers.utils.cached_file(name, "config.json", revision=commit or None)
        folder = Path(str(cached)).parent
    return BaseRecord(
        name=folder.resolve().name if local else name,
        revision=commit,
        hub=not local,
        fingerprint=fingerprint(folder),
        family=str(model.config.model_type),
        parameters=_parameters(model),
    )


def _parameters(model: PreTrainedModel) -> int:
    # A 4-bit weight holds two in one byte.
    total = 0
    for weight in model.parameters():
        packed = 2 if weight.__class__.__name__ == "Params4bit" else 1
        total += weight.numel() * packed
    return total


def _place(name: str) -> str:
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder)
    if _HUB_ID.fullmatch(name) and not name.startswith("."):
        return name
    problem = f"there is no folder {name!r}, and it is no id of the Hub"
    raise TrainingError("generative", problem, "Check base_model; a Hub id reads 'owner/name'.")


def _device(device: str) -> str:
    if device != "auto":
        if device.startswith("cuda") and not torch.cuda.is_available():
            problem = f"device = {device!r}, and torch sees no CUDA device here"
            raise TrainingError("generative", problem, "Take device = 'cpu', or a machine with a GPU.")
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _check_width(bits: int, place: str, asked: str) -> None:
    if bits == 16:
        return
    if not place.startswith("cuda") and asked == "auto":
        problem = f"{bits} bits were asked for, and there is no GPU"
        fix = (
            "Take bits = 16 with a small base model, such as HuggingFaceTB/SmolLM2-135M-Instruct, or Modal; "
            "device = 'cpu' runs 4 bits on the CPU all the same, slowly."
        )
        raise TrainingError("generative", problem, fix)
    if not place.startswith("cuda") and bits == 8:
        raise TrainingError("generative", "8 bits need a GPU", "Take bits = 16, or 4 with device = 'cpu'.")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtraError("trainer", "generative", 'pip install "routesdk[train]"')


def _dtype(precision: str, place: str) -> torch.dtype:
    if precision != "auto":
        return _DTYPES[precision]
    if place.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    # Where a CPU has no instruction for it, bfloat16 is emulated, and slower than float32.
    return torch.bfloat16 if _cpu_has_bf16() else torch.float32


def _cpu_has_bf16() -> bool:
    known = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(known()) if known is not None else False


def _quantisation(bits: int, dtype: torch.dtype) -> transformers.BitsAndBytesConfig:
    if bits == 8:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars, and from warning of what its sister libraries still use."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _line(error: Exception | None) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
