"""Other labels for stored outcomes, by another matrix or judge, without a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import attrs

from routesdk.errors import ConfigError, RouteSDKError, RunStoppedError
from routesdk.host import attempt_async
from routesdk.journal import JournalView, Work, call_key, provider_id
from routesdk.pipeline.oracle.label import cell_name, label
from routesdk.pipeline.oracle.row import SAMPLES
from routesdk.pipeline.oracle.seam import sound, sound_verdict
from routesdk.protocols import Judge, Matrix, PromptedJudge
from routesdk.types import Unscored, Verdict, frozen

UNSCORED = "unscored"
"""What stands in a change for a row without a label."""


@attrs.frozen(kw_only=True)
class Change:
    """Rows that went the same way.

    Attributes:
        cell: The cell before, such as `IC`; a tier without a grade is `?`.
        new_cell: The cell now.
        policy: The policy before, or `unscored`.
        new_policy: The policy now, or `unscored`.
        tier: The tier that the old policy goes to by default; empty for none.
        new_tier: The tier that the new policy goes to by default; empty for none.
        rows: How many.
    """

    cell: str
    new_cell: str
    policy: str
    new_policy: str
    tier: str
    new_tier: str
    rows: int

    @property
    def moved(self) -> bool:
        """Whether the label is another one now."""
        return self.policy != self.new_policy


@attrs.frozen(kw_only=True)
class Relabelling:
    """What another matrix or judge changes.

    Attributes:
        rows: Rows that were looked at.
        changes: Old and new, most rows first; rows that stay as they are, too.
        policies: Policy → rows, by the new labels.
    """

    rows: int
    changes: tuple[Change, ...]
    policies: Mapping[str, int] = attrs.field(converter=frozen)

    @property
    def moved(self) -> int:
        """How many labels are other ones now."""
        return sum(change.rows for change in self.changes if change.moved)

    @property
    def moved_tier(self) -> int:
        """How many rows go to another tier by default now; not those that have no label."""
        return sum(
            change.rows
            for change in self.changes
            if change.tier and change.new_tier and change.tier != change.new_tier
        )

    @property
    def lost(self) -> int:
        """How many rows had a label, and have none now."""
        return sum(change.rows for change in self.changes if change.tier and not change.new_tier)


def relabel(
    works: Iterable[Work],
    old: Matrix,
    new: Matrix,
    *,
    judge: Judge | None = None,
    view: JournalView | None = None,
    sink: Callable[[Work], object] | None = None,
) -> Relabelling:
    """Compare the labels of stored outcomes with those of another matrix, judge or both.

    Args:
        works: Finished rows; streamed.
        old: The matrix until now.
        new: The matrix from now on.
        judge: Grades the stored answers anew; None keeps the grades. One that asks
            a model finds its verdicts in the journal, where an earlier run left
            them, and leaves unscored what is not there.
        view: The journal, for such verdicts.
        sink: Is given each row with its grades as they are now.

    Returns:
        What changes.

    Raises:
        ConfigError: The judge asks a model, and there is no journal with its verdicts.
        RunStoppedError: The judge broke its contract.
        RuntimeError: An event loop is running, in this thread.
    """
    if isinstance(judge, PromptedJudge) and view is None:
        problem = "asks a model, and relabelling makes no call"
        fix = "Give a journal with its verdicts, or a judge such as lexical."
        raise ConfigError("judge", type(judge).__name__, problem, fix)
    return asyncio.run(_relabel(works, old, new, _Regrader(judge, view), sink))


async def _relabel(
    works: Iterable[Work],
    old: Matrix,
    new: Matrix,
    regrader: _Regrader,
    sink: Callable[[Work], object] | None,
) -> Relabelling:
    changes: Counter[tuple[str, str, str, str]] = Counter()
    for work in works:
        now = await regrader.regrade(work)
        changes[_spell(work), _spell(now), _policy(work, old), _policy(now, new)] += 1
        if sink is not None:
            sink(now)
    ordered = sorted(changes.items(), key=lambda item: (-item[1], item[0]))
    policies: Counter[str] = Counter()
    for (_, _, _, policy), rows in ordered:
        policies[policy] += rows
    return Relabelling(
        rows=sum(changes.values()),
        changes=tuple(
            Change(
                cell=cell,
                new_cell=new_cell,
                policy=policy,
                new_policy=new_policy,
                tier=_tier(policy, old),
                new_tier=_tier(new_policy, new),
                rows=rows,
            )
            for (cell, new_cell, policy, new_policy), rows in ordered
        ),
        policies=policies,
    )


class _Regrader:
    """Grades stored answers by another judge, or leaves the grades as they are."""

    def __init__(self, judge: Judge | None, view: JournalView | None) -> None:
        self._judge = judge
        self._view = view

    async def regrade(self, work: Work) -> Work:
        if self._judge is None:
            return work
        outcomes = []
        for outcome, answer in zip(work.outcomes, work.answers, strict=True):
            verdict: Verdict | Unscored
            if answer is None or not answer.text.strip():
                verdict = Unscored(outcome.reason or "there is no answer to grade")
            else:
                verdict = await self._verdict(work, answer.text)
            grade = verdict.grade if isinstance(verdict, Verdict) else None
            outcomes.append(attrs.evolve(outcome, grade=grade, reason=verdict.reason, verdict_key=None))
        return attrs.evolve(work, outcomes=tuple(outcomes))

    async def _verdict(self, work: Work, answer: str) -> Verdict | Unscored:
        example, judge = work.row.example, self._judge
        assert judge is not None
        asked = (example.query.text, example.reference or "", answer)
        if isinstance(judge, PromptedJudge):
            return self._stored(judge, *asked)
        verdict, error = await attempt_async(judge.grade, *asked)
        if isinstance(error, RouteSDKError):
            raise error
        if not isinstance(verdict, (Verdict, Unscored)):
            did = f"raised {type(error).__name__}: {error}" if error else f"returned {type(verdict).__name__}"
            problem = f"judge {type(judge).__name__} {did}"
            raise RunStoppedError(problem, "Repair the judge, and run again.") from error
        return verdict

    def _stored(self, judge: PromptedJudge, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Read the verdict that an earlier run paid for."""
        assert self._view is not None
        request = sound("judge", judge, judge.request, question, reference, answer)
        verdict: Verdict | Unscored = Unscored(
            "this judge has given no verdict on it yet, and relabelling makes no call"
        )
        for sample in range(SAMPLES):
            key = call_key(
                request,
                provider=provider_id(judge.backend),
                prompt_version=judge.prompt_version,
                sample=sample,
            )
            reply = self._view.reply(key)
            if reply is not None and not isinstance(verdict, Verdict):
                verdict = sound_verdict(judge, sound("judge", judge, judge.read, reply, answer))
        return verdict


def _spell(work: Work) -> str:
    return "".join("?" if each.grade is None else cell_name((each.grade,)) for each in work.outcomes)


def _policy(work: Work, matrix: Matrix) -> str:
    found = label(work, matrix)
    return UNSCORED if found is None else found.policy


def _tier(policy: str, matrix: Matrix) -> str:
    return next((each.tier for each in matrix.policies if each.name == policy), "")
