"""The rubric: what a judging model is told, and the shape of its reply."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

SYSTEM = Path(__file__).with_name("rubric.txt").read_text(encoding="utf-8").strip()
"""The system instruction: three grades, what each is for, and worked examples."""

# The reason comes first: a grade that follows from a comparison already written is a better grade.
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "reason": {
            "type": "string",
            "description": "What the answer claims, against the reference.",
        },
        "grade": {"type": "string", "enum": ["CORRECT", "INCORRECT", "ABSTAINED"]},
    },
    "required": ["reason", "grade"],
    "additionalProperties": False,
}

LONGEST_ANSWER = 16_000
"""Characters of an answer that are judged: two thirds of them from its head, the rest from its tail."""

_HEAD = 2 * LONGEST_ANSWER // 3


def cut(answer: str) -> tuple[str, int]:
    """Return the part of an answer that is judged, and how many characters were left out of its middle."""
    out = len(answer) - LONGEST_ANSWER
    if out <= 0:
        return answer, 0
    tail = answer[len(answer) - (LONGEST_ANSWER - _HEAD) :]
    return f"{answer[:_HEAD]}\n[… {out} characters left out …]\n{tail}", out


def message(question: str, reference: str, answer: str) -> str:
    """Write the user message: one JSON object, whose strings no answer can break out of."""
    given = {"question": question, "reference": reference, "answer": cut(answer)[0]}
    # Readable letters cost fewer tokens than escapes; a lone surrogate has no other form.
    text = json.dumps(given, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(given)
    return text


VERSION = hashlib.sha256(
    json.dumps([SYSTEM, SCHEMA, LONGEST_ANSWER], ensure_ascii=False).encode("utf-8")
).hexdigest()[:12]
"""Changes whenever the wording of the request does."""
