"""Audits judges: how far they agree with verdicts that people gave, and what moves them that must not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence

import attrs

from routesdk.errors import ConfigError, JudgeError, MetricError, RouteSDKError
from routesdk.host import attempt
from routesdk.metrics import Confusion, Interval, agreement_interval, confusion, kappa_interval
from routesdk.pipeline.grading import Grading
from routesdk.pipeline.probe import Probe, compare_probe, named, shuffled
from routesdk.pipeline.yardstick import AuditData
from routesdk.protocols import Judge, PromptedJudge
from routesdk.types import Grade, Unscored, Verdict

PROBED_ROWS = 200
"""Rows that a judge that asks a model is probed on, each by two more calls."""

_COMMON_REASON = 0.005
_MOST_REASONS = 40


@attrs.frozen(kw_only=True)
class Comparison:
    """A judge's verdicts against those on record.

    Attributes:
        system: Whose answers these are; empty for all of them.
        rows: Answers that the judge graded.
        unscored: Answers that it left unscored; they are in none of the figures below.
        agreement: Share of the same verdicts; None where nothing was graded.
        kappa: Cohen's kappa; None where it is not defined.
        undefined: Why a figure is None.
        confusion: Rows: the verdicts on record; columns: the judge's.
    """

    system: str
    rows: int
    unscored: int
    agreement: Interval | None = None
    kappa: Interval | None = None
    undefined: str = ""
    confusion: Confusion | None = None


@attrs.frozen(kw_only=True)
class ReasonCount:
    """How often a judge gave a reason, and how often it then disagreed with the record."""

    reason: str
    rows: int
    disagreed: int


@attrs.frozen(kw_only=True)
class JudgeAudit:
    """What an audit found out about one judge.

    Attributes:
        judge: Its name.
        overall: All answers.
        systems: The answers of each system.
        unscored_reasons: Why answers were left unscored, and how many.
        reasons: The reasons that it gives again and again; empty where each is its own.
        probes: What was tried to move its verdicts.
        ended: What ended the audit before everything was graded; empty where nothing did.
    """

    judge: str
    overall: Comparison
    systems: tuple[Comparison, ...]
    unscored_reasons: Mapping[str, int]
    reasons: tuple[ReasonCount, ...]
    probes: tuple[Probe, ...]
    ended: str = ""


@attrs.frozen(kw_only=True)
class AuditSettings:
    """How to audit.

    Attributes:
        concurrency: Answers that a judge that asks a model grades at once.
        probe_rows: Rows to probe; None for all, or for 200 where the judge asks a model; 0 for none.
        resamples: Bootstrap resamples behind every interval.
        seed: Seed of the bootstrap and of the shuffled order.
    """

    concurrency: int = attrs.field(default=8, validator=attrs.validators.ge(1))
    probe_rows: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.ge(0))
    )
    resamples: int = attrs.field(default=2000, validator=attrs.validators.ge(1))
    seed: int = attrs.field(default=0, validator=attrs.validators.ge(0))


def count_calls(judge: Judge, data: AuditData, settings: AuditSettings) -> int:
    """Return how many verdicts an audit of a judge asks for.

    A judge that asks a model makes a call for each, one more where a reply cannot be
    read, and up to two more for each call that fails in a way that may pass.
    """
    return len(data.rows) + 2 * _probed(judge, data, settings)


def audit_judge(
    name: str,
    judge: Judge,
    data: AuditData,
    settings: AuditSettings = AuditSettings(),
    *,
    progress: Callable[[], object] | None = None,
) -> JudgeAudit:
    """Audit one judge.

    An audit that a refused key or an outage ends early reports what was graded until
    then, and says in `ended` what ended it.

    Args:
        name: Its name, for the report.
        judge: The judge.
        data: Answers with the verdicts on record.
        settings: How.
        progress: Called after each verdict.

    Raises:
        BackendError: A model could not be asked, and nothing at all was graded.
        JudgeError: The judge broke its contract.
        ConfigError: An event loop is running in this thread.
    """
    _not_in_a_loop()
    grading = Grading(name=name, judge=judge, concurrency=settings.concurrency, progress=progress)
    said, probes = _isolated(grading, data, settings)
    if grading.ended is not None and not any(isinstance(each, Verdict) for each in said):
        raise grading.ended
    rows_of: dict[str, list[int]] = {}
    for at, row in enumerate(data.rows):
        rows_of.setdefault(row.system, []).append(at)
    return JudgeAudit(
        judge=name,
        overall=_compare("", range(len(said)), data, said, settings),
        systems=tuple(_compare(system, rows, data, said, settings) for system, rows in rows_of.items()),
        unscored_reasons=_unscored(said),
        reasons=_reasons(data, said),
        probes=probes,
        ended="" if grading.ended is None else str(grading.ended),
    )


def _not_in_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    problem = "an event loop is running in this thread"
    raise ConfigError("audit_judge", "called", problem, "Call asyncio.to_thread(audit_judge, ...).")


_Passes = tuple[list[Verdict | Unscored], tuple[Probe, ...]]


def _isolated(grading: Grading, data: AuditData, settings: AuditSettings) -> _Passes:
    # One loop for all passes: a client that a backend keeps open lives in the loop that opened it.
    found, error = attempt(_run_in_loop, _passes(grading, data, settings))
    if isinstance(error, RouteSDKError):
        raise error
    if error is not None or found is None:
        raise JudgeError(grading.name, f"it raised {type(error).__name__}: {error}") from error
    return found


def _run_in_loop(passes: Coroutine[None, None, _Passes]) -> _Passes:
    return asyncio.run(passes)


async def _passes(grading: Grading, data: AuditData, settings: AuditSettings) -> _Passes:
    """Grade everything; then some rows in another order, and with a model's name in each answer."""
    said = await grading.all([row.item for row in data.rows])
    order = shuffled(len(data.rows), settings.seed)[: _probed(grading.judge, data, settings)]
    again = [(data.rows[at].item, "graded again, in another order") for at in order]
    renamed = [named(data.rows[at].item, number) for number, at in enumerate(order)]
    probes = []
    for probe, variants in (("order", again), ("name", renamed)) if order else ():
        if grading.ended is not None:
            break
        after = await grading.all([item for item, _ in variants])
        found = compare_probe(
            probe,
            [said[at] for at in order],
            after,
            [change for _, change in variants],
            numbers=order,
            rows=[data.rows[at] for at in order],
            resamples=settings.resamples,
            seed=settings.seed,
        )
        probes.append(found)
    return said, tuple(probes)


def _compare(
    system: str,
    rows: Sequence[int],
    data: AuditData,
    said: Sequence[Verdict | Unscored],
    settings: AuditSettings,
) -> Comparison:
    graded = [(at, verdict) for at in rows if isinstance(verdict := said[at], Verdict)]
    unscored = len(rows) - len(graded)
    if not graded:
        return Comparison(system=system, rows=0, unscored=unscored, undefined="the judge graded nothing")
    human = [_label(data.rows[at].human, data) for at, _ in graded]
    judge = [_label(verdict.grade, data) for _, verdict in graded]
    groups = [data.rows[at].question_id for at, _ in graded]
    kappa, undefined = None, ""
    try:
        kappa = kappa_interval(human, judge, groups, resamples=settings.resamples, seed=settings.seed)
    except MetricError as error:
        undefined = str(error)
    categories = [grade.value for grade in Grade if data.three_way or grade is not Grade.ABSTAINED]
    return Comparison(
        system=system,
        rows=len(graded),
        unscored=unscored,
        agreement=agreement_interval(human, judge, groups, resamples=settings.resamples, seed=settings.seed),
        kappa=kappa,
        undefined=undefined,
        confusion=confusion(human, judge, categories),
    )


def _label(grade: Grade, data: AuditData) -> str:
    """Return a grade as it is compared: as not correct where the record tells no abstentions from errors."""
    return grade.value if data.three_way or grade is Grade.CORRECT else Grade.INCORRECT.value


def _unscored(said: Sequence[Verdict | Unscored]) -> Mapping[str, int]:
    given = Counter(each.reason for each in said if isinstance(each, Unscored))
    return dict(given.most_common(_MOST_REASONS))


def _reasons(data: AuditData, said: Sequence[Verdict | Unscored]) -> tuple[ReasonCount, ...]:
    given: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row, verdict in zip(data.rows, said, strict=True):
        if isinstance(verdict, Verdict):
            given[verdict.reason] += 1
            wrong[verdict.reason] += _label(verdict.grade, data) != _label(row.human, data)
    common = [(reason, count) for reason, count in given.most_common(_MOST_REASONS) if count > 1]
    if sum(count for _, count in common) < len(said) / 2:
        return ()
    return tuple(ReasonCount(reason=reason, rows=count, disagreed=wrong[reason]) for reason, count in common)


def _probed(judge: Judge, data: AuditData, settings: AuditSettings) -> int:
    wanted = settings.probe_rows
    if wanted is None:
        wanted = PROBED_ROWS if isinstance(judge, PromptedJudge) else len(data.rows)
    return min(wanted, len(data.rows))
