"""The nine cells of two tiers, each with its policy and its reason."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from routesdk.errors import ConfigError
from routesdk.types import FrozenMapping, Grade, Policy

STANDARD = "Standard_Query"
COMPLEX = "Complex_Query"
AMBIGUOUS = "Ambiguous_Query"

_C, _I, _A = Grade.CORRECT, Grade.INCORRECT, Grade.ABSTAINED

# (grade of the medium tier, grade of the large tier) → policy, and why.
_CELLS: Mapping[tuple[Grade, ...], tuple[str, str]] = FrozenMapping(
    {
        (_C, _C): (STANDARD, "Both tiers are correct, so {medium} will do."),
        (_C, _I): (STANDARD, "{medium} is correct and {large} is wrong: paying more would lose the answer."),
        (_C, _A): (STANDARD, "{medium} is correct and {large} does not answer: paying more buys nothing."),
        (_I, _C): (COMPLEX, "{medium} is wrong and {large} is correct: escalating buys the answer."),
        (_I, _I): (AMBIGUOUS, "Both tiers are wrong: paying more buys no answer."),
        (_I, _A): (COMPLEX, "{medium} is wrong, {large} admits not to know: escalating avoids an error."),
        (_A, _C): (COMPLEX, "{medium} does not answer and {large} is correct: escalating buys the answer."),
        (_A, _I): (AMBIGUOUS, "{medium} admits not to know, {large} is wrong: escalating adds an error."),
        (_A, _A): (AMBIGUOUS, "Neither tier answers: paying more buys no answer."),
    }
)


def _name(_: object, field: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(field.name, repr(value), "not a tier's name", "Give a non-blank string.")


@attrs.frozen(kw_only=True)
class NineCell:
    """Turn the grades of two tiers into one of three policies.

    Attributes:
        medium: Name of the cheaper tier.
        large: Name of the dearer tier.
    """

    medium: str = attrs.field(default="medium", validator=_name)
    large: str = attrs.field(default="large", validator=_name)

    def __attrs_post_init__(self) -> None:
        if self.medium == self.large:
            raise ConfigError(
                "large", repr(self.large), "is the name of both tiers", "Give each its own name."
            )

    @property
    def tiers(self) -> tuple[str, ...]:
        """The two tiers' names, cheapest first."""
        return (self.medium, self.large)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The three policies: one that stays, one that escalates, one that no escalation helps."""
        return (
            Policy(STANDARD, f"{self.medium} answers correctly: a dearer model is not needed.", self.medium),
            Policy(COMPLEX, f"{self.large} does better than {self.medium}: worth its price.", self.large),
            Policy(AMBIGUOUS, f"No tier is correct, and {self.large} does no better.", self.medium),
        )

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        """Return the policy of one cell.

        Args:
            grades: The grade of the medium tier, then of the large one.

        Raises:
            ConfigError: These are not two grades.
        """
        name, _ = _cell(grades)
        return next(policy for policy in self.policies if policy.name == name)

    def reason(self, grades: tuple[Grade, ...]) -> str:
        """Say in a sentence why the cell has its policy.

        Raises:
            ConfigError: These are not two grades.
        """
        _, reason = _cell(grades)
        return reason.format(medium=self.medium, large=self.large)


def _cell(grades: tuple[Grade, ...]) -> tuple[str, str]:
    try:
        return _CELLS[tuple(grades)]
    except (KeyError, TypeError):
        raise ConfigError(
            "grades", repr(grades), "not one grade for each of two tiers", "Give two grades, cheapest first."
        ) from None
