"""What looks like the reference and is not it, and what looks like nothing and is: rule by rule."""

from __future__ import annotations

import asyncio
import time

import pytest

from routesdk.protocols import Judge
from routesdk.testing import make_host
from routesdk.types import Grade, Unscored, Verdict

C, I, A = Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED  # noqa: E741

CAPITAL = "What is the capital of France?"
AWARD = "Who won the award?"
AMOUNT = "How many were there?"
BUILT = "When was it built?"


@pytest.fixture(scope="module")
def judge() -> Judge:
    return make_host().judge("lexical")


def grade(judge: Judge, question: str, reference: str, answer: str) -> Grade:
    said = asyncio.run(judge.grade(question, reference, answer))
    assert isinstance(said, Verdict), said
    return said.grade


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("What is its DOI?", "10.1515/thli.2008.007", "10.1111/j.1749-818X.2008.00108.x", I),
        ("What is its DOI?", "10.1515/thli.2008.007", "It is https://doi.org/10.1515/thli.2008.007.", C),
        ("What is its DOI?", "10.1515/thli.2008.007", "10.1515/thli.2008.008", I),
        ("What is its DOI?", "10.1515/thli.2008.007", "doi:10.1515/THLI.2008.007", C),
        ("What is its DOI?", "10.1515/thli.2008.00", "doi:10.1515/thli.2008.007", I),
        ("What is its DOI?", "10.1002/abc/def", "10.1002/abc/xyz", I),
        ("Which page?", "https://example.com/a/b", "https://example.com/a/c", I),
        ("Which page?", "https://example.com/a/b", "It is http://www.example.com/a/b/.", C),
    ],
)
def test_an_identifier_is_compared_as_a_whole(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (CAPITAL, "Paris", "It was Lyon, but unfortunately it can't be visited.", I),
        (CAPITAL, "Paris", "I don't know, maybe Lyon", I),
        (CAPITAL, "Paris", "I'm not certain, but my best guess is Lyon.", I),
        (CAPITAL, "Paris", "No tengo dudas: es Lyon.", I),
        (CAPITAL, "Paris", "Ich habe keinen Zweifel: Lyon.", I),
        (CAPITAL, "Paris", "Lyon. Could you provide feedback?", I),
        (CAPITAL, "Paris", "I'm not certain, but my best guess is Paris.", C),
        (CAPITAL, "Paris", "I don't know, maybe you should ask a teacher.", A),
        (CAPITAL, "Paris", "The answer is not available online, but it is Lyon.", I),
        (CAPITAL, "Paris", "I do not know, but it is possible to look it up.", A),
        (CAPITAL, "Paris", "I do not know; perhaps Paris.", C),
        (CAPITAL, "Paris", "I don't know, maybe Paris", C),
        (CAPITAL, "Paris", "Lyon, but I'm not sure.", I),
        (CAPITAL, "Paris", "Sorry, but I do not know.", A),
    ],
)
def test_a_guess_beside_a_refusal_is_an_answer(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (CAPITAL, "Paris", "Not sure.", A),
        (CAPITAL, "Paris", "No clue.", A),
        (CAPITAL, "Paris", "IDK, sorry!", A),
        (CAPITAL, "Paris", "Unable to determine.", A),
        (CAPITAL, "Paris", "The information is not available.", A),
        (CAPITAL, "Paris", "Not enough information.", A),
        (CAPITAL, "Paris", "Cannot be determined.", A),
        (CAPITAL, "Paris", "I can't help with that.", A),
        (CAPITAL, "Paris", "It is not publicly known.", A),
        (CAPITAL, "Paris", "Das weiß ich nicht.", A),
        (CAPITAL, "Paris", "Weiß ich nicht", A),
        (CAPITAL, "Paris", "Je l'ignore.", A),
        (CAPITAL, "Paris", "Netuším.", A),
        (CAPITAL, "Paris", "Neviem.", A),
        (CAPITAL, "Paris", "Geen idee.", A),
        (CAPITAL, "Paris", "Ni idea.", A),
        (CAPITAL, "Paris", "No information is available on that.", A),
    ],
)
def test_an_everyday_refusal_is_an_abstention(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (BUILT, "1990", "It was not built in 1990, but in 1985.", I),
        (BUILT, "1985", "It was not built in 1990, but in 1985.", C),
        (BUILT, "1990", "It was not finished until 1990.", C),
        (AMOUNT, "42", "Not 42.", I),
        (AMOUNT, "3", "There are 4, not 3.", I),
        (AMOUNT, "4", "There are 4, not 3.", C),
        (BUILT, "1990", "before 1990", I),
        (BUILT, "1990", "between 1985 and 1990", I),
        (BUILT, "1990", "the 1990s", I),
        (BUILT, "1990", "In the 1990s.", I),
        (BUILT, "the 1990s", "the 1990s", C),
        (AMOUNT, "100", "fewer than 100", I),
        (AMOUNT, "100", "less than 100", I),
        (AMOUNT, "5", "-5", I),
        (AMOUNT, "fewer than 100", "fewer than 100", C),
        (BUILT, "May 5, 1990", "not on May 5, 1990", I),
    ],
)
def test_a_number_that_is_denied_or_only_bounded_is_not_given(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("How long?", "9.3 mm", "9.3mm", C),
        ("How long?", "9.3mm", "9.3 mm", C),
        ("How much?", "1.5 GB", "1.5GB", C),
        ("How far?", "1,200 km", "1,200km", C),
        ("How long?", "9 or 3 mm", "9.3mm", I),
        ("How long?", "9.3mm", "9 or 3 mm", I),
        ("How much?", "$3.2 million", "$3.2M", C),
        ("How much?", "3.2 billion dollars", "$3.2bn", C),
        ("How much?", "$3.2M", "3,200,000 dollars", C),
        ("How much?", "3.2 million", "3.2M", C),
    ],
)
def test_a_number_glued_to_its_unit_stays_one_number(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("Who was the preacher?", "Martin Luther King", "It was Martin Luther, the reformer.", I),
        ("Who was the preacher?", "Martin Luther King", "King", C),
        ("Who wrote it?", "Jane Austen", "It is Jane Austen's novel.", C),
        ("What is the name of the river?", "Colorado River", "It is the Hudson River.", I),
        (AWARD, "Barack Obama", "the wife of Obama", I),
        (AWARD, "Barack Obama", "Obama's successor", I),
        (AWARD, "Barack Obama", "It was Obama.", C),
        ("What is the name of the song?", "Purple Rain", "November Rain", I),
        ("What is the name of the lake?", "Great Salt Lake", "a lake", I),
        ("Who owns it?", "Boston University", "a university", I),
    ],
)
def test_a_surname_answers_only_for_a_person(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("Which country?", "Niger", "Nigeria", I),
        ("Which country?", "Nigeria", "Niger", I),
        ("Which compound?", "Sodium sulfite", "Sodium sulfate", I),
        ("Which compound?", "Sulfate", "Sulfite", I),
        ("Which compound?", "nitrate", "It is a nitrite.", I),
        (AWARD, "Daniel", "Daniela", I),
        (AWARD, "Daniel Smith", "Daniela Smith", I),
        (AWARD, "Paul Smith", "Pauline Smith", I),
        (AWARD, "Paul Smith", "It was Pauline Smith.", I),
        ("Which country?", "Austria", "Austrian", C),
        ("Which country?", "Austria", "Australia", I),
    ],
)
def test_other_names_and_compounds_are_no_inflections(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (
            AMOUNT,
            "120,000 (acceptable range: anything between 118,000 and 122,000)",
            "125,000, up from 119,500 the year before",
            I,
        ),
        (
            AMOUNT,
            "120,000 (acceptable range: anything between 118,000 and 122,000)",
            "In 2010 there were 119,500.",
            C,
        ),
    ],
)
def test_a_range_accepts_the_number_that_is_meant(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (AMOUNT, "1.2 million (acceptable range: 1.1 to 1.3 million)", "1.25 million", C),
        (AMOUNT, "1.2 million (acceptable range: 1.1 to 1.3 million)", "1.2", I),
        (AMOUNT, "1.2 million (acceptable range: 1.1 million to 1.3 million)", "1,150,000", C),
    ],
)
def test_a_range_keeps_its_magnitudes(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("How heavy?", "12 pounds", "12 kg", I),
        ("How much?", "12 pounds", "£12", C),
        ("How warm?", "5 °C", "5 °F", I),
        ("How warm?", "5 °C", "5 degrees Celsius", C),
        (AMOUNT, "2.50", "2.51", I),
        (AMOUNT, "2.513", "2.51", C),
        (AMOUNT, "25.36", "25.4", C),
        (AMOUNT, "25.36", "25.3", C),
        (AMOUNT, "25.36", "25.5", I),
        ("How far?", "5 km", "5 miles", I),
        ("How far?", "5 km", "5 kilometers", C),
        ("How far?", "5 km", "5", C),
        ("How much?", "$5", "5 euros", I),
        ("How much?", "5 dollars", "$5", C),
    ],
)
def test_decimals_may_be_rounded_and_units_not_exchanged(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("Where is it?", "Springfield, Illinois", "Springfield, Massachusetts", I),
        ("Where is it?", "Springfield, Illinois", "Springfield", C),
        ("Where is it?", "Springfield, Illinois", "Springfield, IL", C),
        ("In which city?", "Springfield, Illinois", "Springfield, Massachusetts", I),
        ("Where is it?", "Cambridge, England", "It is in Cambridge, Massachusetts.", I),
    ],
)
def test_a_place_of_the_same_name_lies_elsewhere(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        ("Which colours?", "red, white and blue", "red and white", I),
        ("Which colours?", "red, white and blue", "blue, red, white", C),
        ("What was the score?", "2-3", "3-2", I),
        ("What was the score?", "2-3", "2–3", C),
        ("At what time?", "10:30 AM", "10:30 PM", I),
        ("At what time?", "10:30 AM", "10:30 a.m.", C),
        ("At what time?", "10:30 AM", "10:30", C),
    ],
)
def test_lists_and_orders_are_wanted_whole(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (CAPITAL, "Paris", "It could be Paris, Lyon, or Nice.", I),
        (CAPITAL, "Paris", "1. Paris\n2. Lyon\n3. Nice", I),
        (CAPITAL, "Paris", "It might be Paris or Lyon.", I),
        (CAPITAL, "Paris", "Either Paris or Lyon.", I),
        ("Which?", "Red or Blue", "Red or Blue", C),
        ("Who?", "I don't know", "I don't know", C),
        ("Which?", "not Paris", "not Paris", C),
        (
            "Which song?",
            "Could It Be Magic, Mandy, or Copacabana",
            "Could It Be Magic, Mandy, or Copacabana",
            C,
        ),
        ("What is it?", "The information is not available.", "The information is not available.", C),
    ],
)
def test_candidates_are_no_choice_and_the_reference_itself_always_is(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


@pytest.mark.parametrize(
    ("question", "reference", "answer", "expected"),
    [
        (CAPITAL, "Paris", "Not Lyon, Paris.", C),
        (CAPITAL, "Paris", "Not Paris, Lyon.", I),
        (BUILT, "1990", "Not 1985, 1990.", C),
        (CAPITAL, "Paris", "Paris? No, Lyon.", I),
        (CAPITAL, "Paris", "Everyone says Paris, which is wrong; it is Lyon.", I),
        (CAPITAL, "Paris", "Paris. No doubt.", C),
        (CAPITAL, "Paris", "Lyon? No, Paris.", C),
    ],
)
def test_what_is_taken_back_at_once_is_not_said(
    judge: Judge, question: str, reference: str, answer: str, expected: Grade
) -> None:
    assert grade(judge, question, reference, answer) is expected


def test_a_megabyte_and_a_long_reference_take_no_minute(judge: Judge) -> None:
    answer = " ".join(
        f"s{number:06d}".translate(str.maketrans("0123456789", "abcdefghij")) for number in range(125_000)
    )
    reference = " ".join(answer.split()[:280]).replace("a", "k")
    start = time.process_time()

    said = asyncio.run(judge.grade("Which words?", reference, answer))

    assert isinstance(said, (Verdict, Unscored))
    # Without a cap on the words that are compared letter by letter it takes more than a minute.
    assert time.process_time() - start < 10.0
