"""Offers the benchmark `simpleqa`: short questions of fact, downloaded once and checked, or from a file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import attrs
from attrs.validators import min_len, optional

from routesdk.errors import ConfigError
from routesdk.hookspecs import hookimpl
from routesdk.protocols import Benchmark, Component


def _web_address(_: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    if value is not None and not value.lower().startswith(("https://", "http://")):
        # Not shown: whatever stands there may hold a password.
        problem = "is no web address"
        raise ConfigError(attribute.name, "(not shown)", problem, "Begin it with https:// or http://.")


@attrs.frozen(kw_only=True)
class SimpleQAConfig:
    """Where SimpleQA comes from, and which of it to take.

    Attributes:
        file: A copy of `simple_qa_test_set.csv`, in place of a download. Rows of one's
            own in the same form will do: its hash is not checked.
        url: A mirror to download from; the file there must be the published one, byte
            for byte. Not together with `file`.
        topic: Take the rows of this topic alone; None for all.
        cache: Folder that the download is kept in; None: the one that the variable
            `ROUTESDK_CACHE` names, or the platform's folder for caches.
    """

    file: Path | None = None
    url: str | None = attrs.field(default=None, validator=_web_address)
    topic: str | None = attrs.field(default=None, validator=optional(min_len(1)))
    cache: Path | None = None

    def __attrs_post_init__(self) -> None:
        if self.file is not None and self.url is not None:
            raise ConfigError("url", "(not shown)", "was given beside a file", "Give one of the two.")


def _simpleqa(config: SimpleQAConfig) -> Benchmark:
    from routesdk.plugins.simpleqa.benchmark import SimpleQA

    return SimpleQA(config)


@hookimpl
def routesdk_benchmarks() -> Iterable[Component[Benchmark]]:
    """Offer SimpleQA as OpenAI published it."""
    yield Component(
        name="simpleqa",
        factory=_simpleqa,
        config=SimpleQAConfig,
        summary="OpenAI's SimpleQA: 4,326 short questions of fact, downloaded once, or from a CSV file.",
    )
