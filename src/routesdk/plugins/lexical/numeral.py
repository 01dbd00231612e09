"""Reads numbers: digits with separators, words, ordinals and magnitudes."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

_ENGLISH = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty"""
_ENGLISH_ORDINALS = """zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh
twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENTHS = "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"
_MAGNITUDES = {
    "hundred": 2, "thousand": 3, "million": 6, "millions": 6, "billion": 9, "trillion": 12, "mil": 3,
    "tisic": 3, "tisice": 3, "tausend": 3, "mille": 3, "milion": 6, "miliony": 6, "milionu": 6,
    "millionen": 6, "miliard": 9, "miliarda": 9, "miliardy": 9, "milliarde": 9, "milliarden": 9,
    "bn": 9, "mn": 6, "mln": 6, "mld": 9, "mrd": 9, "mio": 6, "millones": 6, "milioni": 6, "milhoes": 6,
    "тысяч": 3, "тысячи": 3, "миллион": 6, "миллиона": 6, "миллионов": 6, "миллиард": 9,
}  # fmt: skip


def _small() -> dict[str, int]:
    found = {word: value for value, word in enumerate(_ENGLISH.split())}
    found |= {word: value for value, word in enumerate(_ENGLISH_ORDINALS.split())}
    for line in (_TENS, _TENTHS):
        found |= {word: 20 + 10 * place for place, word in enumerate(line.split())}
    value = 0
    for line in Path(__file__).with_name("numeral.txt").read_text(encoding="utf-8").splitlines():
        # A language begins after its heading.
        value = 0 if line.startswith("#") else value + bool(line)
        for form in () if value == 0 else line.split():
            found.setdefault(form, value)
    found |= {"once": 1, "twice": 2, "thrice": 3}
    return {word: value for word, value in found.items() if word.isalpha()}


_SMALL = _small()
_UNITS_PLACE = frozenset((*_ENGLISH.split()[1:10], *_ENGLISH_ORDINALS.split()[1:10]))
_TENS_PLACE = frozenset(_TENS.split())
_ROMAN = {
    "ii": 2, "iii": 3, "iv": 4, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "xi": 11, "xii": 12, "xiii": 13,
    "xiv": 14, "xv": 15, "xvi": 16, "xvii": 17, "xviii": 18, "xix": 19, "xx": 20, "xxi": 21,
}  # fmt: skip
_THOUSANDS = re.compile(r"\d{1,3}(?:([,.' ])\d{3})(?:\1\d{3})*")
_DECIMAL_COMMA = re.compile(r"\d+,\d{1,2}|\d+,\d{4,}")
# What fits no magnitude that a text speaks of is kept as digits.
_LONGEST = 40


def plain(number: str) -> str:
    """Return a number's digits in one form: `1,648.50` and `1 648,5` are `1648.5`.

    One point or comma before three digits is read as a separator of thousands
    where it is a comma or a blank, and as a decimal point where it is a point.
    """
    text = number.rstrip(".,' ")
    separated = _THOUSANDS.fullmatch(text)
    if separated and (separated[1] != "." or text.count(".") > 1):
        text = text.replace(separated[1], "")
    elif "," in text and "." in text:
        text = (
            text.replace(",", "")
            if text.rfind(".") > text.rfind(",")
            else text.replace(".", "").replace(",", ".")
        )
    elif _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if text.count(".") == 1 and "," not in text:
        text = text.rstrip("0").rstrip(".")
    return text.lstrip("0") or "0" if "." not in text else text


def value_of(token: str) -> float | None:
    """Return the value of a token that is a number in plain form; None for a word."""
    if token[0].isdigit() and token.isascii() and len(token) <= _LONGEST and token.count(".") <= 1:
        return float(token)
    return None


def forms(token: str) -> tuple[str, ...]:
    """Return a number in plain form, and what else was meant if its separator was read the wrong way."""
    whole, _, part = token.partition(".")
    if len(part) == 3 and len(whole) <= 3:
        return (token, whole + part)
    if not part and 4 <= len(token) <= 6:
        return (token, f"{token[:-3]}.{token[-3:]}".rstrip("0").rstrip("."))
    return (token,)


def compose(tokens: list[str]) -> list[str]:
    """Return the tokens with number words as digits.

    `two hundred` becomes 200, `twenty-one` 21, `1.5 million` 1500000, and
    `World War II` ends in 2; what was said in several words leaves one token.
    """
    out: list[str] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        small = _SMALL.get(token)
        if small is not None:
            following = tokens[place] if place < len(tokens) else ""
            if token in _TENS_PLACE and following in _UNITS_PLACE:
                small += _SMALL[following]
                place += 1
            out.append(str(small))
        elif token in _MAGNITUDES and out and _scalable(out[-1]):
            scaled = Decimal(out[-1]).scaleb(_MAGNITUDES[token])
            out[-1] = format(scaled.normalize(), "f")
        elif token in _ROMAN and out:
            out.append(str(_ROMAN[token]))
        else:
            out.append(token)
    return out


def _scalable(token: str) -> bool:
    return token[0].isdigit() and token.isascii() and token.count(".") <= 1 and len(token) < 8
