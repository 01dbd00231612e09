"""Leaks: questions that stand on two sides, rows that a router learned from, rows outside the train part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.errors import ConfigError, LeakError
from routesdk.pipeline.division import TEST, TRAIN, Division
from routesdk.pipeline.duplicates import near_duplicates
from routesdk.pipeline.fingerprint import query_hash
from routesdk.protocols import Benchmark
from routesdk.router import Router
from routesdk.types import Example

Hashes = npt.NDArray[np.uint64]


@attrs.frozen(kw_only=True)
class Leak:
    """Two rows that ask the same.

    Attributes:
        left_id: The row's id on the left side.
        right_id: The row's id on the right side.
        left: Its question.
        right: Its question.
        similarity: Jaccard similarity of the questions' character 5-grams, 0 to 1.
        exact: Whether the normal forms of the whole texts are equal.
    """

    left_id: str
    right_id: str
    left: str
    right: str
    similarity: float
    exact: bool


def find_leaks(left: Iterable[Example], right: Iterable[Example] | None = None) -> tuple[Leak, ...]:
    """Find the questions that stand on both sides, exactly or nearly; see `near_duplicates`.

    Each row that has a partner on the other side is named in one pair at least,
    but not every pair of a group is listed. Ids and texts are held in memory.

    Args:
        left: Rows of one side.
        right: Rows of the other; None looks for duplicates within the one.

    Returns:
        Pairs in the order of the rows.
    """
    ours = [(example.id, example.query.text) for example in left]
    theirs = None if right is None else [(example.id, example.query.text) for example in right]
    others = ours if theirs is None else theirs
    right_texts = None if theirs is None else [text for _, text in theirs]
    pairs = near_duplicates([text for _, text in ours], right_texts)
    return tuple(
        Leak(
            left_id=ours[pair.left][0],
            right_id=others[pair.right][0],
            left=ours[pair.left][1],
            right=others[pair.right][1],
            similarity=pair.similarity,
            exact=pair.exact,
        )
        for pair in pairs
    )


def find_split_leaks(benchmark: Benchmark, division: Division) -> tuple[Leak, ...]:
    """Find the questions that stand in both parts of a division; there should be none."""
    return find_leaks(division.select(benchmark, TRAIN), division.select(benchmark, TEST))


def find_learned(learned: Router | Hashes, examples: Iterable[Example]) -> Iterator[Example]:
    """Yield the examples that a router learned from, one at a time.

    Only rows whose normal forms are equal are found: a hash knows no neighbours.

    Args:
        learned: The router, or the sorted hashes of the queries that it learned from.
        examples: Rows to look at; streamed.
    """
    hashes = learned.training_hashes() if isinstance(learned, Router) else learned
    for example in examples:
        wanted = np.uint64(query_hash(example.query.text))
        place = int(np.searchsorted(hashes, wanted))
        if place < len(hashes) and hashes[place] == wanted:
            yield example


def refuse_learned(learned: Router | Hashes, examples: Iterable[Example], purpose: str) -> None:
    """Refuse rows that a router learned from: it would look better on them than it is.

    Args:
        learned: The router, or the sorted hashes of the queries that it learned from.
        examples: The rows; streamed.
        purpose: What they are meant for, such as `evaluation`.

    Raises:
        ConfigError: There are no hashes of what was learned from, so that nothing can be told.
        LeakError: There are such rows. It names them, and for a router the sets that its
            card says it was trained on.
    """
    require_hashes(learned)
    ids = tuple(example.id for example in find_learned(learned, examples))
    if not ids:
        return
    if isinstance(learned, Router):
        name = f"the checkpoint {learned.checkpoint_id}" if learned.checkpoint_id else "the router"
        raise LeakError(purpose, ids, name, learned_sets(learned))
    raise LeakError(purpose, ids, "the router")


def require_hashes(learned: Router | Hashes, name: str = "") -> None:
    """Refuse a router that carries no hashes: it would pass every check, whatever it learned from.

    Args:
        learned: The router, or its hashes.
        name: What to call it in the error; its checkpoint's id where left out.

    Raises:
        ConfigError: There are none.
    """
    hashes = learned.training_hashes() if isinstance(learned, Router) else learned
    if not len(hashes):
        known = learned.checkpoint_id if isinstance(learned, Router) else ""
        shown = name or known or "(a router)"
        problem = "carries no hashes of what it learned from: nothing can be told"
        fix = "Use a checkpoint that was saved with them, or compare files with `routesdk leak-check`."
        raise ConfigError("checkpoint", shown, problem, fix)


def learned_sets(router: Router) -> tuple[str, ...]:
    """Say, set by set, what a router's card says that it was trained on."""
    return tuple(
        f"{each.rows:,} rows of {each.name}{f' ({each.source})' if each.source else ''}"
        for each in router.evidence.sources
    )


class Divided(Protocol):
    """Whatever knows which rows may be learned from."""

    def is_train(self, example: Example) -> bool:
        """Tell whether an example is in the train part."""
        ...


def refuse_outside_train(division: Divided, examples: Iterable[Example], purpose: str = "the oracle") -> None:
    """Refuse rows that are not in the train part, before anything is paid for them.

    Args:
        division: The division that says what the train part is.
        examples: The rows; streamed.
        purpose: What they are meant for.

    Raises:
        LeakError: Rows are in the test part, or were not there when it was divided.
    """
    outside = tuple(example.id for example in examples if not division.is_train(example))
    if outside:
        raise LeakError(purpose, outside)
