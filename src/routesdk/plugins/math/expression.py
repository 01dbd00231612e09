"""Finds written mathematics, in time that grows with the text's length.

No pattern here repeats without a bound, except where it cannot fail any more:
a text of 1 MB is read once, whatever stands in it.
"""

from __future__ import annotations

import re

# What looks like arithmetic and is none: web addresses, and times with their zone.
_NOISE = re.compile(
    r"(?:https?|ftp|file)://\S*"
    r"|\bwww\.\S*"
    r"|\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?\s?[+−-]\d\d:?\d\d"
    # Build numbers of versions, as in 1.4.2+20240131.
    r"|\d\.\d{1,9}\.\d{1,9}(?:-[\w.]{1,40})?\+\w"
)

# A number is matched from its start, so that each is tried once. The check that it starts here
# comes after its first digit: a pattern that begins with a set of characters skips all others fast.
_NUMBER = r"\d(?<![\w.,]\d)[\d.,]{0,40}"
_OPERAND = r"[\d)](?<![\w.,]\d)[\d.,]{0,40}"
_NEXT = r"[$€£¥]?[\d(]"


def _between(operator: str) -> str:
    """Match an operator with blanks on both sides or on neither: `**2** 3` is emphasis, `18+ 20` no sum."""
    return rf"(?:(?:{operator})|\s{{1,3}}(?:{operator})\s{{1,3}})"


_SPOKEN = (
    r"plus|minus|times|divided\s(?:by|into)|multiplied\sby|mod|modulo"
    r"|mal|geteilt\sdurch|fois|divisé\spar|dividido\s(?:por|entre)|diviso"
    r"|плюс|минус|умножить\sна|разделить\sна"
)
_EAST_ASIAN = r"加上?|减去?|減去?|乘以?|除以|足す|引く|かける|掛ける|割る|더하기|빼기|곱하기|나누기"
_ASK = r"(?:what\sis|what's|wie\sviel\sist|combien\sfont|cuánto\ses|quanto\sè|сколько\sбудет)"
_ORDER = (
    r"(?:calculate|compute|evaluate|how\smuch\sis|calcule|calcula|calcola|berechne|rechne|вычисли|计算|計算)"
)

_ARITHMETIC = re.compile(
    rf"{_OPERAND}(?:"
    # Signs that join numbers in arithmetic alone; a cron line (`5 * * 1`) has its stars in a row.
    rf"(?:{_between('[+＋×÷−]')}|{_between(r'[*＊]{1,2}')}|·){_NEXT}(?!\s\*)"
    rf"|\s{{1,3}}(?i:{_SPOKEN})\s{{1,3}}\d"
    rf"|\s{{0,3}}(?:{_EAST_ASIAN})\s{{0,3}}\d"
    rf"|\s?[%％]\s(?i:of|von|de|di|от)\s{_NEXT}"
    # `-`, `/` and `x` also write dates, scores, telephone numbers and sizes: they count
    # where a result is asked for, here and below.
    r"|\s{0,3}[-/x:]\s{0,3}\d{1,15}\s{0,3}=)"
)
_QUESTION = re.compile(
    rf"\b{_ASK}\s{{1,3}}{_NUMBER}\s{{1,3}}[-–/x]\s{{1,3}}\d"
    rf"|{_ORDER}\s{{0,3}}:?\s{{0,3}}{_NUMBER}\s{{0,3}}[-–/x]\s{{0,3}}\d",
    re.IGNORECASE,
)

_VARIABLE = r"(?:\d{1,9}|\d{0,3}[A-Za-z]{1,2})"
_ALGEBRA = re.compile(
    # 2x + 3 = 7; a parameter of a web address or a command follows one of `&?/.-`.
    rf"(?<![\w&?./-]){_VARIABLE}\s{{0,2}}[-+*/−]\s{{0,2}}{_VARIABLE}\s{{0,2}}="
    r"|(?<![\w&?./-])\d{1,4}[a-z]\s{0,2}[+=]\s{0,2}[-−]?\d"
    r"|(?<![\w&?;./-])[a-zA-Z]\s{0,2}=\s{0,2}[-−]?\d"
    rf"|(?<![\w&?;./-])[a-zA-Z]\s{{0,2}}=\s{{0,2}}{_VARIABLE}\s{{0,2}}[-+*/−]\s{{0,2}}{_VARIABLE}(?!\w)"
    r"|(?<![\w.])[a-zA-Z]\([a-z]\)\s{0,2}="
    # Powers: of a number, a bracket, or a variable of one letter.
    r"|(?:(?<![^\W_])[A-Za-z]|[\d)\]])\s?\^\s?[\w({+−-]"
    r"|(?<![^\W_])[A-Za-z]{2,3}\^\d"
    # Not m² and s², which are units.
    r"|(?<![^\W_])[a-ln-rt-z][²³ⁿ]"
    r"|(?<![\w.])(?:sqrt|log|ln|sin|cos|tan|exp|gcd|lcm)\s?\("
    r"|(?<![\w/])d[a-z]?/d[a-z](?![\w/])"
)

_NOTATION = re.compile(
    # Signs that hardly occur outside formulas; ≤, ≈, ±, ∞ and Σ do.
    r"[√∛∜∑∏∫∬∭∮∂∇∀∃∄∈∉⊂⊆∪∩≡∝]"
    r"|\\[dt]?(?:frac|binom)\s?\{"
    r"|\\sqrt\s?[\[{]"
    r"|\\(?:sum|prod|i{0,2}int|oint|lim)(?:\\limits|[\s_^{(])"
    r"|\\begin\{(?:equation|align|gather|matrix|[pbvBV]matrix|cases)\*?\}"
)

# Nothing is found without one of these: most queries have none, and are done with here.
_GATES = (
    (re.compile(r"\d"), _ARITHMETIC),
    (re.compile(r"\d\s{0,3}[-–/x]"), _QUESTION),
    (re.compile(r"[=^²³ⁿ(/]"), _ALGEBRA),
    (re.compile(r"[^\x00-\x7f]|\\"), _NOTATION),
)

_SHOWN = 40


def find_expression(text: str) -> str | None:
    """Return the first piece of written mathematics, cut to 40 characters, or None."""
    wanted = [pattern for gate, pattern in _GATES if gate.search(text)]
    if not wanted:
        return None
    plain = _NOISE.sub(" ", text)
    for pattern in wanted:
        found = pattern.search(plain)
        if found:
            return found[0].strip()[:_SHOWN]
    return None
