"""The rule `math` finds written mathematics, and leaves alone what only looks like it."""

from __future__ import annotations

import pytest

from routesdk.errors import ConfigError
from routesdk.plugins.math.expression import find_expression
from routesdk.plugins.math.rule import Math
from routesdk.protocols import Rule
from routesdk.testing import check_rule, make_context, make_host
from routesdk.types import Proposal

MEGABYTE = 2**20

EXPRESSIONS = [
    "What is 12 * 34?",
    "3/4 + 5",
    "2^10",
    "2**10",
    "compute 2 ** 10",
    "(3+4)*5",
    "What is 12 x 34?",
    "100-37 =",
    "Calculate 100-37",
    "what is 15% of 240",
    "\\frac{1}{2}",
    "$E=mc^2$",
    "√2",
    "∑ i",
    "∫ x dx",
    "2x + 3 = 7",
    "x^2 - 4 = 0",
    "y = mx + b",
    "f(x) = 3",
    "solve x+y=10",
    "12 plus 34",
    "12乘以34等于多少",
    "3かける4",
    "12 ÷ 4",
    "12−4",
    "３＋４",
    "sin(x)",
    "dy/dx",
    "x² + 1",
    "٣ + ٤",
    "What is 7 times 8?",
    "$5 + $3",
    "1,234.5*2",
    "x = 5",
    "a+b=c",
    "1.000.000 + 5",
    "Berechne 17 - 4",
    "10 mod 3",
    "lim_{x \\to 0} \\sum_{i} i",
    "2+2",
    "5 × (3 − 1)",
]

TERMS = [
    "Find the derivative of x",
    "Was sind die Eigenwerte der Matrix?",
    "求这个函数的导数",
    "이 방정식을 풀어라",
    "Решите уравнение",
    "素因数とは",
    "¿Es 91 un número primo?",
    "ما هو جذر تربيعي؟",
]

OTHER = [
    "on 2018-05-03",
    "12/05/2019",
    "born 05.03.2018",
    "call +49 30 1234567",
    "(555) 123-4567",
    "555-123-4567",
    "1914-1918",
    "the years 1914 – 1918",
    "1914 - 1918",
    "version 1.2.3-4",
    "1.4.2+20240131 build",
    "it ended 3-1",
    "3 - 1",
    "C++11 or C++ 17?",
    "https://x.org/a?b=1&c=2+3",
    "www.a.com/?q=3*4",
    "24/7",
    "9/11",
    "What is 9/11?",
    "What is 24/7 support?",
    "2018-05-03T12:00:00+02:00",
    "10:30-11:45",
    "10:30:00 +0200",
    "**Step 1** 2 cups",
    "18+ 20",
    "--max-tokens=5",
    "5 * * * *",
    "0 5 * * 1",
    "5 4 * 2 *",
    "50/50",
    "1080p 1920x1080",
    "an integral part",
    "the limit of my patience",
    "matrix film",
    "1st, 2nd",
    "pages 10-20",
    "m² and km²",
    "9.8 m/s²",
    "4x4 car",
    "Apollo 11",
    "COVID-19",
    "3D",
    "a/b testing",
    "and/or",
    "^_^",
    "AC/DC",
    "100%",
    "20% off",
    "room 3-14",
    "ISBN 978-3-16-148410-0",
    "192.168.0.1/24",
    "$5 and $6",
    "C:\\int\\foo",
    "1,2,3",
    "Who won 3:2?",
    "rated 4/5",
    "iPhone 12 - 64 GB",
    "console.log('x')",
    "&lt;b=1",
    "WW1=",
    "key=5",
    "Who was awarded the Oceanography Society's Jerlov Award in 2018?",
    "H2O",
    "F-16",
    "x-ray",
    "Boeing 747-400",
    "e^",
    "12 / 2018",
    "Q1 2020/21",
    "A380 + B747",
    "route 66 + hotels",
    "utf-8=1",
]

# Each repeats what some pattern begins with, so that all of it is tried and fails late.
HOSTILE = [
    "1",
    "1 ",
    "1,",
    "1.1.",
    "1 % ",
    "1-",
    "12:30 ",
    "12 - ",
    "what is 1 ",
    "calculate 1 ",
    "dx",
    "ab-ab ",
    "x = ",
    "f(x) ",
    "(",
    "* ",
    "\\",
    "\\sum",
    "$",
    "www",
    "1.1.1-a",
    "²",
    "\ud800",
    "\x00",
    " \t",
    "代",
]


def test_the_rule_is_built_by_its_name_and_keeps_the_contract() -> None:
    rule = make_host().rule("math", model="large-model")

    assert isinstance(rule, Rule)
    check_rule(rule, contexts=[make_context("What is 12 * 34?"), make_context("Find the derivative of x")])


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_goes_to_the_model(text: str) -> None:
    proposal = Math(model="pro", terms=("no such term",)).propose(make_context(text))

    assert proposal is not None
    assert proposal.model == "pro"


@pytest.mark.parametrize("text", TERMS)
def test_a_term_goes_to_the_model_in_any_language(text: str) -> None:
    assert find_expression(text) is None
    assert Math(model="pro").propose(make_context(text)) is not None


@pytest.mark.parametrize("text", OTHER)
def test_what_only_looks_like_mathematics_is_left_alone(text: str) -> None:
    assert Math(model="pro").propose(make_context(text)) is None


def test_the_reason_shows_what_was_found() -> None:
    rule = Math(model="pro")

    assert rule.propose(make_context("What is 12 * 34?")) == Proposal(
        "pro", "the query has mathematics: '12 * 3'"
    )
    assert rule.propose(make_context("Which eigenvalues?")) == Proposal(
        "pro", "the query has the term 'eigenvalues'"
    )


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_megabyte_of_anything_is_read_in_linear_time(unit: str) -> None:
    # A pattern that tries again from every start would need hours here.
    text = unit * (MEGABYTE // len(unit))

    assert find_expression(text) in (None, text.strip()[:40])


def test_own_terms_take_the_place_of_the_built_in_ones() -> None:
    rule = Math(terms=("topology",), model="pro")

    assert rule.propose(make_context("What is topology?")) is not None
    assert rule.propose(make_context("What is an eigenvalue?")) is None


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"terms": []}, "rule.math.terms"),
        ({"terms": [" "]}, "rule.math.terms[0]"),
        ({"model": ""}, "rule.math.model"),
        ({"term": ["sum"]}, "rule.math.term"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(options: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_host().rule("math", **{"model": "pro", **options})

    assert caught.value.key == key
