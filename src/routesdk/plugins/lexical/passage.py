"""Cuts a text into words and numbers, and finds them again."""

from __future__ import annotations

import re
from functools import cached_property

import attrs

from routesdk.plugins.lexical.letter import fold
from routesdk.plugins.lexical.likeness import alike, neighbours
from routesdk.plugins.lexical.moment import Moment, moments
from routesdk.plugins.lexical.numeral import compose, forms, plain

# Every repetition is bounded or eats what it passes: a megabyte of dots takes no longer than prose.
_TOKEN = re.compile(
    r"""
    (?:https?://(?:dx\.)?doi\.org/)?(?P<doi>\b10\.\d{4,9}/[^\s"'<>]+)
    |https?://(?:www\.)?(?P<address>[^\s"'<>]+)
    |(?P<years>[12]\d{3}[-/]\d{2}(?![\d/-]))
    |(?P<date>\d{1,2}(?P<mark>[./-])\s?\d{1,2}(?P=mark)\s?\d{4}(?!\d)|\d{4}(?P<dash>[./-])\d{1,2}(?P=dash)\d{1,2}(?!\d))
    |(?P<number>(?:\d{1,3}(?:[,' \u00a0]\d{3})+(?:\.\d+)?(?!\d)|\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?(?!\d)
        |\d+(?:[.,]\d+)*(?!\d)))
        (?:(?:st|nd|rd|th|eme|er|º|ª)(?![^\W\d_]))?
    |(?P<digits>\d+)
    |(?P<initials>(?:[^\W\d_]\.\s?){2,8})
    |(?P<ideograph>[\u3040-\u30ff\u3400-\u9fff])
    |(?P<word>[^\W\d_\u3040-\u30ff\u3400-\u9fff]+(?:'[^\W\d_]+)*)
    |(?P<minus>(?<![\w.,)/])-(?=\d))
    |(?P<sign>[%$€£°+&\#])
    |(?P<stop>(?<!\b\d)(?<!\b\d\d)\.+(?=\s|$|["')\]*])|[!?…;]+(?=\s|$|["')\]*])|[。！？]|\n+)
    """,
    re.VERBOSE,
)
# Where words ran together as a page was copied: `singerMariah`.
_GLUED = re.compile(r"(?<=[a-z]{3})(?=[A-Z])")
# Where a point was taken for the end of a sentence: `12. 9 km`.
_TORN = re.compile(r"(?<![\d.])(\d{1,3})\. (\d{1,2})(?![\d.])")
# A capital alone is no magnitude: 5 M may be a concentration, and 300 K a temperature.
_MONEY = re.compile(r"(?<=[$€£])(\s?\d[\d.,]*)\s?(k|m|mn|b|bn|tn)\b", re.IGNORECASE)
_MILLIONS = re.compile(r"(?<=\d)M\b")
_SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "tn": "trillion",
}
# "Not Lyon, Paris." is as good as two sentences: what is denied ends at the comma.
_NOT_THIS = re.compile(
    r"((?:^|(?<=[.!?]\s))(?:not|nicht|non|nie|ne|не)\s[^,.;!?\n]{1,40}), (?!(?:and|or|nor)\b)", re.IGNORECASE
)
_DIGITS = re.compile(r"\d+")
_SIGNS = {
    "%": "percent",
    "$": "dollar",
    "€": "euro",
    "£": "pound",
    "°": "degree",
    "+": "plus",
    "&": "and",
    "#": "sharp",
}
# English words that are none in languages that decline names.
_ENGLISH = frozenset(("the", "is", "was", "are", "were", "by", "of", "and"))
# Different words of one initial that a word is compared with, letter by letter.
_MOST_ALIKE = 500
STOP = "\n"
"""Stands in a passage where a sentence ends."""


class Owner(str):
    """A word with the ending of a genitive: Obama's."""

    __slots__ = ()


def _spelt_out(text: str) -> str:
    """Mend what copying tore or glued, and write magnitudes such as `$3.2bn` in words."""
    text = _TORN.sub(r"\1.\2", text)
    if "$" in text or "€" in text or "£" in text:
        text = _MONEY.sub(lambda found: f"{found[1]} {_SCALES[found[2].lower()]}", text)
    text = _NOT_THIS.sub(r"\1. ", text)
    return _GLUED.sub(" ", _MILLIONS.sub(" million", text))


def cut(text: str) -> list[str]:
    """Return the words and numbers of a text in one form, and `STOP` where a sentence ends."""
    tokens: list[str] = []
    for found in _TOKEN.finditer(fold(_spelt_out(text))):
        kind, piece = found.lastgroup, found[0]
        if kind == "word":
            stem, _, tail = piece.rpartition("'")
            owner = tail == "s" and bool(stem)
            tokens.append(Owner(stem.replace("'", "")) if owner else piece.replace("'", ""))
        elif kind in ("doi", "address"):
            # Compared as a whole, and no number for all that it may begin with figures.
            tokens.append(f"{kind}{found[kind].rstrip('.,;:!?)]/')}")
        elif kind == "number":
            tokens.append(plain(found["number"]))
        elif kind == "stop":
            tokens.append(STOP)
        elif kind == "date":
            tokens.extend(plain(part) for part in _DIGITS.findall(piece))
        elif kind == "years":
            tokens.extend((piece[:4], piece[:2] + piece[5:] if piece[5:] > piece[2:4] else plain(piece[5:])))
        elif kind == "digits":
            tokens.append(plain(piece))
        elif kind == "minus":
            tokens.append("minus")
        elif kind == "initials":
            tokens.append("".join(filter(str.isalpha, piece)))
        else:
            tokens.append(_SIGNS.get(piece, piece))
    return compose(tokens)


@attrs.frozen
class Passage:
    """A text as its tokens, with the places of each.

    Attributes:
        tokens: Words and numbers in one form, and `STOP` where a sentence ends.
        places: Token → where it stands.
        text: The text itself.
    """

    tokens: list[str]
    places: dict[str, list[int]]
    text: str = ""

    @classmethod
    def of(cls, text: str) -> Passage:
        """Cut a text and index it."""
        tokens = cut(text)
        places: dict[str, list[int]] = {}
        for place, token in enumerate(tokens):
            places.setdefault(token, []).append(place)
        return cls(tokens, places, text)

    @cached_property
    def squeezed(self) -> str:
        """All of it in one word, to find what is spaced differently."""
        return "".join(self.tokens)

    @cached_property
    def moments(self) -> tuple[Moment, ...]:
        """Its dates."""
        return tuple(moments(self.tokens))

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """Its different numbers."""
        return tuple(token for token in self.places if token[0].isdigit())

    @cached_property
    def inflects(self) -> bool:
        """Whether it may decline names: not where it is English, nor where it is a bare name."""
        words = self.places.keys()
        return len(words) > 2 and _ENGLISH.isdisjoint(words)

    @cached_property
    def _initial(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for token in self.places:
            found.setdefault(token[0], []).append(token)
        return found

    def spots(self, word: str) -> list[int]:
        """Return where a word stands: inflected, mistyped, or a number that is written otherwise."""
        exact = self.places.get(word)
        if exact is not None:
            return exact
        if word[0].isdigit():
            return [place for form in forms(word)[1:] for place in self.places.get(form, ())]
        found = [
            place
            for initial in neighbours(word[0])
            for other in self._initial.get(initial, ())[:_MOST_ALIKE]
            if alike(word, other, inflected=self.inflects)
            for place in self.places[other]
        ]
        return sorted(found)

    def before(self, place: int, most: int) -> list[str]:
        """Return up to so many tokens before a place, from the same sentence."""
        tokens = self.tokens[max(0, place - most) : place]
        while STOP in tokens:
            tokens = tokens[tokens.index(STOP) + 1 :]
        return tokens
