"""Gemini's and OpenAI's wire formats, as far as text goes: requests read, answers and errors written."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import cast

import attrs

GEMINI = "gemini"
OPENAI = "openai"

_TOKEN = re.compile(r"\w{1,4}|[^\w\s]")
_GEMINI_PATH = re.compile(
    r"/v1[a-z0-9]*/models/(?P<model>.+):(?P<method>generateContent|streamGenerateContent)"
)
_NO_EFFORT = {"none", "minimal"}

Table = Mapping[str, object]


def count_tokens(text: str) -> int:
    """Count tokens as the server bills them: runs of up to four letters or digits, and single signs."""
    return len(_TOKEN.findall(text))


def first_tokens(text: str, count: int) -> str:
    """Return a text up to the end of its first tokens."""
    for index, found in enumerate(_TOKEN.finditer(text), start=1):
        if index > count:
            return text[: found.start()].rstrip()
    return text


@attrs.frozen(kw_only=True)
class Asked:
    """What one request asks for, in either dialect.

    Attributes:
        dialect: `gemini` or `openai`.
        model: The model, without the path around it.
        system: System instruction; empty for none.
        turns: The texts of the conversation, oldest first.
        schema: JSON schema of the answer; None for free text.
        stream: Whether the answer is to come in pieces.
        include_usage: Whether a stream of OpenAI's dialect is to end with usage.
        max_output_tokens: Cap on the answer with its thinking.
        thinking_tokens: Cap on thinking; None where nothing is said.
        attempt: How often the very same body had come before.
    """

    dialect: str
    model: str
    system: str = ""
    turns: tuple[str, ...] = ()
    schema: Table | None = None
    stream: bool = False
    include_usage: bool = False
    max_output_tokens: int | None = None
    thinking_tokens: int | None = None
    attempt: int = 0

    @property
    def text(self) -> str:
        """The last turn."""
        return self.turns[-1] if self.turns else ""


@attrs.frozen(kw_only=True)
class Made:
    """An answer that was generated, with the tokens that it is billed for.

    Attributes:
        text: The answer.
        cut_short: Whether the cap on output ended it.
        input_tokens: Tokens of the prompt.
        text_tokens: Tokens of the text.
        thinking_tokens: Tokens of thinking, beside those of the text.
        cached_tokens: The part of `input_tokens` that came from a cache.
    """

    text: str
    cut_short: bool = False
    input_tokens: int
    text_tokens: int
    thinking_tokens: int = 0
    cached_tokens: int = 0

    @property
    def output_tokens(self) -> int:
        """Tokens of text and thinking together."""
        return self.text_tokens + self.thinking_tokens


def default_reply(model: str, system: str, text: str, schema: Table | None) -> str:
    """Answer with a number that follows from the question, or with the smallest instance of the schema."""
    digest = hashlib.blake2b(f"{model}\0{system}\0{text}".encode(), digest_size=8).digest()
    number = int.from_bytes(digest, "big")
    if schema is not None:
        return json.dumps(_instance(schema, number))
    return f"The answer is {number % 1000}."


def _instance(schema: Table, number: int) -> object:
    if "enum" in schema:
        options = cast("Sequence[object]", schema["enum"])
        return options[number % len(options)]
    kind = str(schema.get("type", "string")).lower()
    if kind == "object":
        properties = cast("Mapping[str, Table]", schema.get("properties", {}))
        return {name: _instance(each, number) for name, each in properties.items()}
    if kind == "array":
        return [_instance(cast("Table", schema.get("items", {})), number)]
    return {"integer": number % 1000, "number": 0.5, "boolean": True}.get(kind, "some text")


def read_request(path: str, body: Table) -> Asked | None:
    """Read a request of either dialect; None where the path is neither's."""
    plain, _, options = path.partition("?")
    found = _GEMINI_PATH.fullmatch(plain)
    if found is not None:
        streamed = found["method"] == "streamGenerateContent" and "alt=sse" in options
        return _read_gemini(found["model"], streamed, body)
    if plain.endswith("/chat/completions"):
        return _read_openai(body)
    return None


def _read_gemini(model: str, stream: bool, body: Table) -> Asked:
    # Google takes either spelling; clients use both.
    config = _table(body.get("generationConfig", body.get("generation_config")))
    thinking = _table(config.get("thinkingConfig", config.get("thinking_config")))
    schema = config.get("responseJsonSchema", config.get("responseSchema", config.get("response_schema")))
    schema = config.get("response_json_schema", schema)
    cap = config.get("maxOutputTokens", config.get("max_output_tokens"))
    return Asked(
        dialect=GEMINI,
        model=model,
        system=_parts(_table(body.get("systemInstruction", body.get("system_instruction")))),
        turns=tuple(_parts(each) for each in cast("Sequence[Table]", body["contents"])),
        schema=cast("Table | None", schema),
        stream=stream,
        include_usage=True,
        max_output_tokens=cast("int | None", cap),
        thinking_tokens=cast("int | None", thinking.get("thinkingBudget", thinking.get("thinking_budget"))),
    )


def _parts(content: Table) -> str:
    return "".join(str(part["text"]) for part in cast("Sequence[Table]", content.get("parts", ())))


def _table(value: object) -> Table:
    return cast("Table", value or {})


def _read_openai(body: Table) -> Asked:
    messages = cast("Sequence[Table]", body["messages"])
    of_system = [str(each["content"]) for each in messages if each["role"] in {"system", "developer"}]
    form = _table(body.get("response_format"))
    schema = _table(form.get("json_schema")).get("schema")
    if schema is None and form.get("type") == "json_object":
        schema = {"type": "object"}
    cap = body.get("max_completion_tokens", body.get("max_tokens"))
    effort = body.get("reasoning_effort")
    return Asked(
        dialect=OPENAI,
        model=str(body["model"]),
        system="\n".join(of_system),
        turns=tuple(
            str(each["content"]) for each in messages if each["role"] in {"user", "assistant", "tool"}
        ),
        schema=cast("Table | None", schema),
        stream=bool(body.get("stream")),
        include_usage=bool(_table(body.get("stream_options")).get("include_usage")),
        max_output_tokens=cast("int | None", cap),
        thinking_tokens=0 if effort in _NO_EFFORT else None,
    )


def _pieces(text: str) -> list[str]:
    third = max(1, len(text) // 3)
    return [text[:third], text[third : 2 * third], text[2 * third :]]


def gemini_usage(made: Made) -> Table:
    """Write `usageMetadata`; candidates and thoughts are counted apart there."""
    usage = {
        "promptTokenCount": made.input_tokens,
        "candidatesTokenCount": made.text_tokens,
        "totalTokenCount": made.input_tokens + made.output_tokens,
    }
    if made.thinking_tokens:
        usage["thoughtsTokenCount"] = made.thinking_tokens
    if made.cached_tokens:
        usage["cachedContentTokenCount"] = made.cached_tokens
    return usage


def gemini_answer(asked: Asked, made: Made, finish: str | None, text: str) -> Table:
    """Write one `GenerateContentResponse`; `finish` is None for all but the last piece."""
    parts = [{"text": text}] if text else []
    candidate: dict[str, object] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    answer: dict[str, object] = {"candidates": [candidate], "modelVersion": asked.model, "responseId": "r-1"}
    if finish is not None:
        answer["usageMetadata"] = gemini_usage(made)
    return answer


def gemini_blocked(asked: Asked, made: Made) -> Table:
    """Write the answer to a prompt that a safety filter stopped: no candidate, but the prompt is counted."""
    return {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": gemini_usage(made),
        "modelVersion": asked.model,
    }


def gemini_events(asked: Asked, made: Made, finish: str) -> list[bytes]:
    """Write the events of a stream."""
    *first, last = _pieces(made.text)
    answers = [gemini_answer(asked, made, None, piece) for piece in first if piece]
    answers.append(gemini_answer(asked, made, finish, last))
    return [b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in answers]


def openai_usage(made: Made, cost_usd: float | None) -> Table:
    """Write `usage`; reasoning is part of the completion there."""
    usage: dict[str, object] = {
        "prompt_tokens": made.input_tokens,
        "completion_tokens": made.output_tokens,
        "total_tokens": made.input_tokens + made.output_tokens,
        "prompt_tokens_details": {"cached_tokens": made.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": made.thinking_tokens},
    }
    return usage if cost_usd is None else {**usage, "cost": cost_usd}


def openai_answer(asked: Asked, made: Made, finish: str, cost_usd: float | None) -> Table:
    """Write one `chat.completion`."""
    message = {"role": "assistant", "content": made.text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": openai_usage(made, cost_usd),
    }


def openai_events(asked: Asked, made: Made, finish: str, cost_usd: float | None) -> list[bytes]:
    """Write the events of a stream: pieces, the reason of its end, usage where it is wanted, `[DONE]`."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": asked.model}
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _pieces(made.text) if piece]
    chunks = [{**head, "choices": [{"index": 0, "delta": each, "finish_reason": None}]} for each in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if asked.include_usage:
        chunks.append({**head, "choices": [], "usage": openai_usage(made, cost_usd)})
    return [b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks] + [b"data: [DONE]\n\n"]


def gemini_error(status: int, message: str, state: str, *details: Table) -> Table:
    """Write an error body as Google's interfaces do."""
    error: dict[str, object] = {"code": status, "message": message, "status": state}
    return {"error": {**error, "details": list(details)} if details else error}


def openai_error(message: str, kind: str, code: str | None) -> Table:
    """Write an error body as OpenAI's interface does."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
