"""The rule that counts words."""

from __future__ import annotations

import attrs
from attrs.validators import ge, min_len, optional

from routesdk.errors import ConfigError
from routesdk.lexicon import count_words
from routesdk.types import Proposal, RouteContext


@attrs.frozen(kw_only=True)
class Length:
    """Choose `model` for queries whose number of words lies within bounds.

    Words are what stands between blanks; in scripts that put no blanks between
    words they are estimated from characters, as `routesdk.lexicon.count_words` says.

    Attributes:
        min_words: The query has at least so many words; None sets no lower bound.
        max_words: The query has at most so many words; None sets no upper bound.
        model: The model to propose.

    Raises:
        ConfigError: Neither bound is given, or they leave no length between them.
    """

    min_words: int | None = attrs.field(default=None, validator=optional(ge(1)))
    max_words: int | None = attrs.field(default=None, validator=optional(ge(0)))
    model: str = attrs.field(validator=min_len(1))

    def __attrs_post_init__(self) -> None:
        if self.min_words is None and self.max_words is None:
            raise ConfigError(
                "min_words",
                "nothing",
                "neither min_words nor max_words is given",
                "Give at least one of them.",
            )
        if self.min_words is not None and self.max_words is not None and self.min_words > self.max_words:
            raise ConfigError(
                "min_words",
                str(self.min_words),
                f"is above max_words = {self.max_words}, so that no query can match",
                "Lower it, or raise max_words.",
            )

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model where the query's length lies within the bounds."""
        words = count_words(context.query.text)
        if self.min_words is not None and words < self.min_words:
            return None
        if self.max_words is not None and words > self.max_words:
            return None
        return Proposal(self.model, f"the query has {words} words: {self._bounds()}")

    def _bounds(self) -> str:
        if self.max_words is None:
            return f"at least {self.min_words}"
        if self.min_words is None:
            return f"at most {self.max_words}"
        return f"{self.min_words} to {self.max_words}"
