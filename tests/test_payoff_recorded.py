"""Routers on recorded outcomes of real models: one that learned, one that guesses, one that peeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest

from payoffs import (
    HOST,
    LEARNED,
    apgr_of,
)
from routers import make_router
from routesdk.dataset import read_examples, write_examples
from routesdk.errors import LeakError
from routesdk.manifest import PartRecord
from routesdk.pipeline.fingerprint import query_hash
from routesdk.pipeline.payoff import (
    Candidate,
    Figures,
    checkpoint_bytes,
    measure,
    verdict,
)
from routesdk.pipeline.split import split
from routesdk.pretrained import assemble_router
from routesdk.types import Dataset, Example, Tier, TrainJob

pytestmark = pytest.mark.slow

PAIR = ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022")
REAL_TIERS = (Tier("medium", PAIR[0]), Tier("large", PAIR[1]))


def trained(train: Sequence[Example], folder: Path) -> Candidate:
    """Fit `linear` on rows, and keep the hashes of what it learned from."""
    write_examples(folder / "train.jsonl", train)
    (folder / "model").mkdir()
    data = Dataset(name="simpleqa", path=folder / "train.jsonl", tiers=PAIR)
    HOST.trainer("linear", bits=14).train(TrainJob(train=(data,), output=folder / "model"))
    hashes = np.unique(np.array([query_hash(row.query.text) for row in train], dtype=np.uint64))
    router = assemble_router(
        policy_model=HOST.policy_model("linear").load(folder / "model"),
        policy_model_record=PartRecord(kind="policy model", name="linear"),
        tiers=REAL_TIERS,
        host=HOST,
        training_hashes=lambda: hashes,
    )
    return Candidate("linear", router, bytes=checkpoint_bytes(folder / "model"))


def fake(name: str, cells: Mapping[str, str], share: float) -> Candidate:
    """Return a router that is sure of one cell for each query."""
    router = make_router(
        lambda query: {cells[query.text]: 1.0},
        tiers=REAL_TIERS,
        point=share,
        references=tuple(cells),
        host=HOST,
    )
    return Candidate(name, attrs.evolve(router, training_hashes=lambda: LEARNED))


def test_linear_beats_constant_and_random_on_recorded_outcomes_and_not_one_that_peeks(
    data_folder: Path, tmp_path: Path
) -> None:
    file = data_folder / "simpleqa_cs.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"{file} is absent")
    rows = list(read_examples(file))
    parts = split([row.query.text for row in rows])
    train, test = ([rows[at] for at in parts.rows(part).tolist()] for part in ("train", "test"))
    order = np.random.default_rng(0).permutation(len(test))

    def cell(row: Example) -> str:
        return "".join(row.outcomes[model].grade.value[0] for model in PAIR if row.outcomes[model].grade)

    peeking = {row.query.text: cell(row) for row in test}
    shuffled = {test[at].query.text: cell(row) for at, row in zip(order.tolist(), test, strict=True)}
    candidates = [
        trained(train[:1200], tmp_path),
        fake("constant", dict.fromkeys(peeking, "II"), 1 / 3),
        fake("shuffled", shuffled, 1 / 3),
        fake("peeking", peeking, 1 / 3),
    ]

    payoff = measure(candidates, test, resamples=300, timed=5)

    assert payoff.rows == len(test)
    assert payoff.ranked()[0].name == "peeking"
    oracle = payoff.figures("oracle")
    assert apgr_of(payoff, "peeking") == pytest.approx(oracle.apgr.value if oracle.apgr else 0.0)
    assert apgr_of(payoff, "constant") == pytest.approx(0.5)
    ahead = payoff.difference("linear", "random")
    assert ahead is not None
    assert ahead.low > 0
    by_chance = payoff.difference("shuffled", "random")
    assert by_chance is not None
    assert by_chance.low < 0 < by_chance.high
    figures = payoff.figures("peeking")
    assert isinstance(figures, Figures)
    assert figures.calibration_error.value == 0.0
    without = [each for each in candidates if each.name != "peeking"]
    assert verdict(measure(without, test, resamples=300, timed=5)).candidate == "linear"
    with pytest.raises(LeakError):
        measure(candidates[:1], train[:5], resamples=5, timed=0)
