"""The short form of a report, for a README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from routesdk.pipeline.evaluation import ROUTER, Evaluation, Line
from routesdk.report.basis import left_out_text
from routesdk.report.curve import operating_facts
from routesdk.report.markup import plain
from routesdk.report.summary import basis_text, behind_baselines, measured_text, standing, target_text
from routesdk.report.text import ABSENT, between, level_text, percent, sentence

_COMMAND = re.compile("`([^`\n]+)`")

# Brackets alone do nothing: it takes a pair and what follows it to make a link or a definition.
_SPECIAL = re.compile(r"([\\`*_<>|&~#]|\](?=[(\[:]))")


def to_markdown(evaluation: Evaluation) -> str:
    """Render the verdict, the headline table and what they rest on as Markdown.

    Args:
        evaluation: What was measured.

    Returns:
        Markdown with tables; the same evaluation gives the same text.
    """
    parts = [
        _verdict(evaluation),
        _what(evaluation),
        _headline(evaluation),
        " ".join(_text(each) for each in behind_baselines(evaluation)),
        _bullets(f"{name}: {value}" for name, value in operating_facts(evaluation)),
        _targets(evaluation),
        _confidence(evaluation),
        _shift(evaluation),
        f"Cost: {_text(basis_text(evaluation))}",
        _provenance(evaluation),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _verdict(evaluation: Evaluation) -> str:
    first, *rest = map(sentence, evaluation.verdict.sentences or (evaluation.verdict.advice.value,))
    return " ".join((f"**{_spoken(first)}**", *map(_spoken, rest)))


def _what(evaluation: Evaluation) -> str:
    tiers = " → ".join(f"{tier.name} {tier.model}" for tier in evaluation.tiers)
    level = level_text(evaluation.router.accuracy)
    return _text(
        f"{evaluation.rows:,} rows that the router did not learn from; {tiers}. In brackets: {level} "
        "intervals; differences are paired."
    )


def _headline(evaluation: Evaluation) -> str:
    large = evaluation.tiers[-1].name
    costs = any(line.cost_usd or line.saved for line in evaluation.lines)
    headings = ["", "accuracy", "router ahead by, points", "so it is", f"calls of {large}", "APGR"]
    headings += ["$ for 1,000 queries", f"saved against {large}"] if costs else []
    sides = ["---", "---:", "---:", "---", "---:", "---:", *(["---:", "---:"] if costs else [])]
    rows = [_cells(line, costs) for line in evaluation.lines]
    return _table(headings, sides, rows)


def _cells(line: Line, costs: bool) -> Sequence[str]:
    ours = line.name == ROUTER
    money = (between(line.cost_usd, "usd"), between(line.saved, "share")) if costs else ()
    return (
        line.name,
        between(line.accuracy, "share"),
        between(line.ahead, "points"),
        ABSENT if ours else standing(line.ahead),
        percent(line.large_share),
        between(line.apgr),
        *money,
    )


def _targets(evaluation: Evaluation) -> str:
    if not evaluation.targets:
        return ""
    rows = [(each.name, target_text(each), measured_text(each), each.outcome) for each in evaluation.targets]
    return _table(["", "target", "measured", "outcome"], ["---", "---:", "---:", "---"], rows)


def _confidence(evaluation: Evaluation) -> str:
    found = evaluation.reliability
    return _text(
        f"Calibration error of the confidence: {between(found.calibration_error)}; 95th percentile of a "
        f"perfectly calibrated router's: {found.perfect_error:.3f}. Brier score: {between(found.brier)}."
    )


def _shift(evaluation: Evaluation) -> str:
    found = evaluation.shift
    share = (
        f"Rows that look unlike what it learned from: {between(found.share, 'share')}. "
        if found.share
        else ""
    )
    return _text(share + sentence(found.note))


def _provenance(evaluation: Evaluation) -> str:
    found = evaluation.provenance
    checkpoint = f"{found.checkpoint} ({found.checkpoint_id})" if found.checkpoint_id else found.checkpoint
    lines = [
        f"router: {checkpoint}; policy model {found.policy_model}, matrix {found.matrix}",
        *(f"file: {each.name}, {each.rows:,} rows, sha256 {each.sha256}" for each in found.data),
        *([f"left out: {left_out_text(evaluation.left_out)}"] if evaluation.left_out else []),
        f"intervals: {evaluation.resamples:,} bootstrap resamples, seed {evaluation.seed}",
        f"routesdk {found.package_version}{f', {found.date}' if found.date else ''}",
    ]
    made = _bullets(lines)
    return f"{made}\n- again with: {_code(found.command)}" if found.command else made


def _table(headings: Sequence[str], sides: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    written = [headings, *rows]
    head, *body = ("| " + " | ".join(map(_text, row)) + " |" for row in written)
    return "\n".join((head, f"|{'|'.join(sides)}|", *body))


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {_text(text)}" for text in texts)


def _text(text: str) -> str:
    """Keep a text on its line, and what it holds from being taken for Markdown or HTML."""
    return _inline(text).strip()


def _spoken(text: str) -> str:
    """Write our own sentences, in which commands stand between backticks."""
    parts = _COMMAND.split(text)
    return "".join(_code(part) if at % 2 else _inline(part) for at, part in enumerate(parts))


def _inline(text: str) -> str:
    """Escape a piece of a line, and keep the spaces around it."""
    return _SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", plain(text)))


def _code(text: str) -> str:
    """Write a command as it is, whatever backticks it holds."""
    line = " ".join(plain(text).split())
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"
