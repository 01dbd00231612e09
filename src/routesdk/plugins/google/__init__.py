"""Offers the backend `gemini`: Google's models, through Google's own client."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import optional

from routesdk.config import environment_variable, web_address
from routesdk.hookspecs import hookimpl
from routesdk.protocols import Backend, Component


@attrs.frozen(kw_only=True)
class GeminiConfig:
    """How to reach Gemini.

    Attributes:
        api_key_env: Environment variable that holds the key; it is read at the time of a call.
        base_url: Address of the interface, without its version; None for Google's own.
    """

    api_key_env: str = attrs.field(default="GEMINI_API_KEY", validator=environment_variable)
    base_url: str | None = attrs.field(default=None, validator=optional(web_address))


def _backend(config: GeminiConfig) -> Backend:
    from routesdk.plugins.google.backend import GeminiBackend

    return GeminiBackend(api_key_env=config.api_key_env, base_url=config.base_url)


@hookimpl
def routesdk_backends() -> Iterable[Component[Backend]]:
    """Offer Gemini."""
    yield Component(
        name="gemini",
        factory=_backend,
        config=GeminiConfig,
        summary="Google's Gemini models, by the key in GEMINI_API_KEY.",
        install='pip install "routesdk[gemini]"',
    )
