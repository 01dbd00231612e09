"""What the figures of an evaluation leave out, and what else a reader should know of them."""

from __future__ import annotations

from collections import Counter

from routesdk.pipeline.evaluation.admission import Admitted
from routesdk.pipeline.evaluation.material import Material
from routesdk.shift import SHIFT_NOTICE

_MANY_LEFT_OUT = 0.05
"""Share of rows left out that is worth a warning."""

_MOST_NOTICES = 5


def remarks(material: Material, admitted: Admitted) -> tuple[str, ...]:
    """Say what the figures leave out, and what decisions themselves remarked."""
    found = []
    if admitted.left_out:
        count = len(admitted.left_out)
        shown = ", ".join(admitted.left_out[:3]) + (", …" if count > 3 else "")
        lack = "1 row lacks" if count == 1 else f"{count:,} rows lack"
        found.append(f"{lack} an outcome of a tier, and {'was' if count == 1 else 'were'} left out: {shown}")
        if count > _MANY_LEFT_OUT * (count + len(material)):
            found.append("so many are left out that the figures hold for rows like the others only")
    if admitted.repeated:
        found.append(
            f"{admitted.repeated:,} of the rows ask what another one asks, so that intervals are too narrow"
        )
    models = {tier.name: tier.model for tier in material.router.tiers}
    elsewhere = sum(each.model != models[each.tier] for each in material.decisions)
    if elsewhere:
        found.append(
            f"rules or the policy map sent {elsewhere:,} of the calls to another model than the tier's; "
            "they are left out here"
        )
    found += _dearer_tiers(material)
    # How many rows look unlike what was learned from has a place of its own.
    noticed = Counter(
        notice
        for each in material.decisions
        for notice in each.notices
        if not notice.startswith(SHIFT_NOTICE)
    )
    found += [f"{count:,} decisions say: {notice}" for notice, count in noticed.most_common(_MOST_NOTICES)]
    return tuple(found)


def _dearer_tiers(material: Material) -> list[str]:
    """Name tiers that cost less than the one below them: tiers are meant to stand cheapest first."""
    usd, tiers = material.cost_table, material.router.tiers
    if usd is None:
        return []
    totals = usd.sum(axis=0).tolist()
    return [
        f"always {tiers[at].name} ({tiers[at].model}) costs less on these rows than always "
        f"{tiers[at - 1].name} ({tiers[at - 1].model}), and tiers are meant to stand cheapest first"
        for at in range(1, len(tiers))
        if totals[at] < totals[at - 1]
    ]
