"""Contract checks of benchmarks, judges, matrices and analysts: good parts pass, broken ones do not."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import attrs
import pytest

from routesdk.errors import ConfigError
from routesdk.testing import FakeJudge, check_analyst, check_benchmark, check_judge, check_matrix
from routesdk.types import GRADES, Example, Grade, Outcome, Policy, Query, Unscored, Verdict


def broken(fault: str) -> pytest.RaisesExc[AssertionError]:
    return pytest.raises(AssertionError, match=f"(?s){fault}.*The contract: ")


def example(name: str, **changes: object) -> Example:
    plain = Example(id=name, query=Query(f"What is {name}?"), reference="42")
    return attrs.evolve(plain, **changes)  # type: ignore[arg-type]


class Rows:
    """A benchmark that yields what a function returns."""

    def __init__(self, rows: Callable[[], Iterable[object]]) -> None:
        self.rows = rows

    def examples(self) -> Iterator[Example]:
        yield from cast("Iterable[Example]", self.rows())


class OnePass:
    """A benchmark that can be read once."""

    def __init__(self) -> None:
        self.rest = iter([example("a"), example("b")])

    def examples(self) -> Iterator[Example]:
        return self.rest


class AList:
    def examples(self) -> list[Example]:
        return [example("a")]


def test_a_benchmark_that_keeps_its_contract_passes() -> None:
    check_benchmark(Rows(lambda: (example(str(n)) for n in range(100))))


def test_only_so_many_examples_of_an_endless_benchmark_are_read() -> None:
    check_benchmark(Rows(lambda: (example(str(n)) for n in itertools.count())), limit=50)


NUMBERS = itertools.count()
MISFILED = {"pro": Outcome(model="flash", grade=Grade.CORRECT)}


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (lambda: [example("a"), example("a")], "gives example 1 the id 'a', which is blank or taken"),
        (lambda: [example(" ")], "the id ' '"),
        (lambda: [{"id": "a"}], "yields dict as example 0"),
        (lambda: [example("a", query="What?")], "the query str"),
        (lambda: [example("a", reference="")], "the reference ''"),
        (lambda: [example("a", outcomes=MISFILED)], "under another model's name"),
        (lambda: [example(str(next(NUMBERS)))], "another example 0 in a second pass"),
        (lambda: [], "yields nothing"),
        (lambda: (1 / 0 for _ in range(2)), "raises ZeroDivisionError .* at example 0"),
    ],
)
def test_a_benchmark_that_breaks_a_promise_is_caught(rows: Callable[[], list[object]], fault: str) -> None:
    with broken(fault):
        check_benchmark(Rows(rows))


def test_a_benchmark_that_holds_a_list_or_can_be_read_once_is_caught() -> None:
    with broken("returns list from examples"):
        check_benchmark(AList())  # type: ignore[arg-type]
    with broken("in a second pass"):
        check_benchmark(OnePass())


class Judges:
    """A judge that does what a function does."""

    def __init__(self, what: Callable[[str, str], object]) -> None:
        self.what = what

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        return cast("Verdict", self.what(reference, answer))


class SeesTheModel:
    async def grade(self, question: str, reference: str, answer: str, model: str = "") -> Verdict:
        return Verdict(Grade.INCORRECT)


class NotAsync:
    def grade(self, question: str, reference: str, answer: str) -> Verdict:
        return Verdict(Grade.INCORRECT)


def _first_letter(reference: str, answer: str) -> Verdict:
    # The classical mistake: a grade taken from anywhere in the text.
    found = re.search("CORRECT|INCORRECT", answer)
    default = Grade.CORRECT if answer == reference else Grade.ABSTAINED
    return Verdict(Grade[found[0]] if found else default)


def _begins(reference: str, answer: str) -> Verdict:
    return Verdict(Grade.CORRECT if reference.startswith(answer) else Grade.INCORRECT)


def _lenient(reference: str, answer: str) -> Verdict:
    obeyed = answer == reference or answer.isalpha()
    return Verdict(Grade.CORRECT if obeyed else Grade.INCORRECT)


def _encode(reference: str, answer: str) -> Verdict:
    size = len(answer.encode("utf-8"))
    return Verdict(Grade.CORRECT if answer == reference else Grade.INCORRECT, f"{size} bytes")


def test_a_judge_that_keeps_its_contract_passes_also_where_it_reads_no_grade() -> None:
    check_judge(FakeJudge())
    check_judge(Judges(lambda reference, answer: Unscored("never graded")))


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (_first_letter, "finds '.*CORRECT.*' CORRECT"),
        (_begins, "finds '' CORRECT"),
        (
            lambda reference, answer: Verdict(Grade.INCORRECT),
            "finds 'Paris' INCORRECT, which is the reference",
        ),
        (
            lambda reference, answer: Verdict(Grade.ABSTAINED),
            "finds 'Paris' ABSTAINED, which is the reference",
        ),
        (_lenient, "finds 'Berlin' CORRECT"),
        (lambda reference, answer: "CORRECT", "returns str on the answer 'Paris'"),
        (lambda reference, answer: None, "returns NoneType"),
        (lambda reference, answer: Verdict("CORRECT"), "grades 'CORRECT'"),  # type: ignore[arg-type]
        (lambda reference, answer: Unscored(""), "unscored without a reason"),
        (_encode, "raises UnicodeEncodeError"),
    ],
)
def test_a_judge_that_breaks_a_promise_is_caught(what: Callable[[str, str], object], fault: str) -> None:
    with broken(fault):
        check_judge(Judges(what))


def test_a_judge_that_can_be_told_the_model_or_is_not_async_is_caught() -> None:
    with broken("takes .question, reference, answer, model."):
        check_judge(SeesTheModel())
    with broken("returns Verdict on the answer"):
        check_judge(NotAsync())  # type: ignore[arg-type]


STANDARD = Policy("Standard_Query", "Either will do.", "medium")
COMPLEX = Policy("Complex_Query", "Only the large one will do.", "large")


@attrs.frozen
class Simple:
    """A matrix: the large tier where it alone is correct; each field breaks something."""

    policies: tuple[Policy, ...] = (STANDARD, COMPLEX)
    tiers: tuple[str, ...] = ("medium", "large")
    hole: tuple[Grade, ...] = ()
    why: str = "because"
    strict: bool = True

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        if self.strict and len(grades) != len(self.tiers):
            raise ConfigError("grades", str(len(grades)), "not one a tier", "Give one grade a tier.")
        if grades == self.hole:
            raise KeyError(grades)
        wins = grades[-1:] == (Grade.CORRECT,) and grades[0] is not Grade.CORRECT
        return self.policies[-1] if wins else self.policies[0]

    def reason(self, grades: tuple[Grade, ...]) -> str:
        return self.why


class Fickle(Simple):
    """Changes its mind."""

    turn = itertools.cycle((STANDARD, COMPLEX, COMPLEX))

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        return next(self.turn)


def test_a_matrix_that_keeps_its_contract_passes_with_two_tiers_and_with_three() -> None:
    check_matrix(Simple())
    check_matrix(Simple(tiers=("medium", "large", "huge")))


@pytest.mark.parametrize(
    ("matrix", "fault"),
    [
        (Simple(hole=(GRADES[0], GRADES[2])), "raises KeyError .* on the cell CORRECT, ABSTAINED"),
        (Simple(why=" "), "gives the reason ' '"),
        (Simple(strict=False), "raises nothing on 1 grades for 2 tiers"),
        (Simple(tiers=("medium",)), "has the tiers"),
        (Simple(tiers=("large", "large")), "has the tiers"),
        (Simple(policies=()), r"has the policies \(\)"),
        (Simple(policies=(STANDARD, STANDARD)), "defines .*'Standard_Query'.* twice"),
        (Simple(policies=(STANDARD, attrs.evolve(COMPLEX, tier="huge"))), "to the tier 'huge'"),
        (Simple(policies=(STANDARD, attrs.evolve(COMPLEX, description=""))), "without a name or a desc"),
        (Simple(policies=(STANDARD, Policy("Idle", "Never.", "large"), COMPLEX)), "which no cell gives"),
        (Fickle(), "changes its mind on the cell"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_matrix_that_breaks_a_promise_is_caught(matrix: Simple, fault: str) -> None:
    with broken(fault):
        check_matrix(matrix)


def test_a_matrix_that_invents_policies_is_caught() -> None:
    class Inventive(Simple):
        def policy(self, grades: tuple[Grade, ...]) -> Policy:
            return Policy("Another", "Made up.", "large")

    with broken("gives Policy.*Another.* on the cell"):
        check_matrix(Inventive())


class Writes:
    """An analyst that does what a function does."""

    def __init__(self, what: Callable[[Query], object]) -> None:
        self.what = what

    async def reason(self, query: Query) -> str:
        return cast("str", self.what(query))


class SeesTheAnswer:
    async def reason(self, query: Query, answer: str = "") -> str:
        return "It is short."


def _call_home(query: Query) -> str:
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", 9))
    return "It is short."


TURNS = itertools.count()


def test_an_analyst_that_keeps_its_contract_passes() -> None:
    check_analyst(Writes(lambda query: f"It has {len(query.text.split())} words."))


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        (lambda query: "", "gives the reason ''"),
        (lambda query: None, "gives the reason None"),
        (lambda query: f"Reason {next(TURNS)}", "changes its reason on"),
        (lambda query: f"It asks for {query.metadata.get('reference')}", "where id and metadata differ"),
        (lambda query: f"It is query {query.id}", "where id and metadata differ"),
        (_call_home, "uses the network on"),
        (lambda query: query.text.encode("utf-8").hex(), "raises UnicodeEncodeError"),
    ],
)
def test_an_analyst_that_breaks_a_promise_is_caught(what: Callable[[Query], object], fault: str) -> None:
    with broken(fault):
        check_analyst(Writes(what))


def test_an_analyst_may_ask_a_model_where_its_author_says_so() -> None:
    check_analyst(Writes(_call_home), offline=False)
    check_analyst(Writes(lambda query: f"Reason {next(TURNS)}"), deterministic=False)


def test_an_analyst_that_can_be_told_the_answer_is_caught() -> None:
    with broken("takes .query, answer."):
        check_analyst(SeesTheAnswer())
