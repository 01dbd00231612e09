"""How far the judge `lexical` agrees with people, on questions that it was not tuned on.

    python benchmarks/judges.py [--data ../shared/data]

Its rules were written while looking at the answers to one half of the questions of two sets.
Here it is measured on the other half. A question's half follows from the hash of its id.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from routesdk.dataset import read_examples
from routesdk.host import PluginHost
from routesdk.pipeline.audit import AuditSettings, Comparison, audit_judge
from routesdk.pipeline.yardstick import read_audit
from routesdk.types import Example

SETS = ("evouna_nq", "simpleqa_cs")
HALVES = ("held out", "tuned on")


def is_held_out(example_id: str) -> bool:
    """Tell whether a question was kept from tuning: about half of them are."""
    return hashlib.sha256(f"judge-audit:{example_id}".encode()).digest()[0] % 2 == 1


def half(path: Path, *, held_out: bool) -> Iterator[Example]:
    """Yield the questions of one half of a file."""
    return (each for each in read_examples(path) if is_held_out(each.id) is held_out)


def main() -> None:
    """Print agreement and Cohen's kappa of both halves, with 95 % intervals over questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ROUTESDK_DATA", "../shared/data")))
    folder = parser.parse_args().data
    judge = PluginHost(entry_points=False).judge("lexical")
    for name in SETS:
        for label in HALVES:
            data = read_audit(half(folder / f"{name}.jsonl.gz", held_out=label == "held out"))
            found = audit_judge("lexical", judge, data, AuditSettings(probe_rows=0))
            print(f"{name}, {label}: {len(data.rows):,} answers to {data.questions:,} questions")
            for each in (found.overall, *found.systems):
                print(f"  {each.system or 'all':<28}{_figures(each)}")
    sys.stdout.flush()


def _figures(each: Comparison) -> str:
    parts = [f"unscored {each.unscored}"]
    for name, interval in (("agreement", each.agreement), ("kappa", each.kappa)):
        if interval is not None:
            parts.append(f"{name} {interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]")
    return "  ".join(parts)


if __name__ == "__main__":
    main()
