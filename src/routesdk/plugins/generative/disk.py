"""Tells a disk that is full from other failures, whichever library it was that wrote."""

from __future__ import annotations

import errno

from safetensors import SafetensorError

# Safetensors, tokenizers and PyTorch write by themselves, and pass the system's words on, or not even these.
_FULL = ("No space left", "File too large", "quota exceeded")
_WRITERS = ("PytorchStreamWriter", "inline_container", "iostream error")


def unwritten(error: Exception) -> str:
    """Say what kept a file from being written; empty where it is something else that failed."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if full or any(words in str(error) for words in _FULL):
        return "the disk is full"
    if isinstance(error, RuntimeError) and any(words in str(error) for words in _WRITERS):
        # PyTorch does not say why: a full disk is by far the commonest reason.
        return "the state cannot be saved, as where the disk is full"
    return "the state cannot be saved" if isinstance(error, OSError | SafetensorError) else ""
