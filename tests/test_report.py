"""The page of a report says what was measured, stands alone, and can be read by anyone."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import attrs
import pytest

from evaluations import interval, make_evaluation
from pages import HOSTILE, by_id, hostile_evaluation, rows_of, tree, words
from routesdk.pipeline.evaluation import Advice, Evaluation, Reliability, Verdict
from routesdk.record import decision_to_dict
from routesdk.report import to_html, write_html
from routesdk.report.markup import plain
from routesdk.testing.fakes import make_decision
from routesdk.types import Stage, Tier, TraceStep

_ELEMENTS = {
    "html", "head", "meta", "link", "title", "style", "body", "a", "header", "nav", "ul", "li", "h1", "h4",
    "h2", "h3", "p", "main", "section", "div", "table", "caption", "thead", "tbody", "tr", "th", "td",
    "span", "strong", "code", "br", "figure", "figcaption", "svg", "desc", "g", "line", "polyline",
    "polygon", "circle", "path", "rect", "text", "details", "summary", "dl", "dt", "dd", "bdi", "article",
    "footer",
}  # fmt: skip


def page_of(**changes: object) -> ElementTree.Element:
    return tree(to_html(make_evaluation(**changes)))


def without_costs() -> Evaluation:
    made = make_evaluation()
    lines = tuple(attrs.evolve(each, cost_usd=None, saved=None) for each in made.lines)
    return attrs.evolve(made, lines=lines)


def test_the_verdict_stands_first() -> None:
    page = page_of()
    first = next(each for each in page.iter("section"))

    assert first.get("id") == "verdict"
    assert words(first).startswith("Verdict: routeRoute: the router is surely more accurate")


@pytest.mark.parametrize("advice", Advice)
def test_every_advice_is_said(advice: Advice) -> None:
    page = page_of(verdict=Verdict(advice=advice, sentences=()))

    assert words(by_id(page, "verdict")).startswith(f"Verdict: {advice.value}")


def test_the_headline_table_has_every_line_with_its_interval_and_what_follows() -> None:
    rows = {row[0]: row for row in rows_of(page_of(), "headline")}

    assert list(rows) == [line.name for line in make_evaluation().lines]
    assert rows["router"][:3] == ("router", "42.0 %[39.0, 45.0]", "–")
    assert rows["prompt length"][1:6] == (
        "34.0 %[31.0, 37.0]",
        "+8.0[+5.0, +11.0]",
        "surely ahead",
        "31.0 %",
        "0.520[0.480, 0.560]",
    )
    assert rows["always large"][3] == "cannot tell"
    assert rows["oracle"][3] == "surely behind"
    assert rows["random"][7:] == ("$0.448[0.428, 0.468]", "55.2 %[52.2, 58.2]")


def test_a_router_that_is_not_surely_better_than_prompt_length_is_said_to_be_none() -> None:
    made = make_evaluation()
    lines = tuple(
        attrs.evolve(each, ahead=interval(0.01)) if each.name == "prompt length" else each
        for each in made.lines
    )

    assert "not surely more accurate than" not in words(page_of())
    assert "not surely more accurate than prompt length" in words(page_of(lines=lines))


def test_a_router_that_is_surely_behind_a_baseline_is_said_to_be() -> None:
    made = make_evaluation()
    behind = {"random": interval(-0.1), "prompt length": interval(0.0)}
    lines = tuple(attrs.evolve(each, ahead=behind.get(each.name, each.ahead)) for each in made.lines)
    shown = words(by_id(page_of(lines=lines), "headline"))

    assert "the router is surely less accurate than random on these rows." in shown
    assert "the router is not surely more accurate than prompt length on these rows" in shown


def test_without_costs_the_table_and_the_curve_have_none() -> None:
    page = tree(to_html(without_costs()))

    assert "$" not in words(by_id(page, "headline"))
    assert "no cost is known" in words(by_id(page, "cost-quality-desc"))
    assert "calls of the large tier" in words(by_id(page, "curve"))


def test_the_operating_point_is_drawn_with_both_its_intervals() -> None:
    plot = next(each for each in page_of().iter("svg") if each.get("aria-labelledby") == "cost-quality-title")
    star = [
        group
        for group in plot.iter("g")
        if group.get("class") == "strong" and len(group.findall("line[@class='whisker']")) == 6
    ]

    assert len(star) == 1


def test_targets_stand_beside_what_was_measured() -> None:
    rows = list(rows_of(page_of(), "targets"))

    assert rows[0][:4] == (
        "accuracy over medium only",
        "+2 to +5 points",
        "+14.0 [+11.0, +17.0] points",
        "reached",
    )
    assert rows[1][1] == "-5 to -2 points"
    assert rows[2][1:4] == ("40 to 60 %", "–", "not measured")


def test_what_a_cost_is_based_on_is_said_once() -> None:
    made = make_evaluation()
    recorded = attrs.evolve(made.cost, basis="recorded", note="tokens of the calls")

    assert "how it is knownestimated at 4 characters" in words(by_id(page_of(), "cost"))
    assert "how it is knownrecorded: tokens of the calls" in words(by_id(page_of(cost=recorded), "cost"))


def test_every_cell_is_listed_with_its_examples() -> None:
    rows = list(rows_of(page_of(), "cells"))

    assert [row[0].split()[0] for row in rows] == ["CC", "CI", "CA", "IC", "II", "IA", "AC", "AI", "AA"]
    assert rows[3][0] == "IC incorrect / correct"
    assert rows[3][1:6] == ("120", "17.1 %", "30.0 %", "50.0 %", "Complex_QueryBecause the cell says so.")
    assert rows[3][6].startswith("A question of IC <with markup> & more?")
    assert "expected gain +0.120" in rows[3][6]


def test_a_mistake_shows_its_trace() -> None:
    made = make_evaluation()
    steps = (
        TraceStep(Stage.DEFAULT, "policy map", "small", "small", "Standard_Query is mapped"),
        TraceStep(Stage.OVERRIDE, "keyword", "huge", "small", "an earlier rule won"),
        TraceStep(Stage.CONSTRAINT, "cost-budget", "small", "tiny", "the budget is spent"),
    )
    decision = make_decision(trace=steps, notices=("the query was cut",))
    mistake = attrs.evolve(made.mistakes[0], record=decision_to_dict(decision))
    page = page_of(mistakes=(mistake,))

    assert list(rows_of(page, "mistake-1-trace")) == [
        ("1", "default: policy map", "small", "small", "Standard_Query is mapped"),
        ("2", "override: keyword", "huge (overruled)", "small", "an earlier rule won"),
        ("3", "constraint: cost-budget", "not small", "tiny", "the budget is spent"),
    ]
    case = words(by_id(page, "mistakes"))
    assert "Missed: a dearer tier was right, and was not called" in case
    assert "the query was cut" in case
    assert "expected +0.250, was +1.000; escalates from 0.3" in case
    assert next(rows_of(page, "mistake-1-answers")) == ("medium-model", "incorrect", "One answer")


def test_a_group_shows_what_it_gained() -> None:
    rows = {row[0]: row for row in rows_of(page_of(), "by-topic")}

    assert rows["Art"][1:7] == (
        "350",
        "45.0 %[40.0, 50.0]",
        "30.0 %[25.0, 35.0]",
        "44.0 %[39.0, 49.0]",
        "+15.0[+11.0, +19.0]",
        "surely ahead",
    )
    assert len(list(rows_of(page_of(), "by-decided-policy"))) == 3


def test_a_group_that_no_dear_call_was_made_for_gained_nothing_for_sure() -> None:
    made = make_evaluation().breakdowns[0]
    groups = (attrs.evolve(made.groups[0], large_share=0.0, gained=interval(0.0)), *made.groups[1:])
    page = page_of(breakdowns=(attrs.evolve(made, groups=groups),))

    assert next(rows_of(page, "by-decided-policy"))[6] == "the same calls"


def test_mistakes_stand_under_their_kinds() -> None:
    headings = [words(each) for each in by_id(page_of(), "mistakes").iter() if each.tag in ("h3", "h4")]

    assert [each.split(":")[0] for each in headings] == [
        "Missed", "1. missed", "2. missed", "Harmed", "3. harmed", "Wasted", "4. wasted",
    ]  # fmt: skip


def test_commands_in_our_sentences_are_shown_as_code() -> None:
    verdict = Verdict(advice=Advice.ROUTE, sentences=("try `routesdk calibrate <x>`", "not `that"))
    shown = by_id(page_of(verdict=verdict), "verdict")

    assert [words(each) for each in shown.iter("code")] == ["routesdk calibrate <x>"]
    assert words(shown).endswith("Try routesdk calibrate <x>.Not `that.")


def test_a_figure_without_a_value_says_why() -> None:
    rows = {row[0]: row for row in rows_of(page_of(), "figures")}

    assert list(rows)[:4] == ["quality", "accuracy", "ranking", "APGR"]
    assert rows["ranking"] == ("ranking",)
    assert rows["cost per query"][1] == "$0.000400 [0.000380, 0.000420]"
    assert rows["CPT(80 %)"] == ("CPT(80 %)", "–", "lower", "The gap is not recovered to 80 %.")


def test_provenance_names_checkpoint_data_seed_and_command() -> None:
    told = words(by_id(page_of(), "provenance"))

    for part in (
        "abcdef012345",
        "1" * 64,
        "0" * 64,
        "2,000 bootstrap resamples, seed 0",
        "row-701",
        "2026-11-26",
    ):
        assert part in told
    assert "routesdk evaluate test.jsonl --checkpoint default" in told
    assert "8.0 % [5.0, 11.0]" in words(by_id(page_of(), "shift"))


def test_confidence_is_held_against_what_chance_would_bring() -> None:
    made = make_evaluation().reliability
    off = Reliability(bins=made.bins, calibration_error=interval(0.2), perfect_error=0.05, brier=made.brier)

    assert "no more than 0.052" in words(by_id(page_of(), "confidence"))
    assert ": more than 0.050" in words(by_id(page_of(reliability=off), "confidence"))


def test_no_text_becomes_markup() -> None:
    page = tree(to_html(hostile_evaluation()))
    shown = " ".join(plain(HOSTILE).split())

    assert {each.tag for each in page.iter()} <= _ELEMENTS
    assert not [key for each in page.iter() for key in each.attrib if key.startswith("on") or key == "src"]
    for key in ("verdict", "cells", "mistakes", "topics", "shift", "provenance", "figures", "targets"):
        assert shown[:60] in words(by_id(page, key)), key
    assert "\u202e" not in to_html(hostile_evaluation())


def test_a_long_query_is_shortened_and_says_by_how_much() -> None:
    made = make_evaluation()
    page = page_of(mistakes=(attrs.evolve(made.mistakes[0], query="why " * 1000),))

    assert "… (3,400 more characters)" in words(by_id(page, "mistakes"))


def test_a_page_stands_alone() -> None:
    page = to_html(hostile_evaluation())
    parsed = tree(page)
    policy = next(each for each in parsed.iter("meta") if each.get("http-equiv"))

    assert "default-src 'none'" in str(policy.get("content"))
    assert [each.get("href") for each in parsed.iter("link")] == ["data:,"]
    assert all(str(each.get("href")).startswith("#") for each in parsed.iter("a"))
    assert not re.search(r"@import|url\(", words(parsed.find("head/style")))


def test_references_within_a_page_lead_somewhere_and_no_id_stands_twice() -> None:
    page = page_of()
    ids = [each.get("id") for each in page.iter() if each.get("id")]

    assert len(ids) == len(set(ids))
    for each in page.iter():
        for key in ("aria-labelledby", "aria-describedby"):
            assert each.get(key) is None or each.get(key) in ids
        if each.tag == "a":
            assert str(each.get("href")).removeprefix("#") in ids


def test_the_contents_list_every_section_but_the_verdict() -> None:
    page = page_of()
    nav = page.find("body/header/nav")
    assert nav is not None
    listed = [str(each.get("href")).removeprefix("#") for each in nav.iter("a")]

    assert listed == [each.get("id") for each in page.iter("section")][1:]


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [int(each.tag[1]) for each in page_of().iter() if re.fullmatch("h[1-6]", each.tag)]

    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_heads_that_say_what_they_head() -> None:
    tables = list(page_of().iter("table"))

    assert len(tables) > 12
    for table in tables:
        assert words(table.find("caption"))
        assert {each.get("scope") for each in table.iterfind("thead/tr/th")} == {"col"}
        for body in table.iterfind("tbody"):
            scopes = [[each.get("scope") for each in row.iterfind("th")] for row in body.iterfind("tr")]
            assert set(map(tuple, scopes[1:])) <= {("row",)}
            assert scopes[:1] in ([["row"]], [["rowgroup"]], [])


def test_plots_are_told_in_words() -> None:
    plots = [each for each in page_of().iter("svg") if each.get("class") == "plot"]

    assert len(plots) == 3
    for plot in plots:
        assert plot.get("role") == "img"
        assert words(plot.find("title"))
        assert len(words(plot.find("desc"))) > 60
    assert "The router stands at 42.0 %, between 39.0 % and 45.0 %" in words(plots[0].find("desc"))


def test_an_evaluation_with_hardly_anything_in_it_is_rendered() -> None:
    made = make_evaluation()
    bare = attrs.evolve(
        without_costs(),
        curves=(),
        reliability=attrs.evolve(made.reliability, bins=()),
        risk_coverage=attrs.evolve(made.risk_coverage, points=()),
        breakdowns=(),
        policy_shares=(),
        model_shares=(),
        cells=(),
        mistakes=(),
        perturbations=(),
        reasonings=None,
        latency=None,
        shift=attrs.evolve(made.shift, share=None, expected=None, threshold=None, examples=(), note=""),
        targets=(),
        notes=(),
        left_out=(),
        metrics=(),
    )
    page = tree(to_html(bare))

    for key, told in {
        "topics": "The rows have no topics.",
        "cells": "Scores were recorded instead of grades",
        "mistakes": "No decision lost quality",
        "shift": "The checkpoint cannot tell.",
        "robustness": "Other wordings of the queries were not tried.",
    }.items():
        assert told in words(by_id(page, key))
    assert not [each for each in page.iter() if each.get("id") == "targets"]


def test_one_row_whose_intervals_have_no_width_is_drawn() -> None:
    made = make_evaluation()
    lines = tuple(attrs.evolve(each, accuracy=interval(1.0, 0.0)) for each in made.lines)
    points = tuple(attrs.evolve(each, accuracy=1.0, low=1.0, high=1.0) for each in made.curves[0].points)
    page = page_of(rows=1, lines=lines, curves=(attrs.evolve(made.curves[0], points=points),))

    assert "nan" not in "".join(ElementTree.tostring(each, "unicode") for each in page.iter("svg"))


def test_three_tiers_are_rendered() -> None:
    made = make_evaluation()
    tiers = (made.tiers[0], Tier("middle", "middle-model"), made.tiers[1])
    middle = attrs.evolve(made.line("always medium"), name="always middle", accuracy=interval(0.35))
    page = page_of(tiers=tiers, lines=(*made.lines, middle))

    assert "always middle" in {row[0] for row in rows_of(page, "headline")}
    assert "middle-model" in words(by_id(page, "provenance"))


def test_a_page_is_written_whole_and_is_the_same_each_time(tmp_path: Path) -> None:
    file = tmp_path / "results" / "report.html"

    assert write_html(make_evaluation(), file) == file
    first = file.read_bytes()
    write_html(make_evaluation(), file)

    assert file.read_bytes() == first == to_html(make_evaluation()).encode()
    assert [each.name for each in file.parent.iterdir()] == ["report.html"]


def test_a_page_that_cannot_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()

    with pytest.raises(OSError):
        write_html(make_evaluation(), tmp_path / "report.html")

    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
