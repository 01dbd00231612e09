"""Grades, tiers, policies: the words in which a router is taught."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs

from routesdk.errors import ConfigError


class Grade(enum.Enum):
    """How a judge graded one answer. `ABSTAINED` is "IDK", SimpleQA's NOT_ATTEMPTED."""

    CORRECT = "CORRECT"
    INCORRECT = "INCORRECT"
    ABSTAINED = "ABSTAINED"

    @classmethod
    def parse(cls, text: str) -> Grade:
        """Read a grade by its name, by SimpleQA's name, or by its letter C, I or A in a cell such as `IC`.

        Raises:
            ConfigError: The text is none of these; nothing is guessed.
        """
        try:
            return _GRADE_NAMES[text.strip().upper()]
        except (KeyError, AttributeError):
            raise ConfigError(
                "grade", repr(text), "no grade has this name", f"Use one of {', '.join(_GRADE_NAMES)}."
            ) from None


GRADES: tuple[Grade, ...] = tuple(Grade)
"""The grades in the order in which probabilities over grades are laid out."""

_GRADE_NAMES = {
    **{grade.value: grade for grade in Grade},
    **{grade.value[0]: grade for grade in Grade},
    "NOT_ATTEMPTED": Grade.ABSTAINED,
    "IDK": Grade.ABSTAINED,
}


@attrs.frozen
class Tier:
    """A step of the price ladder, and the model that stands on it.

    Attributes:
        name: `medium` or `large` where there are two.
        model: The model's name, as the provider spells it.
    """

    name: str
    model: str


def distinct_names(names: Sequence[str], *, key: str = "tiers") -> tuple[str, ...]:
    """Check that there are two to eight names of tiers, or of their models, each once.

    Args:
        names: One a tier, cheapest first.
        key: What to call a name in errors.

    Raises:
        ConfigError: There are fewer or more, one is blank, or one stands twice.
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ConfigError(key, repr(names), "not a list of names", "List the tiers, cheapest first.")
    # 3 grades ** 8 tiers = 6,561 cells: beyond that a table of cells is no longer small.
    if not 2 <= len(names) <= 8:
        problem = "a router has two to eight tiers"
        raise ConfigError("tiers", str(len(names)), problem, "List them cheapest first.")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(key, repr(name), "not a name", "Give a non-blank string.")
        if list(names).count(name) > 1:
            problem = "stands at two tiers"
            raise ConfigError(key, repr(name), problem, "Give each tier its own name and model.")
    return tuple(names)


def distinct_tiers(tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
    """Check that there are two to eight tiers, each with its own name and model.

    Raises:
        ConfigError: There are fewer or more, or a name or model stands twice.
    """
    for what in ("name", "model"):
        distinct_names([getattr(tier, what) for tier in tiers], key=f"tiers.{what}")
    return tiers


@attrs.frozen
class Policy:
    """What a router predicts; a matrix defines the set.

    Attributes:
        name: The policy's name, such as `Complex_Query`.
        description: When it holds, for people and for prompts.
        tier: The tier that serves it where no mapping says otherwise.
    """

    name: str
    description: str
    tier: str


@attrs.frozen
class Label:
    """The policy that a matrix gave to one row of an oracle, with the cell it came from.

    Attributes:
        query_id: The row.
        policy: The policy's name.
        grades: One grade a tier, cheapest first.
        reason: Why the matrix gives this policy to this cell.
    """

    query_id: str
    policy: str
    grades: tuple[Grade, ...]
    reason: str = ""
