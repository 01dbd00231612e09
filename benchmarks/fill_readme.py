"""Fill the results blocks of README.md and docs/explanation/results.md from what the benchmarks wrote.

    python benchmarks/pairs.py
    python benchmarks/fill_readme.py pairs
    python benchmarks/speed.py --json build/speed.json
    python benchmarks/quality.py --markdown build/quality.md
    python benchmarks/fill_readme.py speed build/speed.json
    python benchmarks/fill_readme.py methods build/quality.md

`make results` does all of it. The figures of the pairs are kept in benchmarks/figures/pairs.json, and the
tests hold README.md against them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "explanation" / "results.md"
PAIRS = ROOT / "benchmarks" / "figures" / "pairs.json"

Pairs = Mapping[str, Mapping[str, Any]]


def pairs_table(pairs: Pairs) -> str:
    """Render the figures of `pairs.py`: how routers rank, and what `default` obtains where it stands."""
    names = list(pairs)
    head = f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}"
    routers = list(dict.fromkeys(router for each in pairs.values() for router in each["routers"]))
    ranking = [_row(f"`{router}`", [_ranked(each, router) for each in pairs.values()]) for router in routers]
    ranking += [
        _row(name, [_value(each["baselines"][name]["apgr"]) for each in pairs.values()])
        for name in ("prompt length", "random")
    ]
    rows = ", ".join(f"{each['rows']:,}" for each in pairs.values())
    return "\n".join(
        [
            "### Quality",
            "",
            "**Ranking**: APGR with its 95 % interval, on the test part of each pair. Always medium is 0, "
            "always large is 1, a random ranking 0.5.",
            "",
            head,
            *ranking,
            "",
            f"Test rows: {rows}. {_no_better(pairs, routers)} {_how(pairs)}",
            "",
            "**Decisions** of `default` at its own operating point: share of right answers, beside every "
            "baseline.",
            "",
            head,
            *_decisions(pairs),
        ]
    )


def _decisions(pairs: Pairs) -> list[str]:
    ours = [each["routers"]["default"] for each in pairs.values()]
    lines = [
        _row("`default`", [_percent(each["accuracy"]) for each in ours]),
        _row("calls to the large model", [f"{each['large_share']:.0%}" for each in ours]),
        _row("saved against large only, estimated", [f"{each['saved'][0]:.0%}" for each in ours]),
    ]
    lines += [
        _row(f"{name}, the same share", [_percent(each["same_share"][name]) for each in ours])
        for name in ("random", "prompt length")
    ]
    fixed = ("always medium", "always large", "best single model", "oracle")
    return lines + [
        _row(name, [_percent(each["baselines"][name]["accuracy"]) for each in pairs.values()])
        for name in fixed
    ]


def _ranked(pair: Mapping[str, Any], router: str) -> str:
    found = pair["routers"].get(router)
    if found is None:
        return "not measured"
    value, low, high = found["apgr"]
    star = " \\*" if found["over_length"][1] <= 0 else ""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]{star}"


def _no_better(pairs: Pairs, routers: Sequence[str]) -> str:
    """Say where a router is no better than prompt length, as far as the rows can tell."""
    found = [
        f"`{router}` on {' and '.join(names)}"
        for router in routers
        if (
            names := [
                name
                for name, each in pairs.items()
                if router in each["routers"] and each["routers"][router]["over_length"][1] <= 0
            ]
        )
    ]
    if not found:
        return "Every router is surely better than prompt length on every pair."
    return f"\\* Not surely better than prompt length on these rows: {'; '.join(found)}."


def _how(pairs: Pairs) -> str:
    tuned = {
        each["routers"]["generative"]["how"].partition(",")[0]
        for each in pairs.values()
        if "generative" in each["routers"]
    }
    said = (
        "`default` learned from the train parts of all pairs, `encoder` (all-MiniLM-L6-v2, frozen) from the "
        "pair's own."
    )
    if tuned:
        base = " or ".join(sorted(tuned))
        said += f" `generative` is {base} with an adapter, tuned on some 2,450 rows of the pair's own."
    return said


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | {' | '.join(cells)} |"


def _value(found: Sequence[float] | None) -> str:
    return "" if found is None else f"{found[0]:.3f}"


def _percent(found: Sequence[float]) -> str:
    return f"{found[0]:.1%}"


def speed_table(measured: dict[str, object]) -> str:
    """Render the figures of `speed.py` as a table, with the machine below it."""
    figures, machine = measured["figures"], measured["machine"]
    assert isinstance(figures, list) and isinstance(machine, dict)
    lines = ["### Speed and size", "", "| what | must reach | measured | |", "|---|---|---:|---|"]
    for row in figures:
        sign = ">" if row["at_least"] else "<"
        target = "" if row["target"] is None else f"{sign} {row['target']:,g} {row['unit']}"
        lines.append(
            f"| {row['what']} | {target} | {_rounded(row['value'])} {row['unit']} | {row['verdict']} |"
        )
    described = ", ".join(f"{key}: {value}" for key, value in machine.items())
    return "\n".join(lines) + f"\n\nMedians on this machine: {described}."


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def fill(page: str, block: str, name: str) -> str:
    """Return a page with the text between the two marks of a block replaced.

    Raises:
        ValueError: A mark is missing.
    """
    begin_mark, end_mark = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    head, begin, rest = page.partition(begin_mark)
    _, end, tail = rest.partition(end_mark)
    if not begin or not end:
        raise ValueError(f"the page lacks {begin_mark} or {end_mark}")
    return f"{head}{begin_mark}\n{block.strip()}\n{end_mark}{tail}"


def main() -> None:
    """Read what a benchmark wrote, and write it into the pages that show it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("block", choices=("pairs", "speed", "methods"), help="which block")
    parser.add_argument("file", type=Path, nargs="?", default=PAIRS, help="what the benchmark wrote")
    options = parser.parse_args()
    text = options.file.read_text(encoding="utf-8")
    if options.block == "methods":
        block, pages = text.strip(), (RESULTS,)
    elif options.block == "speed":
        block, pages = speed_table(json.loads(text)), (README, RESULTS)
    else:
        block, pages = pairs_table(json.loads(text)), (README,)
    for page in pages:
        page.write_text(fill(page.read_text(encoding="utf-8"), block, options.block), encoding="utf-8")
        print(f"filled {page.name}")


if __name__ == "__main__":
    main()
