"""Whether two texts use the same words: what tells a mended typo from most other names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher

# Share of letters in common from which two words are one, spelled in two ways.
_SAME_WORD = 0.85
_LONGEST_WORD = 40
_ENGLISH = """a an the of in on at to for by with from and or is are was were be been do does did what which
who whom when where how that this it its as have has had s will would can could"""
_FUNCTION_WORDS = frozenset(_ENGLISH.split())


def same_words(one: frozenset[str], two: frozenset[str], left: str, right: str) -> bool:
    """Tell whether two texts use the same words, up to spelling, spacing and function words.

    Two different words of similar spelling, such as Austria and Australia, count as one.

    Args:
        one: The words of the left text.
        two: The words of the right text.
        left: The left text, in normal form.
        right: The right text, in normal form.
    """
    only_left, only_right = one - two, two - one
    return _covered(only_left, (only_right, two), right) and _covered(only_right, (only_left, one), left)


def _covered(words: Iterable[str], others: Iterable[Iterable[str]], text: str) -> bool:
    """Tell whether each word stands in the other text, up to spelling and spacing.

    Args:
        words: Words that only one text has.
        others: The words that only the other text has, then all of its words: a word
            misspelt once may be spelled rightly elsewhere in the same text.
        text: The other text.
    """
    unspaced = text.replace(" ", "")
    return all(
        word in _FUNCTION_WORDS
        or (len(word) > 3 and word in unspaced)
        or any(_same_word(word, other) for those in others for other in those)
        for word in words
    )


def _same_word(word: str, other: str) -> bool:
    short, long = sorted((len(word), len(other)))
    if long > _LONGEST_WORD:
        return True  # no word but a run of text without spaces, which the similarity has judged
    if 2 * short < _SAME_WORD * (short + long):
        return False  # the ratio cannot be reached, however many letters agree
    # Sets bound it at a tenth of the cost of counts: a letter that the other lacks finds no partner.
    mine, theirs = set(word), set(other)
    at_most = min(len(word) - len(mine - theirs), len(other) - len(theirs - mine))
    if 2 * at_most < _SAME_WORD * (short + long):
        return False
    if 2 * sum((Counter(word) & Counter(other)).values()) < _SAME_WORD * (short + long):
        return False  # nor with these letters, in whatever order
    return SequenceMatcher(None, word, other, autojunk=False).ratio() >= _SAME_WORD
