"""What is checked of a written reason."""

from __future__ import annotations

import pytest

from routesdk import Router
from routesdk.pipeline.evaluation.reasons import ReasonCheck, check_completion, check_reason
from routesdk.pipeline.prepare import REASON_FIRST
from routesdk.pipeline.reasoning import names
from routesdk.types import Policy

POLICIES = (
    Policy(name="Standard_Query", description="The cheap model is enough.", tier="medium"),
    Policy(name="Complex_Query", description="The dear model does better.", tier="large"),
)
QUERY = "Who won the 1932 Nobel Prize in Physics?"
GOOD = "A Nobel laureate is asked for. Therefore: The dear model does better."


def check(reason: str | None, policy: str = "Complex_Query") -> ReasonCheck:
    return check_reason(
        reason, policy, POLICIES, QUERY, reference="Werner Heisenberg", answers=["Paul Dirac, I believe."]
    )


def test_a_good_reason_passes_everything() -> None:
    found = check(GOOD)

    assert found == ReasonCheck(parses=True, agrees=True, names_query=True, gives_away="")
    assert found.good


@pytest.mark.parametrize("reason", [None, "", "  ", "Two\nlines. Therefore: The dear model does better."])
def test_a_reason_that_is_no_line_does_not_read(reason: str | None) -> None:
    found = check(reason)

    assert not found.parses
    assert not found.agrees
    assert not found.good


@pytest.mark.parametrize(
    "reason",
    [
        "A Nobel laureate is asked for. Therefore: The cheap model is enough.",
        "A Nobel laureate is asked for.",
        f"{GOOD} Or is it a Standard_Query?",
    ],
)
def test_a_reason_for_another_policy_for_none_or_for_two_does_not_agree(reason: str) -> None:
    assert not check(reason).agrees


def test_words_of_a_policys_description_do_not_speak_of_the_query() -> None:
    query = "Which model does better?"

    found = check_reason("Therefore: The dear model does better.", "Complex_Query", POLICIES, query)

    assert found.agrees
    assert not found.names_query


def test_a_description_within_another_is_not_taken_for_a_statement() -> None:
    policies = (
        *POLICIES,
        Policy(name="Third", description="The dear model does better, if only just.", tier="large"),
    )

    found = check_reason("Therefore: The dear model does better, if only just.", "Third", policies, QUERY)

    assert found.agrees


@pytest.mark.parametrize("name", ["Heisenberg", "Paul Dirac"])
def test_a_reason_with_the_reference_or_an_answer_is_found(name: str) -> None:
    found = check(f"The Nobel prize of {name}. Therefore: The dear model does better.")

    assert name.rsplit(maxsplit=1)[-1].lower() in found.gives_away
    assert not found.good


def test_a_completion_is_read_in_the_order_that_it_was_trained_in() -> None:
    text = f"Policy: Complex_Query\nReason: {GOOD}"

    assert check_completion(text, POLICIES, QUERY).good
    assert not check_completion(text, POLICIES, QUERY, order=REASON_FIRST).parses
    assert not check_completion(f"Policy: Other\nReason: {GOOD}", POLICIES, QUERY).parses
    assert not check_completion("Policy: Complex_Query", POLICIES, QUERY).parses
    wrong = f"Policy: Standard_Query\nReason: {GOOD}"
    assert not check_completion(wrong, POLICIES, QUERY).agrees


def test_what_a_reason_names_of_a_query_is_a_telling_word_or_a_number() -> None:
    assert names("It is about physics.", QUERY) == "physics"
    assert names("It is about 1932.", QUERY) == "1932"
    assert names("It asks who won the thing.", QUERY) == "won"
    assert names("It asks for a fact.", QUERY) == ""


def test_the_reasons_of_the_bundled_router_agree_with_its_decisions() -> None:
    router = Router.from_pretrained("default")
    for query in (QUERY, "Write Python code that sorts a list.", "What is the capital of Australia?"):
        decision = router.route(query, explain=True)
        found = check_reason(decision.explanation, decision.policy, router.matrix.policies, query)
        assert found.parses and found.agrees and found.names_query and not found.gives_away
