"""The rule that looks at language and script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from routesdk.types import Proposal, RouteContext
from routesdk_rule_language.config import LanguageConfig, unknown
from routesdk_rule_language.script import script_share

if TYPE_CHECKING:
    from routesdk_rule_language.detector import Detector

READ_CHARACTERS = 2_000
"""How much of a query is looked at: its beginning tells the language, and 1 MB takes no longer."""


@attrs.frozen(kw_only=True)
class Language:
    """Choose a model for queries in some languages or scripts.

    Attributes:
        config: Which queries go to which model.
        detector: Names languages; None where the config has scripts alone.
    """

    config: LanguageConfig
    detector: Detector | None = attrs.field(default=None, repr=False, eq=False)

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model where the query is in one of the languages or scripts."""
        text = context.query.text[:READ_CHARACTERS]
        reason = self._by_script(text) or self._by_language(text)
        return Proposal(self.config.model, reason) if reason else None

    def _by_script(self, text: str) -> str:
        share = script_share(text, self.config.scripts)
        if share < self.config.min_script_share:
            return ""
        return f"{share:.0%} of the query's letters are {' or '.join(self.config.scripts)}"

    def _by_language(self, text: str) -> str:
        if self.detector is None:
            return ""
        language, confidence = self.detector.detect(text)
        if language not in self.config.languages or confidence < self.config.min_confidence:
            return ""
        return f"the query is in {language!r} (confidence {confidence:.2f})"


def build(config: LanguageConfig) -> Language:
    """Build the rule; the detector is read now, as rules do no I/O, and only where it is needed.

    Raises:
        ConfigError: A language is none that the detector knows.
    """
    if not config.languages:
        return Language(config=config)
    from routesdk_rule_language.detector import load_detector

    detector = load_detector()
    for index, language in enumerate(config.languages):
        if language not in detector.languages:
            raise unknown(f"languages[{index}]", language, "language", detector.languages)
    return Language(config=config, detector=detector)
