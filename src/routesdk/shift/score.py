"""The shift score: how unlike what a router learned from a query looks, and when to say so."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import ConfigError
from routesdk.shift.batch import ShiftTest, assess_scores
from routesdk.shift.reading import SHAPES, plain, runs, shape, shapes, surprise
from routesdk.types import Query, QueryLike

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_FALSE_ALARM = 0.05
"""The share of queries like those learned from that are called unlike, unless somebody says otherwise."""

SHIFT_NOTICE = "unlike what this router learned from"
"""How the notice of a decision begins whose query's score passes the threshold."""

DIMENSIONS = SHAPES + 1
"""Numbers that one set's view of a text consists of: its shape, and how surprising its bytes are."""

_AT_ONCE = 512
"""Texts whose coordinates are worked out together: those of some thousand leave the processor's cache."""

DECIMALS = 6
"""Decimals of a distance: texts of one shape are equally far, however a sum was rounded on the way."""


@attrs.frozen(kw_only=True)
class ShiftSource:
    """A set that a router learned from.

    Attributes:
        name: The set's name.
        rows: How many of its rows were read.
    """

    name: str
    rows: int


@attrs.frozen(kw_only=True, eq=False)
class ShiftScore:
    """Scores queries by how unlike they look to each set that a router learned from, and keeps the least.

    For each set it knows how often each run of four bytes is, and which combinations of
    surprise, length and make-up its rows have (a few Gaussians). The distance of a text
    from these is ranked among the distances of the set's own rows, each measured by what
    was fitted without it. The score is the share of those rows that look less unlike than
    the text, in the set that it looks most like: 0.97 means that 3 % of them look as unlike.

    Rows of any mix of these sets score above `threshold` at a rate of at most
    `false_alarm`, since ranks of new rows among old ones are uniform.

    Immutable, and safe to share between threads.

    Attributes:
        sources: The sets.
        table: (2 ** bits, sources) how surprising each run of bytes is, in units of `step`.
        step: (sources,) nats that one unit of `table` is worth.
        centre: (groups, `DIMENSIONS`) middles of the Gaussians.
        factor: (groups, `DIMENSIONS`, `DIMENSIONS`) that makes their spread one in all directions;
            lower triangular, so that its last row is about surprise once the shape is known.
        offset: (groups,) added to squared distances: how wide and how rare a group is.
        group_source: (groups,) which source a group belongs to; ascending.
        reference: For each source, ascending, the distances of its rows.
        false_alarm: The share of rows like those learned from that are called unlike.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), for
        ranks as p-values.
    """

    sources: tuple[ShiftSource, ...]
    table: NDArray[np.uint8]
    step: NDArray[np.float64]
    centre: NDArray[np.float64]
    factor: NDArray[np.float64]
    offset: NDArray[np.float64]
    group_source: NDArray[np.int64]
    reference: tuple[NDArray[np.float64], ...]
    false_alarm: float = DEFAULT_FALSE_ALARM
    _limit: float = attrs.field(init=False)
    _bits: int = attrs.field(init=False)
    _map: NDArray[np.float64] = attrs.field(init=False)
    _shift: NDArray[np.float64] = attrs.field(init=False)
    _firsts: NDArray[np.int64] = attrs.field(init=False)
    _ranked: tuple[list[float], ...] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        if not 0.0 < self.false_alarm < 1.0:
            problem, fix = "does not lie between 0 and 1", "Give 0.05 for one false alarm in twenty."
            raise ConfigError("shift.false_alarm", str(self.false_alarm), problem, fix)
        least = least_rows(self.false_alarm)
        if self.reference_rows < least:
            problem = f"is rarer than {self.reference_rows} distances of a set can tell: {least} are needed"
            lowest = 1.0 / (self.reference_rows + 1)
            fix = f"Give {lowest:.2g} or more, or learn from more rows, of which 1,000 at most are kept."
            raise ConfigError("shift.false_alarm", str(self.false_alarm), problem, fix)
        count, groups = len(self.sources), len(self.centre)
        # One product gives the coordinates in every group: each reads its source's surprise, and the shape.
        whole = np.zeros((groups, DIMENSIONS, count + SHAPES))
        whole[np.arange(groups), :, self.group_source] = (
            self.factor[:, :, -1] * self.step[self.group_source][:, None]
        )
        whole[:, :, count:] = self.factor[:, :, :-1]
        moved = np.einsum("gij,gj->gi", self.factor, self.centre)
        # A hair below the threshold: a share such as 95 of 100 is no exact binary number.
        object.__setattr__(self, "_limit", self.threshold - 1e-12)
        object.__setattr__(self, "_bits", len(self.table).bit_length() - 1)
        # Coordinate by coordinate, so that sums over them run along whole rows.
        by_coordinate = np.ascontiguousarray(whole.transpose(1, 0, 2))
        object.__setattr__(self, "_map", by_coordinate.reshape(-1, count + SHAPES))
        object.__setattr__(self, "_shift", moved.T.ravel())
        object.__setattr__(self, "_firsts", np.searchsorted(self.group_source, np.arange(count)))
        object.__setattr__(self, "_ranked", tuple(each.tolist() for each in self.reference))

    @property
    def threshold(self) -> float:
        """The score from which a query is called unlike: 1 - `false_alarm`."""
        return 1.0 - self.false_alarm

    @property
    def notice(self) -> str:
        """What a decision says of a query whose score reaches the threshold."""
        return (
            f"{SHIFT_NOTICE} (shift score of {self.threshold:g} or more, as at most "
            f"{100 * self.false_alarm:.3g} % of queries like those have)"
        )

    def with_false_alarm(self, false_alarm: float) -> ShiftScore:
        """Return a copy with another rate of false alarms, and so another threshold.

        Raises:
            ConfigError: The rate does not lie between 0 and 1, or is rarer than the rows of
                the smallest set can tell, so that no query would ever be called unlike.
        """
        return attrs.evolve(self, false_alarm=false_alarm)

    def score(self, queries: Iterable[QueryLike]) -> NDArray[np.float64]:
        """Return the score of each query, 0 to 1: the higher, the more unlike; `threshold` divides them.

        Only the text of the last user turn is read, its first 1,000 characters.
        """
        texts = [query.text if type(query) is Query else Query.of(query).text for query in queries]
        if len(texts) < 2:
            return np.array([self.score_text(text) for text in texts])
        parts = [self._scores(texts[at : at + _AT_ONCE]) for at in range(0, len(texts), _AT_ONCE)]
        return np.concatenate(parts)

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        data = [plain(text) for text in texts]
        seen = np.hstack([surprise(data, self.table, self._bits), shapes(texts, data)])
        moved = (seen @ self._map.T - self._shift).reshape(len(texts), DIMENSIONS, -1)
        distances = squared(moved) + self.offset
        nearest = np.minimum.reduceat(distances, self._firsts, axis=1).round(DECIMALS)
        ranks = [
            self._share(np.searchsorted(known, nearest[:, at]), len(known))
            for at, known in enumerate(self.reference)
        ]
        return np.asarray(np.min(ranks, axis=0))

    def score_text(self, text: str) -> float:
        """Return the score of one text: as `score` does, with few operations."""
        data = plain(text)
        rows = self.table.take(runs(data, self._bits), axis=0)
        sums = np.add.reduce(rows, axis=0, dtype=np.int64).tolist()
        seen = np.array([*[each / len(rows) for each in sums], *shape(text, data)])
        moved = self._map.dot(seen)
        moved -= self._shift
        distances = squared(moved.reshape(DIMENSIONS, -1))
        distances += self.offset
        nearest = np.minimum.reduceat(distances, self._firsts).tolist()
        return min(
            [
                bisect_left(known, round(distance, DECIMALS)) / (len(known) + 1)
                for known, distance in zip(self._ranked, nearest, strict=True)
            ]
        )

    def assess(self, queries: Iterable[QueryLike]) -> ShiftTest:
        """Say of many queries at once whether they look unlike: far more surely than of any one of them.

        A text that stands there again counts once: it says no more than it did.

        Raises:
            ConfigError: There are no queries.
        """
        texts = (query if isinstance(query, str) else Query.of(query).text for query in queries)
        return self.assess_scores(self.score(dict.fromkeys(texts)))

    def assess_scores(self, scores: Sequence[float] | NDArray[np.float64]) -> ShiftTest:
        """Say the same of scores that decisions carry already, those of different queries.

        Raises:
            ConfigError: There are no scores, or one is no share.
        """
        return assess_scores(scores, self.false_alarm, self.reference_rows)

    @property
    def reference_rows(self) -> int:
        """Rows of the smallest set that scores are ranked among."""
        return min(len(each) for each in self.reference)

    def is_unlike(self, score: float) -> bool:
        """Tell whether a score reaches the threshold."""
        return score >= self._limit

    @staticmethod
    def _share(below: NDArray[np.int64], rows: int) -> NDArray[np.float64]:
        return np.asarray(below / (rows + 1))


def squared(moved: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared length of coordinates, (..., `DIMENSIONS`, groups), which are overwritten.

    The last one counts where a text surprises more than others of its shape do, and not
    where it surprises less: nobody needs to be told of what is all too familiar.
    """
    last = moved[..., -1, :]
    np.maximum(last, 0.0, out=last)
    np.multiply(moved, moved, out=moved)
    return np.asarray(np.add.reduce(moved, axis=-2))


def least_rows(false_alarm: float) -> int:
    """Return how many rows a set needs for a score to reach the threshold at all."""
    return math.ceil(1.0 / false_alarm - 1e-9) - 1
