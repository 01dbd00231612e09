"""What gives an answer away is found in many forms, and what only sounds like it is left alone."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.dataset import read_examples
from routesdk.host import PluginHost
from routesdk.pipeline.numeral import read_numbers
from routesdk.pipeline.reasoning import leaked
from routesdk.types import Query

AWARD = "Who received the IEEE Frank Rosenblatt Award in 2010?"
BORN = "On what date was the author of the novel born?"
MANY = "How many goals did the striker score in the 2014 final?"
FINE = "It asks for a person's name, pinned down by a name and a year. So narrow a fact is rarely remembered."


@pytest.mark.parametrize(
    ("reason", "query", "reference"),
    [
        ("The answer is Michio Sugeno.", AWARD, "Michio Sugeno"),
        ("the answer is michio sugeno", AWARD, "Michio Sugeno"),
        ("Sugeno, Michio is little known.", AWARD, "Michio Sugeno"),
        ("It takes knowledge of Sugeno.", AWARD, "Michio Sugeno"),
        ("Sugeno's work is little known.", AWARD, "Michio Sugeno"),
        ("Sugenno won it, and few know him.", AWARD, "Michio Sugeno"),
        ("It went to Dvorak.", AWARD, "Antonín Dvořák"),
        ("It went to Lodz.", "Where was it?", "Łódź"),
        ("MICHIO_SUGENO is the one.", AWARD, "Michio Sugeno"),
        ("He was born on 1966-06-01.", BORN, "1 June 1966"),
        ("He was born on June 1st, 1966.", BORN, "1 June 1966"),
        ("It was the year 1966.", BORN, "1 June 1966"),
        ("It was in nineteen sixty-six.", BORN, "1 June 1966"),
        ("It falls on the second of April.", BORN, "April 2"),
        ("It falls on 02/04.", BORN, "April 2"),
        ("The score was three.", MANY, "3"),
        ("The score was 3.", MANY, "three"),
        ("It is about twelve thousand three hundred and five.", MANY, "12,305"),
        ("It is 12305.", MANY, "12,305 people"),
        ("It needs a piano.", "What did he bring?", "A piano"),
        ("It is about 3 million.", MANY, "3,000,000"),
        ("It is 3,200,000.", MANY, "3.2 million"),
        ("The answer is three goals.", MANY, "3"),
        ("He was born on 05.04.2011.", BORN, "5 April 2011"),
        ("Born 5 April 2011, he is young.", BORN, "05.04.2011"),
        ("Option B fits the text.", "Which one? A) a cat B) a dog", "B"),
        ("The answer is A.", "Which one? A) a cat B) a dog", "A"),
        ("(B) is right, by the last clause.", "Which one? A) a cat B) a dog", "B"),
        ("It is C, by the last clause.", "Which option is it?", "C"),
        ("It helps to know boko boko.", "What is Harees called in Zanzibar?", "boko boko"),
        ("答えは東京です。", "日本の首都はどこですか？", "東京"),
        ("The answer is Russia.", "Which is larger, Russia or China?", "Russia"),
        ("Correct answer: Hank.", "Who is admitted, Jesse or Hank?", "Hank."),
        (
            "It says that exports of cocoa grew faster than imports of machines.",
            "What does the report say?",
            "That exports of cocoa had grown faster than imports of machines in that decade",
        ),
    ],
)
def test_a_reference_is_found_in_many_forms(reason: str, query: str, reference: str) -> None:
    problem = leaked(reason, query, reference)

    assert problem.startswith("the reason gives the reference away: it says ")
    assert leaked(f"{FINE} {reason}", query, reference)


@pytest.mark.parametrize(
    ("reason", "query", "reference"),
    [
        (FINE, AWARD, "Michio Sugeno"),
        ("Few know of the Frank Rosenblatt Award of 2010.", AWARD, "Michio Sugeno"),
        ("One fact decides; a second step is not needed.", MANY, "1"),
        ("One fact decides; a second step is not needed.", MANY, "2"),
        ("It may be hard to recall a date.", BORN, "May 3, 1966"),
        ("It needs the year 2014 and a striker.", MANY, "7"),
        ("It compares Russia with China, which is plain.", "Which is larger, Russia or China?", "Russia"),
        ("A particular thing is asked for.", "What is it?", "IT"),
        ("It asks for a date in the 20th century.", BORN, "20 May 1966"),
        ("It asks for a date in the twentieth century.", BORN, "20 May 1966"),
        ("It takes three steps to tell.", MANY, "3"),
        ("Two facts have to be joined.", MANY, "2"),
        ("A narrow fact; options A and B look alike.", "Which one? A) a cat B) a dog", "B"),
        ("A narrow fact is asked for, and I doubt it.", "Which letter?", "A"),
        (FINE, AWARD, None),
        (FINE, AWARD, ""),
        ("", AWARD, "Michio Sugeno"),
        ("It needs the name of a university.", "At which university did she study?", "University of Graz"),
    ],
)
def test_what_the_query_says_and_what_all_reasons_say_gives_nothing_away(
    reason: str, query: str, reference: str | None
) -> None:
    assert leaked(reason, query, reference) == ""


@pytest.mark.parametrize(
    "reason",
    [
        "One may think of LeCun.",
        "Hinton was honoured by others.",
        "Cenu IEEE Frank Rosenblatt Award v roce 2010 obdrželi Yann LeCun.",
        "Models recall deep learning of 2018 here.",
    ],
)
def test_a_name_or_number_of_an_answer_is_found_and_the_answer_is_numbered(reason: str) -> None:
    answers = [
        "Bohužel nevím.",
        "V roce 2010 ji obdrželi Yann LeCun a Geoffrey Hinton, podobně jako v roce 2018.",
    ]

    assert leaked(reason, AWARD, "Michio Sugeno", answers).startswith("the reason gives answer 2 away")
    assert leaked(FINE, AWARD, "Michio Sugeno", answers) == ""


def test_an_answer_that_is_an_abstention_is_no_secret() -> None:
    answer = (
        "I do not know the answer to this question; it is a narrow fact about a person's name and a year."
    )

    assert leaked("It is a question about a narrow fact.", AWARD, None, [answer]) == ""


def test_what_was_said_earlier_in_a_conversation_does_not_count() -> None:
    turns = [
        {"role": "user", "content": "Who wrote Faust?"},
        {"role": "assistant", "content": "Goethe wrote it in 1808."},
        {"role": "user", "content": "And who translated it?"},
    ]

    assert leaked("It asks for a translator of Goethe.", Query.of(turns), "Goethe and Taylor") == ""
    assert leaked("It asks for Taylor.", Query.of(turns), "Bayard Taylor")


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_texts_are_compared(reason: str, reference: str, answer: str) -> None:
    assert isinstance(leaked(reason, "Who?", reference, [answer]), str)


@given(st.from_regex(r"[A-Z][a-z]{4,9} [A-Z][a-z]{4,9}", fullmatch=True))
def test_a_made_up_name_is_found_wherever_it_stands(name: str) -> None:
    first, last = name.split()

    for reason in (f"It is {name}.", f"{last}, {first} is meant.", f"See {name.upper()} here.", name.lower()):
        assert leaked(reason, "xq?", name)


def _many(first: str, size: int) -> str:
    """Make so many different words of one initial: all of them are compared with each other."""
    letters = str.maketrans("0123456789", "abcdefghij")
    return " ".join(f"{first}{number:05d}{number:05d}".translate(letters) for number in range(size))


@pytest.mark.parametrize(
    ("reason", "query", "answer"),
    [
        (FINE, _many("s", 14_000), _many("s", 14_000)[::-1]),
        (_many("s", 14_000), _many("sx", 14_000), _many("sy", 14_000)),
        (FINE, "Who? " * 30_000, "One of many. " * 30_000),
        (FINE, AWARD, "The report of Smith says nothing of it. " * 25_000),
        (FINE, "'" * 150_000, "a." * 75_000),
        (FINE, "a" * 150_000, "b_" * 75_000),
    ],
)
def test_any_text_is_compared_in_milliseconds(reason: str, query: str, answer: str) -> None:
    def seconds() -> float:
        start = time.process_time()
        leaked(reason, query, "a reference", [answer] * 3)
        return time.process_time() - start

    # It takes less than 15 ms; a step for every pair of words of the whole would take seconds.
    assert min(seconds() for _ in range(3)) < 0.1


def test_head_and_tail_of_a_long_answer_are_compared() -> None:
    filler = "The report says nothing of it. " * 25_000

    for answer in (f"Smith wrote it. {filler}", f"{filler} It was written by Smith."):
        assert "smith" in leaked("It takes Smith to know.", AWARD, "x", [answer])
        assert leaked(FINE, AWARD, "x", [answer]) == ""


@pytest.mark.parametrize("many", [False, True])
def test_words_are_found_up_to_ending_and_typo_among_few_and_among_many(many: bool) -> None:
    others = " ".join(_many("d", 60).split()[20:]) if many else ""

    for said in ("Dubrovnik", "dubrovniku", "Dubrovnk", "Durbovnik", "Dubrovnikk", "Dubrovnic", "dubrovni"):
        assert leaked(f"{others} It takes {said}.", "Where?", "Dubrovnik"), said
    for said in ("Dubrava", "Duvobrnik", "ubrovnik"):
        assert leaked(f"{others} It takes {said}.", "Where?", "Dubrovnik") == "", said


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("one hundred and five", {"105"}),
        ("twenty-one and seven", {"21", "7"}),
        ("nineteen sixty-six", {"1966"}),
        ("twenty twenty-four", {"2024"}),
        ("two thousand and eight", {"2008"}),
        ("three million two hundred thousand", {"3200000"}),
        ("the 21st of June 007", {"21", "6", "7"}),
        ("the twenty-first of december", {"21", "12"}),
        ("3.50 and 4.0", {"3.5", "4"}),
        ("it may take one first step, or a second", set()),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(text: str, numbers: set[str]) -> None:
    words = text.lower().replace("-", " ").replace(",", " ").split()

    assert read_numbers(words) == numbers


def test_heuristic_reasons_on_real_questions_raise_no_alarm(data_folder: Path) -> None:
    analyst = PluginHost(entry_points=False).analyst("heuristic")

    for example in islice(read_examples(data_folder / "simpleqa_cs.jsonl.gz"), 0, 3_528, 9):
        answers = [outcome.answer or "" for outcome in example.outcomes.values()]
        reason = asyncio.run(analyst.reason(example.query))
        assert leaked(reason, example.query, example.reference, answers) == "", example.id
