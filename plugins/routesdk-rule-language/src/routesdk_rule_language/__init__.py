"""Plugin `language`: choose a model by the query's language or script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from routesdk.hookspecs import hookimpl
from routesdk.protocols import Component, Rule
from routesdk_rule_language.config import LanguageConfig

if TYPE_CHECKING:
    from routesdk_rule_language.rule import Language


def _build(config: LanguageConfig) -> Language:
    # Imported here, so that finding the plugin costs nothing until the rule is asked for.
    from routesdk_rule_language.rule import build

    return build(config)


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `language`."""
    yield Component(
        name="language",
        factory=_build,
        config=LanguageConfig,
        summary="Choose a model by the query's language or script.",
        install="pip install routesdk-rule-language",
    )
