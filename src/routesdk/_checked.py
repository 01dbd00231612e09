"""Config classes that check themselves: one built by hand fails as clearly as one read from a file."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import cast

import attrs

from routesdk.errors import ConfigError

_TYPE_NAMES: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "true or false",
    list: "a list",
    tuple: "a list",
    dict: "a table",
    Mapping: "a table",
    type(None): "nothing",
}
# The value of such a key may be a secret, also where the key itself is a mistake.
_SECRET = re.compile(r"api_?key|access_?key|secret|password|credential|(^|_)token$", re.IGNORECASE)


def type_name(value: object) -> str:
    """Name the type of a value, as a sentence about a config would."""
    return _TYPE_NAMES.get(type(value), "a table" if isinstance(value, Mapping) else type(value).__name__)


def shown(value: object, key: str = "") -> str:
    """Show a value in an error: short, and not at all where its key says that it is a secret."""
    if _SECRET.search(key.rpartition(".")[2]):
        return "(not shown)"
    # A whole number of thousands of digits has no repr.
    text = f"{value:#x}" if isinstance(value, int) and value.bit_length() > 256 else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def validator_text(error: BaseException, field: str) -> str:
    """Say what one of attrs' validators found, without the field's name and its value."""
    text = str(error.args[0] if error.args else error).replace(f"Length of '{field}'", "its length")
    return text.removeprefix(f"'{field}' ").partition(" (got ")[0].partition(": ")[0]


def named(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Refuse a blank name; a validator."""
    if not value.strip():
        raise ConfigError(attribute.name, shown(value), "must not be blank", "Give a name.")


def checked(cls: type, fields: list[attrs.Attribute[object]]) -> list[attrs.Attribute[object]]:
    """Make an attrs class check its fields' types, and raise `ConfigError` in place of other errors.

    Give it as `field_transformer` to `attrs.frozen`.
    """
    return [field.evolve(validator=_check(field.validator)) for field in fields]


Validator = Callable[[object, "attrs.Attribute[object]", object], object]


def _check(validator: Validator | None) -> Validator:
    def check(instance: object, attribute: attrs.Attribute[object], value: object) -> None:
        key = attribute.name
        kind = _types(cast("Hashable", type(instance)))[key]
        if not _fits(value, kind):
            problem = f"is {type_name(value)}, not {described(kind)}"
            if type_name(value) == described(kind):
                problem = f"does not hold what {described(kind)} of this key holds"
            raise ConfigError(key, shown(value, key), problem, "Correct the value.")
        try:
            if validator is not None:
                validator(instance, attribute, value)
        except (TypeError, ValueError) as error:
            text = validator_text(error, key)
            raise ConfigError(key, shown(value, key), text, "Correct the value.") from error

    return check


@cache
def _types(cls: Hashable) -> Mapping[str, object]:
    return typing.get_type_hints(cls)


def described(kind: object) -> str:
    """Name a type, as a sentence about a config would."""
    if isinstance(kind, types.UnionType):
        return " or ".join(described(each) for each in typing.get_args(kind))
    plain = typing.get_origin(kind) or kind
    return _TYPE_NAMES.get(plain, getattr(plain, "__name__", str(plain)))


def _fits(value: object, kind: object) -> bool:
    """Tell whether a value has a type, of those that configs use; true for a type that is none of them."""
    if isinstance(kind, types.UnionType):
        return any(_fits(value, each) for each in typing.get_args(kind))
    origin, items = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is tuple and items[1:] == (...,):
        return isinstance(value, tuple) and all(_fits(each, items[0]) for each in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(key, items[0]) and _fits(each, items[1]) for key, each in value.items()
        )
    if origin in (int, float):
        number = (int, float) if origin is float else int
        return isinstance(value, number) and not isinstance(value, bool)
    return isinstance(value, origin) if isinstance(origin, type) else True
