"""Whether a reason reads, fits its policy, speaks of its query, and gives no answer away."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from routesdk.errors import PolicyParseError, ReasonParseError
from routesdk.lexicon import fold
from routesdk.pipeline.prepare.form import DECISION_FIRST, one_line, read_completion
from routesdk.pipeline.reasoning import leaked, names
from routesdk.types import Policy, QueryLike


@attrs.frozen(kw_only=True)
class ReasonCheck:
    """What one reason shows. Only one that reads can show anything else.

    Attributes:
        parses: Whether it is one line that says something; of a completion, whether it has the form
            that it was trained on.
        agrees: Whether it states the decided policy, and no other.
        names_query: Whether it says a telling word or number of its query.
        gives_away: What it gives away of the reference or of an answer; empty where nothing.
    """

    parses: bool
    agrees: bool
    names_query: bool
    gives_away: str

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.parses and self.agrees and self.names_query and not self.gives_away


_UNREADABLE = ReasonCheck(parses=False, agrees=False, names_query=False, gives_away="")


def check_reason(
    reason: str | None,
    policy: str,
    policies: Sequence[Policy],
    query: QueryLike,
    *,
    reference: str | None = None,
    answers: Sequence[str] = (),
) -> ReasonCheck:
    """Check the reason of a decision.

    A reason states a policy by its description, as all built-in policy models write it, or by
    its name. The descriptions are no words of its own: they do not count as speaking of the query.

    Args:
        reason: What the policy model wrote; None where it wrote nothing.
        policy: The policy that was decided.
        policies: All policies that there are.
        query: The query that was decided.
        reference: The right answer; None where there is none.
        answers: What models answered.
    """
    if reason is None or not reason.strip() or one_line(reason) != reason.strip():
        return _UNREADABLE
    rest, stated = _stated(reason, policies)
    return ReasonCheck(
        parses=True,
        agrees=stated == {policy},
        names_query=bool(names(rest, query)),
        gives_away=leaked(reason, query, reference, answers),
    )


def check_completion(
    text: str,
    policies: Sequence[Policy],
    query: QueryLike,
    *,
    order: str = DECISION_FIRST,
    reference: str | None = None,
    answers: Sequence[str] = (),
) -> ReasonCheck:
    """Check a completion as a language model wrote it, decision and reason.

    Args:
        text: The whole completion.
        policies: All policies that there are.
        query: The query that it is about.
        order: `decision-first` or `reason-first`.
        reference: The right answer; None where there is none.
        answers: What models answered.
    """
    try:
        written = read_completion(text, [policy.name for policy in policies], order)
    except (PolicyParseError, ReasonParseError):
        return _UNREADABLE
    return check_reason(written.reason, written.policy, policies, query, reference=reference, answers=answers)


def _stated(reason: str, policies: Sequence[Policy]) -> tuple[str, set[str]]:
    """Take the statements of policies out of a reason; the longest first, which may hold a shorter one."""
    rest, stated = fold(reason), set()
    signs = [
        (fold(text).strip(" ."), each.name) for each in policies for text in (each.description, each.name)
    ]
    for sign, name in sorted(signs, key=lambda pair: -len(pair[0])):
        if sign and sign in rest:
            stated.add(name)
            rest = rest.replace(sign, " ")
    return rest, stated
