"""Offers the judges `gemini` and `model`: a model grades, blind, by a rubric with three grades."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import attrs
from attrs.validators import ge, le, min_len, optional

from routesdk.hookspecs import hookimpl
from routesdk.host import PluginHost
from routesdk.protocols import Component, Judge
from routesdk.types import PartConfig

DEFAULT_MODEL = "gemini-2.5-flash"
"""The model that judges where none is named."""


def _part(value: PartConfig | str) -> PartConfig:
    return PartConfig.of(value)


@attrs.frozen(kw_only=True)
class ModelJudgeConfig:
    """Which model judges, and how it is reached.

    Attributes:
        model: The model's name, as its provider spells it.
        backend: The backend that it is asked through.
        max_output_tokens: Cap on a reply, thinking included.
        thinking_tokens: Cap on thinking within it; 0 asks for none, None leaves it to the provider.
        temperature: Sampling temperature; None leaves it to the provider.
        timeout_s: Deadline of a call, in seconds.
    """

    model: str = attrs.field(validator=min_len(1))
    backend: PartConfig = attrs.field(converter=_part)
    max_output_tokens: int = attrs.field(default=512, validator=[ge(64), le(65_536)])
    thinking_tokens: int | None = attrs.field(default=cast("int | None", 0), validator=optional(ge(0)))
    temperature: float | None = attrs.field(default=cast("float | None", 0.0), validator=optional(ge(0.0)))
    timeout_s: float = attrs.field(default=120.0, validator=attrs.validators.gt(0.0))


@attrs.frozen(kw_only=True)
class GeminiJudgeConfig(ModelJudgeConfig):
    """Which Gemini model judges.

    Attributes:
        model: The model's name.
        backend: The backend that it is asked through.
    """

    model: str = attrs.field(default=DEFAULT_MODEL, validator=min_len(1))
    backend: PartConfig = attrs.field(default=PartConfig("gemini"), converter=_part)


def _judge(config: ModelJudgeConfig, host: PluginHost) -> Judge:
    from routesdk.plugins.model_judge.judge import ModelJudge

    return ModelJudge(
        model=config.model,
        backend=config.backend,
        host=host,
        max_output_tokens=config.max_output_tokens,
        thinking_tokens=config.thinking_tokens,
        temperature=config.temperature,
        timeout_s=config.timeout_s,
    )


@hookimpl
def routesdk_judges() -> Iterable[Component[Judge]]:
    """Offer judges that ask a model."""
    yield Component(
        name="gemini",
        factory=_judge,
        config=GeminiJudgeConfig,
        summary="Ask a Gemini model, blind, by a rubric with three grades.",
        install='pip install "routesdk[gemini]"',
    )
    yield Component(
        name="model",
        factory=_judge,
        config=ModelJudgeConfig,
        summary="Ask any model of any backend, blind, by a rubric with three grades.",
    )
