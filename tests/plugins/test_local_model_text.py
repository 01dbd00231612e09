"""What a local model is asked, and what its tokens become; no model is needed for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from routesdk.plugins.local_model.gate import Gate
from routesdk.plugins.local_model.piece import Pieces
from routesdk.plugins.local_model.prompt import plain, turns_of
from routesdk.turn import defuse, fold_system
from routesdk.types import Message, Query, Request
from small_model import MARKS


def test_busy_models_do_not_keep_another_one_from_being_loaded() -> None:
    gate, over, loaded = Gate(), threading.Event(), threading.Event()
    inside = []

    def answer(pause_s: float) -> None:
        time.sleep(pause_s)
        while not over.is_set():
            with gate.shared():
                time.sleep(0.02)

    def load() -> None:
        with gate.alone():
            inside.append(gate.answers)
            loaded.set()

    # One of the two is always inside: without a right of way, a loader would wait for ever.
    threads = [threading.Thread(target=answer, args=(pause_s,)) for pause_s in (0, 0.01)]
    threads.append(threading.Thread(target=load))
    for thread in threads:
        thread.start()
        time.sleep(0.02)
    in_time = loaded.wait(2)
    over.set()
    for thread in threads:
        thread.join()

    assert in_time
    assert inside == [0]


def test_instructions_and_the_schema_make_one_system_turn() -> None:
    asked = Request(
        query=Query.of([Message("system", "Answer in Latin."), Message("user", "Hi?")]),
        model="m",
        system="Be brief.",
        response_schema={"type": "object", "required": ["grade"]},
    )

    system, user = turns_of(asked)

    assert system.role == "system"
    assert system.content.startswith("Be brief.\n\nAnswer in Latin.\n\nReply with JSON alone")
    assert system.content.endswith('{"required": ["grade"], "type": "object"}')
    assert user == Message("user", "Hi?")


def test_the_plain_form_has_a_line_for_each_turn() -> None:
    turns = [Message("system", "Be brief."), Message("user", "Hi?"), Message("assistant", "Yes.")]

    assert plain(turns) == "Be brief.\n\nUser: Hi?\nAssistant: Yes.\nAssistant:"


@given(st.lists(st.sampled_from([*MARKS, "<|", "<", "|>", "end|>", " "]), max_size=12).map("".join))
def test_no_mark_is_left_in_a_text(text: str) -> None:
    (turn,) = defuse([Message("user", text)], MARKS)

    assert not any(mark in turn.content for mark in MARKS)
    assert turn.content.replace(" ", "") == text.replace(" ", "")


def _decode(tokens: Sequence[int]) -> str:
    return bytes(tokens).decode("utf-8", "replace")


@given(st.text(max_size=200))
def test_pieces_are_the_text_and_cut_no_character(text: str) -> None:
    pieces = Pieces(_decode)

    got = [pieces.add(byte) for byte in text.encode()]

    assert all("\ufffd" not in piece for piece in got) or "\ufffd" in text
    assert "".join(got) + pieces.finish() == text


@given(st.lists(st.sampled_from(["\n", "\nUser", "User:", ":", "é", " x"]), max_size=20).map("".join))
def test_pieces_end_before_the_stop_text_and_begin_with_a_word(text: str) -> None:
    pieces = Pieces(_decode, stop="\nUser:", strip=True)

    got = "".join([*(pieces.add(byte) for byte in text.encode()), pieces.finish()])

    # The first word may follow any blanks, so the stop text counts from there.
    assert got == text.lstrip().partition("\nUser:")[0]
    assert pieces.stopped == ("\nUser:" in text.lstrip())


def test_a_system_turn_alone_becomes_the_question() -> None:
    assert fold_system([Message("system", "s")]) == [Message("user", "s")]
