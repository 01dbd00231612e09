from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.heads.reading import LIMIT, read
from routesdk.testing import odd_queries, script_queries
from routesdk.types import Message, Query
from routesdk.words.features import Features, Hasher

HASHER = Hasher(14)
ANY_TEXT = st.one_of(
    st.text(st.characters(codec=None), min_size=1, max_size=60),
    st.text(st.characters(max_codepoint=127), min_size=1, max_size=60),
    st.text("ab _.?\n\x02", min_size=550, max_size=650),
)


def entries(features: Features, row: int) -> set[int]:
    ends = [*features.starts[1:].tolist(), len(features.buckets)]
    span = slice(int(features.starts[row]), ends[row])
    return set(features.buckets[span][features.first[span] > 0].tolist())


def buckets(text: str) -> set[int]:
    return set(HASHER.single(text).buckets.tolist())


@given(st.lists(ANY_TEXT, min_size=2, max_size=6))
def test_a_text_has_the_same_features_alone_as_among_others(texts: list[str]) -> None:
    (together,) = HASHER.features(texts)

    for row, text in enumerate(texts):
        alone = HASHER.single(text)
        assert entries(together, row) == set(alone.buckets.tolist())
        assert len(set(alone.buckets.tolist())) == len(alone.buckets)
        np.testing.assert_array_equal(together.shapes[row], alone.shape)


@given(ANY_TEXT)
def test_each_entry_is_counted_first_once_and_buckets_ascend(text: str) -> None:
    (features,) = HASHER.features([text])

    firsts = features.buckets[features.first > 0]
    assert len(set(firsts.tolist())) == len(firsts)
    assert set(firsts.tolist()) == set(features.buckets.tolist())
    assert (np.diff(features.buckets) >= 0).all()
    assert features.buckets.min() >= 0 and features.buckets.max() < 2**14


def test_a_word_has_its_bucket_wherever_it_stands() -> None:
    words = dict(HASHER.words("river"))

    assert dict(HASHER.words("a long way down the River, they say"))["River"] == words["river"]
    assert words["river"] in buckets("x" * 3000 + " river")


def test_the_order_of_words_matters_and_letters_in_another_order_are_another_word() -> None:
    assert buckets("dog bites man") != buckets("man bites dog")
    assert dict(HASHER.words("listen")) != {"listen": dict(HASHER.words("silent"))["silent"]}


def test_marks_are_tokens_and_blanks_are_not() -> None:
    assert buckets("is it so ?") == buckets("is\tit  so?")
    assert buckets("is it so?") != buckets("is it so!")


def test_words_are_found_between_marks_in_any_script() -> None:
    found = [word for word, _ in HASHER.words("Σελήνη, (луна) 月球 moon_1!")]

    assert found == ["Σελήνη", "луна", "moon_1"]


def test_capitals_of_other_alphabets_are_folded_too() -> None:
    assert dict(HASHER.words("МОСКВА"))["МОСКВА"] == dict(HASHER.words("москва"))["москва"]


def test_scripts_without_blanks_are_read_character_by_character() -> None:
    assert len(buckets("月球离地球有多远")) > len(buckets("月球"))


def test_shapes_count_characters_by_class() -> None:
    plain, digits = HASHER.single("abc def").shape, HASHER.single("abc 123").shape

    changed = np.flatnonzero(plain != digits)
    assert len(changed) == 2  # lower-case letters and digits
    assert HASHER.single("$$").shape.max() < 3 < HASHER.single("$" * 4000).shape.max()


def test_many_texts_come_in_order_and_none_is_lost() -> None:
    texts = [f"question {number} " + "word " * (number % 700) for number in range(500)]

    parts = list(HASHER.features(texts))

    assert len(parts) > 1
    assert sum(len(part.starts) for part in parts) == len(texts)
    lengths = np.concatenate([part.shapes[:, -2] for part in parts])
    np.testing.assert_allclose(lengths, np.log1p([len(text) + 3 for text in texts]), rtol=1e-6)


@pytest.mark.parametrize(
    "query", [*script_queries(), *odd_queries()], ids=lambda query: ascii(query.text[:12])
)
def test_any_query_has_features(query: Query) -> None:
    features = HASHER.single(read(query)[0])

    assert np.isfinite(features.shape).all()
    assert len(features.buckets) > 0


# What is read.


def test_a_short_question_is_read_whole() -> None:
    assert read(Query("Who wrote Faust?")) == ("Who wrote Faust?", False)


def test_of_a_long_text_beginning_and_end_are_read() -> None:
    text, cut = read(Query("first" + "x" * 10_000 + "last"))

    assert cut
    assert text.startswith("first")
    assert text.endswith("last")
    assert len(text) == LIMIT + 1


@pytest.mark.parametrize(("length", "cut"), [(LIMIT, False), (LIMIT + 1, True)])
def test_the_limit_is_exact(length: int, cut: bool) -> None:
    assert read(Query("y" * length))[1] is cut


def test_a_conversation_is_read_with_the_last_question_at_its_end() -> None:
    query = Query.of(
        [
            Message("system", "Be brief."),
            Message("user", "Who wrote Faust?"),
            Message("assistant", "Goethe"),
            Message("user", "When?"),
        ]
    )

    assert read(query) == ("Be brief.\nWho wrote Faust?\nGoethe\nWhen?", False)


def test_what_stands_behind_the_last_question_is_left_out() -> None:
    query = Query.of([Message("user", "When?"), Message("assistant", "In 1808.")])

    assert read(query) == ("When?", False)


def test_of_a_long_conversation_the_oldest_turns_are_cut() -> None:
    query = Query.of([Message("user", "old " * 2000), Message("assistant", "new"), Message("user", "When?")])

    text, cut = read(query)

    assert cut
    assert text.endswith("old \nnew\nWhen?")
    assert len(text) == LIMIT


def test_a_batch_of_ligatures_that_grow_when_composed_is_read_like_each_alone() -> None:
    hasher = Hasher(12)
    texts = ["\ufdfa" * 4000] * 16

    found = list(hasher.features(texts))

    assert sum(len(part.starts) for part in found) == 16
    (alone,) = hasher.features(texts[:1])
    assert found[0].buckets[: len(alone.buckets)].tolist() == alone.buckets.tolist()
