"""The rows of a calibration: checked, decided without rules, and laid out as arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.errors import ConfigError
from routesdk.pipeline.leak import refuse_learned
from routesdk.pipeline.payoff.scored import set_beside, with_all_outcomes
from routesdk.router import Router
from routesdk.types import Example

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_ROWS = 100
"""Fewer rows say too little: the interval of a share is then wider than a tenth to either side."""

_SHOWN = 5


@attrs.frozen(kw_only=True, eq=False)
class Material:
    """Rows with outcomes, beside what the router says of them before it is recalibrated.

    Attributes:
        examples: The rows.
        gains: Expected gain of each step, (rows, steps).
        correct: P(correct) of each tier, (rows, tiers); no columns where policies alone are known.
        probabilities: Of each policy, (rows, policies).
        recorded: Probability that each policy is the recorded one, (rows, policies).
        quality: Quality that each tier's model obtained, (rows, tiers).
        served: For each tier, the places of its policies.
    """

    examples: tuple[Example, ...]
    gains: Floats
    correct: Floats
    probabilities: Floats
    recorded: Floats
    quality: Floats
    served: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.gains)

    @classmethod
    def of(cls, router: Router, examples: Sequence[Example]) -> Material:
        """Decide checked rows, whatever rules the router has."""
        plain = attrs.evolve(
            router,
            calibration=attrs.evolve(router.calibration, recalibration=None),
            mapping=attrs.evolve(router.mapping, rules=()),
            observers=(),
        )
        decisions = plain.route_batch([row.query for row in examples])
        scored = set_beside(plain, examples, decisions, [tier.model for tier in router.tiers])
        policies = router.matrix.policies
        return cls(
            examples=tuple(examples),
            gains=np.array([each.prediction.gains for each in decisions], dtype=np.float64),
            correct=np.array([each.prediction.correct for each in decisions], dtype=np.float64),
            probabilities=scored.probabilities,
            recorded=scored.recorded,
            quality=scored.quality,
            served=tuple(
                tuple(at for at, policy in enumerate(policies) if policy.tier == tier.name)
                for tier in router.tiers
            ),
        )

    def decided(self, tiers: Integers) -> tuple[Floats, Floats]:
        """Return how sure the router is of what it decides for these tiers, and whether it was so."""
        best = np.stack(
            [
                np.asarray(places)[self.probabilities[:, places].argmax(axis=1)]
                for places in map(list, self.served)
            ],
            axis=1,
        )
        at = np.arange(len(self))
        chosen = best[at, tiers]
        return np.clip(self.probabilities[at, chosen], 0.0, 1.0), self.recorded[at, chosen]


def admit(router: Router, outcomes: Iterable[Example]) -> tuple[Example, ...]:
    """Check the rows of a calibration.

    Raises:
        ConfigError: They are no rows, or too few, an id stands twice, a row lacks an outcome of a
            tier's model, or the outcomes are all alike; or the router carries no hashes.
        LeakError: The router learned from rows.
    """
    rows = _rows(outcomes)
    if len(rows) < LEAST_ROWS:
        problem = f"{len(rows)} rows are too few to calibrate on"
        raise ConfigError("outcomes", f"{len(rows)} rows", problem, f"Give {LEAST_ROWS} or more.")
    twice = [name for name, count in Counter(row.id for row in rows).items() if count > 1]
    if twice:
        problem = f"stand{'s' if len(twice) == 1 else ''} in more than one row"
        raise ConfigError(
            "outcomes.id", _listed(twice), problem, "Give each row once, with an id of its own."
        )
    models = [tier.model for tier in router.tiers]
    _, lacking = with_all_outcomes(rows, models)
    if lacking:
        missing = [model for model in models if any(model not in row.outcomes for row in rows)]
        problem = f"{len(lacking)} of {len(rows)} rows have no outcome of {' or '.join(missing)}"
        fix = "Bind the router to models of the rows (medium=, large=), or leave those rows out."
        raise ConfigError("outcomes", _listed(lacking), problem, fix)
    refuse_learned(router, rows, "calibration")
    quality = np.array([[row.outcomes[model].quality for model in models] for row in rows])
    if not np.ptp(quality[:, 1:] - quality[:, :-1], axis=0).any():
        problem = "on every row the models differ by the same: there is nothing to route by"
        fix = "Give rows on which one model does better than the other on some, and not on others."
        raise ConfigError("outcomes", f"{len(rows)} rows", problem, fix)
    return rows


def _rows(outcomes: object) -> tuple[Example, ...]:
    fix = "Give examples: read those of a file with `routesdk.dataset.read_examples`."
    if isinstance(outcomes, (str, bytes, Mapping)) or not isinstance(outcomes, Iterable):
        raise ConfigError("outcomes", repr(outcomes)[:40], "is one value, not rows", fix)
    rows = tuple(outcomes)
    for row in rows:
        if not isinstance(row, Example):
            raise ConfigError("outcomes", repr(row)[:40], f"is {type(row).__name__}, not an Example", fix)
    return rows


def _listed(ids: Sequence[str]) -> str:
    more = f", … ({len(ids):,} in all)" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
