"""The form of a decision as a language model writes it: two lines, read strictly."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from routesdk._checked import checked
from routesdk.errors import PolicyParseError, ReasonParseError

DECISION_FIRST = "decision-first"
REASON_FIRST = "reason-first"
ORDERS = (DECISION_FIRST, REASON_FIRST)
"""Which line comes first: the policy, so that one pass over the prompt decides, or the reason."""

POLICY_MARK = "Policy:"
REASON_MARK = "Reason:"

FORM_VERSION = 1
"""Changes whenever the form does; a checkpoint of another form is refused."""

_BLANKS = re.compile(r"\s+")


@attrs.frozen(kw_only=True, field_transformer=checked)
class Written:
    """What a completion says.

    Attributes:
        policy: The policy's name.
        reason: Why, in one line.
    """

    policy: str
    reason: str


def write_completion(policy: str, reason: str, order: str = DECISION_FIRST) -> str:
    """Write a decision in the form that a router is trained on.

    Args:
        policy: The policy's name, without line breaks.
        reason: Why; line breaks become blanks.
        order: `decision-first` or `reason-first`.

    Raises:
        ReasonParseError: The reason is blank.
    """
    line = one_line(reason)
    if not line:
        raise ReasonParseError(reason, "it is blank")
    lines = [f"{POLICY_MARK} {policy}", f"{REASON_MARK} {line}"]
    return "\n".join(lines if order == DECISION_FIRST else reversed(lines))


def read_completion(text: str, policies: Sequence[str], order: str = DECISION_FIRST) -> Written:
    """Read a completion back; nothing is guessed.

    Args:
        text: What a model wrote; blanks around it do not count.
        policies: The names that there are.
        order: `decision-first` or `reason-first`.

    Raises:
        PolicyParseError: There is no line of a policy where it belongs, or it names none of `policies`.
        ReasonParseError: There is no reason, or more than its one line.
    """
    lines = text.strip().split("\n")
    marks = (POLICY_MARK, REASON_MARK) if order == DECISION_FIRST else (REASON_MARK, POLICY_MARK)
    at = marks.index(POLICY_MARK)
    named = lines[at] if at < len(lines) else ""
    policy = named.removeprefix(POLICY_MARK).strip(" ")
    if not named.startswith(POLICY_MARK) or policy not in policies:
        raise PolicyParseError(policy if named.startswith(POLICY_MARK) else text[:80], tuple(policies))
    if len(lines) != 2:
        raise ReasonParseError(text, f"there are {len(lines)} lines where two belong")
    line = lines[1 - at]
    reason = line.removeprefix(REASON_MARK).strip()
    if not line.startswith(REASON_MARK) or not reason:
        raise ReasonParseError(line, f"no line begins with {REASON_MARK!r} and says something")
    return Written(policy=policy, reason=reason)


def one_line(text: str) -> str:
    """Return a text in one line: runs of blanks and line breaks become one blank."""
    return _BLANKS.sub(" ", text).strip()
