"""Which plugins a checkpoint needs: noted when it is saved, looked for when it is loaded."""

from __future__ import annotations

import re

import attrs

from routesdk.checkpoint import Checkpoint
from routesdk.errors import MissingPluginError, PluginLoadError, UnknownComponentError
from routesdk.host import PluginHost
from routesdk.manifest import PartRecord

_RELEASE = re.compile(r"\d+(?:\.\d+)*")


def owned(record: PartRecord, host: PluginHost) -> PartRecord:
    """Fill in which distribution offers a part."""
    offered = host.find(record.kind, record.name)
    return attrs.evolve(record, distribution=offered.distribution, version=offered.version)


def check_plugins(checkpoint: Checkpoint, host: PluginHost) -> None:
    """Check that the plugins that a checkpoint was saved with are there, of that version or a newer one.

    Raises:
        MissingPluginError: A part is offered by nobody, by another distribution, or by an older one.
        PluginLoadError: The distribution that offers it is broken.
        ComponentConflictError: Two distributions offer it.
    """
    missing = {part: lack for part in checkpoint.manifest.requires if (lack := _lack(part, host)) is not None}
    if missing:
        wanted = sorted(
            {
                f"{part.distribution}=={part.version}" if part.version else part.distribution
                for part in missing
            }
        )
        raise MissingPluginError(
            str(checkpoint.folder),
            tuple(
                f"{part.kind} {part.name!r} of {part.distribution}{lack}" for part, lack in missing.items()
            ),
            f"pip install {' '.join(wanted)}",
        )


def _lack(part: PartRecord, host: PluginHost) -> str | None:
    """Return None where a part is there; else what stands in its place, empty for nothing."""
    try:
        found = owned(part, host)
    except UnknownComponentError:
        return ""
    except PluginLoadError as error:
        # Another plugin that is broken might offer the part, but it is known whose part this is.
        if _plain(error.distribution) == _plain(part.distribution):
            raise
        return ""
    if _plain(found.distribution) != _plain(part.distribution):
        # A part of the same name by somebody else may do anything.
        return f", which {found.distribution} offers in its place"
    if _release(found.version) < _release(part.version):
        return f" {part.version} or newer, where {found.version} is installed"
    return None


def _plain(distribution: str) -> str:
    """Return a distribution's name as all of its spellings are compared."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, without zeros at their end; nothing is older than one without."""
    found = _RELEASE.search(version)
    numbers = [int(number) for number in found.group().split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
