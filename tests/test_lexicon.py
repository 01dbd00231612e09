from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from routesdk.errors import ConfigError
from routesdk.lexicon import Lexicon, count_words, fold

MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("code", "Write Python CODE, please"),
        ("straße", "Wo ist die STRASSE?"),
        ("file", "the \ufb01le is gone"),
        ("café", "meet me at the cafe\u0301!"),
        ("Ελλάδα", "ΕΛΛΆΔΑ"),
        ("код", "Напиши код."),
        ("prime factor", "its largest prime\n\t factor"),
        ("c++", "Is C++17 worth it?"),
        ("हिन्दी", "क्या यह हिन्दी है?"),
        ("算法", "请解释快速排序算法的原理"),
        ("アルゴリズム", "このアルゴリズムを説明して"),
        ("รหัส", "เขียนรหัสให้หน่อย"),
        ("python", "用Python写一个程序"),
        ("파이썬", "파이썬으로 짜 줘"),
        ("🚀", "to the moon🚀now"),
    ],
)
def test_a_word_is_found_in_any_script_case_and_form(word: str, text: str) -> None:
    assert Lexicon([word]).find(text) == word


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("code", "the codec decoded it"),
        ("code", "code_name"),
        ("python", "python3"),
        ("हिन", "हिन्दी"),  # the next character is a mark, which `\w` leaves out
        ("код", "кодекс"),
        ("می", "می\u200cخواهم"),
        ("코드", "코드네임"),
        ("q", "q\u0308"),
        ("two words", "two other words"),
    ],
)
def test_a_part_of_a_longer_word_is_not_found(word: str, text: str) -> None:
    assert Lexicon([word]).find(text) is None


def test_a_whole_word_is_found_after_a_longer_one_that_holds_it() -> None:
    assert Lexicon(["code"]).find("decode the code") == "code"


def test_the_first_listed_word_is_named_as_it_was_listed() -> None:
    assert Lexicon(["SQL", "Proof"]).find("a proof in sql") == "SQL"


@pytest.mark.parametrize(
    ("words", "key"), [([], "words"), (["a", "\u3000"], "words[1]"), ("code", "words"), ([1], "words[0]")]
)
def test_words_that_cannot_be_looked_for_are_errors_that_name_them(words: list[str], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Lexicon(words)

    assert caught.value.key == key


@given(st.text(alphabet=st.characters(), min_size=1), st.text(), st.text())
def test_a_word_that_stands_between_blanks_is_always_found(word: str, before: str, after: str) -> None:
    assume(fold(word))

    assert Lexicon([word]).find(f"{before} \n {word} \t {after}") == word


@given(st.text(alphabet=st.characters(), max_size=60))
def test_folding_forgets_case_and_normal_form(text: str) -> None:
    assert fold(text) == fold(unicodedata.normalize("NFD", text))
    assert "  " not in fold(text)


@pytest.mark.parametrize("unit", ["\u0301\u0316", "\uff9e\u0301", "a", "! ", "代", "\ud800", "ा", "co"])
def test_a_megabyte_of_anything_is_read_once(unit: str) -> None:
    # Marks in the wrong order take minutes where nothing cuts their runs.
    text = unit * (MEGABYTE // len(unit))

    assert Lexicon(["code", "c++"]).find(text) is None
    assert count_words(text) >= 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" — ! ", 0),
        ("How far is the Moon?", 5),
        ("well-known, it's 3.5", 3),
        ("क्या यह हिन्दी है?", 4),
        ("달은 얼마나 먼가요?", 3),
        ("月球离地球有多远？", 4),
        ("用 Python 写程序", 3),
        ("ดวงจันทร์อยู่", 3),
        ("\ud800 \x00 word", 1),
    ],
)
def test_words_are_counted_in_any_script(text: str, words: int) -> None:
    assert count_words(text) == words


@given(st.text(), st.text())
def test_joining_two_texts_by_a_blank_adds_up_their_words_within_rounding(first: str, second: str) -> None:
    together = count_words(f"{first} {second}")

    # Estimates round up, once for each of the two groups of scripts.
    assert (
        count_words(first) + count_words(second) - 2 <= together <= count_words(first) + count_words(second)
    )
