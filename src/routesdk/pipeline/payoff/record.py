"""A comparison as plain data, as Markdown, and as the metrics of a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from routesdk.errors import ConfigError
from routesdk.manifest import MetricRecord
from routesdk.metrics import Interval
from routesdk.pipeline.payoff.figures import ACCURACY, APGR, CALIBRATION, Figures, Payoff
from routesdk.pipeline.payoff.verdict import Verdict
from routesdk.pipeline.payoff.wording import (
    ACCURACY_HEADINGS,
    CONFIDENCE_HEADINGS,
    DIFFERENCE_HEADINGS,
    FIGURE_HEADINGS,
    accuracy_cells,
    confidence_cells,
    difference_rows,
    figure_cells,
    heading,
    remarks,
)
from routesdk.structure import structure, unstructure

SCHEMA_VERSION = 1
"""Version of the form that `to_record` writes."""


def to_record(payoff: Payoff, verdict: Verdict | None = None) -> dict[str, object]:
    """Turn a comparison into plain data for JSON.

    The same rows, candidates and seed give the same record, but for the keys `timing`.

    Args:
        payoff: What was measured.
        verdict: What followed from it, if that is wanted beside it.
    """
    record: dict[str, object] = {"schema_version": SCHEMA_VERSION, **unstructure(payoff)}
    if verdict is not None:
        record["verdict"] = unstructure(verdict)
    return record


def from_record(record: Mapping[str, object]) -> Payoff:
    """Read a comparison from what `to_record` returned; its verdict can be found anew.

    Raises:
        ConfigError: The record has another version, or a key is unknown or missing.
    """
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        problem, fix = f"is not {SCHEMA_VERSION}, which is read here", "Measure again."
        raise ConfigError("schema_version", repr(version), problem, fix)
    data = {key: value for key, value in record.items() if key not in ("schema_version", "verdict")}
    return structure(data, Payoff)


def metric_records(payoff: Payoff, dataset: str) -> tuple[MetricRecord, ...]:
    """Turn a comparison into the metrics of a model card, candidates first.

    Args:
        payoff: What was measured.
        dataset: What the card calls the rows.
    """
    records: list[MetricRecord] = []
    for each in payoff.lines():
        bounded: list[tuple[str, Interval | None]] = [(APGR, each.apgr), (ACCURACY, each.accuracy)]
        plain = [("share of large calls", each.large_share)]
        if isinstance(each, Figures):
            bounded.append((f"{CALIBRATION} of confidence", each.calibration_error))
            plain.append(("95th percentile of a perfect one's", each.perfect_error))
        records += [
            MetricRecord(
                dataset=dataset,
                method=each.name,
                metric=metric,
                value=found.value,
                low=found.low,
                high=found.high,
                rows=found.rows,
            )
            for metric, found in bounded
            if found is not None
        ]
        records += [
            MetricRecord(dataset=dataset, method=each.name, metric=metric, value=value, rows=payoff.rows)
            for metric, value in plain
        ]
    return tuple(records)


def to_markdown(payoff: Payoff, verdict: Verdict) -> str:
    """Render a comparison as Markdown, for a README, a card or a report."""
    decisive, *further = map(_escaped, verdict.sentences)
    parts = [" ".join((f"**{decisive}**", *further)), _escaped(heading(payoff)) + "."]
    parts.append(_table(FIGURE_HEADINGS, map(figure_cells, payoff.lines())))
    if payoff.candidates:
        parts += [
            "Paired differences, on the same resamples of the rows:",
            _table(DIFFERENCE_HEADINGS, difference_rows(payoff), left=2),
            "Confidence (*perfect*: 95th percentile of a perfectly calibrated predictor's ECE):",
            _table(CONFIDENCE_HEADINGS, map(confidence_cells, payoff.ranked())),
            "Accuracy of the answers, and of the likeliest policy whatever the operating point:",
            _table(ACCURACY_HEADINGS, map(accuracy_cells, payoff.ranked())),
        ]
    parts += [f"- {_escaped(line)}" for line in remarks(payoff)]
    return "\n\n".join(parts) + "\n"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    lines = [headings, ["---"] * left + ["---:"] * (len(headings) - left), *rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Keep a text on its line, in its cell and free of markup, whatever a model is called."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
