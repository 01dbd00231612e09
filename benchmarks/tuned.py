"""How well tuned language models route: `generative` beside `linear` on the same rows, one pair at a time.

    python benchmarks/tuned.py --base-model FOLDER_OR_ID [--pairs claude ...] [--trainer qlora-dpo]
        [--rows 2500] [-o learning_rate=2e-4 ...] [--dpo pairs=500 ...] [--out FOLDER]

Each is trained by what `routesdk train` calls, on the train part of the pair's own set, of which a part
is held out for early stopping and calibration, and is judged on the test part, which chooses nothing.
A recorded score that is no grade teaches as CORRECT from 0.5 on; test rows keep their scores. A GPU
is worth having: on two CPU cores, 135 million weights take half an hour for 1,000 rows.

`--out` gets figures.json, and scores.npz with gains and probabilities of every row and router. Rows are
the shared sets of recorded outcomes (ROUTESDK_DATA, or ../shared/data beside the repository).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from scoring_pairs import Scored, as_grades, grade_of, graded_by_both, score
from shared_sets import PAIRS, Pair, find_data, load_sets, rows_of, split_sets

from routesdk.config import TrainConfig
from routesdk.dataset import read_examples, write_examples
from routesdk.metrics import (
    Interval,
    apgr_difference,
    apgr_interval,
    expected_calibration_error,
    mean_interval,
    perfect_calibration_error,
)
from routesdk.pipeline.split import split
from routesdk.pipeline.training import train_router
from routesdk.structure import structure
from routesdk.tuning import DPOConfig, SFTConfig
from routesdk.types import Example

VALIDATION_SHARE = 0.14
LENGTH = "prompt length"


def main() -> int:
    """Train, judge, print, write."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    sets = load_sets(data)
    splits = split_sets(sets, options.seed)
    figures, arrays = [], {}
    for pair in [each for each in PAIRS if each.name in options.pairs]:
        parts = [rows_of(sets[pair.dataset], splits[pair.dataset], part) for part in ("train", "test")]
        learned, judged = (graded_by_both(rows, pair) for rows in parts)
        with tempfile.TemporaryDirectory() as scratch:
            found, scored, took = _train_and_judge(pair, learned, judged, Path(scratch), options)
        figures += found
        for name, each in scored.items():
            for column in ("gain", "probabilities", "recorded", "quality", "tier"):
                arrays[f"{pair.name}/{name}/{column}"] = getattr(each, column)
        print(f"{pair.name}: {len(learned)} rows of the train part, {took:.0f} s", flush=True)
        for line in found:
            print(json.dumps(line), flush=True)
        _write(options, figures, arrays)
    return 0


def _train_and_judge(
    pair: Pair,
    learned: Sequence[Example],
    judged: Sequence[Example],
    scratch: Path,
    options: argparse.Namespace,
) -> tuple[list[dict[str, object]], Mapping[str, Scored], float]:
    """Train all routers of one pair, and judge them on its test part."""
    config = _config(pair, learned, scratch, options)
    started = time.perf_counter()
    trained = train_router(config, listen=None)
    took = time.perf_counter() - started
    base = {"pair": pair.name, "base_model": Path(options.base_model).name, "seed": options.seed}
    base |= {"rows": sum(1 for _ in read_examples(config.data[0])), "seconds": round(took)}
    validation = list(read_examples(config.validation[0]))
    scored = {each.name: score(each.router, judged, pair) for each in trained.candidates}
    held = {each.name: score(each.router, validation, pair) for each in trained.candidates}
    lines = [
        base | {"router": name} | _figures(each, scored.get("linear")) | _held(held[name])
        for name, each in scored.items()
    ]
    return lines, scored | {f"validation {name}": each for name, each in held.items()}, took


def _config(
    pair: Pair, learned: Sequence[Example], scratch: Path, options: argparse.Namespace
) -> TrainConfig:
    """Write the rows, and say how to train on them."""
    texts = [row.query.text for row in learned]
    models = (pair.medium, pair.large)
    cells = ["".join(grade_of(row.outcomes[name]).value for name in models) for row in learned]
    share = min(1.0, options.rows / len(learned)) if options.rows else 1.0
    shares = {"train": share * (1 - VALIDATION_SHARE), "validation": share * VALIDATION_SHARE}
    if share < 1.0:
        shares["left"] = 1.0 - share
    parts = split(texts, cells, shares=shares, seed=options.seed)
    for part in ("train", "validation"):
        rows = [as_grades(learned[at], pair) for at in parts.rows(part).tolist()]
        write_examples(scratch / f"{part}.jsonl", rows)
    sft = _parsed(options.o)
    return TrainConfig(
        trainer=options.trainer,
        data=scratch / "train.jsonl",
        validation=scratch / "validation.jsonl",
        tiers=models,
        output=(options.keep or scratch / "router") / pair.name,
        work=scratch / "work",
        base_model=options.base_model,
        sft=structure(sft, SFTConfig),
        dpo=structure({"device": sft.get("device", "auto"), **_parsed(options.dpo)}, DPOConfig),
        seed=options.seed,
    )


def _figures(scored: Scored, other: Scored | None) -> dict[str, object]:
    """Return what a router does on the test part."""
    found = apgr_interval(scored.gain, scored.medium, scored.large)
    length = apgr_difference(scored.gain, scored.length, scored.medium, scored.large)
    error = expected_calibration_error(scored.confidence, scored.hit)
    lines: dict[str, object] = {
        "test_rows": len(scored),
        "accuracy": _bounded(mean_interval(scored.obtained)),
        "large_share": round(float(scored.large_called.mean()), 4),
        "apgr": _bounded(found),
        "over_length": _bounded(length),
        "log_loss": _log_loss(scored),
        "calibration_error": round(error, 4),
        "perfect_95": round(perfect_calibration_error(scored.confidence).value, 4),
        "confidence_sd": round(float(scored.confidence.std()), 4),
    }
    if other is not None and other is not scored:
        gap = apgr_difference(scored.gain, other.gain, scored.medium, scored.large)
        lines["over_linear"] = _bounded(gap)
    return lines


def _held(scored: Scored) -> dict[str, object]:
    """Return what chooses between settings: figures of the validation rows."""
    found = apgr_interval(scored.gain, scored.medium, scored.large)
    return {"validation_apgr": _bounded(found), "validation_log_loss": _log_loss(scored)}


def _log_loss(scored: Scored) -> float:
    chance = np.clip((scored.probabilities * scored.recorded).sum(axis=1), 1e-12, 1.0)
    return round(float(-np.log(chance).mean()), 4)


def _bounded(found: Interval) -> list[float]:
    return [round(each, 4) for each in (found.value, found.low, found.high)]


def _write(options: argparse.Namespace, figures: Sequence[object], arrays: Mapping[str, object]) -> None:
    if options.out is None:
        return
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"options": options.o, "dpo": options.dpo, "figures": figures}, indent=1)
    (options.out / "figures.json").write_text(text + "\n", encoding="utf-8")
    np.savez_compressed(options.out / "scores.npz", **arrays)  # type: ignore[arg-type]


def _parsed(given: Sequence[str]) -> dict[str, object]:
    """Read NAME=VALUE, where the value is JSON or plain text."""
    found: dict[str, object] = {}
    for each in given:
        name, _, text = each.partition("=")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


def _options() -> argparse.Namespace:
    names = [pair.name for pair in PAIRS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--base-model", required=True, help="folder or Hub id of a causal language model")
    parser.add_argument("--pairs", nargs="+", choices=names, default=["claude"], metavar="PAIR")
    parser.add_argument("--trainer", choices=("qlora-sft", "qlora-dpo"), default="qlora-sft")
    parser.add_argument("--rows", type=int, default=0, help="rows of the train part to take; 0 takes all")
    parser.add_argument("--seed", type=int, default=0, help="seed of split and training")
    parser.add_argument("-o", action="append", default=[], help="NAME=VALUE: an option of qlora-sft")
    parser.add_argument("--dpo", action="append", default=[], help="NAME=VALUE: an option of qlora-dpo")
    parser.add_argument("--keep", type=Path, help="folder for the routers themselves, one a pair")
    parser.add_argument("--out", type=Path, help="folder for figures.json and scores.npz")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
