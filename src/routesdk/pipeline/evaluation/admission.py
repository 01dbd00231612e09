"""Which rows a router may be judged on: those with an outcome of every tier, each once, none learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from routesdk.errors import ConfigError
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.leak import refuse_learned, require_hashes
from routesdk.pipeline.payoff import with_all_outcomes
from routesdk.router import Router
from routesdk.types import Example

_SHOWN = 5


@attrs.frozen(kw_only=True, eq=False)
class Admitted:
    """Rows to judge a router on.

    Attributes:
        rows: Those with an outcome of every tier's model.
        left_out: Ids of those that lack one.
        repeated: How many rows ask what an earlier row asks, under an id of their own.
    """

    rows: tuple[Example, ...]
    left_out: tuple[str, ...]
    repeated: int


def admit(router: Router, examples: Iterable[Example], name: str = "") -> Admitted:
    """Check rows, and part those that can be measured on from the others.

    Args:
        router: Whose tiers' models must have outcomes, and what it learned from is refused.
        examples: Rows with outcomes.
        name: What to call the router in errors.

    Raises:
        ConfigError: There are no rows, an id stands twice, no row has outcomes, or none has one of
            every tier; or the router carries no hashes of what it learned from.
        LeakError: The router learned from rows; it names them.
    """
    given = tuple(examples)
    if not given:
        fix = "Give rows with recorded outcomes, such as `routesdk oracle export` writes them."
        raise ConfigError("examples", "none", "there is nothing to evaluate on", fix)
    _refuse_twins(given)
    models = [tier.model for tier in router.tiers]
    rows, left_out = with_all_outcomes(given, models)
    if not rows:
        raise _without_outcomes(given, router)
    require_hashes(router, name)
    # Rows that are left out would be measured on as soon as they are mended.
    refuse_learned(router, given, "evaluation")
    asked = {query_hash(row.query.text) for row in rows}
    return Admitted(rows=rows, left_out=left_out, repeated=len(rows) - len(asked))


def _refuse_twins(rows: Sequence[Example]) -> None:
    counted = Counter(row.id for row in rows)
    twins = [each for each, times in counted.items() if times > 1]
    if twins:
        problem = f"{_number(len(twins), 'id')} stand{'s' if len(twins) == 1 else ''} twice"
        fix = "Give each row once, with an id of its own; was a file given twice?"
        raise ConfigError("examples.id", _listed(twins), problem, fix)


def _without_outcomes(rows: Sequence[Example], router: Router) -> ConfigError:
    """Say what is missing: outcomes at all, or those of a tier's model."""
    recorded = Counter(model for row in rows for model in row.outcomes)
    if not recorded:
        return ConfigError(
            "examples",
            f"{len(rows)} rows",
            "none has outcomes: these are questions alone, or the results of another program",
            'Give rows like {"id", "query", "outcomes": {MODEL: {"grade" or "score"}}}.',
        )
    known = ", ".join(f"{model} ({count})" for model, count in recorded.most_common(8))
    missing = [tier for tier in router.tiers if tier.model not in recorded]
    if missing:
        wanted = ", ".join(f"{tier.name} ({tier.model})" for tier in missing)
        problem = f"no row has an outcome of {wanted}; the rows have those of {known}"
    else:
        problem = f"no row has outcomes of all tiers at once; the rows have those of {known}"
    names = " ".join(f"--tier {tier.name}=MODEL" for tier in router.tiers)
    usual = [tier.name for tier in router.tiers] == ["medium", "large"]
    how = "`--medium MODEL --large MODEL`" if usual else f"`{names}`"
    fix = f"Bind the router to models of the rows: {how}, or `from_pretrained(..., medium=..., large=...)`."
    return ConfigError("tiers", ", ".join(tier.model for tier in router.tiers), problem, fix)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _listed(ids: Sequence[str]) -> str:
    more = f", … ({len(ids):,} in all)" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
