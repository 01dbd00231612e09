"""Calibration of the policies' scores: a temperature, or a scale and an offset for each policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.structure import structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TEMPERATURE, VECTOR = "temperature", "vector"

_ROUNDS = 100
_CLOSE = 1e-9
# Pulls towards one scale for all and no offset, as strongly as a few rows would.
_RIDGE = 1.0


@attrs.frozen(kw_only=True)
class Scaling:
    """What makes scores into calibrated probabilities: the softmax of scale * score + offset.

    Attributes:
        method: `temperature` or `vector`.
        scale: One a policy.
        offset: One a policy.
        rows: Rows that it was fitted on; 0 where it was not.

    Source: Guo et al., On Calibration of Modern Neural Networks (arXiv:1706.04599), for both methods.
    """

    method: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    rows: int = 0

    @classmethod
    def none(cls, policies: int) -> Scaling:
        """Leave scores as they are."""
        return cls(method=TEMPERATURE, scale=(1.0,) * policies, offset=(0.0,) * policies)

    def probabilities(self, scores: Floats) -> Floats:
        """Return calibrated probabilities, (rows, policies)."""
        return _softmax(scores * np.array(self.scale) + np.array(self.offset))

    def record(self) -> dict[str, object]:
        """Return plain data."""
        return attrs.asdict(self)

    @classmethod
    def read(cls, data: object) -> Scaling:
        """Read what `record` returned."""
        return structure(data, cls, where="calibration")


def fit_scaling(scores: Floats, labels: Sequence[int], method: str = VECTOR) -> Scaling:
    """Fit a scaling by Newton's method on the log-loss, with a weak pull towards a temperature.

    Args:
        scores: Log-probabilities of the policies, (rows, policies).
        labels: For each row, the place of its policy.
        method: `temperature` or `vector`.
    """
    rows, policies = scores.shape
    shared = _newton(scores, np.asarray(labels), _temperature_basis(policies), np.array([1.0]), 0.0)
    if method == TEMPERATURE:
        scale, offset = np.full(policies, shared[0]), np.zeros(policies)
    else:
        start = np.concatenate([np.full(policies, shared[0]), np.zeros(policies)])
        found = _newton(scores, np.asarray(labels), np.eye(2 * policies), start, _RIDGE)
        scale, offset = found[:policies], found[policies:]
    return Scaling(method=method, scale=tuple(scale.tolist()), offset=tuple(offset.tolist()), rows=rows)


def _temperature_basis(policies: int) -> Floats:
    """One parameter that moves all scales alike, and no offset."""
    return np.concatenate([np.ones((policies, 1)), np.zeros((policies, 1))])


def _newton(scores: Floats, labels: NDArray[np.int64], basis: Floats, start: Floats, ridge: float) -> Floats:
    """Minimise log-loss + ridge / 2 * |x - start|² over x, where scales and offsets are basis @ x."""
    rows, policies = scores.shape
    target = np.eye(policies)[labels]
    found = start.copy()
    value = _loss(scores, target, basis @ found) + 0.0
    for _ in range(_ROUNDS):
        shared = basis @ found
        chances = _softmax(scores * shared[:policies] + shared[policies:])
        excess = chances - target
        slope = basis.T @ np.concatenate([(excess * scores).sum(axis=0), excess.sum(axis=0)])
        slope += ridge * (found - start)
        # The logits' derivatives with respect to scales and offsets, (rows, policies, 2 * policies).
        inner = np.concatenate(
            [
                scores[:, :, None] * np.eye(policies),
                np.broadcast_to(np.eye(policies), (rows, policies, policies)),
            ],
            axis=2,
        )
        spread = chances[:, :, None] * np.eye(policies) - chances[:, :, None] * chances[:, None, :]
        bend = np.einsum("nij,nia,njb->ab", spread, inner, inner, optimize=True)
        bend = basis.T @ bend @ basis + (ridge + 1e-6) * np.eye(len(found))
        step = np.linalg.solve(bend, slope)
        size = 1.0
        # Halved until the loss falls: far from the minimum a whole step may overshoot.
        while size > 1e-6:
            trial = found - size * step
            loss = _loss(scores, target, basis @ trial) + ridge / 2 * float(((trial - start) ** 2).sum())
            if loss <= value:
                break
            size /= 2
        else:
            return found
        moved = value - loss
        found, value = trial, loss
        if moved < _CLOSE * max(1.0, abs(value)):
            break
    return found


def _loss(scores: Floats, target: Floats, shared: Floats) -> float:
    policies = scores.shape[1]
    chances = _softmax(scores * shared[:policies] + shared[policies:])
    return float(-(target * np.log(np.maximum(chances, 1e-300))).sum())


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: Floats = raised / raised.sum(axis=1, keepdims=True)
    return chances
