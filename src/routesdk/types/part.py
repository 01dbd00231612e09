"""A part by name, as a config names it: what a host needs to build it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from routesdk.errors import ConfigError
from routesdk.types.frozen import FrozenMapping, frozen_throughout


def _options(options: Mapping[str, object]) -> Mapping[str, object]:
    if not isinstance(options, Mapping):
        raise ConfigError("options", repr(options)[:80], "is no table", "Write options = { key = value }.")
    return cast("Mapping[str, object]", frozen_throughout(options))


@attrs.frozen
class PartConfig:
    """A part's name, and the options that its own config takes.

    In a file, a name alone will do: `judge = "lexical"` is
    `judge = { name = "lexical" }`.

    Attributes:
        name: The name under which a plugin offers the part.
        options: What the part's config takes.

    Raises:
        ConfigError: The name is blank, or the options are no table.
    """

    name: str
    options: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=_options)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ConfigError("name", repr(self.name)[:80], "is no name of a part", "Give a name.")

    @classmethod
    def of(cls, value: PartConfig | str) -> PartConfig:
        """Return a part's config as it is, or the one of a bare name."""
        return value if isinstance(value, PartConfig) else cls(value)
