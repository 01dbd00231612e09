"""The key of a call: equal for equal requests, another where anything that matters differs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
from functools import lru_cache
from pathlib import Path

from routesdk.structure import plain
from routesdk.types import PartConfig, Request

_PATHS = frozenset({"path", "file", "folder", "directory", "dir"})


def names_a_path(option: str) -> bool:
    """Tell whether an option names a file or folder: as `path` or `file` do, or `x_path`."""
    return option.rsplit("_", 1)[-1] in _PATHS


def provider_id(part: PartConfig) -> str:
    """Name who answers, with whatever of the options may change the answer.

    Where a key is kept and how long a call may take change nothing. Of a file
    (an option named `path` or `file`, or ending in `_path` or `_file`), what is
    in it counts, and not where it is.

    Args:
        part: The backend, as the config names it.

    Returns:
        The name alone where no such option is set; else the name with its options as JSON.
    """
    telling = {
        key: _told(key, value)
        for key, value in sorted(part.options.items())
        if not key.endswith(("_env", "_s")) and key != "max_concurrent"
    }
    return f"{part.name} {json.dumps(telling, sort_keys=True)}" if telling else part.name


def _told(key: str, value: object) -> object:
    if isinstance(value, str) and names_a_path(key):
        # Whether there is such a file, and whether it can be read, is for its backend to say.
        with contextlib.suppress(OSError, ValueError):
            found = Path(value).stat()
            # A pipe or a device is not read for that: what comes out of it comes out once.
            if stat.S_ISREG(found.st_mode):
                return _content(value, found.st_mtime_ns, found.st_size)
    return plain(value)


@lru_cache(maxsize=64)
def _content(path: str, _changed: int, _size: int) -> str:
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def call_key(request: Request, *, provider: str, prompt_version: str = "", sample: int = 0) -> bytes:
    """Hash everything that could change the answer to a request.

    The deadline is left out, and so are the query's id, tags and metadata: they
    are not sent.

    Args:
        request: What is asked.
        provider: Who is asked: see `provider_id`.
        prompt_version: Version of the wording, where a part writes it.
        sample: 0 for the first answer to a request, 1 for the second, and so on.

    Returns:
        SHA-256 of the canonical request: 32 bytes.
    """
    query = request.query
    canonical = {
        "v": 1,
        "provider": provider,
        "prompt_version": prompt_version,
        "sample": sample,
        "model": request.model,
        "system": request.system,
        "text": query.text,
        "messages": [[turn.role, turn.content] for turn in query.messages],
        "max_output_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "thinking_tokens": request.thinking_tokens,
        "response_schema": plain(request.response_schema),
    }
    # ASCII alone: lone surrogates have no UTF-8.
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode("ascii")).digest()
