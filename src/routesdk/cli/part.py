"""Options of parts on the command line: KEY=VALUE."""

from __future__ import annotations

import json
from collections.abc import Iterable

from routesdk.errors import ConfigError


def part_options(given: Iterable[str], *, flag: str = "--option") -> dict[str, object]:
    """Read KEY=VALUE pairs: a value that is JSON is taken for it, anything else is text.

    Args:
        given: The pairs, such as `path=a.jsonl` or `workers=4`.
        flag: The option that they were given with, for errors.

    Raises:
        ConfigError: An item is no such pair, or a key stands twice.
    """
    found: dict[str, object] = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals or not key.strip() or key in found:
            problem = "is not KEY=VALUE, or its key stands twice"
            raise ConfigError(flag, repr(item), problem, f"Write {flag} path=answers.jsonl.")
        found[key] = option_value(value)
    return found


def option_value(text: str) -> object:
    """Read the value of an option: JSON, or else text."""
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return value
