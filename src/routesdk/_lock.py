"""One writer of a folder at a time: a lock that the system frees when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from routesdk.errors import CheckpointError, RouteSDKError

_PAUSE_S = 0.02
# Some network file systems know no locks; writing there is as safe as it was before there were any.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)

if sys.platform == "win32":
    import msvcrt

    def _claim(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _free(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _claim(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return True

    def _free(descriptor: int) -> None:
        # Said aloud, since closing frees nothing while a forked child holds the file as well.
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextlib.contextmanager
def sole_writer(file: Path, wait_s: float, *, busy: RouteSDKError | None = None) -> Iterator[None]:
    """Hold the lock that a file stands for; the file is removed in the end.

    Args:
        file: The lock's file, in the folder that is written to.
        wait_s: Seconds to wait for another holder.
        busy: What to raise where another holds it; None for a `CheckpointError` about the folder.

    Raises:
        RouteSDKError: `busy`: another process or thread holds it for longer than that.
        OSError: The file cannot be made.
    """
    until = time.monotonic() + wait_s
    while (descriptor := _try(file)) is None:
        if time.monotonic() >= until:
            if busy is not None:
                raise busy
            fix = "Wait for it, or name another folder, and save again."
            raise CheckpointError(str(file.parent), "is being written by another process", fix)
        time.sleep(_PAUSE_S)
    try:
        yield
    finally:
        # First the file, then the lock: whoever waits for this one sees that it is gone, and makes another.
        with contextlib.suppress(OSError):
            file.unlink()
        with contextlib.suppress(OSError):
            _free(descriptor)
        os.close(descriptor)


def _try(file: Path) -> int | None:
    """Take the lock if nobody holds it: its open file, or None."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        # A holder that left between the two calls took the file along: what it locked is nothing now.
        if _claim(descriptor) and _same(descriptor, file):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
