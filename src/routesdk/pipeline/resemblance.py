"""Finds words among others up to an ending or a typo, in time that does not grow with their pairs."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.pipeline.numeral import is_number

# Shorter words have no endings, and a letter more or less makes another word of them.
_SHORTEST_VARIED, _LONGEST_ENDING = 5, 3
# So few words of one initial are compared one by one. Longer words are taken as they stand.
_FEW, _MOST_EDITS, _LONGEST_EDITED = 16, 50, 30


class Words:
    """Words to look for others among, up to an ending or a typo behind the first letter."""

    __slots__ = ("_by_letter", "_exact", "_index")

    def __init__(self, words: Iterable[str]) -> None:
        self._exact = frozenset(words)
        self._by_letter: dict[str, list[str]] = {}
        self._index: tuple[frozenset[str], dict[str, list[str]]] | None = None
        for word in self._exact:
            if len(word) >= _SHORTEST_VARIED:
                self._by_letter.setdefault(word[0], []).append(word)

    def __contains__(self, word: str) -> bool:
        if word in self._exact:
            return True
        near = self._by_letter.get(word[0], ()) if len(word) >= _SHORTEST_VARIED else ()
        # Few are compared one by one; among many an index finds those that can be alike.
        return any(_alike(word, other) for other in near) if len(near) <= _FEW else self._indexed(word)

    def holds(self, word: str) -> bool:
        """Tell whether the very word is there."""
        return word in self._exact

    def _indexed(self, word: str) -> bool:
        if self._index is None:
            stems: set[str] = set()
            edits: dict[str, list[str]] = {}
            for other in (other for near in self._by_letter.values() for other in near):
                stems.update(_stems(other))
                for key in _deletions(other):
                    edits.setdefault(key, []).append(other)
            self._index = frozenset(stems), edits
        known, shortened = self._index
        if is_number(word):
            return False
        if word in known or not self._exact.isdisjoint(_stems(word)):
            return True
        return any(
            _alike(word, other) for key in _deletions(word) for other in shortened.get(key, ())[:_MOST_EDITS]
        )


def _stems(word: str) -> list[str]:
    """List a word without its last letters, as far as they may be an ending."""
    return [word[:-cut] for cut in range(1, _LONGEST_ENDING + 1) if len(word) - cut >= _SHORTEST_VARIED]


def _deletions(word: str) -> list[str]:
    """List a word, and it without one letter behind the first: one edit apart means one in common."""
    if len(word) > _LONGEST_EDITED:
        return []
    return [word, *(word[:at] + word[at + 1 :] for at in range(1, len(word)))]


def _alike(word: str, other: str) -> bool:
    """Tell whether two words are one, up to an ending or, in longer ones, a typo."""
    short, long = sorted((word, other), key=len)
    longer = len(long) - len(short)
    if longer > _LONGEST_ENDING or is_number(word) or is_number(other):
        return False
    return long.startswith(short) or (
        len(short) > _SHORTEST_VARIED and longer <= 1 and _one_edit(short, long)
    )


def _one_edit(short: str, long: str) -> bool:
    """Tell whether one letter added, changed or exchanged with its neighbour makes the two equal."""
    at = next((place for place, char in enumerate(short) if char != long[place]), len(short))
    if len(short) != len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return short[at + 1 :] == long[at + 1 :] or swapped
