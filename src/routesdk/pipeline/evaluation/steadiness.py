"""Figures of the router about wording: whether decisions stay, and what its reasons are worth."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from routesdk.metrics import Interval
from routesdk.pipeline.evaluation.detail import Perturbation, Reasonings
from routesdk.pipeline.evaluation.figures import Metric


def robustness_metrics(stable: Iterable[Perturbation], mean: Interval | None) -> tuple[Metric, ...]:
    """List the share of tiers that stayed, over all wordings and under each.

    Args:
        stable: What each wording brought.
        mean: The share averaged over the wordings; None where none was tried.
    """
    if mean is None:
        return ()
    whole = _share("robustness", "same tier in other words", mean)
    return (
        attrs.evolve(whole, note="averaged over the wordings"),
        *(
            attrs.evolve(
                _share(f"same_tier_{each.name}", f"same tier under {each.name}", each.same_tier),
                note=f"{each.rows:,} questions that it changes",
            )
            for each in stable
        ),
    )


def reason_metrics(found: Reasonings | None) -> tuple[Metric, ...]:
    """List what the reasons are worth; nothing where none was written."""
    if found is None:
        return ()
    named = (
        _share("reasons_parse", "reasons that are one line of text", found.parses),
        _share("reasons_agree", "reasons that agree with the policy", found.agrees),
        _share("reasons_name_query", "reasons that name something of the query", found.names_query),
        attrs.evolve(
            _share("reasons_give_away", "reasons that give an answer away", found.gives_away), better="lower"
        ),
    )
    return tuple(attrs.evolve(each, group="reasons", note=found.note) for each in named)


def _share(key: str, name: str, interval: Interval) -> Metric:
    return Metric(key=key, name=name, group="robustness", interval=interval, unit="share", better="higher")
