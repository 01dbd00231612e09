"""Offers the analyst `model`: reasons that a model writes, from the query alone."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs.validators import ge, gt, min_len, optional

from routesdk.hookspecs import hookimpl
from routesdk.host import PluginHost
from routesdk.protocols import Analyst, Component
from routesdk.types import PartConfig

# Annotated, since type checkers take the field's type from its default.
_NO_THINKING: int | None = 0


def _part(value: PartConfig | str) -> PartConfig:
    return PartConfig.of(value)


@attrs.frozen(kw_only=True)
class ModelAnalystConfig:
    """Which model writes the reasons, and through which backend.

    Attributes:
        model: The model, as its provider spells it.
        backend: The backend that reaches it.
        max_output_tokens: Cap on a reason, thinking included.
        thinking_tokens: Cap on thinking; 0 asks for none, None leaves it to the provider.
        timeout_s: Deadline of a call, in seconds.
    """

    model: str = attrs.field(default="gemini-2.5-flash", validator=min_len(1))
    backend: PartConfig = attrs.field(default=PartConfig("gemini"), converter=_part)
    max_output_tokens: int = attrs.field(default=256, validator=ge(1))
    thinking_tokens: int | None = attrs.field(default=_NO_THINKING, validator=optional(ge(0)))
    timeout_s: float = attrs.field(default=60.0, validator=gt(0.0))


def _model(config: ModelAnalystConfig, host: PluginHost) -> Analyst:
    from routesdk.plugins.model_analyst.analyst import ModelAnalyst

    return ModelAnalyst(config, host)


@hookimpl
def routesdk_analysts() -> Iterable[Component[Analyst]]:
    """Offer reasons that a model writes."""
    yield Component(
        name="model",
        factory=_model,
        config=ModelAnalystConfig,
        summary="Reasons that a model writes through a backend, from the query alone.",
    )
