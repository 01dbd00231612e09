"""Train the router that comes with the package, measure it on rows it never saw, and write its checkpoint.

    python tools/train_default.py [--seed 0] [--output src/routesdk/checkpoints/default]
    python tools/train_default.py --only-shift

It learns from the train part of its own 80/20 split of the shared sets; every figure of
its model card is of the test part. The same data gives the same bytes on one machine.
`--only-shift` learns anew what queries unlike the train rows look like, and leaves weights and figures alone.
It needs what the package needs, and the shared sets; it takes some minutes on one core.
"""

from __future__ import annotations

import os

# Sums over several threads come out in another order, and so in other bytes. Set before numpy starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import functools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt
from scoring_pairs import Scored, graded_by_both, score
from shared_sets import (
    PAIRS,
    ROOT,
    SETS,
    TEACHERS,
    Pair,
    find_data,
    load_sets,
    rows_of,
    split_sets,
    write_train,
)

from routesdk import PluginHost, Router
from routesdk.manifest import Evidence, MetricRecord, PartRecord, SourceRecord
from routesdk.metrics import (
    Interval,
    apgr_difference,
    apgr_interval,
    expected_calibration_error,
    perfect_calibration_error,
)
from routesdk.metrics.intervals import wilson
from routesdk.pipeline.shift import learn_shift
from routesdk.pipeline.split import Split, query_hash
from routesdk.pretrained import assemble_router
from routesdk.protocols import PolicyModel
from routesdk.shift import ShiftScore
from routesdk.types import Dataset, Example, Tier, TrainJob

RECORD = PartRecord(kind="policy model", name="linear")
SERVED = (Tier("medium", "gemini-2.5-flash"), Tier("large", "gemini-2.5-pro"))
ANY_TIERS = (Tier("medium", "any medium model"), Tier("large", "any large model"))

# Sets that share questions or their form are left out together when transfer is measured.
FAMILIES = (("simpleqa",), ("mmlu", "mmlu-pro"), ("nine-models",))

SUMMARY = (
    "Decides from the words and the look of a query whether a medium model will do. It has a head for each "
    "of the models that it learned from, and a generic one for a medium and for a large model, which serves "
    "models that it never saw. Hashed words and pairs of words, logistic regression, and one hidden "
    "difficulty that joins the models' grades: numpy alone, some dozens of microseconds a decision."
)

Sets = Mapping[str, Sequence[Example]]
Splits = Mapping[str, Split]


def main() -> int:
    """Train, measure, write."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    sets = load_sets(data)
    splits = split_sets(sets, options.seed)
    if options.only_shift:
        return add_shift(sets, splits, options)
    with tempfile.TemporaryDirectory() as name:
        model = fit(write_train(sets, splits, Path(name)), Path(name) / "model", options.seed)
        print("trained; measuring", flush=True)
        scored = measure(model, sets, splits)
        unseen = {} if options.skip_transfer else transfer(sets, splits, Path(name), options.seed)
    shift, alarms = familiar(sets, splits, options.seed)
    router = assemble_router(
        policy_model=model,
        policy_model_record=RECORD,
        tiers=SERVED,
        evidence=evidence(sets, splits, scored, unseen, alarms, options.seed),
        training_hashes=lambda: training_hashes(sets, splits),
        shift=shift,
    )
    router.save_pretrained(options.output)
    for metric in router.evidence.metrics:
        print(f"{metric.dataset:32} {metric.method:24} {metric.metric:36} {metric.value:.4f}")
    print(f"wrote {options.output}")
    return 0


def add_shift(sets: Sets, splits: Splits, options: argparse.Namespace) -> int:
    """Give the checkpoint that is there a shift score of the train rows; nothing else of it changes."""
    router = Router.from_pretrained(options.output)
    shift, alarms = familiar(sets, splits, options.seed)
    kept = tuple(each for each in router.evidence.metrics if each.method != alarms[0].method)
    evidence = attrs.evolve(router.evidence, metrics=(*kept, *alarms))
    attrs.evolve(router, shift=shift, evidence=evidence).save_pretrained(options.output)
    print(f"wrote {options.output}")
    return 0


def fit(datasets: Sequence[Dataset], folder: Path, seed: int) -> PolicyModel:
    """Train the policy model `linear` with its defaults."""
    folder.mkdir()
    host = _host()
    host.trainer("linear").train(TrainJob(train=tuple(datasets), output=folder, seed=seed))
    return host.policy_model("linear").load(folder)


def measure(model: PolicyModel, sets: Sets, splits: Splits) -> dict[tuple[str, str], Scored]:
    """Decide the test rows of each pair, bound and generic: (pair, method) → decisions."""
    found = {}
    for pair in PAIRS:
        rows = graded_by_both(rows_of(sets[pair.dataset], splits[pair.dataset], "test"), pair)
        bound = (Tier("medium", pair.medium), Tier("large", pair.large))
        found[pair.name, "bound"] = score(_router(model, bound), rows, pair)
        found[pair.name, "generic"] = score(_router(model, ANY_TIERS), rows, pair)
    return found


def transfer(sets: Sets, splits: Splits, folder: Path, seed: int) -> dict[str, Scored]:
    """Decide each pair's test rows by a generic router that learned from the other sets alone."""
    found = {}
    for family in FAMILIES:
        place = folder / f"without-{family[0]}"
        place.mkdir()
        others = {name: _taught(rows, name) for name, rows in sets.items() if name not in family}
        model = fit(write_train(others, splits, place), place / "model", seed)
        for pair in PAIRS:
            if pair.dataset in family:
                rows = graded_by_both(rows_of(sets[pair.dataset], splits[pair.dataset], "test"), pair)
                found[pair.name] = score(_router(model, ANY_TIERS), rows, pair)
        print(f"measured without {', '.join(family)}", flush=True)
    return found


def _taught(rows: Sequence[Example], name: str) -> tuple[Example, ...]:
    """Leave the models that stand for tiers, since generic heads learn from no others."""
    kept = {model for pair in TEACHERS if pair.dataset == name for model in (pair.medium, pair.large)}
    return tuple(
        attrs.evolve(
            row, outcomes={model: outcome for model, outcome in row.outcomes.items() if model in kept}
        )
        for row in rows
    )


def familiar(sets: Sets, splits: Splits, seed: int) -> tuple[ShiftScore, list[MetricRecord]]:
    """Learn what the train rows look like, and count how many test rows are called unlike them."""
    shift = learn_shift(
        {name: [row.query.text for row in rows_of(sets[name], splits[name], "train")] for name in sets},
        groups={name: splits[name].groups[splits[name].rows("train")] for name in sets},
        seed=seed,
    )
    alarms = []
    for name in sets:
        test = rows_of(sets[name], splits[name], "test")
        found = shift.assess_scores(shift.score([row.query for row in test]))
        low, high = wilson(found.share, found.rows)
        alarms.append(
            MetricRecord(
                dataset=name,
                method="shift score",
                metric="share of test rows falsely called unlike",
                value=found.share,
                low=low,
                high=high,
                rows=found.rows,
            )
        )
    return shift, alarms


def training_hashes(sets: Sets, splits: Splits) -> npt.NDArray[np.uint64]:
    """Hash the normal form of every query that was learned from."""
    hashes = {
        query_hash(row.query.text) for name in sets for row in rows_of(sets[name], splits[name], "train")
    }
    return np.array(sorted(hashes), dtype=np.uint64)


def evidence(  # noqa: PLR0917 - everything that a card is written from
    sets: Sets,
    splits: Splits,
    scored: Mapping[tuple[str, str], Scored],
    unseen: Mapping[str, Scored],
    alarms: Sequence[MetricRecord],
    seed: int,
) -> Evidence:
    """Write down what the model card says."""
    metrics: list[MetricRecord] = []
    limits: list[str] = []
    for pair in PAIRS:
        for method in ("bound", "generic"):
            records, faults = _figures(pair, method, scored[pair.name, method])
            metrics += records
            limits += faults
        if pair.name in unseen:
            other = unseen[pair.name]
            metrics.append(_record(pair, "generic, set never seen", _apgr(other.gain, other)))
        base = scored[pair.name, "bound"]
        metrics.append(_record(pair, "prompt length", _apgr(base.length, base)))
    command = "python tools/train_default.py" + (f" --seed {seed}" if seed else "")
    sources = tuple(
        SourceRecord(
            name=each.name,
            rows=splits[each.name].counts()["train"],
            tiers=next((pair.medium, pair.large) for pair in TEACHERS if pair.dataset == each.name),
            source=each.source,
            licence=each.licence,
        )
        for each in SETS
        if each.name in sets
    )
    return Evidence(
        summary=SUMMARY,
        licence="apache-2.0",
        command=command,
        sources=sources,
        metrics=(*metrics, *alarms),
        limits=(*_general_limits(unseen), *limits),
    )


def _figures(pair: Pair, method: str, found: Scored) -> tuple[list[MetricRecord], list[str]]:
    error = expected_calibration_error(found.confidence, found.hit)
    # Soft outcomes scatter less than grades, so that this yardstick is the milder one for graded rows alone.
    perfect = perfect_calibration_error(found.confidence).value
    rows = len(found.gain)
    plain = (
        ("share of large calls", float(found.large_called.mean())),
        ("calibration error of confidence", error),
        ("95th percentile of a perfect one's", perfect),
    )
    records = [_record(pair, method, _apgr(found.gain, found))]
    records += [
        MetricRecord(dataset=_where(pair), method=method, metric=metric, value=value, rows=rows)
        for metric, value in plain
    ]
    limits = []
    ahead = apgr_difference(found.gain, found.length, found.medium, found.large)
    if ahead.low <= 0.0:
        verb = "is no better" if ahead.value <= 0.0 else "is not surely better"
        limits.append(
            f"On {_where(pair)} it {verb} than prompt length, {method}: APGR differs by {ahead.value:+.3f} "
            f"[{ahead.low:+.3f}, {ahead.high:+.3f}]."
        )
    if error > perfect:
        limits.append(
            f"On {_where(pair)}, {method}, its confidence is off by {error:.3f} on average, where a "
            f"perfectly calibrated one would stay below {perfect:.3f} in 95 of 100 cases."
        )
    return records, limits


def _general_limits(unseen: Mapping[str, Scored]) -> tuple[str, ...]:
    limits = [
        "It knows English, and what other languages share with it: numbers, formulas, names, length.",
        "It learned from questions with one right answer; how well it ranks requests to write, to translate "
        "or to talk was not measured.",
    ]
    if unseen:
        values = [_apgr(found.gain, found).value for found in unseen.values()]
        limits.insert(
            0,
            "What makes a question hard in one set says little about another: on sets that its generic heads "
            f"never learned from, APGR is {np.mean(values):.3f} on average over {len(values)} pairs, where "
            "0.5 is random. For another domain, train on graded rows of it.",
        )
    return tuple(limits)


def _apgr(ranking: npt.NDArray[np.float64], found: Scored) -> Interval:
    return apgr_interval(ranking, found.medium, found.large)


def _record(pair: Pair, method: str, interval: Interval) -> MetricRecord:
    return MetricRecord(
        dataset=_where(pair),
        method=method,
        metric="APGR",
        value=interval.value,
        low=interval.low,
        high=interval.high,
        rows=interval.rows,
    )


def _where(pair: Pair) -> str:
    return f"{pair.dataset}: {pair.name}"


_host = functools.cache(PluginHost)


def _router(model: PolicyModel, tiers: tuple[Tier, ...]) -> Router:
    return assemble_router(policy_model=model, policy_model_record=RECORD, tiers=tiers, host=_host())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the split and of the training")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "src" / "routesdk" / "checkpoints" / "default", metavar="FOLDER"
    )
    parser.add_argument("--skip-transfer", action="store_true", help="do not measure on sets left out")
    parser.add_argument(
        "--only-shift", action="store_true", help="add the shift score to the checkpoint that is there"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
