"""How fast a generative router decides, and whether its scores are what greedy decoding would write.

    python benchmarks/generative.py CHECKPOINT [--base-model FOLDER] [--rows 200] [--repeats 3]

CHECKPOINT is a router or a policy model's folder. Measured are: a decision by scoring beside one that
writes policy and reason token by token; decisions one by one beside batches of 32, for queries of 20
words; and the share of test rows on which the best score is the policy that greedy decoding writes, when
it may write nothing but a policy. Rows are the test part of recorded SimpleQA (ROUTESDK_DATA, or
../shared/data); without them, made-up ones.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import torch
from shared_sets import PAIRS, find_data, load_sets, rows_of, split_sets

from routesdk import PluginHost
from routesdk.checkpoint import MANIFEST, read_checkpoint
from routesdk.testing import make_examples
from routesdk.types import Query

if TYPE_CHECKING:
    from routesdk.plugins.generative.model import GenerativeModel

BATCH = 32
WORDS = 20


def main() -> int:
    """Measure, print."""
    options = _options()
    model = _load(options)
    queries = _queries(options.rows)
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, one thread"
    print(f"{model.state.base.name}, {model.held_bytes / 2**20:,.0f} MiB of weights, {place}")
    scored = _seconds(lambda query: model.predict([query]), queries[:20], options.repeats)
    prompts = model.parts.prompts(queries[:20])
    written = _seconds(lambda at: model.parts.write_all(prompts[at]), range(min(8, len(prompts))), 1)
    print(f"decision by scoring             {scored * 1e3:8.1f} ms")
    print(f"decision and reason written     {written * 1e3:8.1f} ms   {written / scored:.1f} times as long")
    asked = [Query(_words(query.text)) for query in queries[: 2 * BATCH]]
    single = _seconds(lambda query: model.predict([query]), asked[:BATCH], options.repeats)
    batches = [asked[at : at + BATCH] for at in range(0, len(asked), BATCH)]
    batched = _seconds(model.predict, batches, options.repeats) / BATCH
    print(f"{WORDS} words, one by one            {1 / single:8.1f} decisions/s")
    more = f"{single / batched:.1f} times as many"
    print(f"{WORDS} words, batches of {BATCH}        {1 / batched:8.1f} decisions/s   {more}")
    agreed = _agreement(model, queries)
    print(f"best score = greedy decoding    {agreed:8.1%} of {len(queries)} rows")
    return 0


def _agreement(model: GenerativeModel, queries: Sequence[Query]) -> float:
    """Return the share of rows on which the best score is what constrained greedy decoding writes."""
    parts = model.parts
    prompts = parts.prompts(queries)
    best = parts.scores(prompts).argmax(axis=1)
    wholes = [(*label, parts.codec.after_label) for label in parts.codec.labels]
    agreed = 0
    for prompt, scored in zip(prompts, best, strict=True):
        path: tuple[int, ...] = ()
        while path not in wholes:
            going = sorted({each[len(path)] for each in wholes if each[: len(path)] == path})
            if len(going) == 1:
                path = (*path, going[0])
                continue
            tokens = [[*prompt.tokens, *parts.codec.opening, *path]]
            given = torch.tensor(tokens, device=parts.engine.device)
            with torch.inference_mode():
                logits = parts.engine.model(input_ids=given).logits[0, -1]
            path = (*path, going[int(logits[going].argmax())])
        agreed += wholes.index(path) == scored
    return agreed / len(prompts)


def _seconds(call: Callable[..., object], arguments: Sequence[object], repeats: int) -> float:
    """Return the median seconds of a call, after one to warm up."""
    call(arguments[0])
    taken = []
    for _ in range(repeats):
        for argument in arguments:
            started = time.perf_counter()
            call(argument)
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _words(text: str) -> str:
    words = text.split()
    return " ".join((words * (WORDS // len(words) + 1))[:WORDS])


def _queries(rows: int) -> list[Query]:
    data = find_data()
    if data is None:
        return [example.query for example in make_examples(rows)]
    sets = load_sets(data)
    test = rows_of(sets[PAIRS[0].dataset], split_sets(sets, 0)[PAIRS[0].dataset], "test")
    return [example.query for example in test[:rows]]


def _load(options: argparse.Namespace) -> GenerativeModel:
    folder = Path(options.checkpoint)
    if (folder / MANIFEST).is_file():
        folder = read_checkpoint(folder).model_folder
    chosen = {"base_model": options.base_model} if options.base_model else {}
    untrained = PluginHost().policy_model("generative", **chosen)
    return cast("GenerativeModel", untrained.load(folder))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("checkpoint", help="folder of a generative router, or of its policy model")
    parser.add_argument("--base-model", help="folder of the base model, where the checkpoint names none")
    parser.add_argument("--rows", type=int, default=200, help="test rows for the agreement")
    parser.add_argument("--repeats", type=int, default=3, help="how often each query is timed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
