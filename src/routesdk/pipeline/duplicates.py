"""Exact and near duplicates among queries, within one list or between two.

Why not a library: three are well kept (datasketch 2.0, semhash 0.5, text-dedup 0.4; November
2026). datasketch and text-dedup link texts whose shingles are similar beyond a threshold,
semhash those whose word vectors are, which come from the Hub. No threshold separates
duplicates from templates here: questions that differ in one name reach a similarity above
0.9 where real duplicates with a mended typo have 0.7. datasketch on the 100,000 rows of
`benchmarks/split.py` (64 hashes, threshold 0.65) linked templates into groups of up to 250
rows where the rules below make groups of 33 at most, found 98.4 % of the planted duplicates
where these find 99.7 %, and took 1.7 GB and half as long again. The rules need every
candidate's words anyway, and the search for candidates is a page of numpy, which the base
install has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.pipeline.fingerprint import normalise, stable_hash
from routesdk.pipeline.minhash import candidate_pairs, shingles, signatures
from routesdk.pipeline.question import Question, take_apart
from routesdk.pipeline.wording import same_words

# Similarity from which two questions may be one; see `near_duplicates` for how it was chosen.
_SIMILAR = 0.65
# MinHash estimates have a standard deviation of 0.06 at most: three of them below the threshold.
_ESTIMATED = 0.47
# From here on two texts share a long passage, whatever is asked about it.
_PASSAGE_SIMILAR = 0.85
_PASSAGE_WORDS = 60
# Below this many words a question leans on its options ("Which of these is true?").
_SHORT_QUESTION_WORDS = 10
_SHARED_OPTIONS = 0.5
_FEWEST_SHARED_OPTIONS = 2
# Up to here every pair is tried.
_FEW_PAIRS = 10_000
# An option that more questions share ("None of the above") says nothing.
_COMMON_OPTION = 200


@attrs.frozen
class DuplicatePair:
    """Two rows that ask the same.

    Attributes:
        left: Row number in the first list.
        right: Row number in the second list, or a later row of the only one.
        similarity: Jaccard similarity of the questions' character 5-grams, 0 to 1; 1
            for equal questions.
        exact: Whether the normal forms are equal.
    """

    left: int
    right: int
    similarity: float
    exact: bool


def near_duplicates(texts: Sequence[str], others: Sequence[str] | None = None) -> tuple[DuplicatePair, ...]:
    """Find the rows that ask the same question, exactly or nearly.

    Two rows are duplicates where their normal forms are equal, or where all of this
    holds for the questions without options and prompt template:

    - they name the same numbers, equally often ("in 2017" and "in 2018" differ);
    - their character 5-grams have a Jaccard similarity of at least 0.65, and each
      word of one that is no English function word stands in the other, up to
      spelling and spacing; or both have 60 words or more and a similarity of at
      least 0.85 (they share a passage);
    - where both have options and fewer than ten words: half of the options of the
      one with fewer, and at least two, are options of the other.

    Chosen by reading pairs of SimpleQA, MMLU, MMLU-Pro, Natural Questions and 14
    smaller sets: at every similarity from 0.65 to 0.95 most pairs are templates with
    another name, number or formula, and 0.65 to 0.7 is where mended typos and changed
    articles end. MMLU and MMLU-Pro share 5,157 questions with four and ten options,
    so options must not count against a long question; they must for a short one.

    Exchanging a name or a term makes another question where the two are spelled
    differently. Where at least 85 % of their letters agree in order, as in Austria and
    Australia, mitosis and meiosis, symmetric and asymmetric, they pass for spellings
    of one word, and the questions for duplicates: letters cannot tell them from
    typos, and for a split a pair too many costs less than one that leaks.

    Candidates come from MinHash (64 hashes, 16 bands) and are verified on the full
    sets of 5-grams. Paraphrases are out of reach of any comparison of letters.

    Args:
        texts: Queries.
        others: A second list; only pairs across the two are then returned.

    Returns:
        Pairs sorted by row number. Not every pair of a large group is listed: rows
        of one list are linked to the first that is alike, and across lists each row
        that has partners is named with one of them at least.
    """
    rows = [*texts, *(others or ())]
    first_row: dict[str, int] = {}
    firsts = [first_row.setdefault(normalise(text), row) for row, text in enumerate(rows)]
    distinct = sorted(set(firsts))
    questions = take_apart([rows[row] for row in distinct])
    near = _near(distinct, questions)
    if others is not None:
        return _across(firsts, dict(zip(distinct, questions, strict=True)), near, len(texts))
    exact = [DuplicatePair(first, row, 1.0, True) for row, first in enumerate(firsts) if first != row]
    return tuple(sorted([*exact, *near], key=_position))


def duplicate_groups(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """Number the groups of rows that are linked by duplicate pairs.

    Args:
        texts: Queries.

    Returns:
        For each row, (rows,), the smallest row number of its group: rows with equal
        numbers belong together, and a row without duplicates has its own number.
    """
    root = list(range(len(texts)))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    for pair in near_duplicates(texts):
        low, high = sorted((find(pair.left), find(pair.right)))
        root[high] = low
    return np.fromiter((find(row) for row in range(len(texts))), dtype=np.int64, count=len(texts))


def _position(pair: DuplicatePair) -> tuple[int, int]:
    return pair.left, pair.right


def _ascending(one: int, two: int) -> tuple[int, int]:
    return (one, two) if one < two else (two, one)


def _across(
    firsts: Sequence[int], questions: Mapping[int, Question], near: Sequence[DuplicatePair], border: int
) -> tuple[DuplicatePair, ...]:
    """Turn pairs over both lists into pairs from the first list to the second.

    Args:
        firsts: For each row, the first one with its normal form.
        questions: The question of each of these first rows.
        near: Near duplicates among the first rows.
        border: Number of rows in the first list.
    """
    # Rows that are one question anyhow are taken together, so that each of them finds a partner.
    first_of_text: dict[str, int] = {}
    same: dict[int, int] = {}
    for first, question in questions.items():
        known = first_of_text.setdefault(question.text, first)
        same[first] = first if _leans_on_options(question) else known
    sides: defaultdict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row, first in enumerate(firsts):
        sides[same[first]][row >= border].append(row)
    pairs = {pair for left, right in sides.values() for pair in _crossing(left, right, 1.0, firsts, border)}
    for pair in near:
        one, two = same[pair.left], same[pair.right]
        if one != two:
            for left, right in ((sides[one][0], sides[two][1]), (sides[two][0], sides[one][1])):
                pairs.update(_crossing(left, right, pair.similarity, firsts, border))
    return tuple(sorted(pairs, key=_position))


def _crossing(
    left: Sequence[int], right: Sequence[int], similarity: float, firsts: Sequence[int], border: int
) -> Iterator[DuplicatePair]:
    """Give each row of either side one partner on the other, an exact one where there is one."""
    if not left or not right:
        return
    first_left = {firsts[row]: row for row in reversed(left)}
    first_right = {firsts[row]: row for row in reversed(right)}
    for row in left:
        partner = first_right.get(firsts[row], right[0])
        yield DuplicatePair(row, partner - border, similarity, firsts[row] == firsts[partner])
    for row in right:
        partner = first_left.get(firsts[row], left[0])
        yield DuplicatePair(partner, row - border, similarity, firsts[row] == firsts[partner])


def _near(distinct: Sequence[int], questions: Sequence[Question]) -> list[DuplicatePair]:
    """Find near duplicates among rows of which no two are exact duplicates."""
    holders: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        holders.setdefault(question.text, []).append(place)
    pairs = [
        DuplicatePair(distinct[left], distinct[right], 1.0, False)
        for places in holders.values()
        for left, right in _same_question(places, questions)
    ]
    numbers = {text: questions[places[0]].numbers for text, places in holders.items()}
    for one, two, similarity in _similar_texts(numbers):
        pairs += [
            DuplicatePair(*_ascending(distinct[left], distinct[right]), similarity, False)
            for left, right in _linked(holders[one], holders[two], questions)
        ]
    return pairs


def _same_question(places: list[int], questions: Sequence[Question]) -> Iterator[tuple[int, int]]:
    """Pair rows with one question text and different options."""
    if len(places) > 1 and _leans_on_options(questions[places[0]]):
        yield from _sharing_options(places, questions)
    else:
        yield from ((places[0], place) for place in places[1:])


def _linked(one: list[int], two: list[int], questions: Sequence[Question]) -> Iterator[tuple[int, int]]:
    """Pair rows of two similar question texts, each with one or more sets of options."""
    if not (_leans_on_options(questions[one[0]]) or _leans_on_options(questions[two[0]])):
        yield one[0], two[0]  # the rows of each text are linked among themselves already
        return
    few = len(one) * len(two) <= _FEW_PAIRS
    for left, right in product(one, two) if few else _meeting(one, two, questions):
        if _options_agree(questions[left], questions[right]):
            yield left, right


def _meeting(one: list[int], two: list[int], questions: Sequence[Question]) -> Iterator[tuple[int, int]]:
    """Pair the rows of two texts that share an option, or of which one has none, without trying all pairs."""
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for right in two:
        for option in questions[right].options:
            holders[option].append(right)
    bare = [right for right in two if not questions[right].options]
    for left in one:
        shared = [holders[option] for option in questions[left].options if option in holders]
        found = {right for rows in shared if len(rows) <= _COMMON_OPTION for right in rows}
        # A row without options agrees with all others; such rows are few.
        partners = sorted(found) + bare if questions[left].options else two
        yield from ((left, right) for right in partners)


def _leans_on_options(question: Question) -> bool:
    return len(question.text.split()) < _SHORT_QUESTION_WORDS


def _options_agree(left: Question, right: Question) -> bool:
    fewer = min(len(left.options), len(right.options))
    if fewer == 0:
        return True
    return len(left.options & right.options) >= max(_FEWEST_SHARED_OPTIONS, _SHARED_OPTIONS * fewer)


def _sharing_options(places: list[int], questions: Sequence[Question]) -> Iterator[tuple[int, int]]:
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for place in places:
        for option in questions[place].options or ("",):
            holders[option].append(place)
    seen: set[tuple[int, int]] = set()
    for together in holders.values():
        if len(together) > _COMMON_OPTION:
            continue
        for position, left in enumerate(together):
            for right in together[position + 1 :]:
                if (left, right) not in seen and _options_agree(questions[left], questions[right]):
                    seen.add((left, right))
                    yield left, right


def _similar_texts(numbers: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str, float]]:
    """Find pairs of question texts that are one question, with their similarity."""
    texts = list(numbers)
    if len(texts) < 2:
        return
    # Texts with different numbers are never compared, so numbers are the bucket key.
    hashed = (stable_hash(" ".join(found)) for found in numbers.values())
    keys = np.fromiter(hashed, dtype=np.uint64, count=len(texts))
    split_up: dict[int, tuple[frozenset[str], bool]] = {}
    shingled: dict[int, npt.NDArray[np.uint64]] = {}
    for left, right in candidate_pairs(signatures(texts), keys, _ESTIMATED).tolist():
        for row in (left, right):
            if row not in split_up:
                words = texts[row].split()
                split_up[row] = frozenset(words), len(words) >= _PASSAGE_WORDS
        reworded = same_words(split_up[left][0], split_up[right][0], texts[left], texts[right])
        # Words are compared before letters, because templates fail here, and at less cost.
        if not reworded and not (split_up[left][1] and split_up[right][1]):
            continue
        for row in (left, right):
            if row not in shingled:
                shingled[row] = shingles(texts[row])
        similarity = _jaccard(shingled[left], shingled[right])
        if similarity >= (_SIMILAR if reworded else _PASSAGE_SIMILAR):
            yield texts[left], texts[right], similarity


def _jaccard(one: npt.NDArray[np.uint64], two: npt.NDArray[np.uint64]) -> float:
    shared = len(np.intersect1d(one, two, assume_unique=True))
    return shared / (len(one) + len(two) - shared)
