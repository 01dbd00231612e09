"""The one split: deterministic, stratified, with exact and near duplicates on one side.

Rows are placed by a hash of their group's text, never by position or by a shuffled
list: the order of the rows does not matter, and adding rows moves few of the others.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.errors import ConfigError, DatasetError
from routesdk.pipeline.duplicates import DuplicatePair, duplicate_groups, near_duplicates
from routesdk.pipeline.fingerprint import normalise, query_hash, stable_hash

__all__ = [
    "DEFAULT_SHARES",
    "DuplicatePair",
    "Split",
    "duplicate_groups",
    "folds",
    "near_duplicates",
    "normalise",
    "query_hash",
    "split",
    "split_files",
]

Integers = npt.NDArray[np.int64]

DEFAULT_SHARES: Mapping[str, float] = MappingProxyType({"train": 0.8, "test": 0.2})


@attrs.frozen(kw_only=True)
class Split:
    """Which part each row belongs to.

    Attributes:
        names: The parts, in the order of the shares.
        shares: The share of rows that each part was meant to have; they sum to 1.
        seed: The seed that the placement was derived from.
        codes: For each row, (rows,), the position of its part in `names`.
        groups: For each row, (rows,), a number that rows kept together share.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]
    seed: int
    codes: Integers = attrs.field(eq=attrs.cmp_using(eq=np.array_equal), repr=False)
    groups: Integers = attrs.field(eq=attrs.cmp_using(eq=np.array_equal), repr=False)

    def rows(self, part: str) -> Integers:
        """List the rows of a part.

        Args:
            part: A name of `names`.

        Returns:
            Row numbers, ascending; empty where no row fell into the part.

        Raises:
            ConfigError: The split has no such part.
        """
        if part not in self.names:
            known = ", ".join(self.names)
            raise ConfigError("part", repr(part), "the split has no such part", f"Known: {known}.")
        return np.flatnonzero(self.codes == self.names.index(part)).astype(np.int64)

    def counts(self) -> Mapping[str, int]:
        """Count the rows of each part."""
        found = np.bincount(self.codes, minlength=len(self.names)).tolist()
        return MappingProxyType(dict(zip(self.names, found, strict=True)))


def split(
    texts: Sequence[str],
    strata: Sequence[str] | None = None,
    *,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    seed: int = 0,
    groups: Sequence[int] | Integers | None = None,
) -> Split:
    """Divide rows into parts.

    Each stratum is divided in the given shares, to the nearest group. A stratum too
    small for its share gets a row of a part with the probability that makes the share
    right on average. Parts are filled by the order of their names, and the one with the
    largest share takes what is left: the test part of `{"train": 0.7, "validation": 0.1,
    "test": 0.2}` is that of the default shares, in whatever order the shares are given.

    Args:
        texts: Queries, one for each row.
        strata: For each row, what to keep balanced, such as its topic or the joint
            cell of the models' grades. A group that spans strata counts for the one
            that most of its rows have.
        shares: Part names and the share of rows for each, summing to 1; their order
            is that of the result's `names`, and changes nothing else.
        seed: Another seed is another split.
        groups: For each row, a number shared by rows that must stay together. By
            default `duplicate_groups(texts)`; give it to split again without searching.

    Returns:
        The part of every row. A part may be empty where there are few groups.

    Raises:
        ConfigError: Shares are negative, not finite or do not sum to 1; texts are one
            string; strata or groups are not as many as rows.
        DatasetError: A row is not a string.
    """
    _check_shares(shares)
    return _divide(texts, strata, shares=shares, order=_filling_order(shares), seed=seed, groups=groups)


def _filling_order(shares: Mapping[str, float]) -> list[str]:
    """List the parts so that the last takes what is left, whatever the order of the mapping."""
    rest = max(shares, key=lambda name: (shares[name], name))
    return [*sorted(name for name in shares if name != rest), rest]


def _divide(
    texts: Sequence[str],
    strata: Sequence[str] | None,
    *,
    shares: Mapping[str, float],
    order: Sequence[str],
    seed: int,
    groups: Sequence[int] | Integers | None,
) -> Split:
    _check_texts(texts)
    for key, given in (("strata", strata), ("groups", groups)):
        if given is not None and len(given) != len(texts):
            problem = f"there are {len(texts)} rows"
            raise ConfigError(key, f"{len(given)} values", problem, "Give one value for each row.")
    together = duplicate_groups(texts) if groups is None else np.asarray(groups, dtype=np.int64)
    codes = _place(_gather(texts, strata or [""] * len(texts), together), shares, order, seed, len(texts))
    return Split(
        names=tuple(shares),
        shares=tuple(float(share) for share in shares.values()),
        seed=seed,
        codes=codes,
        groups=together,
    )


def split_files(
    files: Mapping[str, Sequence[str]],
    strata: Mapping[str, Sequence[str]] | None = None,
    *,
    shares: Mapping[str, float] = DEFAULT_SHARES,
    seed: int = 0,
    groups: Mapping[str, Sequence[int] | Integers] | None = None,
) -> Mapping[str, Split]:
    """Divide several files at once, with duplicates across them in one part.

    Args:
        files: File names and their queries.
        strata: File names and a stratum for each row; a file that is not named is one
            stratum. Each file is balanced by itself.
        shares: As for `split`.
        seed: As for `split`.
        groups: As for `split`; numbers count across files. The groups of an earlier
            result may be given.

    Returns:
        File names and their splits.

    Raises:
        ConfigError: As for `split`; or strata or groups name a file that is not there.
        DatasetError: As for `split`.
    """
    given = strata or {}
    for key, named in (("strata", given), ("groups", groups)):
        if named is not None and (unknown := [name for name in named if name not in files]):
            known = f"Known: {', '.join(files)}."
            raise ConfigError(key, repr(unknown[0]), "no file has this name", known)
    texts = [text for name in files for text in files[name]]
    cells = [
        f"{name}\x1f{stratum}"
        for name in files
        for stratum in _as_many(f"strata.{name}", given.get(name), len(files[name]))
    ]
    together = None
    if groups is not None:
        together = np.concatenate([np.asarray(groups.get(name, ()), dtype=np.int64) for name in files])
    whole = split(texts, cells, shares=shares, seed=seed, groups=together)
    ends = np.cumsum([len(files[name]) for name in files])[:-1]
    pieces = zip(files, np.split(whole.codes, ends), np.split(whole.groups, ends), strict=True)
    return MappingProxyType(
        {name: attrs.evolve(whole, codes=codes, groups=numbers) for name, codes, numbers in pieces}
    )


def folds(
    texts: Sequence[str],
    strata: Sequence[str] | None = None,
    *,
    count: int = 5,
    seed: int = 0,
    groups: Sequence[int] | Integers | None = None,
) -> Split:
    """Divide rows into equal folds for cross-validation.

    Args:
        texts: As for `split`.
        strata: As for `split`.
        count: Number of folds, at least 2.
        seed: As for `split`.
        groups: As for `split`.

    Returns:
        A split whose parts are named "1", "2" and so on.

    Raises:
        ConfigError: As for `split`, or fewer than two folds.
        DatasetError: As for `split`.
    """
    if not isinstance(count, int) or isinstance(count, bool):
        raise ConfigError("count", repr(count), "not a whole number", "Give 2 or more.")
    if count < 2:
        raise ConfigError("count", str(count), "one fold leaves nothing to compare with", "Give 2 or more.")
    shares = {str(fold): 1.0 / count for fold in range(1, count + 1)}
    return _divide(texts, strata, shares=shares, order=list(shares)[::-1], seed=seed, groups=groups)


@attrs.frozen
class _Group:
    key: int
    stratum: str
    rows: tuple[int, ...]


def _gather(texts: Sequence[str], strata: Sequence[str], groups: Integers) -> list[_Group]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups.tolist()):
        members[group].append(row)
    return [
        _Group(
            # The smallest hash names a group whatever the order of its rows.
            key=min(query_hash(texts[row]) for row in rows),
            stratum=_most_common(strata[row] for row in rows) if len(rows) > 1 else strata[rows[0]],
            rows=tuple(rows),
        )
        for rows in members.values()
    ]


def _most_common(strata: Iterable[str]) -> str:
    counted = Counter(strata)
    return min(counted, key=lambda stratum: (-counted[stratum], stratum))


def _place(
    groups: list[_Group], shares: Mapping[str, float], order: Sequence[str], seed: int, rows: int
) -> Integers:
    names = list(shares)
    codes = np.full(rows, names.index(order[-1]), dtype=np.int64)
    strata: defaultdict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        strata[group.stratum].append(group)
    for stratum, members in strata.items():
        # Groups given by the caller may share a text, so the stratum breaks no tie but the rows do.
        waiting = sorted(members, key=lambda group: (_draw(seed, str(group.key)), group.key))
        size = sum(len(group.rows) for group in members)
        for name in order[:-1]:
            # Rounding at random, but always the same way, keeps small strata right on average.
            rounding = _draw(seed, f"{stratum}\x1f{name}") / 2**64 - 0.5
            target = shares[name] * size + rounding
            filled, left = 0, []
            for group in waiting:
                if filled + len(group.rows) / 2 <= target:
                    filled += len(group.rows)
                    codes[list(group.rows)] = names.index(name)
                else:
                    left.append(group)
            waiting = left
    return codes


def _draw(seed: int, name: str) -> int:
    return stable_hash(f"routesdk split\x1f{seed}\x1f{name}")


def _as_many(key: str, strata: Sequence[str] | None, rows: int) -> Sequence[str]:
    if strata is None:
        return [""] * rows
    if len(strata) != rows:
        problem = f"the file has {rows} rows"
        raise ConfigError(key, f"{len(strata)} values", problem, "Give one value for each row.")
    return strata


def _check_shares(shares: Mapping[str, float]) -> None:
    good = isinstance(shares, Mapping) and bool(shares) and all(map(_is_share, shares.values()))
    if not good or not math.isclose(math.fsum(shares.values()), 1.0, abs_tol=1e-9):
        problem = "shares must be at least 0 and sum to 1"
        raise ConfigError("shares", repr(shares), problem, "Such as {'train': 0.8, 'test': 0.2}.")


def _is_share(share: object) -> bool:
    if isinstance(share, bool) or not isinstance(share, (int, float)):
        return False
    return math.isfinite(share) and share >= 0


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        # A string is a sequence of its letters, which would each be a row.
        raise ConfigError("texts", ascii(texts[:40]), "one string", "Give a list of queries.")
    for row, text in enumerate(texts, start=1):
        if not isinstance(text, str):
            raise DatasetError("texts", row, f"the query is {type(text).__name__}, not a string")
