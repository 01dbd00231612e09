"""Offers the backend `litellm`: the many providers that litellm knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import attrs
from attrs.validators import optional

from routesdk.config import environment_variable, web_address
from routesdk.hookspecs import hookimpl
from routesdk.protocols import Backend, Component
from routesdk.types import FrozenMapping, frozen_throughout


def _body(body: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", frozen_throughout(body))


@attrs.frozen(kw_only=True)
class LiteLLMConfig:
    """How litellm reaches a provider; models are named as it names them, such as `anthropic/claude-…`.

    Attributes:
        api_key_env: Environment variable that holds the key; None has litellm look for
            the provider's own, such as `ANTHROPIC_API_KEY`.
        base_url: Address of the interface, as litellm's `api_base`; None for the provider's own.
        extra_body: Further fields of every request, for what one provider alone knows.
    """

    api_key_env: str | None = attrs.field(default=None, validator=optional(environment_variable))
    base_url: str | None = attrs.field(default=None, validator=optional(web_address))
    extra_body: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=_body)


def _backend(config: LiteLLMConfig) -> Backend:
    from routesdk.plugins.lite_llm.backend import LiteLLMBackend

    return LiteLLMBackend(config)


@hookimpl
def routesdk_backends() -> Iterable[Component[Backend]]:
    """Offer litellm's providers."""
    yield Component(
        name="litellm",
        factory=_backend,
        config=LiteLLMConfig,
        summary="The many providers that litellm knows: PROVIDER/MODEL.",
        install='pip install "routesdk[litellm]"',
    )
