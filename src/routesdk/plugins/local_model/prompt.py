"""What a model is asked: the turns of a conversation, and their plain form for models without a template."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from routesdk.types import FrozenMapping, Message, Request

_SCHEMA = "Reply with JSON alone, with no text around it. It must fit this JSON schema:"

_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}

NEXT_TURN = "\nUser:"
"""Where a model that was asked in the plain form begins to invent the next question."""


def turns_of(request: Request) -> list[Message]:
    """Return the conversation, oldest turn first, with one system turn at its head if there is any.

    The request's own instruction, system turns that open the conversation and
    the schema of the reply make up that turn: most templates know one alone.
    """
    turns = list(request.query.messages) or [Message("user", request.query.text)]
    instructions = [request.system] if request.system.strip() else []
    while turns and turns[0].role == "system":
        instructions.append(turns.pop(0).content)
    if request.response_schema is not None:
        instructions.append(f"{_SCHEMA}\n{json.dumps(_thaw(request.response_schema), sort_keys=True)}")
    return [Message("system", "\n\n".join(instructions)), *turns] if instructions else turns


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


def plain(turns: Iterable[Message]) -> str:
    """Write turns for a model without a chat template: `User:` and `Assistant:`, a line each.

    The system turn stands above them without a name.
    """
    lines = [
        f"{turn.content}\n"
        if turn.role == "system" and not index
        else f"{_SPEAKERS[turn.role]}: {turn.content}"
        for index, turn in enumerate(turns)
    ]
    return "\n".join([*lines, "Assistant:"])


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


def _thaw(value: object) -> object:
    if isinstance(value, (Mapping, FrozenMapping)):
        return {key: _thaw(item) for key, item in value.items()}
    return [_thaw(item) for item in value] if isinstance(value, (list, tuple)) else value
