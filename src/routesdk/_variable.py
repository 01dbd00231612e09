"""Environment variables in a config: `${ROUTESDK_NAME}`, and no others, so that no secret gets in by them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from routesdk.errors import ConfigError

_VARIABLE = re.compile(r"\$\{(ROUTESDK_[A-Z0-9_]+)(?::-([^{}]*))?\}")


def with_variables(data: Mapping[str, object], *, source: str = "") -> dict[str, object]:
    """Put the values of environment variables into the texts of a config.

    Only variables whose names begin with `ROUTESDK_` are looked at; anything else that
    looks like one stays as it is.

    Args:
        data: What was read from the file.
        source: The file, for errors.

    Raises:
        ConfigError: A variable is not set, and the text does not say what to take then.
    """
    return {key: _in(value, key, source) for key, value in data.items()}


def _in(value: object, key: str, source: str) -> object:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, key, source), value)
    if isinstance(value, Mapping):
        return {name: _in(item, f"{key}.{name}", source) for name, item in value.items()}
    if isinstance(value, list):
        return [_in(item, f"{key}[{at}]", source) for at, item in enumerate(value)]
    return value


def _value(found: re.Match[str], key: str, source: str) -> str:
    # Set to nothing is as good as unset: an empty folder name would mean the root of the disk.
    value = os.environ.get(found[1]) or found[2]
    if value is None:
        fix = f"Set it, or write ${{{found[1]}:-what to take without it}}."
        raise ConfigError(key, found[0], f"the variable {found[1]} is not set", fix, source)
    return value
