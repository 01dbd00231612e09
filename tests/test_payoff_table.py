"""Comparisons as tables: on a terminal of 80 columns, in a pipe, as Markdown, and on a model card."""

from __future__ import annotations

import io
import re

import attrs
import pytest
from rich.console import Console

from payoffs import FAST, SLOW, candidate, example, measured, noisy, simulated
from routesdk.cli.payoff_table import print_payoff
from routesdk.manifest import Evidence
from routesdk.pipeline.payoff import Payoff, metric_records, to_markdown, verdict
from routesdk.pipeline.payoff.wording import interval_text, size_text, time_text
from routesdk.testing import MODELS

LONG = "a base model with a very long name SFT + DPO"


@pytest.fixture(scope="module")
def payoff() -> Payoff:
    rows = simulated(120)
    half = example("half", "C", models=MODELS[:1])
    candidates = [candidate("linear", noisy(rows, 0.4)), candidate(LONG, noisy(rows, 0.5, seed=2))]
    found = measured(candidates, [*rows, half], linear=FAST, **{LONG.replace(" ", "_"): SLOW})
    sized = (
        attrs.evolve(each, bytes=size) for each, size in zip(found.candidates, (2_000_000, 987), strict=True)
    )
    return attrs.evolve(found, candidates=tuple(sized))


def printed(payoff: Payoff, *, terminal: bool, width: int = 80) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, no_color=True, highlight=False)
    print_payoff(payoff, verdict(payoff), out=console)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def test_eighty_columns_hold_every_figure_whole(payoff: Payoff) -> None:
    text = printed(payoff, terminal=True)

    tables = text[text.index("\n") :]
    assert max(map(len, tables.splitlines())) <= 80
    for each in payoff.candidates:
        for shown in (
            interval_text(each.apgr),
            interval_text(each.accuracy),
            interval_text(each.calibration_error),
            interval_text(each.policy_accuracy),
            interval_text(each.balanced_accuracy),
            interval_text(payoff.difference(each.name, "prompt length"), signed=True),
            interval_text(payoff.difference(each.name, "prompt length", "accuracy"), signed=True),
        ):
            assert shown in text
    between = payoff.difference("linear", LONG, "calibration error")
    assert between is not None
    assert interval_text(between, signed=True) in text
    assert interval_text(between, signed=True) in to_markdown(payoff, verdict(payoff))
    assert "300 ms" in text
    assert "2.0 MB" in text
    assert "always medium" in text.replace("\n", " ")


def test_the_names_of_an_eighty_column_table_are_not_cut(payoff: Payoff) -> None:
    text = printed(payoff, terminal=True)
    columns = ["".join(line[:width].strip() for line in text.splitlines()) for width in (14, 15, 16)]

    assert any(LONG.replace(" ", "") in column.replace(" ", "") for column in columns)


def test_a_pipe_gets_longer_lines_and_no_escapes(payoff: Payoff) -> None:
    text = printed(payoff, terminal=False)

    assert "\x1b" not in text
    assert any(line.startswith(LONG) for line in text.splitlines())
    last = text.rstrip().splitlines()[-1]
    assert last == verdict(payoff).text
    assert "1 row lacks an outcome of a tier, and was left out: half" in text


def test_brackets_in_names_are_no_markup() -> None:
    rows = simulated(40)

    text = printed(measured([candidate("[red]SFT[/]", noisy(rows, 0.5))], rows), terminal=False)

    assert "[red]SFT[/]" in text


def test_a_comparison_without_apgr_is_printed_with_its_reason() -> None:
    found = measured([candidate("SFT", lambda text: 0.1)], [example(str(at), "CC") for at in range(5)])

    for text in (printed(found, terminal=True), to_markdown(found, verdict(found))):
        assert "APGR is not defined on these rows" in " ".join(text.split())


def test_a_comparison_in_which_all_failed_is_printed() -> None:
    def refuse(text: str) -> float:
        raise ValueError("out of memory")

    found = measured([candidate("SFT", refuse)], simulated(5))

    for text in (printed(found, terminal=True), to_markdown(found, verdict(found))):
        assert "out of memory" in " ".join(text.split())


def test_markdown_has_a_row_for_each_and_the_verdict_first(payoff: Payoff) -> None:
    text = to_markdown(payoff, verdict(payoff))

    assert text.startswith(f"**{verdict(payoff).sentences[0]}**")
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
    assert [line.split("|")[1].strip() for line in tables[0][2:]] == [each.name for each in payoff.lines()]


def test_a_bar_in_a_name_stays_in_its_cell() -> None:
    rows = simulated(40)
    found = measured([candidate("a|b", noisy(rows, 0.5))], rows)

    assert "| a\\|b |" in to_markdown(found, verdict(found))


def test_metric_records_fit_a_model_card(payoff: Payoff) -> None:
    records = metric_records(payoff, "validation")

    assert {each.method for each in records} == {each.name for each in payoff.lines()}
    apgr = {each.method: each for each in records if each.metric == "APGR"}
    linear = payoff.figures("linear").apgr
    assert linear is not None
    assert (apgr["linear"].value, apgr["linear"].low, apgr["linear"].high) == (
        linear.value,
        linear.low,
        linear.high,
    )
    assert {each.rows for each in records} == {payoff.rows}
    assert "always medium" not in apgr
    assert Evidence(metrics=records).metrics == records


@pytest.mark.parametrize(
    ("median_ms", "shown"),
    [
        (None, "-"),
        (0.0571, "57 us"),
        (0.0051, "5.1 us"),
        (5.25, "5.2 ms"),
        (312.4, "312 ms"),
        (1834.0, "1.8 s"),
    ],
)
def test_times_have_a_unit_that_suits_them(median_ms: float | None, shown: str) -> None:
    assert time_text(median_ms) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1_500, "1.5 kB"),
        (99_600_000, "100 MB"),
        (3_200_000_000, "3.2 GB"),
    ],
)
def test_sizes_have_a_unit_that_suits_them(size: int | None, shown: str) -> None:
    assert size_text(size) == shown
