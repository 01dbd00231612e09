"""The nine cells of two models from recorded answers: an oracle run without a key and without a cost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from routesdk import PluginHost
from routesdk.config import Config, OracleConfig, TierConfig
from routesdk.dataset import read_examples
from routesdk.journal import JournalView
from routesdk.pipeline.oracle import generate
from routesdk.pipeline.oracle.label import CellTable, cell_table, recorded_work
from routesdk.types import PartConfig

MODELS = {"medium": "claude-3-5-haiku-20241022", "large": "claude-3-5-sonnet-20241022"}
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def main() -> None:
    file = Path(os.environ.get("ROUTESDK_DATA") or BESIDE) / "simpleqa_cs.jsonl.gz"
    if not file.is_file():
        print(f"No recorded answers: {file} is not there.")
        print("Set ROUTESDK_DATA to the folder that has simpleqa_cs.jsonl.gz, and run this again.")
        return
    matrix = PluginHost().matrix("nine-cell")
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "oracle.sqlite"
        generate(config(file, journal))
        with JournalView.open(journal) as view:
            oracle = cell_table(view.work(), matrix)
    # An oracle leaves the test part alone; counted here beside it: every row of the file.
    everything = cell_table(recorded_work(read_examples(file), tuple(MODELS.values())), matrix)
    show(oracle, everything)


def config(file: Path, journal: Path) -> Config:
    """Take questions, answers and verdicts from one file."""
    recorded = PartConfig("recorded", {"path": str(file)})
    tiers = tuple(TierConfig(name=name, model=model) for name, model in MODELS.items())
    return Config(
        oracle=OracleConfig(
            benchmark=recorded, backend=recorded, judge=recorded, tiers=tiers, journal=journal
        )
    )


def show(oracle: CellTable, everything: CellTable) -> None:
    print(" -> ".join(oracle.models))
    print(f"{'cell':5} {'policy':16} {'oracle':>7} {'all rows':>9}  why")
    for cell in everything.cells:
        rows = f"{oracle.count(cell.name):7,} {cell.rows:9,}"
        print(f"{cell.name:5} {cell.policy:16} {rows}  {cell.reason}")
    print(f"{'':22} {oracle.rows:7,} {everything.rows:9,}")


if __name__ == "__main__":
    main()
