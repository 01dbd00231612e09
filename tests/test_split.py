from __future__ import annotations

import csv
import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routesdk.errors import ConfigError, DatasetError
from routesdk.pipeline.split import (
    duplicate_groups,
    folds,
    near_duplicates,
    normalise,
    query_hash,
    split,
    split_files,
)

SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
SYLLABLES = ["ba", "ko", "mi", "tu", "re", "lan", "dor", "fes", "gin", "pol", "sar", "vut"]


def made_up_questions(count: int, seed: int = 0) -> list[str]:
    """Return questions of made-up words, so that no two are alike."""
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=4)) for _ in range(count * 8)]
    return [" ".join(words[8 * row : 8 * row + 8]) + "?" for row in range(count)]


def pairs(texts: list[str], others: list[str] | None = None) -> list[tuple[int, int]]:
    return [(pair.left, pair.right) for pair in near_duplicates(texts, others)]


@given(st.text())
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text())
def test_a_hash_fits_64_bits_and_belongs_to_the_normal_form(text: str) -> None:
    assert 0 <= query_hash(text) < 2**64
    assert query_hash(text) == query_hash(normalise(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's  the CAPITAL of France?", "whats the capital of france"),
        ("Ｗｈａｔ ｉｓ １＋１", "what is 1+1"),
        ("STRASSE", "straße"),
        ("1,000 metres", "1000 metres"),
        ("zero\u200bwidth", "zerowidth"),
        ("a well-known\ttune", "a well known tune"),
        ("1990–1995", "1990-1995"),
    ],
)
def test_writing_the_same_query_differently_does_not_change_its_hash(one: str, other: str) -> None:
    assert query_hash(one) == query_hash(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2+2", "2-2"), ("2*3", "2/3"), ("3.5", "35"), ("x = -1", "x = 1"), ("C#", "C"), ("नमस्ते", "नमसते")],
)
def test_what_changes_the_meaning_changes_the_hash(one: str, other: str) -> None:
    assert query_hash(one) != query_hash(other)


def test_a_hash_is_a_fixed_number_and_lone_surrogates_have_one() -> None:
    assert query_hash("Who wrote Hamlet?") == 3294303783525026510
    assert query_hash("\ud800") != query_hash("")


def test_a_mended_typo_and_a_changed_article_make_near_duplicates() -> None:
    texts = [
        "Where did Hemmingway write the Old Man and the Sea?",
        "Where did Hemingway write Old Man and the Sea?",
        "How can you determine whether a given populationis ingenetic equilibrium?",
        "How can you determine whether a given population is in genetic equilibrium?",
    ]

    assert pairs(texts) == [(0, 1), (2, 3)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Who won the Jerlov Award in 2017?", "Who won the Jerlov Award in 2018?"),
        (
            "In what year was the municipality of Andes founded?",
            "In what year was the municipality of Tarso founded?",
        ),
        (
            "Write a function to find the area of a pentagon.",
            "Write a function to find the area of a trapezium.",
        ),
        (
            "Which of these is true?\nA. Iron floats\nB. Ice floats",
            "Which of these is true?\nA. Cats bark\nB. Dogs bark",
        ),
    ],
)
def test_questions_of_one_template_are_no_duplicates(one: str, other: str) -> None:
    assert pairs([one, other]) == []


def test_a_long_question_is_the_same_whatever_its_options() -> None:
    stem = (
        "At which temperature, in kelvin, does pure water boil under a pressure of two standard atmospheres?"
    )
    four = f"{stem}\nA. 373\nB. 394\nC. 300\nD. 273\nAnswer:"
    ten = f"{stem}\nA. 1\nB. 2\nC. 3\nD. 394\nE. 5\nF. 6"

    assert pairs([four, ten]) == [(0, 1)]
    assert pairs([stem, four]) == [(0, 1)]


def test_a_short_question_is_the_same_when_its_options_are() -> None:
    four = "Which of these is true?\nA. Iron floats\nB. Ice floats\nC. Lead floats\nD. Gold floats\nAnswer:"
    more = "A. Gold floats\nB. Tin floats\nC. Iron floats\nD. Ice floats\nE. Lead floats"
    six = f"Which of these is true?\n{more}"

    assert pairs([four, six]) == [(0, 1)]


def test_many_questions_with_one_short_stem_are_compared_by_their_options_alone() -> None:
    def asked(stem: str, row: int) -> str:
        return f"{stem}\nA. iron {row}\nB. ice {row}\nC. lead {row}\nD. gold {row}"

    # 150 times 150 pairs are more than are tried one by one.
    one = [asked("Which of the following is true?", row) for row in range(150)]
    two = [asked("Which of the followings is true?", row) for row in range(100, 250)]

    assert pairs(one, two) == [(row, row - 100) for row in range(100, 150)]


def test_a_word_misspelt_once_and_spelled_rightly_elsewhere_is_a_typo() -> None:
    text = "If the merchandise was counted before the merchandise was bought, what does the audit show?"

    assert pairs([text, text.replace("merchandise", "merchanidse", 1)]) == [(0, 1)]


def test_a_prompt_template_does_not_hide_a_duplicate() -> None:
    plain = made_up_questions(40)
    wrapped = [
        f"{text}\nPut your final answer in a box, after careful thought about it." for text in plain[:30]
    ]

    assert pairs(plain, wrapped) == [(row, row) for row in range(30)]


def test_pairs_across_two_lists_name_every_row_that_has_a_partner() -> None:
    left = ["Who wrote Hamlet?", "who wrote hamlet", "What is the speed of light in glass?"]
    right = ["What is the speed of light in the glass?", "Who wrote HAMLET"]

    assert pairs(left, right) == [(0, 1), (1, 1), (2, 0)]


def test_every_row_with_a_partner_in_the_other_list_is_named() -> None:
    stem = (
        "At which temperature, in kelvin, does pure water boil under a pressure of two standard atmospheres?"
    )
    left = [f"{stem}\nA. 37\nB. 39", f"{stem}\nA. 41\nB. 43", made_up_questions(1)[0], stem]
    right = [stem.replace("does pure", "does the pure"), f"{stem}\nA. 41\nB. 43", f"{stem}\nA. 1\nB. 2"]

    found = near_duplicates(left, right)

    assert {pair.left for pair in found} == {0, 1, 3}
    assert {pair.right for pair in found} == {0, 1, 2}
    assert [(pair.left, pair.right) for pair in found if pair.exact] == [(1, 1)]


@pytest.mark.parametrize(
    ("one", "two", "alike"),
    [
        ("Austria", "Australia", True),
        ("mitosis", "meiosis", True),
        ("symmetric", "asymmetric", True),
        ("Slovakia", "Slovenia", False),
        ("Iran", "Iraq", False),
    ],
)
def test_terms_of_similar_spelling_pass_for_one_as_the_docstring_says(
    one: str, two: str, alike: bool
) -> None:
    texts = [f"What does the school book say about the term {term} in chapter three?" for term in (one, two)]

    assert bool(pairs(texts)) is alike
    assert near_duplicates.__doc__ is not None
    assert not alike or {one, two} <= set(near_duplicates.__doc__.replace(",", " ").split())


def test_texts_without_words_and_single_rows_have_defined_groups() -> None:
    assert duplicate_groups([]).tolist() == []
    assert duplicate_groups(["alone"]).tolist() == [0]
    assert duplicate_groups(["", "?!", "a", "  "]).tolist() == [0, 0, 2, 0]


def test_ten_thousand_questions_of_one_template_stay_apart() -> None:
    texts = [f"{question} {row}" for row, question in enumerate(["Who was mayor of Paris in"] * 10_000)]

    assert len(set(duplicate_groups(texts).tolist())) == 10_000


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40),
    st.integers(0, 3),
    st.data(),
)
def test_a_split_is_total_disjoint_and_keeps_groups_whole(
    letters: list[str], seed: int, data: st.DataObject
) -> None:
    strata = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(letters), max_size=len(letters)))

    result = split(letters, strata, shares=SHARES, seed=seed)

    found = [row for part in result.names for row in result.rows(part).tolist()]
    assert sorted(found) == list(range(len(letters)))
    assert sum(result.counts().values()) == len(letters)
    part_of_letter = {(letter, code) for letter, code in zip(letters, result.codes.tolist(), strict=True)}
    assert len(part_of_letter) == len(set(letters))


@settings(max_examples=20)
@given(st.permutations(range(60)))
def test_the_order_of_the_rows_does_not_matter(order: list[int]) -> None:
    texts = [*made_up_questions(50), *[text.upper() for text in made_up_questions(10)]]
    strata = [str(row % 3) for row in range(60)]

    straight = split(texts, strata)
    shuffled = split([texts[row] for row in order], [strata[row] for row in order])

    assert shuffled.codes.tolist() == straight.codes[order].tolist()


def test_a_split_does_not_depend_on_the_hash_seed_of_the_process() -> None:
    code = (
        "from routesdk.pipeline.split import split\n"
        "texts = [f'{a} {b} question' for a in 'abcdef' for b in ('one two', 'three four', 'five six')]\n"
        "print(split(texts, [text[0] for text in texts]).codes.tolist())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }

    assert len(runs) == 1


@given(st.integers(0, 5), st.integers(1, 20))
def test_adding_rows_moves_few_of_the_others(seed: int, added: int) -> None:
    texts = made_up_questions(300 + added)
    before = split(texts[:300], seed=seed, groups=range(300))
    after = split(texts, seed=seed, groups=range(300 + added))

    assert int((after.codes[:300] != before.codes).sum()) <= added + 1


def test_each_stratum_is_divided_in_the_given_shares() -> None:
    texts = made_up_questions(1000)
    strata = ["rare" if row % 20 == 0 else "common" for row in range(1000)]

    result = split(texts, strata)

    for stratum, rows in (("rare", 50), ("common", 950)):
        tested = sum(strata[row] == stratum for row in result.rows("test").tolist())
        assert abs(tested - 0.2 * rows) <= 1


def test_strata_of_one_row_each_are_right_on_average() -> None:
    texts = made_up_questions(2000)

    result = split(texts, [str(row) for row in range(2000)])

    # Four standard deviations of a binomial count of 2000 draws at 0.2.
    assert abs(result.counts()["test"] - 400) < 72


def test_a_validation_part_leaves_the_test_part_as_it_is() -> None:
    texts = made_up_questions(500)

    assert split(texts).rows("test").tolist() == split(texts, shares=SHARES).rows("test").tolist()


@given(
    st.permutations([("train", 0.6), ("validation", 0.1), ("test", 0.2), ("spare", 0.1)]), st.integers(0, 9)
)
def test_the_order_of_the_shares_does_not_matter(order: list[tuple[str, float]], seed: int) -> None:
    texts = made_up_questions(40)
    strata = [str(row % 3) for row in range(40)]
    groups = range(40)
    usual = split(texts, strata, shares=dict(sorted(order)), seed=seed, groups=groups)

    result = split(texts, strata, shares=dict(order), seed=seed, groups=groups)

    assert result.names == tuple(name for name, _ in order)
    assert all(result.rows(name).tolist() == usual.rows(name).tolist() for name, _ in order)


def test_a_test_part_is_the_same_whether_it_is_named_first_or_last() -> None:
    texts = made_up_questions(300)

    for share in (0.2, 0.5):
        first = split(texts, shares={"test": share, "train": 1 - share})
        last = split(texts, shares={"train": 1 - share, "test": share})

        assert first.rows("test").tolist() == last.rows("test").tolist()


def test_the_usual_split_and_the_folds_are_those_that_they_always_were() -> None:
    texts = made_up_questions(20)

    # Checkpoints and published figures rest on these rows.
    assert split(texts).rows("test").tolist() == [0, 5, 14, 17]
    assert split(texts, shares=SHARES).rows("validation").tolist() == [7, 11]
    assert folds(texts, count=4).codes.tolist() == [
        3,
        2,
        0,
        1,
        2,
        3,
        2,
        3,
        0,
        0,
        1,
        2,
        2,
        1,
        3,
        1,
        0,
        3,
        1,
        0,
    ]


def test_another_seed_is_another_split_of_the_same_groups() -> None:
    texts = [*made_up_questions(200), *made_up_questions(20)]
    first = split(texts)

    second = split(texts, seed=1, groups=first.groups)

    assert second == split(texts, seed=1)
    assert second.codes.tolist() != first.codes.tolist()


def test_duplicates_across_files_land_in_one_part() -> None:
    questions = made_up_questions(300)
    files = {
        "one": questions,
        "two": [text.upper() for text in questions[::-1]],
        "three": made_up_questions(50, 1),
    }

    result = split_files(files, {"one": ["a"] * 300})

    assert result["one"].codes.tolist() == result["two"].codes.tolist()[::-1]
    assert [len(result[name].codes) for name in files] == [300, 300, 50]
    assert (
        near_duplicates(
            [files[name][row] for name in files for row in result[name].rows("train").tolist()],
            [files[name][row] for name in files for row in result[name].rows("test").tolist()],
        )
        == ()
    )
    assert split_files(
        files, seed=2, groups={name: part.groups for name, part in result.items()}
    ) == split_files(files, seed=2)


def test_folds_are_of_nearly_equal_size() -> None:
    result = folds(made_up_questions(503), count=5)

    assert result.names == ("1", "2", "3", "4", "5")
    assert all(abs(count - 100.6) < 3 for count in result.counts().values())


def test_a_group_larger_than_its_share_stays_in_the_first_part() -> None:
    result = split(["the same question"] * 10)

    assert result.counts() == {"train": 10, "test": 0}


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"train": 0.5, "test": 0.4},
        {"train": 1.2, "test": -0.2},
        {"train": float("nan"), "test": 1.0},
        {"a": "1"},
        {"a": True},
        1.0,
    ],
)
def test_shares_that_are_no_shares_are_refused(shares: object) -> None:
    with pytest.raises(ConfigError) as caught:
        split(["a"], shares=shares)  # type: ignore[arg-type]
    assert caught.value.key == "shares"


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ConfigError, match="strata"):
        split(["a", "b"], ["x"])
    with pytest.raises(ConfigError, match="groups"):
        split(["a", "b"], groups=[1])
    with pytest.raises(ConfigError, match="no file has this name"):
        split_files({"one": ["a"]}, {"two": ["x"]})
    with pytest.raises(ConfigError, match=r"strata\.one"):
        split_files({"one": ["a"]}, {"one": ["x", "y"]})
    with pytest.raises(ConfigError, match="texts = 'abc': one string"):
        split("abc")
    for count in (1, 2.5, True):
        with pytest.raises(ConfigError, match="count"):
            folds(["a", "b"], count=count)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no such part"):
        split(["a"]).rows("holdout")
    with pytest.raises(ConfigError, match="fold"):
        folds(["a"], count=1)
    with pytest.raises(DatasetError) as caught:
        split(["a", None])  # type: ignore[list-item]
    assert caught.value.line == 2


def recorded(folder: Path, name: str) -> list[str]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["query"] for line in lines]


def test_simpleqa_recorded_and_published_are_matched_row_by_row(data_folder: Path) -> None:
    with (data_folder / "simple_qa_test_set.csv").open(encoding="utf-8", newline="") as lines:
        published = [row["problem"] for row in csv.DictReader(lines)]
    known = recorded(data_folder, "simpleqa_cs")

    matched = {pair.left for pair in near_duplicates(known, published)}
    sizes = np.bincount(duplicate_groups(published))

    assert matched == set(range(len(known)))
    # Question families differ by a year or a name, and are no duplicates.
    assert sizes.max() <= 3


def test_templated_puzzles_and_tasks_make_no_large_group(data_folder: Path) -> None:
    sizes = np.bincount(duplicate_groups(recorded(data_folder, "nine_models")))

    assert sizes.max() <= 5


@pytest.mark.slow
def test_no_question_of_mmlu_is_split_between_its_two_files(data_folder: Path) -> None:
    files = {name: recorded(data_folder, name) for name in ("routellm_mmlu", "mmlu_pro")}

    result = split_files(files)

    train = [files[name][row] for name in files for row in result[name].rows("train").tolist()]
    test = [files[name][row] for name in files for row in result[name].rows("test").tolist()]
    assert near_duplicates(train, test) == ()
    assert len(near_duplicates(files["routellm_mmlu"], files["mmlu_pro"])) > 4_800
    assert max(np.bincount(np.concatenate([result[name].groups for name in files]))) <= 12
    assert abs(result["mmlu_pro"].counts()["test"] / len(files["mmlu_pro"]) - 0.2) < 0.01


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_divided_in_a_minute_and_600_mb(
    repository: Path, data_folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, str(repository / "benchmarks" / "split.py")],
        env={**os.environ, "ROUTESDK_DATA": str(data_folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    report = json.loads(done.stdout)
    assert report["rows"] == 100_000
    # Time on the processor: a busy neighbour is no failure of ours.
    assert report["cpu_seconds"] < 60
    assert report["peak_mb"] < 600, report
    assert all(each["recall"] == 1.0 for each in report["planted"] if each["kind"] in ("shout", "space"))
    assert all(each["recall"] > 0.98 for each in report["planted"])
