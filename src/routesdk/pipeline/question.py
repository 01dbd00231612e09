"""What a query asks, apart from its answer options and its prompt template."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import attrs

from routesdk.pipeline.fingerprint import normalise

_FIRST_OPTION = re.compile(r"\n[ \t]*\(?[Aa][.):]\s")
_OPTION = re.compile(r"\n[ \t]*\(?[A-Za-z][.):]\s+([^\n]+)")
_ANSWER_CUE = re.compile(r"\n[ \t]*answer\s*:\s*$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# A first or last line that this many different queries share is a prompt template.
_TEMPLATE_ROWS = 20
# What is left of a query without its template must still be a question.
_FEWEST_WORDS = 5


@attrs.frozen
class Question:
    """One query, taken apart for comparison.

    Attributes:
        text: The question itself in normal form.
        numbers: The numbers that it names, sorted, each as often as it occurs.
        options: The answer options in normal form; empty where there are none.
    """

    text: str
    numbers: tuple[str, ...]
    options: frozenset[str]


def take_apart(queries: Sequence[str]) -> list[Question]:
    """Separate questions from options and from the prompt template around them.

    Args:
        queries: Different queries; a first or last line that 20 of them share is
            taken for a template, and left out where at least five words remain.

    Returns:
        One question for each query, in order.
    """
    parts = [_cut_options(query) for query in queries]
    lines = [[line for raw in body.split("\n") if (line := normalise(raw))] for body, _ in parts]
    edges = Counter(edge for row in lines for edge in {*row[:1], *row[-1:]} if len(row) > 1)
    templates = frozenset(line for line, count in edges.items() if count >= _TEMPLATE_ROWS)
    return [
        _question(_without_template(row, templates), options)
        for row, (_, options) in zip(lines, parts, strict=True)
    ]


def _cut_options(query: str) -> tuple[str, frozenset[str]]:
    body = _ANSWER_CUE.sub("", query)
    first = _FIRST_OPTION.search(body)
    if first is None:
        return body, frozenset()
    options = frozenset(normalise(found) for found in _OPTION.findall(body[first.start() :]))
    if len(options) < 2 or not normalise(body[: first.start()]):
        return body, frozenset()
    return body[: first.start()], options


def _without_template(lines: list[str], templates: frozenset[str]) -> list[str]:
    kept = list(lines)
    for end in (0, -1):
        if len(kept) > 1 and kept[end] in templates:
            rest = kept[1:] if end == 0 else kept[:-1]
            if sum(len(line.split()) for line in rest) >= _FEWEST_WORDS:
                kept = rest
    return kept


def _question(lines: list[str], options: frozenset[str]) -> Question:
    text = " ".join(lines)
    return Question(text=text, numbers=tuple(sorted(_NUMBER.findall(text))), options=options)
