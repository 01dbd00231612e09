"""The worst decisions of an evaluation, with the traces that show how they came about."""

from __future__ import annotations

from collections.abc import Sequence

from routesdk.pipeline.evaluation.detail import Mistake
from routesdk.pipeline.evaluation.figures import RowResult
from routesdk.pipeline.evaluation.material import Material
from routesdk.pipeline.evaluation.wording import LONGEST_ANSWER, shortened
from routesdk.record import decision_to_dict
from routesdk.types import Outcome

MISSED, HARMED, WASTED = "missed", "harmed", "wasted"
KINDS = (MISSED, HARMED, WASTED)
"""Kinds of mistakes, the dearest in quality first."""


def worst_mistakes(material: Material, most: int) -> tuple[Mistake, ...]:
    """Choose the worst mistakes of each kind.

    Of missed and harmed ones, those that lost the most quality come first, and among
    equals those whose expectation was the furthest off. Of wasted ones, those that
    expected the most.

    Args:
        material: What was decided.
        most: How many of each kind.
    """
    scored = material.scored
    lost = scored.quality.max(axis=1) - scored.obtained
    off = abs(scored.gain - material.actual_gain)
    by_kind: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for at in range(len(material)):
        kind = _kind(scored.quality[at].tolist(), int(scored.tier[at]))
        if kind:
            by_kind[kind].append(at)
    return tuple(
        _mistake(material, at, kind, float(lost[at]))
        for kind in KINDS
        for at in sorted(
            by_kind[kind], key=lambda at: (-round(float(lost[at]), 9), -float(off[at]), material.rows[at].id)
        )[:most]
    )


def _kind(quality: Sequence[float], tier: int) -> str:
    """Tell what was wrong with calling a tier: a better one was dearer, or cheaper, or one as good was."""
    best = max(quality)
    if quality[tier] < best:
        # The cheapest of the best is the one to have called.
        return MISSED if quality.index(best) > tier else HARMED
    return WASTED if any(each >= quality[tier] for each in quality[:tier]) else ""


def _mistake(material: Material, at: int, kind: str, lost: float) -> Mistake:
    row = material.rows[at]
    outcomes = [row.outcomes[tier.model] for tier in material.router.tiers]
    return Mistake(
        id=row.id,
        query=shortened(row.query.text),
        topic=row.topic or "",
        kind=kind,
        lost=lost,
        actual_gain=float(material.actual_gain[at]),
        record=decision_to_dict(material.decisions[at]),
        answers={
            each.model: shortened(each.answer, LONGEST_ANSWER) for each in outcomes if each.answer is not None
        },
        grades={each.model: _grade_text(each) for each in outcomes},
        reference=shortened(row.reference or "", LONGEST_ANSWER),
    )


def row_results(material: Material) -> tuple[RowResult, ...]:
    """List what was decided for each row, beside what was recorded."""
    names = [policy.name for policy in material.router.matrix.policies]
    scored, usd = material.scored, material.costs.usd
    recorded = scored.recorded.argmax(axis=1).tolist()
    actual, obtained = material.actual_gain.tolist(), scored.obtained.tolist()
    return tuple(
        RowResult(
            id=row.id,
            query=row.query.text,
            topic=row.topic or "",
            policy=decision.policy,
            recorded_policy=names[recorded[at]],
            tier=decision.tier,
            model=material.router.tiers[int(scored.tier[at])].model,
            confidence=decision.confidence,
            expected_gain=decision.expected_gain,
            actual_gain=actual[at],
            quality=tuple(scored.quality[at].tolist()),
            obtained=obtained[at],
            grades=tuple(_grade_text(row.outcomes[tier.model]) for tier in material.router.tiers),
            cost_usd=usd[at] if usd else (),
            unlike=decision.shift_score,
            record=decision_to_dict(decision),
        )
        for at, (row, decision) in enumerate(zip(material.rows, material.decisions, strict=True))
    )


def _grade_text(outcome: Outcome) -> str:
    return outcome.grade.value if outcome.grade is not None else f"{outcome.quality:g}"
