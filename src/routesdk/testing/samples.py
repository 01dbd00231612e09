"""Queries that every part must cope with: ten scripts, control characters, surrogates, a megabyte."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from routesdk.types import Message, Query

SCRIPTS: Mapping[str, str] = MappingProxyType(
    {
        "Arabic": "كم يبعد القمر عن الأرض؟",
        "Cyrillic": "Как далеко Луна от Земли?",
        "Devanagari": "चंद्रमा पृथ्वी से कितनी दूर है?",
        "Greek": "Πόσο απέχει η Σελήνη από τη Γη;",
        "Han": "月球离地球有多远？",
        "Hangul": "달은 지구에서 얼마나 떨어져 있나요?",
        "Hebrew": "מה המרחק בין הירח לכדור הארץ?",
        "Japanese": "つきはちきゅうからどれくらいはなれていますか？",
        "Latin": "How far is the Moon from the Earth?",
        "Thai": "ดวงจันทร์อยู่ห่างจากโลกเท่าไร",
    }
)
"""One question, in ten scripts."""

_MEGABYTE = 2**20

_ODD_TEXTS = (
    "a",
    "?!…",
    # Control characters, escapes of a terminal among them.
    "What is\x00 2\x07+\x1b[31m2\x7f?\r\n\t\x85",
    # Lone surrogates: a string that no codec can encode.
    "What is \ud83d and \udc00 \udfff?",
    # Joiners, combining marks, a byte-order mark.
    "👩🏽\u200d🚀 goes where? e\u0301\u200d\ufeff",
    "price \u202egpj.exe\u202c of it",
    # What templates, shells and mark-up would expand.
    "{} {0} %s %(x)s ${HOME} `x` \\ <b> [bold]x[/bold]",
    "word " * 2_000,
)


def script_queries() -> tuple[Query, ...]:
    """Return one question in each of ten scripts."""
    return tuple(Query(text) for text in SCRIPTS.values())


@cache
def odd_queries(*, megabyte: bool = True) -> tuple[Query, ...]:
    """Return queries that break careless code: each is valid and must be served.

    Args:
        megabyte: Whether to add two of 1 MB, one of words and one of a single run of letters.
    """
    turns = (
        Message("system", "Answer in one word."),
        Message("user", "Who wrote Faust?"),
        Message("assistant", "Goethe"),
        Message("user", "When?"),
    )
    queries = [Query(text) for text in _ODD_TEXTS]
    queries.append(Query.of(turns, tags={"history"}))
    queries.append(Query("Tagged?", tags={"law", "ünïcode", ""}, metadata={"tenant": "a"}))
    if megabyte:
        queries += [Query("seven w " * (_MEGABYTE // 8)), Query("a" * _MEGABYTE)]
    return tuple(queries)


def describe(query: Query) -> str:
    """Return a short, printable name of a query for a failure's sentence."""
    text = ascii(query.text)
    return text if len(text) <= 60 else f"{text[:56]}…' ({len(query.text):,} characters)"
