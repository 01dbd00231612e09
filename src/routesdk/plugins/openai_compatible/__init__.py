"""Offers the backend `openai-compatible`: any server that speaks OpenAI's interface for chats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import attrs
from attrs.validators import in_, min_len, optional

from routesdk.config import environment_variable, web_address
from routesdk.hookspecs import hookimpl
from routesdk.protocols import Backend, Component
from routesdk.types import FrozenMapping, frozen_throughout

CAPS = ("max_tokens", "max_completion_tokens")
"""The fields that a server may take the cap on output in."""

STRUCTURED = ("json_schema", "json_object", "none")
"""The ways in which a server may be told a schema."""

THINKING = ("none", "reasoning")
"""The ways in which a server may be told a cap on thinking."""


def _body(body: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", frozen_throughout(body))


@attrs.frozen(kw_only=True)
class OpenAICompatibleConfig:
    """How to reach a server that speaks OpenAI's interface.

    Attributes:
        base_url: Address with the version, such as `http://localhost:11434/v1`.
        api_key_env: Environment variable that holds the key; None sends no key, as for a local server.
        max_tokens_field: Field of the cap on output: `max_tokens`, or `max_completion_tokens`
            for OpenAI's own models that think.
        structured: How a schema is passed on: `json_schema` has the server keep to it;
            `json_object` has it write JSON, and puts the schema into the system instruction;
            `none` only does the latter.
        thinking: How a cap on thinking is passed on: `reasoning` writes it into
            `reasoning.max_tokens`, as OpenRouter takes it; `none` passes it over.
        reasoning_effort: How hard the model shall think, in the server's own word, with every
            call; None leaves it to the server.
        extra_body: Further fields of every request, for what one server alone knows.
    """

    base_url: str = attrs.field(validator=web_address)
    api_key_env: str | None = attrs.field(default=None, validator=optional(environment_variable))
    max_tokens_field: str = attrs.field(default="max_tokens", validator=in_(CAPS))
    structured: str = attrs.field(default="json_schema", validator=in_(STRUCTURED))
    thinking: str = attrs.field(default="none", validator=in_(THINKING))
    reasoning_effort: str | None = attrs.field(default=None, validator=optional(min_len(1)))
    extra_body: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=_body)


def _backend(config: OpenAICompatibleConfig) -> Backend:
    from routesdk.plugins.openai_compatible.backend import OpenAICompatibleBackend

    return OpenAICompatibleBackend(config)


@hookimpl
def routesdk_backends() -> Iterable[Component[Backend]]:
    """Offer servers that speak OpenAI's interface."""
    yield Component(
        name="openai-compatible",
        factory=_backend,
        config=OpenAICompatibleConfig,
        summary="Any server that speaks OpenAI's interface: Ollama, vLLM, OpenRouter, OpenAI.",
        install='pip install "routesdk[openai]"',
    )
