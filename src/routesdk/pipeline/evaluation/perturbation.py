"""Other wordings of a question that mean the same, to see whether the decision stays.

Each is a function of the text and of a seed alone, so that a row is changed in the same way whatever
rows are beside it. Code, formulas and addresses stay as they are: there a letter or a blank may matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import attrs

from routesdk.pipeline.fingerprint import stable_hash
from routesdk.types import Message, Query

Change: TypeAlias = Callable[[str], str]
"""From a question to one that means the same; the same question gives the same one."""

# Fenced and inline code, formulas, and addresses.
_KEPT = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|\$[^$\n]+\$|\\[\[(].{0,300}?\\[\])]|(?<!\w)\w{1,20}://\S+", re.DOTALL
)
_WORD = re.compile(r"(?<![\w'’])[a-z]{5,}(?![\w'’])")
_OPENINGS = ("Please answer: ", "Could you please tell me: ", "Hi! I have a question. ", "Kindly tell me: ")
_CLOSINGS = ("Thank you.", "Thanks a lot!", "Many thanks in advance.")
_GAP = re.compile(r"(?<=\S) (?=\S)")
_WORDS_PER_TYPO = 8


def case(text: str, seed: int = 0) -> str:
    """Write everything in lower case, as many do who type in a hurry; the seed changes nothing."""
    return _outside(text, lambda part, _: part.lower())


def typos(text: str, seed: int = 0) -> str:
    """Mistype one longer word in eight, at least one: two letters swapped, one left out, or one doubled.

    Words with a capital keep their letters, for another name is another question; so do numbers,
    and the first and last letter of a word.
    """
    mark = f"{seed} {stable_hash(text)}"
    words = [
        (start + found.start(), found[0]) for part, start in _parts(text) for found in _WORD.finditer(part)
    ]
    order = sorted(words, key=lambda each: stable_hash(f"{mark} {each[0]}"))
    chosen = sorted(order[: max(1, len(words) // _WORDS_PER_TYPO)])
    written, end = [], 0
    for start, word in chosen:
        written.append(text[end:start] + _mistyped(word, f"{mark} {start}"))
        end = start + len(word)
    return "".join([*written, text[end:]])


def whitespace(text: str, seed: int = 0) -> str:
    """Put blanks around the text, and two between its words here and there."""
    mark = f"{seed} {stable_hash(text)}"

    def spaced(part: str, start: int) -> str:
        def widened(gap: re.Match[str]) -> str:
            return "  " if stable_hash(f"{mark} {start + gap.start()}") % 4 == 0 else " "

        return _GAP.sub(widened, part)

    return f"  {_outside(text, spaced)}\n"


def politeness(text: str, seed: int = 0) -> str:
    """Ask nicely, and say thank you."""
    drawn = stable_hash(f"{seed} {text}")
    opening = _OPENINGS[drawn % len(_OPENINGS)]
    closing = _CLOSINGS[drawn // len(_OPENINGS) % len(_CLOSINGS)]
    # After a text of several lines, such as options or code, thanks stand on a line of their own.
    return f"{opening}{text}{chr(10) if chr(10) in text else ' '}{closing}"


PERTURBATIONS: Mapping[str, Change] = MappingProxyType(
    {"case": case, "typos": typos, "whitespace": whitespace, "politeness": politeness}
)
"""The changes by name, all of which keep the meaning, with seed 0."""


def perturbations(seed: int) -> Mapping[str, Change]:
    """Return the changes by name, drawn with another seed."""
    made = {"case": case, "typos": typos, "whitespace": whitespace, "politeness": politeness}
    return MappingProxyType({name: partial(change, seed=seed) for name, change in made.items()})


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


def _parts(text: str) -> list[tuple[str, int]]:
    """Return what lies outside code, formulas and addresses, and where it begins."""
    parts, end = [], 0
    for kept in _KEPT.finditer(text):
        parts.append((text[end : kept.start()], end))
        end = kept.end()
    return [*parts, (text[end:], end)]


def _outside(text: str, change: Callable[[str, int], str]) -> str:
    """Change what lies outside code, formulas and addresses."""
    found, end = [], 0
    for part, start in _parts(text):
        found.append(text[end:start] + change(part, start))
        end = start + len(part)
    return "".join(found)


def _mistyped(word: str, drawn: str) -> str:
    """Mistype a word of five letters or more between its first and its last letter."""
    at = 1 + stable_hash(f"place {drawn}") % (len(word) - 3)
    kind = stable_hash(f"kind {drawn}") % 3
    if kind == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if kind == 1 else word[: at + 1] + word[at:]
