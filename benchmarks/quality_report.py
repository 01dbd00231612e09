"""The tables of the quality benchmark, and which of its criteria are reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from routesdk.metrics import Interval, summarise

Floats = npt.NDArray[np.float64]
BOUND, GENERIC = "ours, bound", "ours, generic"


@attrs.frozen(kw_only=True, eq=False)
class Cell:
    """APGR of one method on the test rows of one pair and split.

    Attributes:
        value: On the rows as they are.
        values: On each resample of them, (resamples,).
        rows: Number of rows.
    """

    value: float
    values: Floats
    rows: int


@attrs.frozen(kw_only=True)
class Table:
    """A table for people."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def markdown(self) -> str:
        """Render it as Markdown."""
        lines = [f"### {self.title}", "", "| " + " | ".join(self.head) + " |"]
        lines.append("|---" + "|---:" * (len(self.head) - 1) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([*lines, "", self.note] if self.note else lines)


@attrs.frozen(kw_only=True, eq=False)
class Report:
    """All that was measured.

    Attributes:
        cells: (pair, method) → one cell a split.
        times_us: Method → median time of one decision, in microseconds.
        calibration: (pair, ours) → for each split: calibration error, 95th percentile
            of a perfect predictor's, share of large calls.
        seeds: Splits.
        resamples: Bootstrap resamples.
        pairs: Names of the pairs.
    """

    cells: Mapping[tuple[str, str], Sequence[Cell]]
    times_us: Mapping[str, float]
    calibration: Mapping[tuple[str, str], Sequence[tuple[float, float, float]]]
    seeds: int
    resamples: int
    pairs: tuple[str, ...]

    def methods(self) -> tuple[str, ...]:
        """Name the methods, best on average first."""
        return tuple(
            sorted({name for _, name in self.cells}, key=lambda name: -self.over(name, self.pairs).value)
        )

    def over(self, method: str, pairs: Sequence[str], against: str | None = None) -> Interval:
        """Average a method over pairs and splits; `against` gives the paired difference."""
        value, values, rows = 0.0, np.zeros(self.resamples), 0
        count = len(pairs) * self.seeds
        for pair in pairs:
            others = self.cells[pair, against] if against else [None] * self.seeds
            for cell, other in zip(self.cells[pair, method], others, strict=True):
                value += (cell.value - (other.value if other else 0.0)) / count
                values += (cell.values - (other.values if other else 0.0)) / count
                rows += cell.rows
        return summarise("APGR", value, values, rows=rows, seed=0)


def render(report: Report) -> list[Table]:
    """Lay out quality, differences and calibration."""
    return [_quality(report), _differences(report), render_calibration(report)]


def _quality(report: Report) -> Table:
    rows = []
    for method in report.methods():
        mean = report.over(method, report.pairs)
        each = [f"{report.over(method, [pair]).value:.3f}" for pair in report.pairs]
        took = report.times_us.get(method)
        rows.append((method, *each, _bounded(mean), "" if took is None else f"{took:,.0f} µs"))
    note = (
        f"APGR on test rows, mean of {report.seeds} splits: 0 is always medium, 1 always large, 0.5 random. "
        "Time is the median of one decision, one thread, queries of these sets."
    )
    head = ("method", *report.pairs, "mean [95 %]", "a decision")
    return Table(title="Quality", head=head, rows=tuple(rows), note=note)


def _differences(report: Report) -> Table:
    rows = []
    for ours, method in _comparisons(report):
        for pairs, where in [*(((pair,), pair) for pair in report.pairs), (report.pairs, "mean")]:
            found = report.over(ours, pairs, method)
            verdict = "yes" if found.low > 0 else "no" if found.high < 0 else "not sure"
            rows.append(
                (
                    f"{ours} − {method}",
                    where,
                    f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]",
                    verdict,
                )
            )
    note = (
        f"Paired bootstrap over test rows, {report.resamples:,} resamples; splits count as independent. "
        "Better: the whole interval lies above 0."
    )
    return Table(
        title="Differences", head=("", "pair", "difference [95 %]", "better"), rows=tuple(rows), note=note
    )


def _comparisons(report: Report) -> list[tuple[str, str]]:
    others = [name for name in report.methods() if name not in (BOUND, GENERIC)]
    simple = [name for name in others if name in ("random", "prompt length")]
    return [*((BOUND, name) for name in others), *((GENERIC, name) for name in simple)]


def render_calibration(report: Report) -> Table:
    """Lay out how far confidences are off, beside what a perfect predictor shows."""
    rows = []
    for (pair, method), found in report.calibration.items():
        error, perfect, share = (float(np.mean(column)) for column in zip(*found, strict=True))
        within = sum(each <= limit for each, limit, _ in found)
        rows.append(
            (
                f"{pair}, {method}",
                f"{error:.3f}",
                f"{perfect:.3f}",
                f"{within} of {len(found)}",
                f"{share:.2f}",
            )
        )
    note = (
        "Expected calibration error of `confidence`, 15 equal-mass bins, beside the 95th percentile of "
        "what a perfectly calibrated predictor shows on as many rows. Scores that are no grades count as "
        "chances of CORRECT."
    )
    head = ("pair", "error", "perfect, 95th percentile", "splits within", "large calls")
    return Table(title="Calibration", head=head, rows=tuple(rows), note=note)


def criteria(report: Report) -> list[tuple[str, bool]]:
    """Say which of the benchmark's criteria are reached; better means a mean difference above 0."""
    names = report.methods()
    found = [
        (f"bound beats prompt length on {pair}", report.over(BOUND, [pair], "prompt length").value > 0)
        for pair in report.pairs
    ]
    found += [
        (f"bound is better on average than {name}", report.over(BOUND, report.pairs, name).value > 0)
        for name in names
        if name.startswith(("TF-IDF", "MiniLM"))
    ]
    found += [
        (f"generic is better on average than {name}", report.over(GENERIC, report.pairs, name).value > 0)
        for name in ("random", "prompt length")
    ]
    for (pair, method), each in report.calibration.items():
        error, perfect, _ = (float(np.mean(column)) for column in zip(*each, strict=True))
        found.append((f"{method} is calibrated on {pair}", error <= perfect))
    return found


def _bounded(found: Interval) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"
