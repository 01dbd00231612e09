"""Outcomes of the test part: those that the benchmark brings, and answers and verdicts for the other rows."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import attrs

from routesdk.config import Config
from routesdk.dataset import example_from_row, read_examples, write_examples
from routesdk.errors import ConfigError
from routesdk.journal import JournalView
from routesdk.pipeline.oracle.export import oracle_row, stored_matrix
from routesdk.pipeline.project.deed import Work
from routesdk.pipeline.project.layout import Layout
from routesdk.types import EXACT, Example, PartConfig, from_nano


@attrs.frozen(kw_only=True)
class Answered:
    """The test part, as it can be judged on.

    Attributes:
        rows: Rows with an outcome of every tier, in the file's order.
        left_out: Rows without one.
        brought: Rows whose outcomes the benchmark itself brings: no judge of ours graded them.
    """

    rows: tuple[Example, ...]
    left_out: int
    brought: int


def answered_test(work: Work) -> Answered:
    """Return the test rows with outcomes; rows that lack some are answered and graded first.

    Started again, it goes on: the calls have a journal of their own.

    Raises:
        RunStoppedError: It cannot go on; what is settled is kept.
        ConfigError: No row has an outcome of every tier.
        RouteSDKError: A part cannot be built, or a price is not known.
    """
    project, layout = work.project, work.project.layout
    models = [tier.model for tier in project.config.oracle.tiers]
    rows = list(read_examples(layout.test))
    lacking = unanswered(rows, models)
    found: dict[str, Example] = {}
    if lacking:
        file = work.folder / "unanswered.jsonl"
        write_examples(file, lacking)
        work.call(answer_config(project.config, layout, file))
        with JournalView.open(layout.test_journal) as view:
            matrix = stored_matrix(view, project.host)
            for each in view.work():
                example = example_from_row(oracle_row(each, matrix))
                found[example.id] = example
    whole = [found.get(row.id, row) for row in rows]
    kept = tuple(row for row in whole if _answered(row, models))
    if not kept:
        fix = f"Look at the reasons with `routesdk oracle show {layout.test_journal.as_posix()}`."
        raise ConfigError("test rows", layout.test.as_posix(), "none has a grade of every tier", fix)
    return Answered(rows=kept, left_out=len(rows) - len(kept), brought=len(rows) - len(lacking))


def unanswered(rows: Sequence[Example], models: Sequence[str]) -> list[Example]:
    """Return the rows that lack an outcome of one of these models."""
    return [row for row in rows if not _answered(row, models)]


def _answered(row: Example, models: Sequence[str]) -> bool:
    return all(model in row.outcomes for model in models)


def answer_config(config: Config, layout: Layout, file: Path) -> Config:
    """Return a config whose oracle asks these test rows, and none that is learned from.

    Both journals together stay within the budget. The analyst costs nothing: reasons
    are for training.
    """
    oracle = config.oracle
    return attrs.evolve(
        config,
        oracle=attrs.evolve(
            oracle,
            benchmark=PartConfig("jsonl", {"path": str(file)}),
            held_out=layout.train,
            analyst=PartConfig("heuristic"),
            journal=layout.test_journal,
            limit=config.project.test_limit,
            max_usd=None if oracle.max_usd is None else _left(oracle.max_usd, oracle.journal),
        ),
    )


def _left(max_usd: Decimal, journal: Path) -> Decimal:
    """Return what the oracle has left of the budget."""
    if not journal.is_file():
        return max_usd
    with JournalView.open(journal) as view:
        spent = from_nano(view.ledger().total_nano)
    return max(Decimal(0), EXACT.subtract(max_usd, spent))
