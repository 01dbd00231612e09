"""Print what RouteLLM's own evaluation finds for the scores of `tests/test_metrics_routellm.py`, as JSON.

    python -m venv ENV && ENV/bin/pip install "numpy<2" "pandas<2.3" matplotlib psutil pandarallel pyyaml tqdm
    ENV/bin/pip install --no-deps routellm==0.2.0
    ENV/bin/python tools/routellm_figures.py

It needs an environment of its own, for RouteLLM needs numpy below 2, and the recorded outcomes that
`ROUTESDK_DATA` names. RouteLLM's `MMLU.evaluate` and `generate_results` run as they are; its `Controller` and
its routers, which call models, are replaced by the given scores, and its table of answers by the recorded
rows. CPT is read where numpy returns it, for RouteLLM prints two digits of it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import types
from collections import namedtuple
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import matplotlib as mpl
import numpy as np
import pandas as pd

from routellm_rows import STRONG, WEAK, made_up, recorded, scores_of

mpl.use("Agg")


def their_code() -> tuple[Any, Any]:
    """Import RouteLLM's benchmark and its evaluation without what calls models."""
    for name, holds in {
        "routellm.controller": {"Controller": object},
        "routellm.routers": {},
        "routellm.routers.routers": {"Router": object, "ROUTER_CLS": {}},
    }.items():
        module = types.ModuleType(name)
        vars(module).update(holds)
        sys.modules[name] = module
    from routellm.evals import evaluate
    from routellm.evals.benchmarks import MMLU

    return MMLU, evaluate


class Recorder:
    """Stands for numpy in their evaluation, and keeps what `interp` returned."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.returned: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def interp(self, *arguments: Any) -> Any:
        """Interpolate, and keep the result."""
        found = np.interp(*arguments)
        self.returned.append(float(found))
        return found


class Scores:
    """Stands for their `Controller`: returns the same scores whatever it is asked."""

    def __init__(self, score: np.ndarray) -> None:
        """Keep the scores."""
        self.score = score

    def batch_calculate_win_rate(self, prompts: Any, router: str) -> Any:
        """Return the scores."""
        return pd.Series(self.score, index=prompts.index)


def figures(score: np.ndarray, weak: np.ndarray, strong: np.ndarray, folder: str) -> dict[str, Any]:
    """Let their code evaluate one ranking."""
    benchmark_class, evaluate = their_code()
    pair = namedtuple("pair", "strong weak")(strong=STRONG, weak=WEAK)
    benchmark = benchmark_class.__new__(benchmark_class)
    benchmark.routed_pair, benchmark.overwrite_cache, benchmark.cache = pair, [], {}
    benchmark.cache_path = f"{folder}/cache.npy"
    prompts = [f"row {at}" for at in range(len(score))]
    benchmark.all_data = pd.DataFrame({"prompt": prompts, WEAK: weak > 0, STRONG: strong > 0})
    points = [
        {"method": "it", "threshold": at, "strong_percentage": calls[STRONG] / rows * 100, "accuracy": right}
        for at, right, calls, rows in benchmark.evaluate(Scores(score), "it", 10, True)
    ]
    evaluate.np = recorder = Recorder()
    printed = io.StringIO()
    with (
        contextlib.redirect_stdout(printed),
        pd.option_context("display.precision", 17, "display.width", 200),
    ):
        evaluate.generate_results(pd.DataFrame(points), benchmark, "mmlu", pair, folder)
    auc, apgr = printed.getvalue().splitlines()[-1].split()[-2:]
    return {"auc": float(auc), "apgr": float(apgr), "cpt": recorder.returned}


def main() -> None:
    """Print the figures of every ranking."""
    rows, weak, strong = recorded(Path(os.environ["ROUTESDK_DATA"]))
    cases = {name: (score, weak, strong) for name, score in scores_of(rows, strong - weak).items()}
    cases["made up"] = made_up()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: figures(*case, folder) for name, case in cases.items()}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
