"""Rows of an oracle that a router can learn from: question, policy, reason, and what escalation bought."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import attrs

from routesdk._loop import run_in_background
from routesdk.dataset import example_from_row, read_jsonl
from routesdk.errors import DatasetError, LeakError, TrainingError
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.reasoning import leaked
from routesdk.protocols import Analyst, Matrix
from routesdk.types import Dataset, Example, Grade, Query


@attrs.frozen(kw_only=True)
class Taught:
    """One row that is learned from.

    Attributes:
        id: The row's id in the oracle.
        query: The question.
        policy: The policy that the matrix gives it.
        analysis: Why, from the query alone.
        gains: What each step between neighbouring tiers bought: 1, 0 or -1.
    """

    id: str
    query: Query
    policy: str
    analysis: str
    gains: tuple[float, ...]


@attrs.frozen(kw_only=True)
class Oracle:
    """The rows of an oracle, read.

    Attributes:
        rows: What can be learned from, in the order of the files.
        kept_out: Ids of the other rows, each with the reason.
    """

    rows: tuple[Taught, ...]
    kept_out: tuple[tuple[str, str], ...]


def read_oracle(
    datasets: Sequence[Dataset], matrix: Matrix, analyst: Analyst, *, trainer: str = "prepare"
) -> Oracle:
    """Read the rows that a generative router learns from.

    Policies come from the outcomes by the matrix, not from stored labels: another
    matrix needs no other oracle. A row's reason is its field `analysis`, as
    `routesdk oracle export` writes it; where it has none, the analyst writes one.

    Args:
        datasets: Files of outcomes, each with the models that stand for its tiers.
        matrix: Turns grades into policies.
        analyst: Writes reasons for rows that have none.
        trainer: Whom errors name.

    Raises:
        DatasetError: A row cannot be used, or its stored label names no policy of the matrix.
        LeakError: Stored reasons give a reference or an answer away.
        TrainingError: A file does not say which models stand for its tiers.
    """
    rows: list[Taught] = []
    kept_out: list[tuple[str, str]] = []
    leaks: list[str] = []
    for dataset in datasets:
        if len(dataset.tiers) != len(matrix.tiers):
            problem = (
                f"data set {dataset.name!r} names {len(dataset.tiers)} models for {len(matrix.tiers)} tiers"
            )
            raise TrainingError(trainer, problem, "Name one model a tier, cheapest first.")
        for example, analysis in _examples(dataset, matrix):
            grades, problem = _grades(example, dataset.tiers)
            reason = analysis or run_in_background(analyst.reason(example.query))
            leak = _leak(example, reason)
            if leak and analysis:
                leaks.append(example.id)
            problem = problem or (f"its reason may not be used: {leak}" if leak else "")
            if problem or not reason.strip():
                kept_out.append((example.id, problem or "no reason was written for it"))
                continue
            rows.append(_taught(example, grades, reason, matrix))
    if leaks:
        purpose = "training, for their reasons give a reference or an answer away"
        raise LeakError(purpose, tuple(leaks), fix="Write their `analysis` anew from the query alone.")
    return Oracle(rows=tuple(rows), kept_out=tuple(kept_out))


def require_rows(oracle: Oracle, policies: Sequence[str], trainer: str) -> None:
    """Refuse an oracle from which nothing can be learned.

    Raises:
        TrainingError: There is no row, or all rows have one policy.
    """
    found = {row.policy for row in oracle.rows}
    if len(found) > 1:
        return
    kept = (
        f"; {len(oracle.kept_out)} were kept out, the first because {oracle.kept_out[0][1]}"
        if (oracle.kept_out)
        else ""
    )
    if not found:
        raise TrainingError(
            trainer, f"there is no row to learn from{kept}", "Give rows with graded outcomes."
        )
    problem = f"all {len(oracle.rows)} rows have the policy {next(iter(found))!r}{kept}"
    raise TrainingError(trainer, problem, f"Give rows of more of {', '.join(policies)}.")


def refuse_shared(train: Iterable[Taught | Example], validation: Iterable[Taught | Example]) -> None:
    """Refuse validation rows that are learned from: early stopping would then reward learning by heart.

    Raises:
        LeakError: A question stands in both; the rows are named.
    """
    learned = {query_hash(row.query.text) for row in train}
    shared = tuple(row.id for row in validation if query_hash(row.query.text) in learned)
    if shared:
        raise LeakError("validation, for training rows ask the same", shared)


def _examples(dataset: Dataset, matrix: Matrix) -> Iterator[tuple[Example, str]]:
    known = {policy.name for policy in matrix.policies}
    source = str(dataset.path)
    seen: set[str] = set()
    for line, row in read_jsonl(dataset.path):
        example = example_from_row(row, source=source, line=line)
        if example.id in seen:
            raise DatasetError(source, line, f"the id {example.id!r} stands in an earlier line already")
        seen.add(example.id)
        label = row.get("label")
        policy = label.get("policy") if isinstance(label, dict) else None
        if policy is not None and policy not in known:
            problem = (
                f"its label names {policy!r}, which is no policy of the matrix ({', '.join(sorted(known))})"
            )
            raise DatasetError(source, line, problem)
        analysis = row.get("analysis")
        yield example, analysis.strip() if isinstance(analysis, str) else ""


def _grades(example: Example, models: Sequence[str]) -> tuple[tuple[Grade, ...], str]:
    grades = []
    for model in models:
        outcome = example.outcomes.get(model)
        if outcome is None:
            return (), f"it has no outcome of {model}"
        if outcome.grade is None:
            return (), f"its outcome of {model} is a score, not a grade"
        grades.append(outcome.grade)
    return tuple(grades), ""


def _leak(example: Example, reason: str) -> str:
    answers = [each.answer for each in example.outcomes.values() if each.answer]
    return leaked(reason, example.query, example.reference, answers)


def _taught(example: Example, grades: tuple[Grade, ...], reason: str, matrix: Matrix) -> Taught:
    right = [float(grade is Grade.CORRECT) for grade in grades]
    return Taught(
        id=example.id,
        query=example.query,
        policy=matrix.policy(grades).name,
        analysis=reason.strip(),
        gains=tuple(dearer - cheaper for cheaper, dearer in itertools.pairwise(right)),
    )
