"""Whether a reason gives away what it must not: the reference, or an answer that a model gave."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

import attrs

from routesdk.lexicon import fold
from routesdk.pipeline.numeral import is_number, read_numbers, without_counts, without_thousands_marks
from routesdk.pipeline.resemblance import Words
from routesdk.types import Query, QueryLike

_WORD = re.compile(r"(?:(?P<start>^|[.!?:;]\s+|[\n•]\s*)[\"'“”‘(\[]{0,3})?(?P<word>\w+(?:\.\d+)*)")
_CUE = re.compile(r"\b(?:correct |right |true )?answer(?: here)?(?: is| was| would be|:)\s+(.{1,200})", re.I)
_POSSESSIVE = re.compile(r"['’]s?\b")

# Words that carry nothing by themselves: they may stand in any reason and in any answer.
_COMMON_WORDS = """
a about above after again against all almost alone along also although always among an and another any
are as at be because been before being below best better between both but by can cannot could did do
does done down during each either else enough even ever every few for from further get give given had
has have having he her here him his how however i if in into is it its itself just know known large last
least less like likely little long made make many may me might more most much must my name names near
need needs neither never new no none nor not nothing now of off often old on once one only or other
others our out over own part particular people perhaps place plain put rare rarely rather real right
same say says see seem several she should since small so some somebody something such sure take takes
text than that the their them themselves then there these they thing things this those through time to
too two under unless until up upon us use used very want wants was way we well were what when where
whether which while who whom whose why will with within without would yes yet you your answer answers
ask asks choice code correct date detail details easy exact exactly fact facts field general hard
information kind knowledge language model models number numbers options point query question questions
quantity reason recall remember result several simple single source specific step steps strong stronger
subject thought understanding usually widely work wrong year years"""
_COMMON = frozenset(_COMMON_WORDS.split())
_SHORT_ANSWER_WORDS = 6
# A longer text counts as repeated when this share of its own words stands in the reason, and so many.
_REPEATED_SHARE, _REPEATED_WORDS = 0.6, 4
# So many words in a row, at least two of them its own, are a quotation.
_QUOTED_WORDS = 6
_SHORTEST_NAME = 3
_SHORTEST_COMPACT = 6
# Characters that are compared of a reason, of a query, of a reference, and of all answers together: the
# check runs between two answers of a model, and must not hold the others up. Head and tail are kept.
_LONGEST_REASON, _LONGEST_QUERY, _LONGEST_REFERENCE, _LONGEST_ANSWERS = 2_000, 2_400, 1_500, 6_000
_MOST_ANSWERS = 100
_LONGEST_CACHED = 30
_OPTION = re.compile(r"\W*([A-Z])\W*")


@attrs.frozen
class _Text:
    """A text as it is compared.

    Attributes:
        words: Its words without case and marks, in order.
        telling: Those that carry something, to look others up in.
        names: Those written with a capital where no sentence begins.
        openers: Those written with a capital where a sentence begins.
        numbers: The numbers and months that it names, in digits.
        compact: Its letters and digits without anything between them.
    """

    words: tuple[str, ...]
    telling: Words
    names: frozenset[str]
    openers: frozenset[str]
    numbers: frozenset[str]
    compact: str


def leaked(reason: str, query: QueryLike, reference: str | None, answers: Sequence[str] = ()) -> str:
    """Say what a reason gives away of the reference or of an answer.

    Found are: the same words in a row or in another order, up to case, diacritics,
    endings and a typo; a name of it; its numbers, also as words, and dates in another
    form; of longer texts also a quotation, or most of their words. Words and numbers
    that the query itself says do not count, unless a sentence says that they are the
    answer; nor does a small number word that counts something ("takes three steps").
    Of long texts the first two thirds and the last third of a few thousand characters
    are compared, and of more than 100 answers the first 100, so that any check takes a
    few milliseconds. A paraphrase ("the capital of France" for Paris) is not found; nor
    is a part of a text in a script without blanks between words.

    Args:
        reason: What an analyst wrote.
        query: The query that it is about.
        reference: The right answer; None where there is none.
        answers: What models answered.

    Returns:
        The problem in a sentence; empty where there is none.
    """
    asked = Query.of(query)
    conversation = _cut(" \n".join([asked.text, *(turn.content for turn in asked.messages)]), _LONGEST_QUERY)
    reason = _cut(reason, _LONGEST_REASON)
    said = _read(conversation)
    wrote = _read_again(reason, counting=False)
    cue = _CUE.search(reason)
    claimed = _read(cue[1]) if cue is not None else None
    answers = answers[:_MOST_ANSWERS]
    share = _LONGEST_ANSWERS // max(1, len(answers))
    texts = [("the reference", _cut(reference or "", _LONGEST_REFERENCE), True)]
    texts += [
        (f"answer {place}", _cut(answer, share), False) for place, answer in enumerate(answers, start=1)
    ]
    for name, text, short in texts:
        option = _OPTION.fullmatch(text)
        if option is not None and _chosen(option[1], reason, conversation):
            return f"the reason gives {name} away: it says {option[1]!r}"
        given = _read(text)
        if not given.words:
            continue
        terse = short or len(_own(given, None)) <= _SHORT_ANSWER_WORDS
        found = _shared(wrote, said, given, terse)
        if not found and claimed is not None and terse:
            found = _stated(claimed, given)
        if found:
            return f"the reason gives {name} away: it says {found}"
    return ""


def names(reason: str, query: QueryLike) -> str:
    """Return the first telling word or number of a query that a reason says; empty where it says none."""
    said = _read(_cut(Query.of(query).text, _LONGEST_QUERY))
    wrote = _read(_cut(reason, _LONGEST_REASON))
    shared = (word for word in said.words if _is_telling(word) and len(word) > 1 and word in wrote.telling)
    return next(shared, "") or next(iter(sorted(said.numbers & wrote.numbers)), "")


def _cut(text: str, most: int) -> str:
    """Return the head and the tail of a text that is longer than so many characters."""
    tail = most // 3
    return text if len(text) <= most else f"{text[: most - tail]} \n{text[len(text) - tail :]}"


def _chosen(letter: str, reason: str, conversation: str) -> bool:
    """Tell whether a reason names the option that is right; a letter that the query lacks needs no cue."""
    words = r"[Oo]ption|[Cc]hoice|[Aa]nswer(?: is|:)?|[Ll]etter|[Pp]ick|[Cc]hoose"
    cue = rf"\b(?:{words})\s*[\"'(\[]{{0,2}}{letter}\b"
    said = (
        rf"(?<![\w'])[\"'(\[]{{0,2}}{letter}[\"')\]]{{0,2}} (?:is|was|would be) (?:right|correct|true|the)\b"
    )
    if re.search(f"{cue}|{said}", reason):
        return True
    alone = rf"(?<![\w.'’]){letter}(?![\w.'’])"
    return letter not in "AI" and not re.search(alone, conversation) and bool(re.search(alone, reason))


def _shared(wrote: _Text, said: _Text, given: _Text, terse: bool) -> str:
    """Name what a reason has of a text that the query has not; empty where there is nothing."""
    name = _shared_name(wrote, said, given)
    if name:
        return repr(name)
    own = _own(given, said)
    numbers = _shared_numbers(wrote, said, given, terse, bare=not own)
    if numbers:
        return " and ".join(sorted(numbers))
    if terse and own and all(word in wrote.telling for word in own):
        return repr(" ".join(own))
    long_enough = len(given.compact) >= (2 if _is_unspaced(given.compact) else _SHORTEST_COMPACT)
    if terse and long_enough and given.compact in wrote.compact and given.compact not in said.compact:
        return repr(" ".join(given.words))
    held = [word for word in own if word in wrote.telling]
    if len(held) >= max(_REPEATED_WORDS, _REPEATED_SHARE * len(own)):
        return f"most of its words ({', '.join(held[:5])})"
    return _quotation(wrote, given, frozenset(own))


def _own(given: _Text, said: _Text | None) -> list[str]:
    """List the different words of a text that carry something and that the query does not say."""
    return [
        word
        for word in dict.fromkeys(given.words)
        if given.telling.holds(word) and len(word) > 1 and (said is None or word not in said.telling)
    ]


def _is_telling(word: str) -> bool:
    return _is_telling_word(word) if len(word) <= _LONGEST_CACHED else not is_number(word)


@lru_cache(maxsize=8192)
def _is_telling_word(word: str) -> bool:
    return word not in _COMMON and not is_number(word)


def _shared_name(wrote: _Text, said: _Text, given: _Text) -> str:
    capital, inner = Words(given.names | given.openers), Words(given.names)
    for word in sorted(wrote.names | (wrote.openers if given.names else frozenset())):
        # At the start of a sentence a capital says nothing, so there the text must show that it is a name.
        others = capital if word in wrote.names else inner
        long_enough = len(word) >= _SHORTEST_NAME
        if long_enough and _is_telling(word) and word in others and word not in said.telling:
            return word
    return ""


def _shared_numbers(wrote: _Text, said: _Text, given: _Text, terse: bool, *, bare: bool) -> frozenset[str]:
    """Return numbers of a text that a reason has: telling ones, or all of a terse text.

    Args:
        wrote: The reason.
        said: The query.
        given: The text.
        terse: Whether it is short.
        bare: Whether it has no word of its own beside its numbers.
    """
    own = given.numbers - said.numbers
    held = own & wrote.numbers
    telling = frozenset(number for number in held if len(number) >= (2 if terse else 3))
    if telling:
        # Of a date the year or the day alone is half the answer.
        return telling
    return held if terse and held and held == own and len(held) >= (1 if bare else 2) else frozenset()


def _stated(claimed: _Text, given: _Text) -> str:
    """Tell whether words after "the answer is" are the text itself, though the query says them, too."""
    own = _own(given, None) or [word for word in given.words if not is_number(word)]
    window = Words(claimed.words[: len(given.words) + 6])
    if given.numbers <= claimed.numbers and all(word in window for word in own):
        return f"that the answer is {' '.join(given.words)!r}"
    return ""


def _quotation(wrote: _Text, given: _Text, own: frozenset[str]) -> str:
    width = _QUOTED_WORDS
    runs = {given.words[at : at + width] for at in range(len(given.words) - width + 1)}
    for at in range(len(wrote.words) - width + 1):
        run = wrote.words[at : at + width]
        if run in runs and len(own.intersection(run)) >= 2:
            return repr(" ".join(run))
    return ""


def _read(text: str, *, counting: bool = True) -> _Text:
    """Take a text apart.

    Args:
        text: The text.
        counting: Whether a small number word in front of what it counts is a number of it.
    """
    plain = without_thousands_marks(_POSSESSIVE.sub("", text))
    words: list[str] = []
    names: set[str] = set()
    openers: set[str] = set()
    for written, starts in _words(plain):
        word = _bare_word(written) if len(written) <= _LONGEST_CACHED else _bare(written)
        words.append(word)
        if written[0].isupper():
            (openers if starts else names).add(word)
    return _Text(
        words=tuple(words),
        telling=Words(word for word in words if _is_telling(word)),
        names=frozenset(names),
        openers=frozenset(openers),
        numbers=read_numbers(words if counting else without_counts(words)),
        compact="".join(words).replace(".", ""),
    )


# Analysts repeat themselves: one that works by rules has some dozens of reasons in all.
_read_again = lru_cache(maxsize=128)(_read)


def _words(text: str) -> Iterator[tuple[str, bool]]:
    for found in _WORD.finditer(text):
        # An underscore is a word character, and parts words all the same.
        for place, part in enumerate(found["word"].split("_")):
            if part:
                yield part, found["start"] is not None and place == 0


@lru_cache(maxsize=8192)
def _bare_word(word: str) -> str:
    return _bare(word)


def _bare(text: str) -> str:
    """Fold case, compatibility forms and diacritics away."""
    folded = fold(text)
    if folded.isascii():
        return folded
    apart = unicodedata.normalize("NFD", folded)
    return "".join(char for char in apart if unicodedata.category(char) != "Mn").translate(_LETTERS)


# Letters that no normal form takes apart.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


def _is_unspaced(text: str) -> bool:
    return any("\u0e00" <= char <= "\u0eff" or "\u2e80" <= char <= "\u9fff" for char in text)
