"""Reads a reference: which answers it accepts, and as what."""

from __future__ import annotations

import re

import attrs

from routesdk.plugins.lexical.moment import MONTHS, Moment, moments
from routesdk.plugins.lexical.numeral import compose, plain, value_of
from routesdk.plugins.lexical.passage import STOP, cut

LONGEST_WORDS = 400
"""Longest reference that words can be compared with: an answer cannot repeat an essay."""

_FUNCTION_WORDS_TEXT = """a an the of in on at to for by with from and or is was are were be been as
that this it its his her their which who he she they s de la le les du des un
une der die das den dem el los las il lo gli o os e y et und ze se na do w i z
v u"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS_TEXT.split())
"""Words that carry nothing, articles above all."""

_TITLES_TEXT = """mr mrs ms miss dr prof professor sir dame lord lady jr sr rev reverend capt
captain general gen president king queen prince princess saint st master
author director singer actor actress"""
TITLES = frozenset(_TITLES_TEXT.split())
"""Words before or after a name that an answer may leave out."""

_THINGS_TEXT = """university college school institute river lake sea ocean mountain mount island islands city
town county street park award prize medal company corporation group records museum church cathedral
temple bridge castle tower station airport hotel club team league cup party society association
foundation act war battle treaty song album band orchestra festival games show station theatre theater"""
THINGS = frozenset(_THINGS_TEXT.split())
"""Words of names that are no person's."""

_APART = re.compile(
    r"\s*(?:;|\||\n|/|,?\s+or\s+|\ba\.?k\.?a\b\.?|\balso known as\b|\bformerly known as\b)\s*", re.IGNORECASE
)
_SLASHED_ALIAS = re.compile(r"\ba/k/a\b", re.IGNORECASE)
_ASIDE = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]")
# In brackets stands another name, or a remark that no answer is expected to repeat.
_ALIAS = re.compile(r"\s*(?:or|aka|a\.?k\.?a\.?|also known as|also called|also)\b[:\s]*", re.IGNORECASE)
_RANGE = re.compile(
    r"\b(?:range|between|from)\b\D*?(?P<low>\d[\d,.]*)(?P<between>\D{1,40}?)(?P<high>\d[\d,.]*)\s?(?P<scale>[^\W\d_]*)",
    re.IGNORECASE,
)
# A slash here parts no answers: 9/11, 3/4/1999, km/h, 1648/51.
_UNPARTED = re.compile(
    r"\D{0,3}(\d{1,2})/(\d{1,2})(?:/\d{2,4})?\D*|[^\W\d_]{1,2}/[^\W\d_]{1,2}|(\d{2})(\d{2})/(\d{2})"
)
# What follows such a prefix is one identifier, slashes and all.
_VERSION = re.compile(r"\d\.\d+[abdefijopqrxyz]\b")
_IDENTIFIER = re.compile(r"\b10\.\d{4,9}/|https?://", re.IGNORECASE)
_SEPARATED = re.compile(r"\d,\d{3}")
_ABOUT = re.compile(
    r"\b(?:about|around|approximately|approx|circa|c\.|ca\.|roughly|nearly|almost|over|some)|~", re.IGNORECASE
)
_CURRENCIES = frozenset(
    ("dollar", "euro", "pound", "about", "approximately", "around", "over", "nearly", "almost")
)
_BESIDE_DATES_TEXT = """year early late mid circa c ad ce about since until monday tuesday wednesday
thursday friday saturday sunday"""
_BESIDE_DATES = frozenset(_BESIDE_DATES_TEXT.split())
_ARTICLE = re.compile(r"\b(?:the|of|in|on|at|for|to|and)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")
# As in "Marie and Pierre Curie"; a title has smaller words around its "and".
_JOINED = re.compile(r"[A-Z][\w.'-]+ (?:and|&) [A-Z]")
# "red, white and blue": all of them are wanted.
_LISTED = re.compile(r"[^,]+(?:, [^,]+)*,? (?:and|&) [^,]+")
_PAIR = re.compile(r"\s*\d{1,3}\s?[-–:]\s?\d{1,3}\s*")
_DECADE = re.compile(r"0'?s\b")


@attrs.frozen(kw_only=True)
class Accepted:
    """One answer that a reference accepts.

    Attributes:
        words: Its words and numbers, without those that carry nothing.
        moment: The date that it is; None where it is none.
        decade: Whether it is a decade, such as `the 1960s`.
        number: The number that it is, with at most a unit; None where it is none.
        about: Whether it calls itself approximate.
        name: Whether it looks like a name.
        person: Whether it looks like a person's.
        head: The words before the first comma of a name: a place, before what it lies in.
        description: Whether it has no capital letter, and so is no name.
        joined: Whether all of its words are wanted: it joins two names by "and", or lists things.
        pair: Whether it is two numbers in an order, such as a score.
    """

    words: tuple[str, ...]
    moment: Moment | None = None
    decade: bool = False
    number: float | None = None
    about: bool = False
    name: bool = False
    person: bool = False
    head: tuple[str, ...] = ()
    description: bool = False
    joined: bool = False
    pair: bool = False

    @property
    def squeezed(self) -> str:
        """All of it in one word."""
        return "".join(self.words)


@attrs.frozen
class Reference:
    """What a reference accepts.

    Attributes:
        accepted: Its answers, each of which will do.
        low: Least number that it accepts, where it gives a range.
        high: Greatest number that it accepts.
        length: Its words.
    """

    accepted: tuple[Accepted, ...]
    low: float | None = None
    high: float | None = None
    length: int = 0


def read_reference(text: str) -> Reference:
    """Take a reference apart; one that is longer than `LONGEST_WORDS` accepts nothing."""
    length = len(text.split())
    if length > LONGEST_WORDS or len(text) > 20 * LONGEST_WORDS:
        return Reference((), length=max(length, LONGEST_WORDS + 1))
    low = high = None
    for aside in _ASIDE.findall(text):
        low, high = _range(aside) or (low, high)
    accepted: dict[tuple[str, ...], Accepted] = {}
    for piece in _pieces(text):
        each = _accepted(piece)
        if each is not None:
            accepted.setdefault(each.words, each)
    return Reference(tuple(accepted.values()), low, high, length)


def _range(aside: str) -> tuple[float, float] | None:
    """Read the ends of a range; a magnitude that only the second has is meant of both."""
    found = _RANGE.search(aside)
    if found is None:
        return None
    scale = compose(["1", *found["scale"].casefold().split()])
    shared = float(scale[0]) if len(scale) == 1 else 1.0
    ends = []
    for end, between in ((found["low"], found["between"]), (found["high"], "")):
        value = value_of(plain(end))
        if value is None:
            return None
        own = compose(["1", *_WORD.findall(between.casefold())[:1]]) if end is found["low"] else scale
        ends.append(value * (float(own[0]) if len(own) == 1 else shared))
    return min(ends), max(ends)


def _pieces(text: str) -> list[str]:
    """Return the texts of the answers that a reference accepts."""
    body = _ASIDE.sub("", text)
    if not body.strip():
        return [text]
    if _is_whole(body.strip()) or _IDENTIFIER.search(body):
        return [body]
    pieces = _APART.split(_SLASHED_ALIAS.sub(" aka ", body))
    if any(piece and len(piece.strip()) < 2 and not piece.strip().isdigit() for piece in pieces):
        pieces = [body]
    pieces += [_ALIAS.sub("", aside, count=1) for aside in _ASIDE.findall(text) if _ALIAS.match(aside)]
    return [piece for piece in pieces if piece.strip()]


def _is_whole(body: str) -> bool:
    """Tell whether a slash is part of an answer: a fraction, a date, a unit or a season."""
    found = _UNPARTED.fullmatch(body)
    if found is None:
        return False
    if found[1]:
        return int(found[1]) < int(found[2]) or body.count("/") > 1
    return not found[4] or int(found[4]) < int(found[5])


def _accepted(text: str) -> Accepted | None:
    tokens = [token for token in cut(text) if token != STOP]
    if not tokens:
        return None
    words = tuple(token for token in tokens if token not in FUNCTION_WORDS) or tuple(tokens)
    about = bool(_ABOUT.search(text))
    # With a separator it is an amount, and no year.
    moment = None if _SEPARATED.search(text) else _moment(tokens)
    if moment is not None:
        decade = moment.parts == 1 and moment.year % 10 == 0 and bool(_DECADE.search(text))
        return Accepted(words=words, moment=moment, decade=decade, about=about)
    # Not by its number: 6.88b is another version than 6.88, and no quantity with a unit.
    version = bool(_VERSION.search(text))
    if not version and _is_number(text, words):
        if words[0] in _CURRENCIES and len(words) > 1:
            words = (words[1], words[0], *words[2:])
        number = value_of(words[0])
        if number is not None:
            return Accepted(words=words, number=number, about=about)
    name = _is_name(text)
    head = cut(text.partition(",")[0]) if name and "," in text else []
    return Accepted(
        words=words,
        about=about,
        name=name,
        person=name and "," not in text and THINGS.isdisjoint(words) and not _ARTICLE.search(text),
        head=tuple(token for token in head if token not in FUNCTION_WORDS and token != STOP),
        description=not any(map(str.isupper, text)),
        joined=version or bool(_JOINED.search(text) or ("," in text and _LISTED.fullmatch(text.strip()))),
        pair=bool(_PAIR.fullmatch(text)),
    )


def _is_number(text: str, words: tuple[str, ...]) -> bool:
    """Tell whether an answer is one number, with at most a few words of unit."""
    figures = sum(token[0].isdigit() for token in words)
    capitalised = any(
        word[0].isupper() and len(word) > 1 and word[1].islower() for word in _WORD.findall(text)
    )
    return figures == 1 and len(words) <= 5 and not (capitalised and len(words) > 1)


def _is_name(text: str) -> bool:
    words = [word for word in _WORD.findall(text) if word.casefold() not in TITLES | FUNCTION_WORDS]
    return 2 <= len(words) <= 5 and all(word[0].isupper() for word in words)


def _moment(tokens: list[str]) -> Moment | None:
    """Return the date that the tokens are, where they are a date and next to nothing else."""
    best = max(moments(tokens), key=lambda moment: moment.parts, default=None)
    if best is None:
        return None
    beside = [*tokens[: best.start], *tokens[best.end :]]
    idle = FUNCTION_WORDS | _BESIDE_DATES
    return None if any(token not in idle and token not in MONTHS for token in beside) else best
