"""The published file: fetched once, checked by its hash, kept in a folder for caches."""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NoReturn

from routesdk.errors import ConfigError

PUBLISHED_URL = "https://openaipublic.blob.core.windows.net/simple-evals/simple_qa_test_set.csv"
"""Where OpenAI publishes the file. Source: github.com/openai/simple-evals, simpleqa_eval.py."""

PUBLISHED_SHA256 = "feee3f7e7db3617e94e8fcf1977b756ec420ef8568f4e0fcbbe0e92e9d5fc032"
"""SHA-256 of the published file, which has 2,012,910 bytes and 4,326 rows (November 2026)."""

PUBLISHED_BYTES = 2_012_910
CACHE_ENV = "ROUTESDK_CACHE"

_TIMEOUT_S = 30.0
# A connection that trickles never runs into a timeout, so the whole download has one, too.
_DEADLINE_S = 300.0
_CHUNK_BYTES = 1 << 16


def cache_folder(given: Path | None = None) -> Path:
    """Name the folder for downloads: as given, else by `ROUTESDK_CACHE`, else the platform's own."""
    if given is not None:
        return given
    named = os.environ.get(CACHE_ENV)
    if named:
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "routesdk"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "routesdk"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "routesdk"


def fetch(url: str, folder: Path, *, timeout_s: float = _TIMEOUT_S, deadline_s: float = _DEADLINE_S) -> Path:
    """Return the published file from the folder, downloading it where it is missing or damaged there.

    The file appears when all of it has arrived and its hash is right; two
    processes that fetch it at once do no harm.

    Args:
        url: Where to download from.
        folder: The folder for caches; made where it is missing.
        timeout_s: Seconds that the server may be silent.
        deadline_s: Seconds that the whole download may take.

    Raises:
        ConfigError: It cannot be downloaded or kept, or what came is another file.
    """
    target = folder / "simple_qa_test_set.csv"
    if _is_published(target):
        return target
    content = _download(url, timeout_s, deadline_s)
    try:
        _keep(content, target)
    except OSError as error:
        problem = f"nothing can be kept there ({error.strerror or error})"
        fix = f"Give another folder as 'cache' or in {CACHE_ENV}, or the CSV file itself as 'file'."
        raise ConfigError("cache", str(folder), problem, fix) from error
    return target


def _keep(content: bytes, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _is_published(file: Path) -> bool:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() == PUBLISHED_SHA256
    except OSError:
        return False


def _download(url: str, timeout_s: float, deadline_s: float) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as reply:
            content = _read(reply, url, time.monotonic() + deadline_s)
    except urllib.error.HTTPError as error:
        error.close()
        _refuse(url, f"the server answers {error.code}")
    except urllib.error.URLError as error:
        _refuse(url, f"it cannot be reached ({_named(error.reason)})")
    except (OSError, http.client.HTTPException) as error:
        # Silence after the head of the reply is no URLError, nor is a broken connection.
        _refuse(url, f"the download broke off ({_named(error)})")
    except ValueError:
        _refuse(url, "this address, or one that it leads on to, cannot be read")
    if len(content) < PUBLISHED_BYTES:
        _refuse(url, f"only {len(content):,} of {PUBLISHED_BYTES:,} bytes came")
    if hashlib.sha256(content).hexdigest() != PUBLISHED_SHA256:
        _refuse(url, f"what is there is not the published file: its SHA-256 is not {PUBLISHED_SHA256}")
    return content


def _read(reply: http.client.HTTPResponse, url: str, deadline: float) -> bytes:
    pieces, size = [], 0
    while piece := reply.read1(_CHUNK_BYTES):
        pieces.append(piece)
        size += len(piece)
        # More than the file has is another file, and need not be read to its end.
        if size > PUBLISHED_BYTES:
            _refuse(
                url, f"what is there is not the published file: it has more than {PUBLISHED_BYTES:,} bytes"
            )
        if time.monotonic() > deadline:
            _refuse(url, f"it took too long ({size:,} of {PUBLISHED_BYTES:,} bytes came)")
    return b"".join(pieces)


def _named(error: object) -> str:
    """Name a failure in the system's words: the library's own may repeat the address and its secrets."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__ if isinstance(error, Exception) else "the address leads nowhere"


def _refuse(url: str, problem: str) -> NoReturn:
    fix = "Try again, or get simple_qa_test_set.csv in another way and give its path as 'file'."
    raise ConfigError("url", _shown(url), f"cannot be downloaded: {problem}", fix) from None


def _shown(url: str) -> str:
    """Leave out what may be a secret: a password before the host, parameters after the path."""
    try:
        parts = urllib.parse.urlsplit(url)
        return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    except ValueError:
        return "(not shown)"
