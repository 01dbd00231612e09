"""Writes why a query is easy or hard from its look alone, and never in the query's own words."""

from __future__ import annotations

import attrs

from routesdk.plugins.heuristic.sign import Signs, read_signs
from routesdk.plugins.heuristic.wording import EXACT, LONG, NARROW, kind_of_answer
from routesdk.types import Query

# A query's first part is enough to see what it is like, and keeps a megabyte from taking long.
_MOST_CHARACTERS = 20_000
# Where a long query says what it wants: at its start, or after the text that it is about.
_HEAD, _TAIL = 400, 200


@attrs.frozen
class Heuristic:
    """Write a reason from fixed phrases: nothing of the query is repeated, so nothing can leak.

    Counts are words such as "several", for a digit could be the answer.
    """

    async def reason(self, query: Query) -> str:
        """Write what the query asks for, how exactly, in what form, and what follows for a model.

        Args:
            query: The query; nothing else is looked at.

        Returns:
            Two to four sentences in English; the same query gives the same ones.
        """
        text = query.text[:_MOST_CHARACTERS]
        signs = read_signs(text)
        asked = (
            query.text if len(query.text) <= _HEAD + _TAIL else f"{query.text[:_HEAD]} {query.text[-_TAIL:]}"
        )
        kind = kind_of_answer(asked)
        sentences = [
            f"It asks for {_kind(kind, signs)}{_detail(signs)}.",
            *_form(signs, len(query.messages)),
            _judgement(kind, signs),
        ]
        return " ".join(sentences)


def _kind(kind: str | None, signs: Signs) -> str:
    if signs.options:
        return "a choice among the options that it lists"
    if kind is not None:
        return kind
    return "a piece of code" if signs.code else "an answer of no particular kind"


def _detail(signs: Signs) -> str:
    details = []
    if signs.names:
        details.append("a name" if signs.names == 1 else "several names")
    if signs.year:
        details.append("a year")
    if signs.numbers:
        details.append("other numbers" if signs.year else "numbers")
    if not details:
        return ", and names nothing in particular" if signs.cased else ""
    listed = details[0] if len(details) == 1 else f"{', '.join(details[:-1])} and {details[-1]}"
    return f", pinned down by {listed}"


def _form(signs: Signs, turns: int) -> list[str]:
    forms = []
    if signs.long_name:
        forms.append("It holds a long name, as rarer things have.")
    if signs.code:
        forms.append("It contains code.")
    elif signs.maths:
        forms.append("It contains mathematical notation.")
    if signs.words > 150:
        forms.append("It is long.")
    elif signs.words <= 4:
        forms.append("It is very short.")
    if turns > 1:
        forms.append("It depends on the conversation before it.")
    if not signs.latin:
        forms.append("It is not written in Latin script, in which models have read most.")
    return forms


def _judgement(kind: str | None, signs: Signs) -> str:
    pins = signs.names + signs.year + signs.numbers
    if signs.code or signs.maths or kind in LONG:
        if signs.words > 40 or signs.maths or signs.code:
            return "It takes several steps that must all be right, which rewards a stronger model."
        return "It needs an account in several steps, of which most models give a fair one."
    if signs.options:
        return "Options narrow the answer down, so that knowledge of the field decides."
    if kind in EXACT and pins >= 2:
        return "So narrow a fact is rarely in what a model remembers, and easily confused with another."
    if kind in NARROW and pins == 0 and signs.cased:
        return "It leaves open about whom or what, so that a model has to guess."
    if signs.words > 150:
        return "Much has to be read before it can be answered."
    if kind in EXACT:
        return "It is a plain fact, which a model either remembers or does not."
    if pins >= 2:
        return "It takes knowledge of something particular."
    return "Nothing in it calls for rare knowledge or long reasoning."
