"""Fill the results block of README.md from what the benchmarks wrote.

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
        lines.append(f"| {row['what']} | {target} | {row['value']:,.4g} {row['unit']} | {row['verdict']} |")
    described = ", ".join(f"{key}: {value}" for key, value in machine.items())
    return "\n".join(lines) + f"\n\nMedians on this machine: {described}."


def fill(readme: str, block: str) -> str:
    """Return the README with the text between the two marks replaced.

    Raises:
        ValueError: A mark is missing.
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks {BEGIN} or {END}")
    return f"{head}{BEGIN}\n{block.strip()}\n{END}{tail}"


def main() -> None:
    """Read both results and write README.md."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("speed", type=Path, help="what speed.py --json wrote")
    parser.add_argument("quality", type=Path, help="what quality.py --markdown wrote")
    options = parser.parse_args()
    speed = speed_table(json.loads(options.speed.read_text(encoding="utf-8")))
    quality = options.quality.read_text(encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(
        fill(readme.read_text(encoding="utf-8"), f"{quality.strip()}\n\n{speed}"), encoding="utf-8"
    )
    print(f"filled {readme.name}")


if __name__ == "__main__":
    main()
