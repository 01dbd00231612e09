"""How well routers rank, on the test rows of five pairs of models: ours beside what one would try first.

    python benchmarks/quality.py [--seeds 5] [--json FILE] [--markdown FILE] [--skip-minilm]

Everything is fitted on the train part of the same split, five times with other splits.
The figure is APGR: the area under quality against share of large calls, ranked by
expected gain; 0 is always medium, 1 always large, 0.5 a random ranking. Intervals and
differences are bootstrapped over test rows, paired between methods, and averaged over
splits and pairs.

It reads the shared sets of recorded outcomes: ROUTESDK_DATA, or ../shared/data beside
the repository. Embeddings of MiniLM are computed once and kept (--cache).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import functools
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
from minilm import cached_vectors, default_cache, encode, load_encoder
from quality_report import Cell, Report, Table, criteria, render
from scoring_pairs import Scored, graded_by_both, score
from shared_sets import PAIRS, Pair, find_data, load_sets, rows_of, split_sets, write_train

from routesdk import PluginHost, Router
from routesdk.manifest import PartRecord
from routesdk.metrics import apgr, bootstrap_values, expected_calibration_error, perfect_calibration_error
from routesdk.metrics.curves import apgr_statistic
from routesdk.pretrained import assemble_router
from routesdk.types import Example, Tier, TrainJob

ANY_TIERS = (Tier("medium", "any medium model"), Tier("large", "any large model"))
TIMED = 200
"""Queries whose decisions are timed one by one."""


@attrs.define
class Run:
    """One run of the benchmark: options, and what was measured so far."""

    resamples: int
    embed: baselines.Embed | None
    encode_one: baselines.Embed | None
    cells: dict[tuple[str, str], list[Cell]] = attrs.field(factory=dict)
    times_us: dict[str, float] = attrs.field(factory=dict)
    calibration: dict[tuple[str, str], list[tuple[float, float, float]]] = attrs.field(factory=dict)

    def keep(self, pair: Pair, method: str, gain: npt.ArrayLike, scored: Scored, seed: int) -> None:
        """Measure a ranking of the test rows and keep the figures."""
        statistic = apgr_statistic(gain, scored.medium, scored.large)
        rows = len(scored.medium)
        cell = Cell(
            value=apgr(gain, scored.medium, scored.large),
            # The same seed draws the same rows for every method, so that differences are paired.
            values=bootstrap_values(statistic, rows, resamples=self.resamples, seed=seed),
            rows=rows,
        )
        self.cells.setdefault((pair.name, method), []).append(cell)


def main() -> int:
    """Measure, print, write."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    sets = load_sets(data)
    run = _run(options)
    splits = split_sets(sets, 0)
    for seed in range(options.seeds):
        started = time.perf_counter()
        splits = split_sets(sets, seed, splits)
        with tempfile.TemporaryDirectory() as scratch:
            host = PluginHost(entry_points=False)
            model = Path(scratch) / "model"
            model.mkdir()
            train = write_train(sets, splits, Path(scratch))
            host.trainer("linear").train(TrainJob(train=train, output=model, seed=seed))
            for pair in PAIRS:
                parts = (
                    rows_of(sets[pair.dataset], splits[pair.dataset], part) for part in ("train", "test")
                )
                fitting, judging = (graded_by_both(rows, pair) for rows in parts)
                _measure(run, pair, fitting, judging, _routers(host, model, pair), seed)
        print(f"seed {seed}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    report = Report(
        cells=run.cells, times_us=run.times_us, calibration=run.calibration, seeds=options.seeds,
        resamples=options.resamples, pairs=tuple(pair.name for pair in PAIRS),
    )  # fmt: skip
    _write(report, options)
    return 0


def _routers(host: PluginHost, model: Path, pair: Pair) -> Mapping[str, Router]:
    trained = host.policy_model("linear").load(model)
    record = PartRecord(kind="policy model", name="linear")
    bound = (Tier("medium", pair.medium), Tier("large", pair.large))
    return {
        name: assemble_router(policy_model=trained, policy_model_record=record, tiers=tiers, host=host)
        for name, tiers in (("ours, bound", bound), ("ours, generic", ANY_TIERS))
    }


def _measure(  # noqa: PLR0917 - all that one pair has
    run: Run,
    pair: Pair,
    fitting: Sequence[Example],
    judging: Sequence[Example],
    routers: Mapping[str, Router],
    seed: int,
) -> None:
    """Rank the test rows of one pair by every method."""
    texts = [row.query.text for row in judging]
    scored: Scored | None = None
    for name, router in routers.items():
        scored = score(router, judging, pair)
        run.keep(pair, name, scored.gain, scored, seed)
        found = expected_calibration_error(scored.confidence, scored.hit)
        perfect = perfect_calibration_error(scored.confidence, seed=seed).value
        run.calibration.setdefault((pair.name, name), []).append(
            (found, perfect, float(scored.large_called.mean()))
        )
        run.times_us.setdefault(name, _time_us(lambda text, router=router: router.route(text), texts))
    assert scored is not None
    for name, ranker in _rankers(run, pair, fitting, seed).items():
        run.keep(pair, name, ranker(texts), scored, seed)
        _time_baseline(run, name, ranker, texts)


def _rankers(run: Run, pair: Pair, fitting: Sequence[Example], seed: int) -> Mapping[str, baselines.Ranker]:
    rows = baselines.Rows(
        texts=[row.query.text for row in fitting],
        medium=np.array([row.outcomes[pair.medium].quality for row in fitting]),
        large=np.array([row.outcomes[pair.large].quality for row in fitting]),
    )
    rankers = {
        "random": baselines.fit_random(rows),
        "prompt length": baselines.fit_length(rows),
        "TF-IDF, logistic regression": baselines.fit_tfidf(rows),
    }
    if run.embed is not None:
        rankers["MiniLM, 100 neighbours"] = baselines.fit_neighbours(rows, run.embed)
        rankers["MiniLM, logistic regression"] = baselines.fit_embedding(rows, run.embed, seed)
    return rankers


def _time_baseline(run: Run, name: str, ranker: baselines.Ranker, texts: Sequence[str]) -> None:
    if name in run.times_us:
        return
    took = _time_us(lambda text: ranker([text]), texts)
    if name.startswith("MiniLM") and run.encode_one is not None:
        # Vectors come from the cache above; a live decision has to encode its query first.
        encode_one = run.encode_one
        took += _time_us(lambda text: encode_one([text]), texts)
    run.times_us[name] = took


def _time_us(decide: object, texts: Sequence[str]) -> float:
    """Return the median time of one decision, in microseconds, after a warm-up."""
    assert callable(decide)
    for text in texts[:20]:
        decide(text)
    taken = []
    for text in texts[:TIMED]:
        started = time.perf_counter()
        decide(text)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1e6


def _run(options: argparse.Namespace) -> Run:
    if options.skip_minilm:
        return Run(resamples=options.resamples, embed=None, encode_one=None)
    loader = functools.cache(load_encoder)
    known: dict[str, npt.NDArray[np.float32]] = {}

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        missing = [text for text in texts if text not in known]
        if missing:
            known.update(zip(missing, cached_vectors(missing, options.cache, loader), strict=True))
        return np.stack([known[text] for text in texts])

    # All texts of a set at once: the cache then holds the same pieces for every split.
    data = find_data()
    assert data is not None
    for rows in load_sets(data).values():
        embed([row.query.text for row in rows])
    return Run(resamples=options.resamples, embed=embed, encode_one=lambda texts: encode(loader(), texts))


def _write(report: Report, options: argparse.Namespace) -> None:
    tables: list[Table] = render(report)
    text = "\n\n".join(table.markdown() for table in tables)
    verdicts = criteria(report)
    print(text)
    print("\n" + "\n".join(f"{'reached' if good else 'SHORT  '}  {what}" for what, good in verdicts))
    if options.markdown:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.json:
        plain = {
            table.title: [dict(zip(table.head, row, strict=True)) for row in table.rows] for table in tables
        }
        plain["criteria"] = [{"what": what, "reached": str(good)} for what, good in verdicts]
        options.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=5, help="splits to average over")
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap resamples")
    parser.add_argument("--skip-minilm", action="store_true", help="leave out what needs torch")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where embeddings are kept")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
