"""Fill the results block of README.md, and docs/explanation/results.md, from what the benchmarks wrote.

    python benchmarks/speed.py --json build/speed.json
    python benchmarks/quality.py --markdown build/quality.md
    python benchmarks/fill_readme.py build/speed.json build/quality.md

`make results` does all three.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
ROOT = Path(__file__).resolve().parents[1]


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


def fill(page: str, block: str) -> str:
    """Return a page with the text between the two marks replaced.

    Raises:
        ValueError: A mark is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return f"{head}{BEGIN}\n{block.strip()}\n{END}{tail}"


def main() -> None:
    """Read both results and write both pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("speed", type=Path, help="what speed.py --json wrote")
    parser.add_argument("quality", type=Path, help="what quality.py --markdown wrote")
    options = parser.parse_args()
    speed = speed_table(json.loads(options.speed.read_text(encoding="utf-8")))
    quality = options.quality.read_text(encoding="utf-8").strip()
    headline = quality.partition("\n### Differences")[0].strip()
    pages = {ROOT / "README.md": headline, ROOT / "docs" / "explanation" / "results.md": quality}
    for page, tables in pages.items():
        page.write_text(fill(page.read_text(encoding="utf-8"), f"{tables}\n\n{speed}"), encoding="utf-8")
        print(f"filled {page.name}")


if __name__ == "__main__":
    main()
