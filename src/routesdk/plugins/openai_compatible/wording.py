"""Requests as OpenAI's interface words them, with what differs from server to server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from openai.types.chat import ChatCompletionMessageParam

from routesdk.plugins.openai_compatible import OpenAICompatibleConfig
from routesdk.plugins.openai_compatible.failure import NAME
from routesdk.provider import conversation
from routesdk.structure import plain
from routesdk.types import Request


def messages_of(request: Request, config: OpenAICompatibleConfig) -> list[ChatCompletionMessageParam]:
    """Return the turns; a schema that the server is not told of is put into the system instruction.

    Raises:
        BackendError: The text cannot be sent.
    """
    asked = conversation(NAME, request)
    system = asked.system
    if request.response_schema is not None and config.structured != "json_schema":
        schema = json.dumps(plain(request.response_schema))
        wish = f"Answer with nothing but JSON that fits this JSON schema: {schema}"
        system = f"{system}\n\n{wish}" if system else wish
    turns = ([("system", system)] if system else []) + list(asked.turns)
    messages = [{"role": role, "content": content} for role, content in turns]
    return cast("list[ChatCompletionMessageParam]", messages)


def fields_of(request: Request, config: OpenAICompatibleConfig) -> dict[str, object]:
    """Return the fields of the body beside model and messages; the config's own come last."""
    fields: dict[str, object] = {}
    if request.max_output_tokens is not None:
        fields[config.max_tokens_field] = request.max_output_tokens
    if request.temperature is not None:
        fields["temperature"] = request.temperature
    if config.reasoning_effort is not None:
        fields["reasoning_effort"] = config.reasoning_effort
    if request.thinking_tokens is not None and config.thinking == "reasoning":
        tokens = request.thinking_tokens
        # Source: openrouter.ai/docs, "Reasoning tokens": a cap in tokens, or the effort `none`.
        fields["reasoning"] = {"max_tokens": tokens} if tokens else {"effort": "none"}
    if request.response_schema is not None and config.structured != "none":
        fields["response_format"] = _form(request.response_schema, config.structured)
    return {**fields, **cast("dict[str, object]", plain(config.extra_body))}


def _form(schema: Mapping[str, object], structured: str) -> Mapping[str, object]:
    if structured == "json_object":
        return {"type": "json_object"}
    wanted = {"name": "answer", "schema": plain(schema), "strict": _is_strict(schema)}
    return {"type": "json_schema", "json_schema": wanted}


def _is_strict(schema: object) -> bool:
    """Tell whether OpenAI would keep to the schema: objects name and require all that they hold.

    Source: platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
    """
    if isinstance(schema, Mapping):
        if schema.get("type") == "object":
            names = schema.get("properties", {})
            required = schema.get("required", ())
            if schema.get("additionalProperties") is not False:
                return False
            if not isinstance(names, Mapping) or not isinstance(required, (list, tuple)):
                return False
            if set(names) != set(required):
                return False
        return all(_is_strict(each) for each in schema.values())
    return all(_is_strict(each) for each in schema) if isinstance(schema, (list, tuple)) else True
