"""What a generative router is asked, and what is left out of a query that is too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routesdk import PluginHost
from routesdk.pipeline.prepare import ask, instruction, turns
from routesdk.types import Query

POLICIES = PluginHost(entry_points=False).matrix("nine-cell").policies


def words(text: str) -> int:
    return len(text.split())


def conversation(*contents: str) -> Query:
    roles = ("user", "assistant")
    return Query.of([{"role": roles[at % 2], "content": text} for at, text in enumerate(contents)])


def test_the_instruction_lists_every_policy_with_its_description() -> None:
    text = instruction(POLICIES)

    assert all(f"- {policy.name}: {policy.description}" in text for policy in POLICIES)
    assert text.index("'Policy:'") < text.index("'Reason:'")
    assert instruction(POLICIES, "reason-first").index("'Reason:'") < instruction(
        POLICIES, "reason-first"
    ).index("'Policy:'")


def test_a_query_stands_in_one_turn_after_the_instruction() -> None:
    messages = turns("Why?", POLICIES)

    assert [message.role for message in messages] == ["system", "user"]
    assert messages[1].content == "Query: Why?"


def test_a_conversation_is_written_with_its_speakers() -> None:
    asked = ask(conversation("Hi.", "Hello.", "Why is the sky blue?"), 100, words)

    assert asked.text == "User: Hi.\nAssistant: Hello.\nUser: Why is the sky blue?"
    assert not asked.cut


def test_a_long_conversation_loses_its_oldest_turns_and_says_so() -> None:
    asked = ask(conversation("one " * 50, "two " * 5, "why is three so far from one"), 16, words)

    assert asked.text.startswith("Assistant: two")
    assert asked.text.endswith("why is three so far from one")
    assert asked.cut


def test_of_a_long_last_turn_head_and_tail_are_kept() -> None:
    text = " ".join(f"w{at}" for at in range(400))

    asked = ask(Query(text), 40, words)

    assert asked.cut
    assert asked.text.startswith("w0 w1")
    assert asked.text.endswith("w399")
    assert words(asked.text) <= 40


@given(st.text(min_size=1).filter(lambda text: text.strip()), st.integers(8, 60))
def test_no_text_takes_more_than_its_limit(text: str, limit: int) -> None:
    asked = ask(Query(text * 3), limit, len)

    assert len(asked.text) <= limit
    assert asked.cut == (len(text * 3) > limit)
