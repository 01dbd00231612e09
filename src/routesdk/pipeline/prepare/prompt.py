"""What a generative router is asked: the policies with their descriptions, then the query or conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from routesdk.pipeline.prepare.form import DECISION_FIRST, POLICY_MARK, REASON_MARK
from routesdk.types import Message, Policy, Query

PROMPT_VERSION = 1
"""Changes whenever the wording does; a checkpoint is asked as it was trained."""

_TASK = "Choose the policy that fits the query."
_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}
_LEFT_OUT = " … "
# What is asked stands at the beginning or at the end of a long prompt, less often in the middle.
_HEAD_SHARE = 0.75
_ROUNDS = 12
# More characters than a token stands for, but in runs of blanks: megabytes are not counted over and over.
_LONGEST_TOKEN = 32


@attrs.frozen(kw_only=True)
class Asked:
    """A query as it stands in a prompt.

    Attributes:
        text: The query, or the conversation with a name before each turn.
        cut: Whether something was left out.
    """

    text: str
    cut: bool


def instruction(policies: Sequence[Policy], order: str = DECISION_FIRST) -> str:
    """Write the part of the prompt that all queries share: task, policies, and form of the reply."""
    listed = "\n".join(f"- {policy.name}: {policy.description}" for policy in policies)
    marks = (POLICY_MARK, REASON_MARK) if order == DECISION_FIRST else (REASON_MARK, POLICY_MARK)
    form = " then ".join(f"'{mark}'" for mark in marks)
    return f"{_TASK}\n{listed}\nReply in two lines: {form}."


def turns(asked: str, policies: Sequence[Policy], order: str = DECISION_FIRST) -> list[Message]:
    """Return the turns that a chat template takes: the instruction, and the query as the user's turn.

    A conversation is one turn, too: its own turns are what is judged, not what the router replies to.
    """
    return [Message("system", instruction(policies, order)), Message("user", f"Query: {asked}")]


def plain(messages: Sequence[Message]) -> str:
    """Write the prompt for a base model without a chat template: the turns, blank lines between them."""
    return "\n\n".join(message.content for message in messages) + "\n\n"


def ask(query: Query, limit: int, count: Callable[[str], int]) -> Asked:
    """Write a query, or a conversation, into so many tokens, leaving the oldest turns out.

    The last turn is kept whole as long as it fits; of a longer one the first
    three quarters and the last quarter of what fits are kept.

    Args:
        query: The query.
        limit: Tokens that the text may take.
        count: Counts the tokens of a text.
    """
    parts = _turns(query)
    kept: list[str] = []
    for part in reversed(parts):
        candidate = "\n".join([part, *kept])
        if count(candidate) <= limit:
            kept.insert(0, part)
            continue
        if not kept:
            return Asked(text=_shortened(part, limit, count), cut=True)
        return Asked(text="\n".join(kept), cut=True)
    return Asked(text="\n".join(kept), cut=False)


def _turns(query: Query) -> list[str]:
    if len(query.messages) < 2:
        return [query.text]
    spoken = [f"{_SPEAKERS[turn.role]}: {turn.content}" for turn in query.messages]
    # A row may hold its question apart from the turns: then all of them come before it.
    held = any(turn.role == "user" and turn.content == query.text for turn in query.messages)
    return spoken if held else [*spoken, f"User: {query.text}"]


def _shortened(text: str, limit: int, count: Callable[[str], int]) -> str:
    """Keep head and tail of a text; halving finds how many characters fit."""
    low, high = 0, min(len(text), limit * _LONGEST_TOKEN)
    for _ in range(_ROUNDS):
        middle = (low + high + 1) // 2
        if count(_ends(text, middle)) <= limit:
            low = middle
        else:
            high = middle - 1
        if low >= high:
            break
    return _ends(text, low)


def _ends(text: str, characters: int) -> str:
    head = int(characters * _HEAD_SHARE)
    tail = characters - head
    return text[:head] + _LEFT_OUT + (text[len(text) - tail :] if tail else "")
