"""A read-only mapping: what crosses a layer cannot be changed behind its owner's back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class FrozenMapping(Mapping[K, V]):
    """An immutable, hashable mapping that keeps its order and can be pickled.

    `types.MappingProxyType` cannot be pickled, so decisions could not cross
    process borders with it.
    """

    __slots__ = ("_data",)

    def __init__(self, data: Mapping[K, V] | None = None) -> None:
        self._data: dict[K, V] = dict(data or {})

    def __getitem__(self, key: K) -> V:
        return self._data[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __hash__(self) -> int:
        return hash(frozenset(self._data.items()))

    def __repr__(self) -> str:
        return repr(self._data)


# Any, since attrs' converters lose type variables, and mapping keys are invariant.
def frozen(data: Mapping[Any, Any] | None) -> FrozenMapping[Any, Any]:
    """Return `data` as a read-only copy; a mapping that is read-only already is returned as it is."""
    return data if isinstance(data, FrozenMapping) else FrozenMapping(data)


def frozen_throughout(value: object) -> object:
    """Return plain data with its tables read-only and its lists as tuples, at any depth; it can be hashed."""
    if isinstance(value, Mapping):
        return FrozenMapping({key: frozen_throughout(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return tuple(frozen_throughout(item) for item in value)
    return frozenset(value) if isinstance(value, set) else value
