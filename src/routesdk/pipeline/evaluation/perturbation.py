"""Other wordings of a question that mean the same, to see whether the decision stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import attrs

from routesdk.pipeline.fingerprint import stable_hash
from routesdk.types import Message, Query

Change: TypeAlias = Callable[[str], str]
"""From a question to one that means the same; the same question gives the same one."""

_WORD = re.compile(r"\b[a-zA-Z]{5,}\b")
_OPENINGS = (
    "Please answer: ",
    "Could you please tell me: ",
    "Hi! I have a question. ",
    "Kindly tell me this: ",
)


def case(text: str) -> str:
    """Write everything in lower case, as many do who type in a hurry."""
    return text.lower()


def typos(text: str) -> str:
    """Swap two inner letters of one longer word in eight, at least one, that does not begin with a capital.

    Names keep their letters: another name is another question.
    """
    words = [found for found in _WORD.finditer(text) if found[0][0].islower()]
    chosen = sorted(words, key=lambda found: stable_hash(f"{found.start()} {text}"))[
        : max(1, len(words) // 8)
    ]
    letters = list(text)
    for found in chosen:
        room = len(found[0]) - 3
        at = found.start() + 1 + stable_hash(f"{found[0]} {found.start()}") % room
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


def whitespace(text: str) -> str:
    """Put blanks around the text, and two between its words here and there."""
    words = text.split(" ")
    gaps = ["  " if stable_hash(f"{at} {text}") % 4 == 0 else " " for at in range(len(words) - 1)]
    spaced = "".join(f"{word}{gap}" for word, gap in zip(words, [*gaps, ""], strict=True))
    return f"  {spaced}\n"


def politeness(text: str) -> str:
    """Ask nicely, and say thank you."""
    return f"{_OPENINGS[stable_hash(text) % len(_OPENINGS)]}{text} Thank you."


PERTURBATIONS: Mapping[str, Change] = MappingProxyType(
    {"case": case, "typos": typos, "whitespace": whitespace, "politeness": politeness}
)
"""The changes by name, all of which keep the meaning."""


def perturb(query: Query, change: Change) -> Query | None:
    """Return a query asked otherwise; None where the change leaves it as it is.

    Of a conversation, the last user turn is changed, which is the one that is routed.

    Args:
        query: What was asked.
        change: How to ask it otherwise.

    Raises:
        InvalidQueryError: The change left nothing of it.
    """
    text = change(query.text)
    if text == query.text:
        return None
    return attrs.evolve(query, text=text, messages=_turns(query, text), id="")


def _turns(query: Query, text: str) -> tuple[Message, ...]:
    turns = list(query.messages)
    for at in reversed(range(len(turns))):
        if turns[at].role == "user":
            turns[at] = attrs.evolve(turns[at], content=text)
            break
    return tuple(turns)
