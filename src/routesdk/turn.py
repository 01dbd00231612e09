"""Turns of a conversation as chat templates take them: system turns folded in, special marks harmless."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.types import Message


def fold_system(turns: list[Message]) -> list[Message]:
    """Put the system turn at the head of the first user turn, for templates that know no system turn."""
    if not turns or turns[0].role != "system":
        return turns
    system, *rest = turns
    for index, turn in enumerate(rest):
        if turn.role == "user":
            rest[index] = Message("user", f"{system.content}\n\n{turn.content}")
            return rest
    return [Message("user", system.content), *rest]


def defuse(turns: Iterable[Message], marks: Iterable[str]) -> list[Message]:
    """Break up the tokenizer's own marks where a text contains them.

    Otherwise a text could end its turn and begin another one, such as a system
    turn. A blank after the first character makes a mark ordinary text.

    Args:
        turns: The conversation.
        marks: Texts that the tokenizer reads as one special token, such as `<|im_end|>`.
    """
    # The longest first: a mark may hold another one.
    known = sorted((mark for mark in marks if len(mark) > 1), key=len, reverse=True)
    return [Message(turn.role, _defused(turn.content, known)) for turn in turns]


def _defused(text: str, marks: list[str]) -> str:
    for mark in marks:
        text = text.replace(mark, f"{mark[0]} {mark[1:]}")
    return text
