"""The policies' names as a tree of tokens: where they part is where a decision falls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@attrs.frozen(kw_only=True)
class Branch:
    """A place where names part.

    Attributes:
        path: Tokens from the beginning of a name to here.
        allowed: Tokens that a name goes on with, ascending.
    """

    path: tuple[int, ...]
    allowed: tuple[int, ...]


@attrs.frozen(kw_only=True)
class Tree:
    """Where the names part, and which way each goes.

    A name's score is the sum, over the places where names part, of the log-probability
    of its token among those that some name goes on with. Tokens that all names share, or
    that only one name can go on with, add nothing: a long name is not scored down for
    its length, and the scores are the log-probabilities of constrained decoding.

    Attributes:
        branches: Every place where names part; those that lie on one path in its order.
        steps: For each name, pairs of a branch and the place of its token there.
        paths: Paths that lead through all branches; none is the beginning of another.
    """

    branches: tuple[Branch, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]
    paths: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, names: Sequence[Sequence[int]], end: int) -> Tree:
        """Build the tree.

        Args:
            names: Tokens of each name; all different.
            end: The token that follows a name: with it, no name is the beginning of another.
        """
        whole = [(*name, end) for name in names]
        found: dict[tuple[int, ...], set[int]] = {}
        for name in whole:
            for at, token in enumerate(name):
                found.setdefault(name[:at], set()).add(token)
        branches = tuple(
            Branch(path=path, allowed=tuple(sorted(tokens)))
            for path, tokens in sorted(found.items())
            if len(tokens) > 1
        )
        number = {branch.path: at for at, branch in enumerate(branches)}
        steps = tuple(
            tuple(
                (number[name[:at]], branches[number[name[:at]]].allowed.index(token))
                for at, token in enumerate(name)
                if name[:at] in number
            )
            for name in whole
        )
        paths = tuple(
            path
            for path in number
            if not any(other != path and other[: len(path)] == path for other in number)
        )
        return cls(branches=branches, steps=steps, paths=paths)

    def on(self, path: tuple[int, ...]) -> tuple[int, ...]:
        """Return the branches that a path leads through, the nearest first."""
        return tuple(at for at, branch in enumerate(self.branches) if path[: len(branch.path)] == branch.path)

    def scores(self, logits: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the names' log-probabilities.

        Args:
            logits: For each branch, the logits of its allowed tokens, (rows, allowed).

        Returns:
            Shape (rows, names); each row's exponentials sum to one.
        """
        known = [each - _log_sum(each) for each in logits]
        columns = [
            np.sum([known[branch][:, place] for branch, place in steps], axis=0) for steps in self.steps
        ]
        return np.stack(columns, axis=1)


def _log_sum(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    most = logits.max(axis=1, keepdims=True)
    total: NDArray[np.float64] = most + np.log(np.exp(logits - most).sum(axis=1, keepdims=True))
    return total
