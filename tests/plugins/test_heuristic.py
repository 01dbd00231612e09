"""The heuristic analyst's reasons fit the query, repeat nothing of it, and cost next to no time."""

from __future__ import annotations

import asyncio
import time
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.dataset import read_examples
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.plugins.heuristic.analyst import Heuristic
from routesdk.protocols import Analyst
from routesdk.testing import check_analyst
from routesdk.types import Query

LATIN = "It is not written in Latin script"
NARROW = "So narrow a fact"
STEPS = "It takes several steps"

# Any code point, lone surrogates and control characters among them.
texts = st.text(st.characters(exclude_categories=()), min_size=1, max_size=200)


def reason(query: Query | str) -> str:
    return asyncio.run(Heuristic().reason(Query.of(query)))


def test_the_analyst_is_built_by_its_name_and_takes_no_options() -> None:
    host = PluginHost(entry_points=False)

    assert isinstance(host.analyst("heuristic"), Analyst)
    with pytest.raises(ConfigError):
        host.analyst("heuristic", model="x")


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("Who painted the ceiling of the chapel?", "a person's name"),
        ("In what year did the comet return?", "a point in time"),
        ("Where is Lake Titicaca?", "a place"),
        ("How many moons has Neptune?", "a quantity"),
        ("How does a heat pump work?", "an explanation"),
        ("Which river is longer?", "a particular thing"),
        ("Solve x + 2 = 7.", "a result that has to be worked out"),
        ("Write a poem about autumn.", "a text to be written"),
        ("Which is prime?\nA. 4\nB. 7\nC. 9", "a choice among the options"),
        ("def f(x):\n    return x +", "a piece of code"),
        ("Autumn leaves.", "an answer of no particular kind"),
        ("Kdo objevil penicilin?", "a person's name"),
        ("Wie viele Monde hat Neptun?", "a quantity"),
        ("¿Cuándo volvió el cometa?", "a point in time"),
        ("Кто открыл пенициллин?", "a person's name"),
        ("青霉素是谁发现的？", "a person's name"),
        ("ペニシリンはいつ発見された？", "a point in time"),
        ("페니실린은 누가 발견했나요?", "a person's name"),
        ("من هو مكتشف البنسلين؟", "a person's name"),
        ("मंगल कहाँ है?", "a place"),
        ("מתי חזר השביט?", "a point in time"),
        ("Γιατί είναι γαλανός ο ουρανός;", "an explanation"),
        ("ใครค้นพบเพนิซิลลิน", "a person's name"),
    ],
)
def test_the_reason_says_what_kind_of_answer_is_asked_for(query: str, kind: str) -> None:
    assert reason(query).startswith(f"It asks for {kind}")


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ("Who chaired the Faculty of Music of Tartu in 1987?", "pinned down by several names and a year."),
        ("Who led the Royal Society in year 3?", "pinned down by a name and numbers."),
        ("Who led it in ١٩٨٧?", "pinned down by a year."),
        ("Who wrote «Ulysses» with 3 pens in 1920?", "by several names, a year and other numbers."),
        ("Who was the tallest of them?", "names nothing in particular."),
    ],
)
def test_the_reason_says_what_pins_the_question_down(query: str, details: str) -> None:
    assert details in reason(query)


@pytest.mark.parametrize(
    ("query", "judgement"),
    [
        ("Who chaired the Faculty of Music of Tartu in 1987?", NARROW),
        ("When did he do it? Tell me.", "It leaves open"),
        ("who discovered penicillin", "It is a plain fact"),
        ("Prove that 2^n > n for all n.", STEPS),
        ("```python\nfor x in y: pass\n``` What is wrong?", STEPS),
        ("Why is the sky blue?", "It needs an account"),
        ("Which is prime?\nA. four\nB. seven\nC. nine", "Options narrow the answer down"),
        ("Good morning to you all.", "Nothing in it calls for rare knowledge"),
        ("lorem ipsum " * 100, "Much has to be read"),
    ],
)
def test_the_reason_ends_with_what_follows_for_a_model(query: str, judgement: str) -> None:
    assert judgement in reason(query)


@pytest.mark.parametrize(
    ("query", "foreign"),
    [
        ("Kolik má Neptun měsíců?", False),
        ("12 + 30", False),
        ("Сколько спутников у Нептуна?", True),
        ("海王星有几个卫星?", True),
    ],
)
def test_another_script_than_latin_is_noticed(query: str, foreign: bool) -> None:
    assert (LATIN in reason(query)) is foreign


def test_a_script_without_capitals_is_not_said_to_name_nothing() -> None:
    assert "names nothing" not in reason("من هو مكتشف البنسلين؟")
    assert "names nothing" in reason("Who was the tallest of them?")


def test_a_conversation_is_noticed() -> None:
    turns = [
        {"role": "user", "content": "Who wrote Faust?"},
        {"role": "assistant", "content": "Goethe"},
        {"role": "user", "content": "When?"},
    ]

    assert "depends on the conversation" in reason(Query.of(turns))
    assert "depends on the conversation" not in reason("When?")


def test_a_long_query_is_read_at_its_end_for_what_it_asks() -> None:
    assert reason("lorem ipsum " * 200 + "\nWho wrote this?").startswith("It asks for a person's name")


@given(texts.filter(lambda text: not text.isspace()))
def test_any_query_has_one_reason_of_printable_ascii_without_digits(text: str) -> None:
    first = reason(text)

    assert first == reason(text)
    assert first.isascii()
    assert first.isprintable()
    assert not any(char.isdigit() for char in first)
    assert 40 < len(first) < 400


# Letters of which the fixed phrases have no two in a row, so that any such pair was copied.
@given(st.text("qzjxvkQZJXVK ", min_size=12, max_size=80).filter(lambda text: not text.isspace()))
def test_a_reason_repeats_nothing_of_the_query(text: str) -> None:
    said = reason(text).casefold()

    for word in text.casefold().split():
        assert len(word) < 2 or word not in said


def test_no_reason_on_recorded_questions_holds_the_reference_answer(data_folder: object) -> None:
    file = f"{data_folder}/simpleqa_cs.jsonl.gz"
    leaks = []

    for example in islice(read_examples(file), 400):
        said = reason(example.query).casefold()
        if example.reference and example.reference.casefold() in said:
            leaks.append((example.id, example.reference))

    assert leaks == []


@pytest.mark.parametrize(
    "text",
    [
        "A." * 500_000,
        "«" * 10**6,
        "\\a" * 500_000,
        "1 -" * 300_000,
        "Aa " * 300_000,
        "\n" * 10**6 + "a",
        "(" * 10**6,
    ],
    ids=lambda text: ascii(text[-3:]),
)
def test_a_megabyte_takes_no_time_that_grows_with_its_square(text: str) -> None:
    started = time.perf_counter()

    reason(text)

    # Milliseconds, where nothing is wrong; minutes, where a pattern backtracks.
    assert time.perf_counter() - started < 5.0


def test_the_analyst_keeps_its_contract() -> None:
    check_analyst(Heuristic())
