"""What the rule `language` can be told; light, so that a config can be checked without the detector."""

from __future__ import annotations

import difflib

import attrs
from attrs.validators import ge, gt, le, min_len

from routesdk.errors import ConfigError
from routesdk_rule_language.script import SCRIPTS


def unknown(key: str, name: str, what: str, known: tuple[str, ...]) -> ConfigError:
    """Return the error for a name that is none of the known ones, with the nearest of them."""
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
    return ConfigError(key, repr(name), f"no {what} has this name", fix)


@attrs.frozen(kw_only=True)
class LanguageConfig:
    """Which queries go to which model.

    A query is chosen where its language is one of `languages`, or its script
    one of `scripts`: one of the two is enough, and at least one must be given.

    Attributes:
        model: The model to propose.
        languages: ISO 639 codes, such as `de`, `ja` or `pt`.
        scripts: Names of scripts, such as `Han`, `Cyrillic` or `Arabic`. Japanese
            is written in three: `Han`, `Hiragana` and `Katakana`.
        min_confidence: How sure of the language the detector must be, in [0, 1].
            It is seldom sure of a few words; below this, the language counts as unknown.
        min_script_share: Share of the query's letters that must be in one of
            `scripts`, in (0, 1].

    Raises:
        ConfigError: Neither languages nor scripts are given, or a script is unknown.
    """

    model: str = attrs.field(validator=min_len(1))
    languages: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    min_confidence: float = attrs.field(default=0.5, validator=[ge(0.0), le(1.0)])
    min_script_share: float = attrs.field(default=0.5, validator=[gt(0.0), le(1.0)])

    def __attrs_post_init__(self) -> None:
        if not self.languages and not self.scripts:
            raise ConfigError(
                "languages", "[]", "neither languages nor scripts are given", "Give at least one of them."
            )
        for index, script in enumerate(self.scripts):
            if script not in SCRIPTS:
                raise unknown(f"scripts[{index}]", script, "script", tuple(SCRIPTS))
