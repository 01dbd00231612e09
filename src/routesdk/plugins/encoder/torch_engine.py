"""Runs a sentence encoder by sentence-transformers, on the CPU or a GPU."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from routesdk.plugins.encoder.pooling import UnsuitableError, check_modules, token_limit
from routesdk.plugins.encoder.reader import Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH = 32
_MOST_TOKENS = 512
# Some of these are a folder of whoever made the encoder.
_PLACES = ("_name_or_path", "name_or_path", "tokenizer_file", "vocab_file", "cache_dir")


class TorchEngine:
    """A sentence encoder in torch. Only safetensors are read, and no code beside them is run.

    Args:
        folder: A sentence-transformers folder.
        device: `auto`, or a device as torch names it.
        max_tokens: Tokens that are read of a text; None for as many as the encoder was made for.

    Raises:
        UnsuitableError: The folder would run other code, or its tokenizer cannot be used.
    """

    kind = "torch"

    def __init__(self, folder: Path, *, device: str = "auto", max_tokens: int | None = None) -> None:
        check_modules(folder)
        # Layers that a folder lacks are made at random: the same ones each time.
        with _quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = SentenceTransformer(
                str(folder),
                device=find_device(device),
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True, "dtype": torch.float32},
            ).eval()
        own = self.model.max_seq_length or token_limit(folder)
        limits = [limit for limit in (own, max_tokens) if limit is not None]
        self.max_tokens = min(limits) if limits else _MOST_TOKENS
        with contextlib.suppress(AttributeError):
            # Encoders that only look words up have no such limit.
            self.model.max_seq_length = self.max_tokens
        self.prompt = self.model.prompts.get(self.model.default_prompt_name or "", "")
        self.reader = Reader(_tokenizer(self.model), self.max_tokens, self.prompt)
        # The first call sets the tokenizer up; two at once would do so under each other's hands.
        self.width = int(self._encode(["probe"]).shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, (texts, width); batches are of texts of like length."""
        if not texts:
            return np.zeros((0, self.width), dtype=np.float32)
        return self._encode(texts)

    def save(self, folder: Path) -> None:
        """Write weights, settings and tokenizer, without the places that they came from."""
        with _quiet():
            self.model.save(str(folder), create_model_card=False)
        for file in folder.rglob("*.json"):
            data = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(data, dict) and any(key in data for key in _PLACES):
                kept = {key: value for key, value in data.items() if key not in _PLACES}
                file.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = self.model.encode(
            list(texts), batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float32)


def find_device(name: str) -> str:
    """Return a device by its name; `auto` takes a GPU where there is one."""
    if name != "auto":
        return name
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _tokenizer(model: SentenceTransformer) -> Tokenizer:
    found = model.tokenizer
    inner = found if isinstance(found, Tokenizer) else getattr(found, "backend_tokenizer", None)
    if not isinstance(inner, Tokenizer):
        raise UnsuitableError("its tokenizer has no tokenizer.json, which is needed to count tokens")
    # A copy: counting must not change how the encoder pads and cuts.
    return Tokenizer.from_str(inner.to_str())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing its bars: a library does not print."""
    shown = transformers.utils.logging.is_progress_bar_enabled()
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers.utils.logging.enable_progress_bar()
