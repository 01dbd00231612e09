"""What backends of providers share: keys, waits, counts, and errors that say what they may have cost."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk.errors import BackendError, MissingExtraError
from routesdk.host import PluginHost
from routesdk.provider import (
    api_key,
    broken_off,
    conversation,
    counted,
    refused,
    shortened,
    stated_wait_s,
    text_of,
    unreadable,
    without_keys,
)
from routesdk.types import Message, Query, Request

NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("2.5s", 2.5),
        ("-3", 0.0),
        ("Wed, 25 Nov 2026 12:01:30 GMT", 90.0),
        ("Wed, 25 Nov 2026 12:01:30 -0000", 90.0),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_a_wait_is_seconds_a_duration_or_a_date(value: str | None, wait_s: float | None) -> None:
    assert stated_wait_s(value, now=NOW) == wait_s


@given(st.text())
def test_no_header_breaks_the_reading_of_a_wait(value: str) -> None:
    wait_s = stated_wait_s(value, now=NOW)

    assert wait_s is None or wait_s >= 0


def test_keys_are_blotted_out_whether_given_or_named_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret-of-the-environment")
    monkeypatch.setenv("TEAM_TOKEN", "token-of-the-team")
    text = "a secret-of-the-environment, a token-of-the-team, a given-secret"

    assert without_keys(text, "given-secret") == "a (key), a (key), a (key)"
    # Too short to be a key, and too likely to be a word.
    assert without_keys("a cat", "cat") == "a cat"


@pytest.mark.parametrize("value", ["", "   ", "k\u00e9y-of-someone", "two\nlines"])
def test_a_key_that_is_none_is_refused_by_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MY_KEY", value)

    with pytest.raises(BackendError) as caught:
        api_key("gemini", "MY_KEY")

    assert "MY_KEY" in caught.value.problem
    assert not value.strip() or value not in caught.value.problem
    assert caught.value.denied


def test_a_conversation_has_its_system_turns_in_front_and_a_tool_s_as_the_user_s() -> None:
    turns = (
        Message("system", "In Czech."),
        Message("user", "One?"),
        Message("assistant", "1"),
        Message("tool", "2"),
    )
    request = Request(query=Query("One?", messages=turns), model="m", system="Be short.")

    asked = conversation("gemini", request)

    assert asked.system == "Be short.\n\nIn Czech."
    assert asked.turns == (("user", "One?"), ("assistant", "1"), ("user", "2"))


@pytest.mark.parametrize("place", ["model", "system", "text"])
def test_half_a_character_is_found_wherever_it_stands(place: str) -> None:
    given = {"model": "m", "system": "s", "text": "t"} | {place: "x\udc00"}
    request = Request(query=Query(given["text"]), model=given["model"], system=given["system"])

    with pytest.raises(BackendError, match="half of a character") as caught:
        conversation("gemini", request)

    assert not caught.value.retryable
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("status", "retryable", "may_cost", "denied"),
    [
        (400, False, False, False),
        (401, False, False, True),
        (402, False, False, True),
        (403, False, False, True),
        (404, False, False, False),
        (408, True, False, False),
        (422, False, False, False),
        (429, True, False, False),
        (500, True, False, False),
        (502, True, True, False),
        (503, True, False, False),
        (504, True, True, False),
        (529, True, False, False),
    ],
)
def test_a_status_says_what_to_do(status: int, retryable: bool, may_cost: bool, denied: bool) -> None:
    error = refused("b", status, "m")

    assert (error.retryable, error.may_cost, error.denied) == (retryable, may_cost, denied)
    assert not refused("b", status, "m", gateway=False).may_cost


def test_only_what_was_never_sent_is_known_to_cost_nothing() -> None:
    outer = RuntimeError("connection error")
    outer.__cause__ = ConnectionRefusedError("refused")

    refusal, cut = broken_off("b", outer), broken_off("b", RuntimeError("peer closed it"))

    assert (refusal.retryable, refusal.may_cost) == (True, False)
    assert (cut.retryable, cut.may_cost) == (True, True)


def test_the_text_of_a_reply_is_joined_from_the_parts_that_have_one() -> None:
    thought = {"type": "thinking", "thinking": "hm"}
    assert text_of("openai", [thought, {"type": "text", "text": "Goe"}, {"text": "the"}]) == "Goethe"
    assert text_of("openai", []) == text_of("openai", None) == ""
    # A cap may be used up by thoughts, and a piece of a stream may be one.
    assert text_of("openai", [thought]) == ""
    for content in ([{"type": "text", "text": 7}], [{}], [{"type": "image"}], [7], 7):
        with pytest.raises(BackendError, match="and not text"):
            text_of("openai", content)


def test_causes_that_go_in_circles_come_to_an_end() -> None:
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__context__, other.__context__ = other, one

    assert broken_off("b", one).may_cost


def test_a_long_reply_is_shown_in_part_and_on_one_line() -> None:
    assert shortened("a\n b\t c") == "a b c"
    assert len(unreadable("b", "x" * 10_000).problem) == 300


@given(*[st.none() | st.integers(-5, 100) for _ in range(4)])
def test_any_counts_make_usage_whose_parts_fit_the_whole(
    prompt: int | None, output: int | None, thinking: int | None, cached: int | None
) -> None:
    usage = counted(
        input_tokens=prompt, output_tokens=output, thinking_tokens=thinking, cached_input_tokens=cached
    )

    assert usage.thinking_tokens <= (usage.output_tokens or 0)
    assert usage.cached_input_tokens <= (usage.input_tokens or 0)
    assert usage.input_tokens == (prompt if prompt is None or prompt >= 0 else None)


@pytest.mark.parametrize(
    ("cost", "kept"),
    [
        (0.000125, Decimal("0.000125")),
        (0, Decimal(0)),
        (-1, None),
        (float("nan"), None),
        (1e30, None),
        (10**400, None),
        ("dear", None),
        (True, None),
    ],
)
def test_a_stated_cost_is_kept_where_it_is_an_amount(cost: object, kept: Decimal | None) -> None:
    usage = counted(input_tokens=1, output_tokens=1, cost_usd=cost)  # type: ignore[arg-type]

    assert usage.cost_usd == kept


@pytest.mark.parametrize(
    ("name", "package", "extra", "options"),
    [
        ("gemini", "google.genai", "gemini", {}),
        ("openai-compatible", "openai", "openai", {"base_url": "http://localhost:1/v1"}),
        ("litellm", "litellm", "litellm", {}),
    ],
)
def test_a_missing_client_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str, options: dict[str, object]
) -> None:
    host = PluginHost(entry_points=False)
    for module in [
        each for each in sys.modules if each.startswith("routesdk.plugins.") and "backend" in each
    ]:
        monkeypatch.delitem(sys.modules, module)
    for module in ("failure", "wording", "client"):
        for folder in ("lite_llm", "openai_compatible"):
            monkeypatch.delitem(sys.modules, f"routesdk.plugins.{folder}.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(MissingExtraError) as caught:
        host.backend(name, **options)

    assert caught.value.install == f'pip install "routesdk[{extra}]"'
