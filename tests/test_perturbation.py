"""Other wordings of a query mean the same, are the same each time, and leave code and names alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routesdk import Query
from routesdk.pipeline.evaluation.perturbation import (
    PERTURBATIONS,
    case,
    perturb,
    perturbations,
    politeness,
    typos,
    whitespace,
)

QUESTION = "In which year did the author of “Mirror Symmetry” first publish something about physics?"
CODE = (
    "Explain this slowly:\n```python\nif Total:\n    Value = 1\n```\n"
    "and `Other Name`, $X + Y$ and https://Example.org/Page as well."
)
KEPT = ("```python\nif Total:\n    Value = 1\n```", "`Other Name`", "$X + Y$", "https://Example.org/Page")


@pytest.mark.parametrize("name", PERTURBATIONS)
@settings(max_examples=25)
@given(text=st.text(max_size=200), seed=st.integers(0, 3))
def test_any_text_is_changed_in_the_same_way_each_time(name: str, text: str, seed: int) -> None:
    change = perturbations(seed)[name]

    assert change(text) == change(text)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_code_formulas_and_addresses_stay(name: str) -> None:
    changed = PERTURBATIONS[name](CODE)

    assert changed != CODE
    assert all(kept in changed for kept in KEPT)


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_case_changes_case_alone_and_whitespace_blanks_alone(text: str) -> None:
    assert case(text).lower() == text.lower() or "\u0130" in text or "Σ" in text
    assert "".join(whitespace(text).split()) == "".join(text.split())
    assert text in politeness(text)


def test_typos_spare_names_numbers_and_the_ends_of_words() -> None:
    words = QUESTION.split()
    for seed in range(50):
        changed = typos(QUESTION, seed).split()
        differing = [(one, other) for one, other in zip(words, changed, strict=True) if one != other]
        assert len(differing) == 1
        ((one, other),) = differing
        assert one.islower() and len(one.strip("?")) >= 5
        assert (one[0], one.strip("?")[-1]) == (other[0], other.strip("?")[-1])
        assert abs(len(one) - len(other)) <= 1


def test_one_longer_word_in_eight_is_mistyped() -> None:
    text = " ".join(["common"] * 80)

    wrong = [word for word in typos(text).split() if word != "common"]

    assert 8 <= len(wrong) <= 10


def test_a_seed_draws_other_places() -> None:
    assert len({typos(QUESTION, seed) for seed in range(20)}) > 5
    assert len({whitespace(QUESTION, seed) for seed in range(20)}) > 5
    assert len({politeness(QUESTION, seed) for seed in range(20)}) > 5
    assert perturbations(0)["typos"](QUESTION) == typos(QUESTION)


def test_text_with_nothing_to_change_gives_no_query() -> None:
    assert perturb(Query("2 + 2?"), typos) is None
    assert perturb(Query("already lower"), case) is None


def test_of_a_conversation_the_last_user_turn_is_changed() -> None:
    query = Query.of(
        [
            {"role": "user", "content": "HELLO"},
            {"role": "assistant", "content": "Hi"},
            {"role": "user", "content": "WHO?"},
        ]
    )

    changed = perturb(query, case)

    assert changed is not None
    assert changed.text == "who?"
    assert [turn.content for turn in changed.messages] == ["HELLO", "Hi", "who?"]
    assert changed.id != query.id


def test_a_long_text_is_changed_quickly() -> None:
    # What would take a minute if time grew with the square of the length.
    for text in ("a" * 200_000, "\\[ " * 20_000, "common words " * 4_000, "`" * 200_000, "x:// " * 9_000):
        for change in PERTURBATIONS.values():
            assert change(text)
