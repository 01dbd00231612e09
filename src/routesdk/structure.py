"""Strict reading of plain data into attrs classes: nothing is coerced, every error names its key."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    MutableMapping,
    MutableSequence,
    Sequence,
    Set,
)
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import attrs

from routesdk._checked import described, shown, type_name, validator_text
from routesdk.errors import ConfigError, RouteSDKError
from routesdk.types import FrozenMapping, PartConfig, usd

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")


def structure(data: object, cls: type[T], *, where: str = "", source: str = "") -> T:
    """Build an attrs class from plain data, such as parsed TOML or JSON.

    Args:
        data: A mapping of field names to plain values.
        cls: The attrs class.
        where: Dotted path of `data` within its file, for errors.
        source: The file, for errors.

    Raises:
        ConfigError: A key is unknown or missing, or a value is of the wrong
            type or out of range. Key, value and fix are named.
        Exception: Whatever else the class itself raised, such as an ImportError.
    """
    import cattrs
    from cattrs.errors import ForbiddenExtraKeysError

    try:
        return _converter().structure(data, cls)
    except (
        cattrs.BaseValidationError,
        cattrs.errors.StructureHandlerNotFoundError,
        TypeError,
        ValueError,
        RouteSDKError,
    ) as error:
        cause = _locate(error, [], data)[1]
        if not isinstance(cause, (TypeError, ValueError, KeyError, ConfigError, ForbiddenExtraKeysError)):
            # A class with a bug, an unreadable type or a missing package is no mistake in the data.
            raise cause from None
        raise _explain(error, data, cls, where, source) from error


def unstructure(value: object) -> dict[str, object]:
    """Turn an attrs class into plain data that `structure` reads back to an equal object."""
    fields: dict[str, object] = _converter().unstructure(value)
    return fields


@cache
def _converter() -> cattrs.Converter:
    import cattrs
    from cattrs.strategies import configure_union_passthrough

    converter = cattrs.Converter(forbid_extra_keys=True, prefer_attrib_converters=False)
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    converter.register_structure_hook_factory(attrs.has, _strict_table)
    read_part = _strict_table(PartConfig, converter)
    converter.register_structure_hook(
        # In a file, a part without options is its name.
        PartConfig,
        lambda value, kind: PartConfig(value) if isinstance(value, str) else read_part(value, kind),
    )
    # cattrs would take a string for a sequence of characters.
    converter.register_structure_hook_factory(_is_sequence, _strict_sequence)
    converter.register_structure_hook_factory(_is_mapping, _strict_mapping)
    # A table of options, or the one that matters by itself; the class says which.
    converter.register_structure_hook(Mapping[str, object] | str | None, lambda value, _: value)
    converter.register_structure_hook_func(_is_literal, _literal)
    # A value of either plain type is read as it stands: `words: str | int`.
    configure_union_passthrough(bool | int | float | str | None, converter)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_unstructure_hook(Path, str)
    # JSON and TOML know neither read-only tables nor what stands in a field of type `object`.
    converter.register_unstructure_hook_func(lambda kind: kind is object, plain)
    converter.register_unstructure_hook(FrozenMapping, plain)
    return converter


def plain(value: object) -> object:
    """Turn read-only tables and tuples into the dicts and lists that JSON can carry, at any depth."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if type(value) is object else _converter().unstructure(value)


def _exactly(kind: type) -> Callable[[object, object], object]:
    def check(value: object, _: object) -> object:
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                raise ValueError("is beyond what a number with a fraction holds") from None
        if type(value) is not kind:
            raise TypeError(f"is {type_name(value)}, not {described(kind)}")
        if kind is float and value != value:
            raise ValueError("is not a number")
        return value

    return check


def _decimal(value: object, _: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise TypeError(f"is {type_name(value)}, not an amount")
    return usd(value)


def _path(value: object, _: object) -> Path:
    if not isinstance(value, (str, Path)):
        raise TypeError(f"is {type_name(value)}, not a path")
    return Path(value)


def _strict_table(kind: type, converter: cattrs.Converter) -> Callable[[object, object], object]:
    from cattrs.gen import make_dict_structure_fn

    read = cast(
        Callable[[object, object], object],
        make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True),
    )

    def check(value: object, as_kind: object) -> object:
        if not isinstance(value, Mapping):
            raise TypeError(f"is {type_name(value)}, not a table of keys")
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"has the key {key!r}, which is not a string")
        return read(value, as_kind)

    return check


def _is_mapping(kind: object) -> bool:
    return (typing.get_origin(kind) or kind) in (dict, Mapping)


def _strict_mapping(kind: object, converter: cattrs.Converter) -> Callable[[object, object], object]:
    key, item = typing.get_args(kind) or (object, object)
    # Not `dict`, which would lead back here.
    every = MutableMapping[key, item]  # type: ignore[valid-type]
    read_all = converter.get_structure_hook(every)

    def read(value: object, _: object) -> object:
        if not isinstance(value, Mapping):
            raise TypeError(f"is {type_name(value)}, not a table of keys")
        return dict(read_all(value, every))

    return read


def _is_literal(kind: object) -> bool:
    return typing.get_origin(kind) is typing.Literal


def _literal(value: object, kind: object) -> object:
    allowed = typing.get_args(kind)
    if not any(value == each and type(value) is type(each) for each in allowed):
        raise ValueError(f"must be one of {', '.join(map(repr, allowed))}")
    return value


_SEQUENCES: dict[object, Callable[[list[object]], object]] = {
    tuple: tuple,
    list: list,
    set: set,
    frozenset: frozenset,
    Sequence: tuple,
    Collection: tuple,
    Iterable: tuple,
    Set: frozenset,
}
"""Types that are read from a list → what is built of it."""


def _is_sequence(kind: object) -> bool:
    return (typing.get_origin(kind) or kind) in _SEQUENCES


def _strict_sequence(kind: object, converter: cattrs.Converter) -> Callable[[object, object], object]:
    build = _SEQUENCES[typing.get_origin(kind) or kind]
    items = typing.get_args(kind) or (object,)
    fixed = build is tuple and len(items) > 1 and items[-1] is not Ellipsis
    each = [converter.get_structure_hook(item) for item in items] if fixed else []
    # Not `list`, which would lead back here.
    every = MutableSequence[items[0]]  # type: ignore[valid-type]
    as_list = None if fixed else converter.get_structure_hook(every)

    def read(value: object, _: object) -> object:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise TypeError(f"is {type_name(value)}, not a list")
        if as_list is not None:
            return build(as_list(list(value), every))
        if len(value) != len(items):
            raise ValueError(f"has {len(value)} items, not {len(items)}")
        return tuple(hook(item, kind) for hook, item, kind in zip(each, value, items, strict=True))

    return read


def _explain(error: BaseException, data: object, cls: type, where: str, source: str) -> ConfigError:
    path, leaf, value = _locate(error, [where] if where else [], data)
    if type(leaf).__name__ == "ForbiddenExtraKeysError":
        return _unknown_key(leaf, path, value, source)
    field = _field_of(leaf)
    if field:
        # A validator raised; its text begins with the field's name.
        path, value = [*path, field], _value_in(value, field)
    key = _dotted(path) or cls.__name__
    if isinstance(leaf, ConfigError):
        inner = leaf.key.rpartition(".")[2]
        joined = leaf.key if not path else key if path[-1] == inner or inner == "usd" else f"{key}.{inner}"
        return attrs.evolve(leaf, key=joined, source=source)
    if isinstance(leaf, KeyError):
        return ConfigError(key, "nothing", "is required", "Add it.", source)
    return ConfigError(key, shown(value, key), validator_text(leaf, field), "Correct the value.", source)


def _dotted(path: list[str]) -> str:
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".")


def _locate(error: BaseException, path: list[str], data: object) -> tuple[list[str], BaseException, object]:
    """Follow the first failing branch of a tree of cattrs errors down to its cause."""
    from cattrs import AttributeValidationNote, IterableValidationNote

    while isinstance(error, BaseExceptionGroup):
        # A misspelt key explains a missing one, so it goes first.
        error = min(error.exceptions, key=lambda each: type(each).__name__ != "ForbiddenExtraKeysError")
        for note in getattr(error, "__notes__", []):
            if isinstance(note, AttributeValidationNote):
                path, data = [*path, note.name], _value_in(data, note.name)
            elif isinstance(note, IterableValidationNote):
                part = f"[{note.index}]" if isinstance(note.index, int) else str(note.index)
                path, data = [*path, part], _value_in(data, note.index)
    return path, error, data


def _value_in(data: object, key: object) -> object:
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, (list, tuple)) and isinstance(key, int) and key < len(data):
        return data[key]
    return data


def _field_of(error: BaseException) -> str:
    """Name the attrs field whose validator raised, if one did."""
    if len(error.args) > 1 and isinstance(error.args[1], attrs.Attribute):
        return error.args[1].name
    # attrs' validators quote the field's name at the start of their text; other errors quote values.
    found = re.match(r"(?:Length of )?'(\w+)' must ", str(error.args[0]) if error.args else "")
    return found[1] if found else ""


def _unknown_key(error: BaseException, path: list[str], data: object, source: str) -> ConfigError:
    name = sorted(error.extra_fields)[0]  # type: ignore[attr-defined]
    known = [field.name for field in attrs.fields(error.cl)]  # type: ignore[attr-defined]
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(known) or 'none'}."
    key = _dotted([*path, name])
    return ConfigError(key, shown(_value_in(data, name), key), "no such key", fix, source)
