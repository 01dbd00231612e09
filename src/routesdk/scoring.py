"""From a batch of predictions to policy probabilities, expected gains, and a tier."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk._consult import consult
from routesdk.errors import ConfigError, PolicyParseError, PredictionError
from routesdk.types import GRADES, Grade, OperatingPoint, Policy, Prediction, PredictionBatch
from routesdk.types.prediction import SUM_TOLERANCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from routesdk.manifest import Calibration, Recalibration
    from routesdk.protocols import Matrix, PolicyModel

NEVER = 2.0
"""A threshold that no gain reaches, and ALWAYS one that every gain does: gains lie in [-1, 1]."""

ALWAYS = -2.0

_FEW_NUMBERS = 100
"""Up to so many numbers, plain Python is done before numpy has begun: a lone query is decided sooner."""


@attrs.frozen(kw_only=True, eq=False)
class Scorer:
    """A matrix as a table, so that a batch of cells becomes policies and gains in one product.

    Attributes:
        policies: The matrix's policies, in its order.
        tiers: The tiers' names, cheapest first.
        table: (3 ** tiers, policies + tiers); column p of a cell is 1 where
            the cell has policy p, then 1 where tier t is correct in it.
        by_tier: For each tier, the indices of the policies it serves.
        policy_gains: Policy → mean gain of each step on calibration rows; needed
            only where a policy model knows policies alone.
        recalibration: What gains and confidences are mapped by; None for nothing.
    """

    policies: tuple[Policy, ...]
    tiers: tuple[str, ...]
    table: NDArray[np.float64]
    by_tier: tuple[tuple[int, ...], ...]
    policy_gains: Mapping[str, tuple[float, ...]]
    recalibration: Recalibration | None = None

    @classmethod
    def of(
        cls,
        matrix: Matrix,
        policy_gains: Mapping[str, tuple[float, ...]] | None = None,
        recalibration: Recalibration | None = None,
    ) -> Scorer:
        """Lay out a matrix as a table.

        Raises:
            ConfigError: The matrix gives a policy that it does not list, or
                leaves a tier without any policy; or the recalibration is of other tiers.
        """
        policies, tiers = matrix.policies, matrix.tiers
        names = [policy.name for policy in policies]
        rows = []
        for grades in itertools.product(GRADES, repeat=len(tiers)):
            name = matrix.policy(grades).name
            if name not in names:
                raise ConfigError(
                    "matrix.policies", name, "is given to a cell but not listed", "List every policy."
                )
            rows.append(
                [float(name == other) for other in names] + [float(g is Grade.CORRECT) for g in grades]
            )
        by_tier = tuple(
            tuple(i for i, policy in enumerate(policies) if policy.tier == tier) for tier in tiers
        )
        for tier, served in zip(tiers, by_tier, strict=True):
            if not served:
                raise ConfigError(
                    "matrix.policies", tier, "is a tier that no policy has", "Give each tier a policy."
                )
        if recalibration is not None and len(recalibration.gains) != len(tiers) - 1:
            problem = f"maps {len(recalibration.gains)} steps where {len(tiers)} tiers have {len(tiers) - 1}"
            raise ConfigError("calibration.recalibration", "given", problem, "Calibrate the router again.")
        return cls(
            policies=policies,
            tiers=tiers,
            table=np.array(rows),
            by_tier=by_tier,
            policy_gains=dict(policy_gains or {}),
            recalibration=recalibration,
        )

    def score(self, batch: PredictionBatch, size: int, name: str) -> list[Prediction]:
        """Turn a batch into one prediction a query.

        Args:
            batch: What the policy model returned.
            size: How many queries it was given.
            name: The policy model's name, for errors.

        Raises:
            PredictionError: Shape, range or sum of the probabilities is wrong.
            PolicyParseError: The batch names a policy that the matrix does not define.
        """
        names = tuple(policy.name for policy in self.policies)
        _check_form(batch, size, name)
        if batch.policies is not None:
            values = self._valid(self._ordered(batch, names, name), len(names), size, name)
            gains = values @ self._gain_table(name)
            return [
                Prediction(names, tuple(row), *self._mapped((), tuple(step_gains)), True)
                for row, step_gains in zip(values.tolist(), gains.tolist(), strict=True)
            ]
        if batch.grades is not None and batch.grades.shape[2:] != (len(self.tiers), len(GRADES)):
            raise PredictionError(
                name, f"its grades are of shape {batch.grades.shape}, for {len(self.tiers)} tiers"
            )
        cells = self._valid(batch.joint(), len(self.table), size, name)
        split = len(names)
        predictions = []
        for row in (cells @ self.table).tolist():
            correct = tuple(row[split:])
            steps = tuple([dearer - cheaper for cheaper, dearer in itertools.pairwise(correct)])
            if self.recalibration is not None:
                correct, steps = self._mapped(correct, steps)
            predictions.append(Prediction(names, tuple(row[:split]), correct, steps))
        return predictions

    def confidence(self, probability: float) -> float:
        """Return the calibrated confidence in a decided policy of this probability."""
        maps = self.recalibration
        return probability if maps is None else maps.confidence(min(max(probability, 0.0), 1.0))

    def _mapped(
        self, correct: tuple[float, ...], steps: tuple[float, ...]
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Map gains, and P(correct) so that it fits them: the cheapest tier's, then a gain more each step."""
        maps = self.recalibration
        if maps is None:
            return correct, steps
        gains = tuple([each(gain) for each, gain in zip(maps.gains, steps, strict=True)])
        if not correct or maps.base is None:
            return correct, gains
        chances = [maps.base(correct[0])]
        for gain in gains:
            chances.append(min(max(chances[-1] + gain, 0.0), 1.0))
        return tuple(chances), gains

    def gains(self, batch: PredictionBatch, name: str) -> NDArray[np.float64]:
        """Return (n, tiers - 1) expected gains of each step between neighbouring tiers."""
        predictions = self.score(batch, len(batch), name)
        return np.array([prediction.gains for prediction in predictions]).reshape(len(predictions), -1)

    def decide(self, prediction: Prediction, point: OperatingPoint) -> tuple[int, int]:
        """Return the tier that the thresholds pick, and its likeliest policy, as indices."""
        tier = 0
        for gain, threshold in zip(prediction.gains, point.thresholds, strict=True):
            if gain < threshold:
                break
            tier += 1
        served = self.by_tier[tier]
        return tier, max(served, key=prediction.values.__getitem__)

    def _valid(self, array: NDArray[np.floating], width: int, size: int, name: str) -> NDArray[np.float64]:
        values = np.asarray(array, dtype=np.float64)
        if values.shape != (size, width):
            raise PredictionError(name, f"its shape is {values.shape}, not {(size, width)}")
        bad = _first_invalid(values)
        if bad is not None:
            with np.errstate(invalid="ignore"):
                total = values[bad].sum()
            raise PredictionError(
                name,
                f"probabilities must be 0 or more and sum to one, and row {bad} is "
                f"{np.array2string(values[bad], precision=4, threshold=9)} with sum {total:.6g}",
            )
        return values

    def _ordered(self, batch: PredictionBatch, names: tuple[str, ...], name: str) -> NDArray[np.floating]:
        assert batch.policies is not None
        for given in batch.policy_names:
            if given not in names:
                raise PolicyParseError(given, names)
        if batch.policy_names == names:
            return batch.policies
        missing = sorted(set(names) - set(batch.policy_names))
        if missing or len(batch.policy_names) != len(names) or batch.policies.shape[-1] != len(names):
            raise PredictionError(
                name,
                f"its columns are {batch.policy_names} for {batch.policies.shape[-1]} numbers a row, "
                f"where each of {names} is needed once",
            )
        return batch.policies[:, [batch.policy_names.index(policy) for policy in names]]

    def _gain_table(self, name: str) -> NDArray[np.float64]:
        steps = len(self.tiers) - 1
        missing = [
            policy.name for policy in self.policies if len(self.policy_gains.get(policy.name, ())) != steps
        ]
        if missing:
            raise PredictionError(
                name,
                f"it knows policies alone, and the mean gain of {', '.join(missing)} is not known; "
                "give policy_gains, measured on calibration rows",
            )
        return np.array([self.policy_gains[policy.name] for policy in self.policies])


def _check_form(batch: object, size: int, name: str) -> None:
    """Check that a policy model returned a batch of arrays, with as many rows as it was asked for."""
    if not isinstance(batch, PredictionBatch):
        raise PredictionError(name, f"it is {type(batch).__name__}, not a PredictionBatch")
    ranks = (("cells", 2), ("weights", 2), ("grades", 4), ("policies", 2), ("cut", 1))
    for field, rank in ranks:
        array = getattr(batch, field)
        if array is None:
            continue
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise PredictionError(name, f"its {field} are {type(array).__name__}, not an array of numbers")
        if array.ndim != rank or len(array) != size:
            raise PredictionError(
                name, f"its {field} are of shape {array.shape}, not of {size} rows in {rank} dimensions"
            )
    weights, grades = batch.weights, batch.grades
    if weights is not None and grades is not None and weights.shape != grades.shape[:2]:
        raise PredictionError(
            name, f"its weights are of shape {weights.shape} and its grades of {grades.shape}"
        )


def _first_invalid(values: NDArray[np.float64]) -> int | None:
    """Return the first row that is no distribution, or None; NaN fails every comparison."""
    if values.size <= _FEW_NUMBERS:
        for index, row in enumerate(values.tolist()):
            if not (min(row) >= 0.0 and abs(sum(row) - 1.0) <= SUM_TOLERANCE):
                return index
        return None
    with np.errstate(invalid="ignore"):
        good = (values.min(axis=1) >= 0.0) & (abs(values.sum(axis=1) - 1.0) <= SUM_TOLERANCE)
    return None if good.all() else int(np.argmin(good))


def thresholds_for_share(gains: NDArray[np.float64], shares: Sequence[float]) -> tuple[float, ...]:
    """Find the thresholds that send wanted shares of reference rows up the tiers.

    Args:
        gains: (n, tiers - 1) expected gains of the reference rows.
        shares: For each step, the share of the rows standing below it that
            climb it, in [0, 1].

    Returns:
        One threshold a step. A share of 0 gives `NEVER`, so that nothing
        climbs, and 1 gives `ALWAYS`.
    """
    standing = np.arange(len(gains))
    thresholds = []
    for step, share in enumerate(shares):
        ranked = np.sort(gains[standing, step])[::-1]
        climbing = round(share * len(ranked))
        if share >= 1.0:
            threshold = ALWAYS
        elif climbing == 0:
            threshold = NEVER
        elif climbing == len(ranked):
            threshold = ranked[-1]
        else:
            # Half-way between two rows, so that neither sits on the edge.
            threshold = (ranked[climbing - 1] + ranked[climbing]) / 2
        thresholds.append(float(threshold))
        standing = standing[gains[standing, step] >= threshold]
    return tuple(thresholds)


class ShareFinder:
    """Finds operating points for wanted shares from a policy model's reference rows.

    Args:
        scorer: Turns predictions into gains.
        policy_model: Keeps reference rows, or not.
        calibration: Quantiles of gains, for a policy model that keeps none.
    """

    def __init__(self, scorer: Scorer, policy_model: PolicyModel, calibration: Calibration) -> None:
        self._scorer = scorer
        self._policy_model = policy_model
        self._calibration = calibration
        # Shares are few and asked for again; reference rows are scored once, when the first is.
        self._found = lru_cache(maxsize=256)(self._point)
        self._gains = lru_cache(maxsize=1)(self._reference_gains)

    def point(self, large_share: float) -> OperatingPoint:
        """Find the operating point that sends this share of the reference rows up each step.

        Raises:
            ConfigError: The share is no number in [0, 1], or there are no reference rows.
            PredictionError: The policy model failed on its reference rows.
        """
        # Checked before the cache is asked, for which True is 1.
        if isinstance(large_share, bool) or not isinstance(large_share, (int, float)):
            raise ConfigError("large_share", repr(large_share), "is no number", "Give a share from 0 to 1.")
        if not 0.0 <= large_share <= 1.0:
            raise ConfigError(
                "large_share", str(large_share), "lies outside [0, 1]", "Give a share from 0 to 1."
            )
        return self._found(float(large_share))

    def _point(self, large_share: float) -> OperatingPoint:
        shares = (large_share,) * (len(self._scorer.tiers) - 1)
        return OperatingPoint(thresholds_for_share(self._gains(), shares), large_share, "caller")

    def _reference_gains(self) -> NDArray[np.float64]:
        name = type(self._policy_model).__name__
        again = self._calibration.recalibration
        if again is not None:
            # Rows of one's own say more about one's shares than those of the training mix.
            return np.array(again.gain_quantiles).T
        reference = consult(name, self._policy_model.reference)
        if reference is not None and not isinstance(reference, PredictionBatch):
            problem = f"`reference` returned {type(reference).__name__}, not a PredictionBatch or None"
            raise PredictionError(name, problem)
        if reference is not None and len(reference):
            return self._scorer.gains(reference, name)
        quantiles = np.array(self._calibration.gain_quantiles).T
        if quantiles.shape[-1:] != (len(self._scorer.tiers) - 1,):
            raise ConfigError(
                "large_share",
                "given",
                "cannot be met: the policy model keeps no reference rows for these tiers",
                "Give an operating_point with thresholds instead.",
            )
        return quantiles
