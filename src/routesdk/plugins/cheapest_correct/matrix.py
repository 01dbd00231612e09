"""One policy a tier, the cheapest that is correct, and one where no tier is."""

from __future__ import annotations

import attrs

from routesdk.errors import ConfigError
from routesdk.types import Grade, Policy, distinct_names

NONE_CORRECT = "None_Correct"


@attrs.frozen(kw_only=True)
class CheapestCorrect:
    """Turn the tiers' grades into the cheapest tier that is correct.

    An abstention counts like a wrong answer: neither is correct.

    Attributes:
        tiers: Names of two to eight tiers, cheapest first.
    """

    tiers: tuple[str, ...] = attrs.field(default=("medium", "large"), converter=distinct_names)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """`Needs_<tier>` for each tier, cheapest first, then `None_Correct`."""
        first = self.tiers[0]
        needs = [Policy(f"Needs_{first}", f"The cheapest tier, {first}, is correct.", first)]
        needs += [
            Policy(f"Needs_{tier}", f"{tier} is the cheapest tier that is correct.", tier)
            for tier in self.tiers[1:]
        ]
        none = Policy(NONE_CORRECT, f"No tier is correct: paying for more than {first} buys nothing.", first)
        return (*needs, none)

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        """Return the policy of one cell.

        Raises:
            ConfigError: There are not as many grades as tiers.
        """
        return self.policies[self._step(grades)]

    def reason(self, grades: tuple[Grade, ...]) -> str:
        """Say in a sentence why the cell has its policy.

        Raises:
            ConfigError: There are not as many grades as tiers.
        """
        step = self._step(grades)
        description = self.policies[step].description
        if not 0 < step < len(self.tiers):
            return description
        cheaper = ", ".join(self.tiers[:step])
        return f"{description.removesuffix('.')}; {cheaper} {'is' if step == 1 else 'are'} not."

    def _step(self, grades: tuple[Grade, ...]) -> int:
        """Return the place of the cell's policy among the policies."""
        if len(grades) != len(self.tiers) or not all(isinstance(grade, Grade) for grade in grades):
            raise ConfigError(
                "grades",
                repr(grades),
                f"not one grade for each of {len(self.tiers)} tiers",
                "Give one a tier.",
            )
        return list(grades).index(Grade.CORRECT) if Grade.CORRECT in grades else len(self.tiers)
