"""The contract check of policy models."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from routesdk.protocols import PolicyModel
from routesdk.testing.batches import SAME_WITHIN, check_batch, form_of, rows_of, same
from routesdk.testing.files import check_files, check_loading
from routesdk.testing.samples import describe, odd_queries, script_queries
from routesdk.testing.verdict import broken, call, require, sentence
from routesdk.types import Policy, PredictionBatch, Query, Tier

UNSEEN = (Tier("medium", "never-seen-medium"), Tier("large", "never-seen-large"))
"""Tiers of models that no policy model learned from."""

_SERVES = "a policy model predicts for every query"
_POLICY = Policy("Complex_Query", "Only the large model answers it correctly.", "large")


def check_policy_model(
    model: PolicyModel, *, tiers: tuple[Tier, ...] = UNSEEN, tolerance: float = SAME_WITHIN
) -> None:
    """Check that a trained policy model keeps its contract.

    It must give valid probabilities for ten scripts, lone surrogates and 1 MB
    of text, the same for a query alone as in any batch and from any thread;
    say so when it is bound to a model that it never saw; and come back from
    safetensors, JSON, ONNX and text files as it was.

    Args:
        model: The policy model, trained.
        tiers: Tiers to bind it to for most of the check.
        tolerance: How far a probability may differ between batches, orders and
            threads. State a larger one for a model on a GPU, or of 4 bits. Up
            to the default, a model that was saved must come back exactly;
            beyond it, within the tolerance.

    Raises:
        AssertionError: A promise is broken; the text says which, and on what query.
    """
    bound = _bind(model, tiers)
    queries = [*script_queries(), *odd_queries()]
    batch = _predict(bound, queries, len(tiers))
    _check_order(bound, queries, batch, len(tiers), tolerance)
    _check_threads(bound, queries, batch, tolerance)
    _check_unseen(model, bound, queries[:2], tolerance)
    _check_reference(bound, batch, len(tiers))
    _check_reasons(bound, queries, batch)
    _check_saved(bound, queries, batch, tiers, 0.0 if tolerance <= SAME_WITHIN else tolerance)


def _bind(model: PolicyModel, tiers: tuple[Tier, ...]) -> PolicyModel:
    names = ", ".join(tier.model for tier in tiers)
    promise = "bind returns a copy that predicts for any tiers, or the model itself"
    bound = call(model, f"from bind to {names}", promise, model.bind, tiers)
    require(isinstance(bound, PolicyModel), model, f"returns {type(bound).__name__} from bind", promise)
    return bound


def _predict(model: PolicyModel, queries: Sequence[Query], tiers: int) -> PredictionBatch:
    about = f"on {describe(queries[0])}" if len(queries) == 1 else f"on {len(queries)} queries"
    batch = call(model, about, _SERVES, model.predict, queries)
    if not isinstance(batch, PredictionBatch):
        raise broken(model, f"returns {type(batch).__name__} {about}", "predict returns a PredictionBatch")
    check_batch(model, batch, len(queries), tiers, about)
    return batch


def _check_order(
    model: PolicyModel, queries: list[Query], batch: PredictionBatch, tiers: int, tolerance: float
) -> None:
    promise = "a query's prediction does not depend on the batch that it stands in, or on its place there"
    for index, query in enumerate(queries):
        alone = _predict(model, [query], tiers)
        together = rows_of(batch, [index])
        fault = f"predicts otherwise for {describe(query)} alone than in a batch"
        require(same(alone, together, within=tolerance), model, fault, promise)
    backwards = _predict(model, queries[::-1], tiers)
    turned = rows_of(batch, range(len(queries) - 1, -1, -1))
    require(same(backwards, turned, within=tolerance), model, "predicts otherwise in another order", promise)
    _predict(model, [], tiers)


def _check_threads(
    model: PolicyModel, queries: list[Query], batch: PredictionBatch, tolerance: float
) -> None:
    with ThreadPoolExecutor(4) as threads:
        about = "from one of four threads"
        batches = list(threads.map(lambda _: call(model, about, _SERVES, model.predict, queries), range(8)))
    kept = all(same(each, batch, within=tolerance) for each in batches)
    require(kept, model, "predicts otherwise from four threads", "a policy model is shared between threads")


def _check_unseen(model: PolicyModel, bound: PolicyModel, queries: list[Query], tolerance: float) -> None:
    before = bound.predict(queries)
    other = _bind(model, UNSEEN)
    batch = _predict(other, queries, len(UNSEEN))
    if batch.policies is not None:
        return
    said = " ".join(batch.notices)
    missing = [tier.model for tier in UNSEEN if tier.model not in said]
    require(
        not missing,
        model,
        f"predicts for {', '.join(missing)}, which it never saw, with the notices {batch.notices!r}",
        "a batch by a generic head names the model that was never learned in its notices",
    )
    promise = "bind returns a copy; the one that was bound stays as it is"
    require(
        same(bound.predict(queries), before, within=tolerance),
        model,
        "changes when another copy is bound",
        promise,
    )


def _check_reference(model: PolicyModel, batch: PredictionBatch, tiers: int) -> None:
    promise = "reference returns a PredictionBatch of the calibration rows, or None where it kept none"
    reference = call(model, "from reference()", promise, model.reference)
    if reference is None:
        return
    if not isinstance(reference, PredictionBatch):
        raise broken(model, f"returns {type(reference).__name__} from reference()", promise)
    require(len(reference) > 0, model, "returns a reference of no rows", promise)
    check_batch(model, reference, len(reference), tiers, "from reference()")
    require(
        form_of(reference) == form_of(batch),
        model,
        f"predicts {form_of(batch)}, and {form_of(reference)} as its reference",
        "reference rows are predicted in the form of all others",
    )


def _check_reasons(model: PolicyModel, queries: list[Query], batch: PredictionBatch) -> None:
    promise = "explain writes a non-blank reason for a policy that is decided"
    name = batch.policy_names[0] if batch.policy_names else _POLICY.name
    policy = Policy(name, _POLICY.description, _POLICY.tier)
    for query in queries:
        about = f"from explain on {describe(query)}"
        reason = call(model, about, promise, model.explain, query, policy)
        require(sentence(reason), model, f"returns {reason!r} {about}", promise)


def _check_saved(
    model: PolicyModel,
    queries: list[Query],
    batch: PredictionBatch,
    tiers: tuple[Tier, ...],
    tolerance: float,
) -> None:
    with tempfile.TemporaryDirectory(prefix="routesdk-check-") as name:
        folder = Path(name)
        promise = "save writes everything into an existing, empty folder"
        call(model, "from save", promise, model.save, folder)
        check_files(model, folder)
        loaded = call(model, "from load", "load returns what save wrote", model.load, folder)
        again = _bind(loaded, tiers).predict(queries)
        require(
            same(again, batch, within=tolerance),
            model,
            "predicts otherwise after save and load",
            "a checkpoint brings back the very policy model",
        )
        check_loading(model, folder)
