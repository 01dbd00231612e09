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


def _thaw(value: object) -> object:
    if isinstance(value, (Mapping, FrozenMapping)):
        return {key: _thaw(item) for key, item in value.items()}
    return [_thaw(item) for item in value] if isinstance(value, (list, tuple)) else value
