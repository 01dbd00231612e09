"""A judge that looks for the reference in the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from routesdk import Component, PluginHost, hookimpl
from routesdk.protocols import Judge
from routesdk.testing import check_judge
from routesdk.types import Grade, Unscored, Verdict


class Contains:
    """An answer that holds the reference is correct."""

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Grade one answer; who gave it is not said."""
        if not reference.strip():
            # No grade can be read here, and none is guessed: this row makes no label.
            return Unscored("there is no reference to compare with")
        if not answer.strip() or "don't know" in answer:
            return Verdict(Grade.ABSTAINED, "the answer says nothing, or that it does not know")
        if reference.strip().casefold() in answer.casefold():
            return Verdict(Grade.CORRECT, "the answer holds the reference")
        return Verdict(Grade.INCORRECT, "the reference does not occur in the answer")


class ContainsPlugin:
    """A plugin: an object with hooks."""

    @hookimpl
    def routesdk_judges(self) -> Iterable[Component[Judge]]:
        """Offer `contains`."""
        yield Component(name="contains", factory=Contains, summary="Look for the reference in the answer.")


judge = PluginHost([ContainsPlugin()]).judge("contains")
check_judge(judge)
print(asyncio.run(judge.grade("Capital of France?", "Paris", "It is Paris.")))
