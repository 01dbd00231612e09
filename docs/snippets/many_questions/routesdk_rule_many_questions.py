"""A rule for queries that ask several questions at once."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import ge, min_len

from routesdk import Component, Proposal, RouteContext, hookimpl
from routesdk.protocols import Rule


@attrs.frozen(kw_only=True)
class ManyQuestions:
    """Send queries with at least `at_least` question marks to `model`."""

    model: str = attrs.field(validator=min_len(1))
    at_least: int = attrs.field(default=3, validator=ge(2))

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model, or leave the decision alone."""
        count = sum(context.query.text.count(mark) for mark in "?？؟")
        if count < self.at_least:
            return None
        return Proposal(self.model, f"the query asks {count} questions")


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `many-questions`."""
    yield Component(name="many-questions", factory=ManyQuestions, summary="Several questions in one query.")
