"""A matrix that fears wrong answers: it escalates where the medium model is wrong."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk import Component, PluginHost, hookimpl
from routesdk.errors import ConfigError
from routesdk.protocols import Matrix
from routesdk.testing import check_matrix
from routesdk.types import Grade, Policy

SAFE = Policy("Safe_Query", "The medium model is correct, or admits that it does not know.", "medium")
RISKY = Policy("Risky_Query", "The medium model gives a wrong answer.", "large")


class FearOfErrors:
    """Two tiers, two policies."""

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Both policies."""
        return (SAFE, RISKY)

    @property
    def tiers(self) -> tuple[str, ...]:
        """Both tiers, cheapest first."""
        return ("medium", "large")

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        """Return the policy of one of the nine cells."""
        if len(grades) != 2 or not all(isinstance(grade, Grade) for grade in grades):
            raise ConfigError("grades", repr(grades), "not two grades", "Give one a tier, cheapest first.")
        return RISKY if grades[0] is Grade.INCORRECT else SAFE

    def reason(self, grades: tuple[Grade, ...]) -> str:
        """Say why."""
        return self.policy(grades).description


class FearPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_matrices(self) -> Iterable[Component[Matrix]]:
        """Offer `fear-of-errors`."""
        yield Component(name="fear-of-errors", factory=FearOfErrors, summary="Escalate wrong answers.")


matrix = PluginHost([FearPlugin()]).matrix("fear-of-errors")
check_matrix(matrix)
print(matrix.policy((Grade.INCORRECT, Grade.CORRECT)).name)
