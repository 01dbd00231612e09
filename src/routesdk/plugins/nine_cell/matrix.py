"""The nine cells of two tiers, each with its policy and its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def _two_names(value: Sequence[str]) -> tuple[str, ...]:
    # A string is a sequence of its letters, and "ab" would name two tiers.
    names = (value,) if isinstance(value, str) else tuple(value)
    named = all(isinstance(name, str) and name.strip() for name in names)
    if not named or len(names) != 2 or names[0] == names[1]:
        raise ConfigError("tiers", repr(value), "not two names of tiers", "Give two names, cheapest first.")
    return names


@attrs.frozen(kw_only=True)
class NineCell:
    """Turn the grades of two tiers into one of three policies.

    Attributes:
        tiers: Names of the two tiers, cheapest first.
    """

    tiers: tuple[str, ...] = attrs.field(default=("medium", "large"), converter=_two_names)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The three policies: one that stays, one that escalates, one that no escalation helps."""
        medium, large = self.tiers
        return (
            Policy(STANDARD, f"{medium} answers correctly: a dearer model is not needed.", medium),
            Policy(COMPLEX, f"{large} does better than {medium}: worth its price.", large),
            Policy(AMBIGUOUS, f"No tier is correct, and {large} does no better.", medium),
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
        medium, large = self.tiers
        return reason.format(medium=medium, large=large)


def _cell(grades: tuple[Grade, ...]) -> tuple[str, str]:
    try:
        return _CELLS[tuple(grades)]
    except (KeyError, TypeError):
        raise ConfigError(
            "grades", repr(grades), "not one grade for each of two tiers", "Give two grades, cheapest first."
        ) from None
