"""The Markdown of a report fits into a README, whatever names and notes hold."""

from __future__ import annotations

import attrs

from evaluations import interval, make_evaluation
from pages import hostile_evaluation
from routesdk.pipeline.evaluation import Advice, Verdict
from routesdk.report import to_markdown


def test_the_verdict_comes_first_and_the_command_last() -> None:
    lines = to_markdown(make_evaluation()).splitlines()

    assert lines[0].startswith("**Route: the router is surely more accurate")
    assert lines[-1] == "- again with: `routesdk evaluate test.jsonl --checkpoint default`"


def test_every_line_of_the_headline_table_is_there() -> None:
    text = to_markdown(make_evaluation())

    assert (
        "| prompt length | 34.0 % [31.0, 37.0] | +8.0 [+5.0, +11.0] | surely ahead | 31.0 % |"
        " 0.520 [0.480, 0.560] | $0.448 [0.428, 0.468] | 55.2 % [52.2, 58.2] |"
    ) in text
    for line in make_evaluation().lines:
        assert f"| {line.name} | " in text


def test_it_says_what_the_figures_rest_on() -> None:
    text = to_markdown(make_evaluation())

    for part in (
        "2,000 bootstrap resamples, seed 0",
        "1" * 64,
        "abcdef012345",
        "accuracy against large only | -5 to -2 points | -1.0 [-3.5, +1.5] points | reached",
        "Rows that look unlike what it learned from: 8.0 % [5.0, 11.0]",
        "Cost: estimated at 4 characters a token",
        "left out: 1 that lack an outcome of a tier: row-701",
    ):
        assert part in text


def test_without_costs_there_is_no_column_of_them() -> None:
    made = make_evaluation()
    lines = tuple(attrs.evolve(each, cost_usd=None, saved=None) for each in made.lines)
    text = to_markdown(attrs.evolve(made, lines=lines))

    (row,) = (line for line in text.splitlines() if line.startswith("| random |"))
    assert row.endswith("| 31.0 % | 0.500 [0.460, 0.540] |")
    assert "$" not in text.split("- escalates")[0]


def test_a_baseline_that_does_as_well_is_named() -> None:
    made = make_evaluation()
    like = ("random", "prompt length")
    lines = tuple(
        attrs.evolve(each, ahead=interval(0.0)) if each.name in like else each for each in made.lines
    )

    assert "not surely more accurate than random and prompt length" in to_markdown(
        attrs.evolve(made, lines=lines)
    )


def test_commands_in_our_sentences_are_shown_as_code() -> None:
    verdict = Verdict(advice=Advice.ROUTE, sentences=("do it", "try `routesdk calibrate`, not `that_one"))
    text = to_markdown(make_evaluation(verdict=verdict))

    assert text.splitlines()[0] == "**Do it.** Try `routesdk calibrate`, not \\`that\\_one."


def test_hostile_text_stays_text_and_tables_keep_their_columns() -> None:
    text = to_markdown(hostile_evaluation())
    rows = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")]

    # The headline table, and below it the targets, each with a head and a rule.
    assert rows == [9] * 9 + [5] * 5
    # All but the command, which stands in a code span.
    *above, command = text.rstrip("\n").splitlines()
    assert command.startswith("- again with: ``routesdk evaluate") and command.endswith("``")
    for line in above:
        assert "<script" not in line.replace("\\<", "")
        assert "](" not in line.replace("\\](", "")
