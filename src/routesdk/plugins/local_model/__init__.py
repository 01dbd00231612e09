"""Offers the backend `transformers`: a causal language model that runs on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs
from attrs.validators import ge, in_, matches_re

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Backend, Component
from routesdk.types import FrozenMapping, frozen


def _paths(paths: Mapping[str, str]) -> Mapping[str, str]:
    # A converter of its own: type checkers lose the type variables of a generic one.
    return frozen(paths) if isinstance(paths, Mapping) else paths


@attrs.frozen(kw_only=True)
class TransformersConfig:
    """Where models lie, and how they are run.

    Attributes:
        paths: Model's name → folder or Hub id. A name that is not listed is itself a
            folder or a Hub id. `id@revision` pins a branch, tag or commit of the Hub.
        device: `auto` takes a GPU where there is one; `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: Type of the weights; `auto` keeps the one that they are stored in.
        max_output_tokens: Cap on the tokens of an answer whose request names none.
    """

    paths: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=_paths)
    device: str = attrs.field(default="auto", validator=matches_re(r"auto|cpu|mps|cuda(:[0-9]+)?"))
    dtype: str = attrs.field(default="auto", validator=in_(("auto", "float32", "bfloat16", "float16")))
    max_output_tokens: int = attrs.field(default=512, validator=ge(1))


def _backend(config: TransformersConfig) -> Backend:
    from routesdk.plugins.local_model.backend import LocalBackend

    return LocalBackend(
        config.paths,
        device=config.device,
        dtype=config.dtype,
        max_output_tokens=config.max_output_tokens,
    )


@hookimpl
def routesdk_backends() -> Iterable[Component[Backend]]:
    """Offer models that run on this machine."""
    yield Component(
        name="transformers",
        factory=_backend,
        config=TransformersConfig,
        summary="A causal language model on this machine, from a folder or the Hub.",
        install='pip install "routesdk[local]"',
    )
