"""The base model in memory: loaded in as many bits as asked for, on whatever there is."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
import transformers
from transformers.utils import logging

from routesdk.errors import MissingExtraError, TrainingError
from routesdk.host import attempt
from routesdk.plugins.generative.origin import BaseRecord, Origin, find_origin, fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@attrs.frozen(eq=False, kw_only=True)
class Facts:
    """What is known of a base model that is, or was, in memory.

    Attributes:
        tokenizer: Its tokenizer.
        record: Which one it is.
        device: Where it is.
        bits: Bits per weight.
        precision: The type that it is computed in, such as `bfloat16`.
        place: Folder or Hub id that it was loaded from.
    """

    tokenizer: PreTrainedTokenizerBase
    record: BaseRecord
    device: str
    bits: int
    precision: str
    place: str


@attrs.frozen(eq=False, kw_only=True)
class Base(Facts):
    """A base model in memory, with its tokenizer.

    Attributes:
        model: The causal language model, in evaluation mode.
    """

    model: PreTrainedModel

    @property
    def facts(self) -> Facts:
        """What is known of it, without the weights."""
        return Facts(
            tokenizer=self.tokenizer,
            record=self.record,
            device=self.device,
            bits=self.bits,
            precision=self.precision,
            place=self.place,
        )

    @property
    def context_tokens(self) -> int | None:
        """Tokens that it can read and write together; None where it names no limit."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return limit if isinstance(limit, int) and limit > 0 else None


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
    with quiet():
        origin, error = attempt(find_origin, name, revision)
        if origin is not None:
            loaded, error = attempt(_load, origin, how, tokenizer, place if width == 16 else "")
    if origin is None or loaded is None:
        if isinstance(error, TrainingError):
            raise error
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            problem = f"memory ran out while the base model {name!r} was loaded ({_line(error)})"
            fix = "Take fewer bits or a smaller base model, or stop what else uses the device."
            raise TrainingError("generative", problem, fix) from error
        problem = f"the base model {name!r} cannot be loaded ({_line(error)})"
        fix = "Name a folder or a Hub id of a causal language model in safetensors."
        raise TrainingError("generative", problem, fix) from error
    model, words = loaded
    if words.eos_token_id is None:
        problem = f"the tokenizer of {name!r} names no token that ends a text"
        raise TrainingError("generative", problem, "Take another base model.")
    if words.pad_token_id is None:
        words.pad_token = words.eos_token
    precision = str(dtype).removeprefix("torch.")
    return Base(
        model=model.eval(),
        tokenizer=words,
        record=_record(origin, model),
        device=place,
        bits=width,
        precision=precision,
        place=origin.place,
    )


def _load(
    origin: Origin, how: dict[str, object], words: Path | None, device: str
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    source, version = (origin.place, origin.revision) if words is None else (str(words), None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, revision=version, trust_remote_code=False)
    model = transformers.AutoModelForCausalLM.from_pretrained(origin.place, revision=origin.revision, **how)
    # Bits of fewer than 16 are where they belong when they are loaded.
    return (model.to(device) if device else model), tokenizer


def _record(origin: Origin, model: PreTrainedModel) -> BaseRecord:
    return BaseRecord(
        name=origin.name,
        revision=origin.revision or "",
        hub=origin.hub,
        fingerprint=fingerprint(origin.folder),
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


def _device(device: str) -> str:
    if device != "auto":
        if device.startswith("cuda") and not torch.cuda.is_available():
            problem = f"device = {device!r}, and torch sees no CUDA device here"
            raise TrainingError("generative", problem, "Take device = 'cpu', or a machine with a GPU.")
        number = device.partition(":")[2]
        if number and int(number) >= torch.cuda.device_count():
            problem = f"device = {device!r}, and torch sees {torch.cuda.device_count()} CUDA devices here"
            raise TrainingError("generative", problem, "They are numbered from 0; 'cuda' takes the first.")
        return device
    return "cuda" if _on_gpu(device) else "cpu"


def serving_bits(trained: int, device: str) -> int:
    """Return the bits to load in where nobody says: those of the training on a GPU, 16 on a CPU."""
    return trained if _on_gpu(device) else 16


def serving_precision(trained: str, device: str) -> str:
    """Return the type to load in: that of the training, but for 16 bits that a CPU would only emulate."""
    return trained if trained == "float32" or _on_gpu(device) else "auto"


def _on_gpu(device: str) -> bool:
    return device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())


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
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
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
