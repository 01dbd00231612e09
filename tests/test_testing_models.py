"""The contract check of policy models: good ones pass, broken ones do not."""

from __future__ import annotations

import itertools
import json
import pickle
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import attrs
import numpy as np
import pytest

from routesdk.errors import CheckpointError, ConfigError
from routesdk.testing import (
    FakePolicyModel,
    check_policy_model,
)
from routesdk.types import Policy, PredictionBatch, Query, Tier

CELLS = {"CC": 0.4, "IC": 0.35, "II": 0.25}
POLICIES = {"Standard_Query": 0.5, "Complex_Query": 0.5}
Change = Callable[[Sequence[Query], PredictionBatch], object]


def broken(fault: str) -> pytest.RaisesExc[AssertionError]:
    return pytest.raises(AssertionError, match=f"(?s){fault}.*The contract: ")


@attrs.frozen(kw_only=True)
class Broken(FakePolicyModel):
    """A policy model whose batches a function spoils."""

    cells: object = attrs.field(default=attrs.Factory(lambda: dict(CELLS)))  # type: ignore[assignment]
    spoil: Change = attrs.field(default=lambda queries, batch: batch)

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        return cast("PredictionBatch", self.spoil(queries, super().predict(queries)))

    def load(self, folder: Path) -> FakePolicyModel:
        loaded = super().load(folder)
        return attrs.evolve(self, cells=loaded.cells, tiers=loaded.tiers)


def cells(batch: PredictionBatch) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    assert batch.cells is not None
    return batch.cells.astype(np.float64)


def _by_rank(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    long_first = len(queries) > 1 and len(queries[0].text) > len(queries[-1].text)
    return attrs.evolve(batch, cells=cells(batch)[:, ::-1]) if long_first else batch


def _by_company(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    table = cells(batch)
    return attrs.evolve(batch, cells=table[:, ::-1] if len(queries) == 1 else table)


CALLS = itertools.count()


def _by_chance(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    table = np.roll(cells(batch), next(CALLS) if len(queries) > 1 else 0, axis=1)
    return attrs.evolve(batch, cells=table)


def _encode(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    for query in queries:
        query.text.encode("utf-8")
    return batch


def _negative(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    table = cells(batch)
    table[:, 0] += 1.0
    table[:, 1] -= 1.0
    return attrs.evolve(batch, cells=table)


def _by_thread(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    elsewhere = threading.current_thread() is not threading.main_thread()
    return attrs.evolve(batch, cells=cells(batch)[:, ::-1]) if elsewhere else batch


def _refuse_none(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    return attrs.evolve(batch, cells=np.stack(list(cells(batch))))


@pytest.mark.parametrize(
    "model",
    [
        FakePolicyModel(cells=CELLS),
        FakePolicyModel(cells=CELLS, reference_texts=("What?", "Who?")),
        FakePolicyModel(policies=POLICIES),
        Broken(spoil=lambda queries, batch: attrs.evolve(batch, cells=cells(batch).astype(np.float32))),
        Broken(
            spoil=lambda queries, batch: PredictionBatch(
                weights=np.ones((len(batch), 1)),
                grades=np.full((len(batch), 1, 2, 3), 1 / 3),
                notices=batch.notices,
            )
        ),
    ],
)
def test_a_policy_model_that_keeps_its_contract_passes_in_every_form(model: FakePolicyModel) -> None:
    check_policy_model(model)


def test_a_policy_model_is_checked_for_the_tiers_that_its_author_names() -> None:
    tiers = (Tier("medium", "a"), Tier("large", "b"), Tier("huge", "c"))
    with pytest.raises(AssertionError, match=r"raises ConfigError .*'CC'"):
        check_policy_model(FakePolicyModel(cells=CELLS), tiers=tiers)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda queries, batch: cells(batch), "returns ndarray on"),
        (lambda queries, batch: attrs.evolve(batch, cells=cells(batch)[1:]), "returns cells of shape"),
        (lambda queries, batch: attrs.evolve(batch, cells=cells(batch)[:, :8]), "returns cells of shape"),
        (
            lambda queries, batch: attrs.evolve(batch, cells=cells(batch) * 0.99),
            "whose sums are 0.01 off one",
        ),
        (lambda queries, batch: attrs.evolve(batch, cells=cells(batch) * np.nan), "without a number"),
        (_negative, "returns cells below 0"),
        (
            lambda queries, batch: attrs.evolve(batch, cells=cells(batch).astype(int)),
            "returns cells of int64",
        ),
        (lambda queries, batch: attrs.evolve(batch, cut=np.zeros(3, dtype=bool)), "returns cut as bool of"),
        (lambda queries, batch: attrs.evolve(batch, cut=cells(batch)[:, 0]), "returns cut as float64"),
        (lambda queries, batch: attrs.evolve(batch, notices=("",)), "gives the notices"),
        (
            lambda queries, batch: attrs.evolve(batch, notices=()),
            "never-seen-medium, never-seen-large, which",
        ),
        (_by_rank, "in another order"),
        (_by_company, "alone than in a batch"),
        (_by_chance, "predicts otherwise"),
        (_by_thread, "predicts otherwise from four threads"),
        (_encode, "raises UnicodeEncodeError .* on"),
        (_refuse_none, "raises ValueError .* on 0 queries"),
    ],
)
def test_a_policy_model_whose_predictions_break_a_promise_is_caught(spoil: Change, fault: str) -> None:
    with broken(fault):
        check_policy_model(Broken(spoil=spoil))


def test_a_policy_model_may_save_what_a_tokenizer_needs() -> None:
    check_policy_model(SavesATokenizer())
    check_policy_model(SavesATokenizerModel())


def _by_kernel(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
    # Large batches take another path on a GPU, and differ in what float16 can tell.
    table = cells(batch)
    table[:, 0] += 1e-3 * (len(queries) > 1)
    table[:, 3] -= 1e-3 * (len(queries) > 1)
    return attrs.evolve(batch, cells=table)


def test_a_policy_model_that_differs_between_batches_passes_with_a_tolerance_that_is_stated() -> None:
    model = Broken(spoil=_by_kernel)

    with broken("alone than in a batch"):
        check_policy_model(model)
    check_policy_model(model, tolerance=2e-3)
    check_policy_model(RoundsOnLoading(), tolerance=2e-3)
    with broken("alone than in a batch"):
        check_policy_model(model, tolerance=5e-4)


def test_policy_names_that_stand_twice_are_caught() -> None:
    def twice(queries: Sequence[Query], batch: PredictionBatch) -> PredictionBatch:
        return PredictionBatch(policies=np.full((len(batch), 2), 0.5), policy_names=("A", "A"))

    with broken("gives the policy names"):
        check_policy_model(Broken(spoil=twice))


class BindsInPlace(Broken):
    def bind(self, tiers: tuple[Tier, ...]) -> FakePolicyModel:
        object.__setattr__(self, "tiers", tiers)
        return self


class BindsToNothing(Broken):
    def bind(self, tiers: tuple[Tier, ...]) -> FakePolicyModel:
        return cast("FakePolicyModel", None)


class SaysNothing(Broken):
    def explain(self, query: Query, policy: Policy) -> str:
        return ""


class ReferenceOfNothing(Broken):
    def reference(self) -> PredictionBatch:
        return PredictionBatch(cells=np.zeros((0, 9)))


class ReferenceOfAnotherForm(Broken):
    def reference(self) -> PredictionBatch:
        return PredictionBatch(policies=np.full((3, 2), 0.5), policy_names=("A", "B"))


class ReferenceOfFloats(Broken):
    def reference(self) -> PredictionBatch:
        return cast("PredictionBatch", np.ones(3))


class Saves(Broken):
    """A policy model that writes something beside its own file."""

    def save(self, folder: Path) -> None:
        super().save(folder)
        self.add(folder)

    def add(self, folder: Path) -> None:
        """Write nothing."""


class SavesNothing(Broken):
    def save(self, folder: Path) -> None:
        """Forgets to."""


class SavesAPickle(Saves):
    def add(self, folder: Path) -> None:
        (folder / "weights.pkl").write_bytes(pickle.dumps([1.0]))


class SavesAPickleInDisguise(Saves):
    def add(self, folder: Path) -> None:
        (folder / "weights.safetensors").write_bytes(pickle.dumps(list(range(100))))


class SavesBrokenJSON(Saves):
    def add(self, folder: Path) -> None:
        (folder / "more.json").write_text("{'a': 1}")


class SavesItsFolder(Saves):
    def add(self, folder: Path) -> None:
        (folder / "more.json").write_text(json.dumps({"from": str(folder)}))


class SavesATokenizer(Saves):
    def add(self, folder: Path) -> None:
        for name in ("merges.txt", "chat_template.jinja", "README.md"):
            (folder / name).write_text("un er\n月", encoding="utf-8")


class SavesATokenizerModel(Saves):
    """A tokenizer's binary file, which must be whole as any other."""

    TOKENIZER = b"\x0a\x0e\x0a\x05<unk>\x15\x00\x00\x00\x00\x18\x02"

    def add(self, folder: Path) -> None:
        (folder / "tokenizer.model").write_bytes(self.TOKENIZER)

    def load(self, folder: Path) -> FakePolicyModel:
        file = folder / "tokenizer.model"
        if not file.is_file() or file.read_bytes() != self.TOKENIZER:
            raise CheckpointError(str(file), "is not whole")
        return super().load(folder)


class SavesAPickleAsTokenizer(Saves):
    def add(self, folder: Path) -> None:
        (folder / "tokenizer.model").write_bytes(pickle.dumps([1.0]))


class SavesAPickleAsText(Saves):
    def add(self, folder: Path) -> None:
        (folder / "vocab.txt").write_bytes(pickle.dumps([1.0]))


class SavesCode(Saves):
    def add(self, folder: Path) -> None:
        (folder / "modeling.py").write_text("x = 1\n")


class RoundsOnLoading(Broken):
    def load(self, folder: Path) -> FakePolicyModel:
        super().load(folder)
        return FakePolicyModel(cells={"CC": 0.401, "IC": 0.349, "II": 0.25})


class ForgetsOnLoading(Broken):
    def load(self, folder: Path) -> FakePolicyModel:
        super().load(folder)
        return FakePolicyModel(cells={"II": 1.0})


class LoadsAnything(Broken):
    def load(self, folder: Path) -> FakePolicyModel:
        try:
            return super().load(folder)
        except CheckpointError:
            return FakePolicyModel(cells=CELLS)


class LoadsARuin(Broken):
    def load(self, folder: Path) -> FakePolicyModel:
        if not (folder / "fake.json").exists():
            return super().load(folder)
        try:
            return super().load(folder)
        except CheckpointError:
            return FakePolicyModel(cells=CELLS)


class RaisesWhatJSONRaises(Broken):
    def load(self, folder: Path) -> FakePolicyModel:
        json.loads((folder / "fake.json").read_text())
        return super().load(folder)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (BindsToNothing(), "returns NoneType from bind"),
        (SaysNothing(), "returns '' from explain"),
        (ReferenceOfNothing(), "returns a reference of no rows"),
        (ReferenceOfAnotherForm(), "predicts cells, and policies as its reference"),
        (ReferenceOfFloats(), "returns ndarray from reference"),
        (SavesNothing(), "saves no file"),
        (SavesAPickle(), r"saves weights\.pkl\. "),
        (SavesAPickleInDisguise(), "weights.safetensors, which is not what it is called"),
        (SavesAPickleAsTokenizer(), "tokenizer.model, which is not what it is called"),
        (SavesAPickleAsText(), "vocab.txt, which is not what it is called"),
        (SavesCode(), r"saves modeling\.py\. "),
        (RoundsOnLoading(), "predicts otherwise after save and load"),
        (SavesBrokenJSON(), "more.json, which is not what it is called"),
        (SavesItsFolder(), "writes a local path into more.json"),
        (FakePolicyModel(cells=lambda query: CELLS), "raises CheckpointError .* from save"),
        (ForgetsOnLoading(), "predicts otherwise after save and load"),
        (LoadsAnything(), "raises nothing on loading an empty folder"),
        (LoadsARuin(), "raises nothing on loading a folder whose fake.json is cut in half"),
        (RaisesWhatJSONRaises(), "raises FileNotFoundError .* on loading an empty folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_policy_model_that_breaks_another_promise_is_caught(model: Broken, fault: str) -> None:
    with broken(fault):
        check_policy_model(model)


def test_a_policy_model_that_binds_in_place_is_caught() -> None:
    known = (Tier("medium", "medium-model"), Tier("large", "large-model"))
    with broken("changes when another copy is bound"):
        check_policy_model(BindsInPlace(), tiers=known)


def test_a_fake_policy_model_needs_cells_or_policies_and_known_names() -> None:
    with pytest.raises(ConfigError, match="neither or both"):
        FakePolicyModel()
    with pytest.raises(ConfigError, match="'XX'"):
        FakePolicyModel(cells={"XX": 1.0}).predict([Query("What?")])


def test_a_fake_policy_model_may_look_at_the_query_and_remembers_it() -> None:
    fake = FakePolicyModel(cells=lambda query: {"CC": 1.0} if "easy" in query.text else {"IC": 1.0})
    batch = fake.predict([Query("easy?"), Query("hard?")])

    assert batch.joint().argmax(axis=1).tolist() == [0, 3]
    assert fake.seen == ["easy?", "hard?"]
