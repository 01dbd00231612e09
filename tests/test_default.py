"""The router that comes with the package: real decisions, offline, by numpy alone."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import numpy as np
import pytest

from routesdk import Decision, Router
from routesdk.card import render_card
from routesdk.checkpoint import CARD, Checkpoint, read_checkpoint
from routesdk.pretrained import DEFAULT_LARGE_SHARE, bundled_names, find_checkpoint
from routesdk.record import decision_from_dict
from routesdk.router import CUT_NOTICE
from routesdk.testing import odd_queries, script_queries
from routesdk.types import Stage

QUESTION = "Who was awarded the Oceanography Society's Jerlov Award in 2018?"
PAIR = {"medium": "gemini-1.5-flash-002", "large": "gemini-1.5-pro-002"}
TEXTS = (
    QUESTION,
    "What is 2 + 2?",
    "Write a Python function that merges two sorted lists.",
    "In which year was the town of Paipa, Boyacá, founded?",
    "Which of these is a vector quantity? (A) mass (B) speed (C) force (D) energy",
    "Hi",
)


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.from_pretrained("default")


@pytest.fixture(scope="module")
def bound() -> Router:
    return Router.from_pretrained("default", **PAIR)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return read_checkpoint(find_checkpoint("default"))


def test_the_default_is_bundled() -> None:
    assert "default" in bundled_names()


def test_the_promised_lines_give_a_real_decision(router: Router) -> None:
    decision = router.route(QUESTION)

    assert decision.policy in ("Standard_Query", "Complex_Query", "Ambiguous_Query")
    assert decision.model in {tier.model for tier in router.tiers}
    assert decision.confidence == decision.probabilities[decision.policy]
    assert sum(decision.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert 0 < decision.confidence < 1
    assert -1 <= decision.expected_gain <= 1
    assert not decision.prediction.derived
    assert [step.stage for step in decision.trace] == [Stage.DEFAULT]
    assert decision.checkpoint_id == router.checkpoint_id
    assert len(decision.checkpoint_id) == 12


def test_decisions_differ_by_query(router: Router) -> None:
    gains = {decision.expected_gain for decision in router.route_batch(TEXTS)}

    assert len(gains) == len(TEXTS)


def test_it_needs_no_network_no_torch_and_nothing_of_the_hub() -> None:
    script = (
        "import sys\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen'):\n"
        "        raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "from routesdk import Router\n"
        f"print(Router.from_pretrained('default').route({QUESTION!r}).policy)\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'transformers', 'huggingface_hub', 'httpx', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    policy, heavy = done.stdout.split("\n")[:2]
    assert policy.endswith("_Query")
    assert heavy == "[]"


# Models.


def test_models_that_it_learned_from_are_bound_without_a_notice(bound: Router) -> None:
    decision = bound.route(QUESTION)

    assert decision.notices == ()
    assert decision.model in PAIR.values()


def test_a_model_that_it_never_saw_gets_the_generic_head_and_the_decision_says_so() -> None:
    router = Router.from_pretrained("default", medium="my-own-small", large="gemini-1.5-pro-002")

    decision = router.route(QUESTION)

    assert any("my-own-small" in notice for notice in decision.notices)
    # One learned head beside a generic one would tell whose rows the query resembles, not the gain.
    assert any("gemini-1.5-pro-002 was never graded on the same rows" in each for each in decision.notices)
    unseen = Router.from_pretrained("default", medium="my-own-small", large="my-own-large")
    assert decision.expected_gain == unseen.route(QUESTION).expected_gain


def test_binding_other_models_changes_what_is_predicted(router: Router, bound: Router) -> None:
    other = Router.from_pretrained("default", medium="gpt-4o-mini-2024-07-18", large="gpt-4o-2024-11-20")

    predictions = {each.route(QUESTION).expected_gain for each in (router, bound, other)}

    assert len(predictions) >= 2


@pytest.mark.parametrize("count", [2, 3, 4])
def test_any_number_of_tiers_is_served(count: int) -> None:
    tiers = {f"tier-{index}": f"unseen-{index}" for index in range(count)}

    decisions = Router.from_pretrained("default", tiers=tiers).route_batch(TEXTS)

    assert {decision.tier for decision in decisions} <= set(tiers)
    assert all(len(decision.prediction.gains) == count - 1 for decision in decisions)


def test_another_matrix_yields_its_own_policies() -> None:
    router = Router.from_pretrained("default", **PAIR, matrix="cheapest-correct")

    assert set(router.route(QUESTION).probabilities) == {"Needs_medium", "Needs_large", "None_Correct"}


# Operating points.


def test_by_default_about_a_third_is_meant_for_the_large_model(router: Router) -> None:
    point = router.operating_point

    assert point.large_share == pytest.approx(DEFAULT_LARGE_SHARE, abs=0.01)
    assert point.source == "checkpoint"
    assert -1 < point.thresholds[0] < 1


@pytest.mark.parametrize("share", [0.1, 0.2, 1 / 3, 0.5, 0.8])
def test_a_share_sends_that_share_of_its_reference_rows_up(bound: Router, share: float) -> None:
    reference = bound.policy_model.reference()
    assert reference is not None
    gains = bound._scorer.gains(reference, "linear")[:, 0]

    threshold = bound.with_large_share(share).operating_point.thresholds[0]

    assert (gains >= threshold).mean() == pytest.approx(share, abs=0.01)


def test_a_larger_share_never_sends_fewer_queries_up(bound: Router) -> None:
    shares = [index / 10 for index in range(11)]

    counts = [
        sum(decision.tier == "large" for decision in bound.route_batch(TEXTS, large_share=share))
        for share in shares
    ]

    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, len(TEXTS))


def test_the_share_may_be_given_on_loading_for_a_call_and_for_a_copy() -> None:
    loaded = Router.from_pretrained("default", **PAIR, large_share=0.2)
    plain = Router.from_pretrained("default", **PAIR)

    points = [
        loaded.operating_point,
        plain.with_large_share(0.2).operating_point,
        plain.route(QUESTION, large_share=0.2).operating_point,
    ]

    assert points[0] == points[1] == points[2]
    assert points[0].large_share == 0.2


# Any query.


@pytest.mark.parametrize("query", odd_queries(), ids=lambda query: ascii(query.text[:20]))
def test_an_odd_query_gets_a_decision(router: Router, query: object) -> None:
    decision = router.route(query)  # type: ignore[arg-type]

    assert sum(decision.probabilities.values()) == pytest.approx(1, abs=1e-6)


def test_ten_scripts_get_ten_decisions(router: Router) -> None:
    decisions = router.route_batch(script_queries())

    assert len({decision.query_id for decision in decisions}) == 10
    assert all(np.isfinite(decision.expected_gain) for decision in decisions)


def test_a_query_that_is_longer_than_it_reads_is_noticed(router: Router) -> None:
    assert CUT_NOTICE in router.route("word " * 100_000).notices
    assert CUT_NOTICE not in router.route(QUESTION).notices


def test_a_batch_decides_as_single_calls_do(bound: Router) -> None:
    queries = [*TEXTS, *script_queries()]

    together = bound.route_batch(queries)
    alone = [bound.route(query) for query in queries]

    for one, other in zip(together, alone, strict=True):
        assert (one.policy, one.tier, one.model) == (other.policy, other.tier, other.model)
        assert one.prediction.values == pytest.approx(other.prediction.values, abs=1e-6)


def test_two_threads_on_one_router_decide_as_one_does(bound: Router) -> None:
    wanted = [bound.route(text) for text in TEXTS]

    def decide(_: int) -> list[Decision]:
        return [bound.route(text) for text in TEXTS]

    with ThreadPoolExecutor(2) as threads:
        assert all(found == wanted for found in threads.map(decide, range(20)))


def test_its_explanation_speaks_of_the_decided_policy(bound: Router) -> None:
    explanation = bound.route(QUESTION, explain=True).explanation

    assert explanation is not None
    assert explanation.strip()


# The checkpoint.


def test_its_files_are_json_and_safetensors_and_small(checkpoint: Checkpoint) -> None:
    files = [path for path in checkpoint.folder.rglob("*") if path.is_file()]

    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
    assert sum(path.stat().st_size for path in files) < 10_000_000


def test_its_card_is_the_one_of_its_manifest_and_has_figures(checkpoint: Checkpoint) -> None:
    manifest = checkpoint.manifest

    assert (checkpoint.folder / CARD).read_text(encoding="utf-8") == render_card(manifest)
    assert manifest.evidence.summary
    assert manifest.evidence.command
    assert manifest.evidence.limits
    assert all(source.rows > 0 for source in manifest.evidence.sources)
    measured = {(metric.dataset, metric.method) for metric in manifest.evidence.metrics}
    assert {"bound", "generic"} <= {method for _, method in measured}
    for metric in manifest.evidence.metrics:
        if metric.low is not None and metric.high is not None:
            assert metric.low <= metric.value <= metric.high


def test_it_needs_no_plugin_and_tells_nothing_of_the_machine_it_was_made_on(checkpoint: Checkpoint) -> None:
    assert checkpoint.manifest.requires == ()
    for path in checkpoint.folder.rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "/home/" not in text
        assert "/root" not in text
        assert "/tmp" not in text


def test_it_knows_what_it_learned_from(checkpoint: Checkpoint) -> None:
    hashes = checkpoint.training_hashes()

    assert hashes.dtype == np.uint64
    assert len(hashes) > 1_000
    assert (hashes[1:] > hashes[:-1]).all()


def test_it_survives_a_round_trip(bound: Router, tmp_path: Path) -> None:
    changed = bound.with_model("large", "gemini-2.5-pro").with_budget(5)
    folder = changed.save_pretrained(tmp_path / "router")

    loaded = Router.from_pretrained(folder)

    for text in TEXTS:
        before, after = bound.route(text), loaded.route(text)
        assert after.prediction == before.prediction
        assert (after.policy, after.tier) == (before.policy, before.tier)
        assert after.notices == changed.route(text).notices
        assert after.operating_point.thresholds == before.operating_point.thresholds
    assert loaded.training_hashes().tolist() == bound.training_hashes().tolist()


def test_a_folder_of_its_name_needs_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, router: Router
) -> None:
    monkeypatch.chdir(tmp_path)
    router.with_budget(5).save_pretrained("default")

    assert Router.from_pretrained("default").checkpoint_id == router.checkpoint_id
    assert Router.from_pretrained("./default").checkpoint_id != router.checkpoint_id


# The command line.


def test_routesdk_route_shows_the_same_decision(router: Router) -> None:
    command = [sys.executable, "-c", "from routesdk.cli import main; main()", "route", QUESTION]

    record, table = (
        subprocess.run([*command, *form], capture_output=True, text=True, timeout=60, check=False)
        for form in (["--json"], [])
    )

    wanted = router.route(QUESTION)
    found = decision_from_dict(json.loads(record.stdout))
    assert attrs.evolve(found, prediction=wanted.prediction, confidence=wanted.confidence) == wanted
    assert found.prediction.values == pytest.approx(wanted.prediction.values, abs=1e-9)
    assert (table.returncode, table.stderr) == (0, "")
    assert wanted.model in table.stdout
    assert wanted.policy in table.stdout
