"""What is read of a query: its last user turn, and as much of the turns before it as fits."""

from __future__ import annotations

from routesdk.types import Query

LIMIT = 4000
"""Characters that are read; the longest prompts of the training sets have 5,000."""

# What is asked stands at the beginning or at the end of a long prompt, less often in the middle.
_HEAD = 3000
_MARK = "\n"


def read(query: Query, limit: int = LIMIT) -> tuple[str, bool]:
    """Return the text that features are taken from, and whether something was left out.

    Args:
        query: The query.
        limit: Characters to read.
    """
    text = query.text
    if len(text) > limit:
        head = limit * _HEAD // LIMIT
        return text[:head] + _MARK + text[len(text) - (limit - head) :], True
    if len(query.messages) < 2:
        return text, False
    return _with_turns(query, limit)


def _with_turns(query: Query, limit: int) -> tuple[str, bool]:
    """Put the turns before the last user turn in front of it, the latest nearest, while they fit."""
    last = max((at for at, turn in enumerate(query.messages) if turn.role == "user"), default=-1)
    # A row may hold its question apart from the turns: then all of them come before it.
    asked = last >= 0 and query.messages[last].content == query.text
    before = query.messages[:last] if asked else query.messages
    parts, left = [query.text], limit - len(query.text)
    for turn in reversed(before):
        if not turn.content:
            continue
        room = left - len(_MARK)
        if room < len(turn.content):
            if room > 0:
                parts.append(turn.content[len(turn.content) - room :])
            return _MARK.join(reversed(parts)), True
        parts.append(turn.content)
        left = room - len(turn.content)
    return _MARK.join(reversed(parts)), False
