"""The router: decisions, operating points, notices, observers, batches, threads, copies."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import attrs
import numpy as np
import pytest

from routers import TIERS, by_length, host_with_fake, make_router
from routesdk import Decision, OperatingPoint, Query, RouteContext, Router, hookimpl
from routesdk.config import MappingConfig, RouterConfig, RuleConfig
from routesdk.errors import (
    BackendError,
    ConfigError,
    PredictionError,
    RouteSDKError,
    RuleError,
    UnknownComponentError,
)
from routesdk.estimate import CHARACTERS_PER_TOKEN, OUTPUT_TOKENS
from routesdk.manifest import Calibration, PartRecord
from routesdk.pretrained import assemble_router
from routesdk.router import CUT_NOTICE
from routesdk.testing import MODELS, FakeObserver, FakePolicyModel
from routesdk.types import Message, PredictionBatch, Proposal, Spend, Stage, Tier

MEDIUM, LARGE = MODELS
THREE = (Tier("small", "small-m"), Tier("medium", "medium-m"), Tier("large", "large-m"))
TEXTS = tuple(f"{'x' * length} {length}" for length in range(1, 101))


def longer_gains_more(query: Query) -> Mapping[str, float]:
    gain = len(query.text) / 120
    return {"IC": gain, "CC": 1 - gain}


# One decision.


def test_a_decision_tells_the_whole_story() -> None:
    router = make_router({"CC": 0.25, "IC": 0.25, "II": 0.5}, point=OperatingPoint((0.2,)))

    decision = router.route("How far is the Moon?")

    assert decision.query_id == Query("How far is the Moon?").id
    assert (decision.policy, decision.tier, decision.model) == ("Complex_Query", "large", LARGE)
    assert decision.probabilities == {"Standard_Query": 0.25, "Complex_Query": 0.25, "Ambiguous_Query": 0.5}
    assert decision.confidence == decision.probabilities["Complex_Query"]
    assert decision.expected_gain == 0.25
    assert decision.prediction.correct == (0.25, 0.5)
    assert decision.operating_point == OperatingPoint((0.2,), source="caller")
    assert [(step.stage, step.model) for step in decision.trace] == [(Stage.DEFAULT, LARGE)]
    assert decision.notices == ()
    assert decision.explanation is None
    assert decision.checkpoint_id == ""


def test_the_estimated_cost_follows_the_catalogue_and_says_how() -> None:
    router = make_router({"CC": 1.0})
    text = "x" * 401

    decision = router.route(text)

    tokens = -(-401 // CHARACTERS_PER_TOKEN)
    assert decision.estimated_cost_usd == router.mapping.catalogue.price(MEDIUM).cost_usd(
        tokens, OUTPUT_TOKENS
    )
    assert str(OUTPUT_TOKENS) in decision.cost_note


def test_without_a_price_the_cost_is_none_and_the_note_says_why() -> None:
    decision = make_router({"CC": 1.0}).with_model("medium", "nobody-knows-me").route("Who?")

    assert decision.estimated_cost_usd is None
    assert decision.cost_note == "no price is known for nobody-knows-me"


def test_a_conversation_is_routed_by_its_last_user_turn() -> None:
    turns = [
        Message("user", "Who wrote Faust?"),
        {"role": "assistant", "content": "Goethe."},
        {"role": "user", "content": "When?"},
        Message("assistant", "In"),
    ]
    model = FakePolicyModel(cells={"CC": 1.0})
    router = make_router(model=model)

    decision = router.route(turns)  # type: ignore[arg-type]

    assert router.policy_model.seen == ["When?"]  # type: ignore[attr-defined]
    assert decision.query_id != router.route("When?").query_id


def test_a_query_keeps_the_id_that_the_caller_gave() -> None:
    assert make_router().route(Query("Who?", id="mine")).query_id == "mine"


# Operating points.


@pytest.mark.parametrize(("share", "up"), [(0, 0), (0.0, 0), (0.2, 20), (0.5, 50), (1, 100), (1.0, 100)])
def test_large_share_sends_that_share_of_the_reference_mix_up(share: float, up: int) -> None:
    router = make_router(longer_gains_more, references=TEXTS)

    for_call = router.route_batch(TEXTS, large_share=share)
    for_router = router.with_large_share(share).route_batch(TEXTS)

    assert sum(decision.tier == "large" for decision in for_call) == up
    assert [each.operating_point.large_share for each in for_call] == [share] * 100
    assert for_call == for_router


def test_a_share_for_one_call_leaves_the_router_as_it_was() -> None:
    router = make_router(longer_gains_more, references=TEXTS, point=0.0)

    assert router.route("x" * 100, large_share=1).tier == "large"
    assert router.route("x" * 100).tier == "medium"


@pytest.mark.parametrize("first", [1, 0])
@pytest.mark.parametrize(
    "share", [True, False, float("nan"), -0.1, 1.1, float("inf"), "0.5", b"0.5", [0.5], {}, Decimal("0.5")]
)
def test_a_share_that_is_none_is_refused_and_the_error_names_it(share: object, first: float) -> None:
    router = make_router(longer_gains_more, references=TEXTS)
    # What was asked before must not answer for it: True equals 1.
    router.route("Who?", large_share=first)

    for attempt in (
        lambda: router.route("Who?", large_share=share),  # type: ignore[arg-type]
        lambda: router.with_large_share(share),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert caught.value.key == "large_share"
        assert caught.value.value in (repr(share), str(share))
        assert caught.value.fix == "Give a share from 0 to 1."


def test_a_share_of_none_keeps_the_router_s_own_point() -> None:
    router = make_router({"IC": 0.5, "CC": 0.5})

    assert router.route("Who?", large_share=None).operating_point == router.operating_point


def test_thresholds_for_one_call_hold_for_that_call() -> None:
    router = make_router({"IC": 0.5, "CC": 0.5}, point=OperatingPoint((0.3,)))

    assert router.route("Who?").tier == "large"
    assert router.route("Who?", operating_point=OperatingPoint((0.51,))).tier == "medium"
    assert router.with_operating_point(OperatingPoint((0.51,))).route("Who?").tier == "medium"


@pytest.mark.parametrize("threshold", [float("inf"), 2, -2, float("-inf"), 0])
def test_a_threshold_may_be_any_number_and_zero_is_one(threshold: float) -> None:
    decision = make_router({"IC": 0.5, "CC": 0.5}).route("Who?", operating_point=OperatingPoint((threshold,)))

    assert decision.tier == ("medium" if threshold > 0.5 else "large")


def test_a_share_beside_thresholds_is_refused() -> None:
    router = make_router(longer_gains_more, references=TEXTS)

    with pytest.raises(ConfigError) as caught:
        router.route("Who?", large_share=0.5, operating_point=OperatingPoint((0.1,)))

    assert caught.value.key == "large_share"
    assert caught.value.fix == "Give one of the two."


@pytest.mark.parametrize("thresholds", [(), (0.1, 0.2)])
def test_thresholds_for_another_number_of_tiers_are_refused(thresholds: tuple[float, ...]) -> None:
    router = make_router()

    for attempt in (
        lambda: router.route("Who?", operating_point=OperatingPoint(thresholds)),
        lambda: router.with_operating_point(OperatingPoint(thresholds)),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert caught.value.key == "operating_point.thresholds"


@pytest.mark.parametrize("point", [0.5, "high", (0.5,), {"thresholds": (0.5,)}])
def test_what_is_no_operating_point_is_refused(point: object) -> None:
    for attempt in (
        lambda: make_router().route("Who?", operating_point=point),  # type: ignore[arg-type]
        lambda: make_router().with_operating_point(point),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert (caught.value.key, caught.value.value) == ("operating_point", repr(point))


@pytest.mark.parametrize("threshold", [float("nan"), None, "0.5"])
def test_a_threshold_that_is_no_number_is_refused(threshold: object) -> None:
    with pytest.raises(ConfigError) as caught:
        OperatingPoint((threshold,))  # type: ignore[arg-type]

    assert caught.value.key == "operating_point.thresholds"


# A policy model that knows policies alone.


def test_policies_alone_are_enough_where_their_mean_gains_are_known() -> None:
    gains = {"Standard_Query": (-0.1,), "Complex_Query": (0.9,), "Ambiguous_Query": (0.0,)}
    router = make_router(
        policies={"Standard_Query": 0.25, "Complex_Query": 0.5, "Ambiguous_Query": 0.25},
        calibration=Calibration(policy_gains=gains),
    )

    decision = router.route("Who?")

    assert decision.prediction.derived
    assert decision.expected_gain == pytest.approx(0.425)
    assert (decision.policy, decision.confidence) == ("Complex_Query", 0.5)


# Notices.


def test_a_model_that_was_never_learned_is_noticed_in_every_decision() -> None:
    decisions = make_router(known_models=(MEDIUM,)).route_batch(["Who?", "When?"])

    assert all(len(each.notices) == 1 and LARGE in each.notices[0] for each in decisions)


def test_a_query_that_was_cut_is_noticed_and_only_that_one() -> None:
    class Cutting(FakePolicyModel):
        def predict(self, queries: object) -> PredictionBatch:
            batch = super().predict(queries)  # type: ignore[arg-type]
            cut = np.array([len(query.text) > 10 for query in queries])  # type: ignore[attr-defined]
            return attrs.evolve(batch, cut=cut)

    router = make_router(model=Cutting(cells={"CC": 1.0}))

    short, long = router.route_batch(["Who?", "Who was it then?"])

    assert short.notices == ()
    assert long.notices == (CUT_NOTICE,)


def test_a_query_that_its_model_cannot_read_is_noticed() -> None:
    router = make_router({"CC": 1.0})
    catalogue = router.mapping.catalogue.with_price(
        MEDIUM, input_usd_per_mtok=1, output_usd_per_mtok=1, context_tokens=100
    )
    router = attrs.evolve(router, mapping=attrs.evolve(router.mapping, catalogue=catalogue))

    assert router.route("x" * 400).notices == ()
    assert router.route("x" * 401).notices == (f"about 101 tokens, and {MEDIUM} reads 100",)


def test_a_conversation_costs_all_of_its_turns() -> None:
    router = make_router({"CC": 1.0})
    turns = [Message("system", "x" * 400), Message("user", "y" * 4)]

    difference = router.route(turns).estimated_cost_usd - router.route("y" * 4).estimated_cost_usd

    assert difference == router.mapping.catalogue.price(MEDIUM).cost_usd(100, 0)


# Explanations.


def test_an_explanation_is_written_for_the_decided_policy_and_only_when_asked() -> None:
    router = make_router({"IC": 1.0})

    assert router.route("Who?").explanation is None
    assert router.route("Who?", explain=True).explanation.startswith("Complex_Query: ")  # type: ignore[union-attr]
    assert all(each.explanation for each in router.route_batch(["Who?", "When?"], explain=True))


def test_explaining_changes_nothing_else() -> None:
    router = make_router({"IC": 1.0})

    assert attrs.evolve(router.route("Who?", explain=True), explanation=None) == router.route("Who?")


# Observers.


def test_observers_are_told_of_every_decision_in_order() -> None:
    first, second = FakeObserver(), FakeObserver()
    router = make_router(observers=[first]).with_observer(second)

    decisions = router.route_batch(["Who?", "When?", "Where?"])

    assert first.decisions == second.decisions == decisions
    assert [query.text for query in first.queries] == ["Who?", "When?", "Where?"]


def test_a_plugin_s_hook_is_told_as_well() -> None:
    told: list[Decision] = []

    class Plugin:
        @hookimpl
        def routesdk_routed(self, decision: Decision) -> None:
            told.append(decision)

    decision = make_router(host=host_with_fake(Plugin())).route("Who?")

    assert told == [decision]


def test_an_observer_that_raises_fails_no_request_and_the_others_hear(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        def routesdk_routed(self, decision: Decision) -> None:
            raise ValueError("no disk")

    heard = FakeObserver()

    with caplog.at_level(logging.ERROR, "routesdk"):
        decision = make_router(observers=[Broken(), heard]).route("Who?")

    assert heard.decisions == [decision]
    assert "Broken" in caplog.text


# Batches.


def test_a_batch_decides_as_single_calls_do_in_the_order_of_its_queries() -> None:
    router = make_router(by_length, point=OperatingPoint((0.3,)))
    texts = [TEXTS[index] for index in (50, 3, 99, 3, 28, 29)]

    assert router.route_batch(texts) == [router.route(text) for text in texts]


@pytest.mark.parametrize("empty", [(), [], iter(()), {}, set()])
def test_an_empty_batch_has_no_decisions_and_asks_nobody(empty: object) -> None:
    router = make_router()

    assert router.route_batch(empty) == []  # type: ignore[arg-type]
    assert router.policy_model.seen == []  # type: ignore[attr-defined]


def test_a_batch_may_come_from_a_generator_that_is_read_once() -> None:
    reads: list[str] = []

    def queries() -> Iterator[str]:
        for text in ("Who?", "When?"):
            reads.append(text)
            yield text

    assert len(make_router().route_batch(queries())) == 2
    assert reads == ["Who?", "When?"]


@pytest.mark.parametrize("value", ["Who?", b"Who?", bytearray(b"Who?"), Query("Who?"), None, 5, object()])
def test_one_value_given_as_a_batch_is_refused(value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make_router().route_batch(value)  # type: ignore[arg-type]

    assert (caught.value.key, caught.value.problem) == ("queries", "is one value, not many")
    assert "route" in caught.value.fix


def test_one_bad_query_stops_a_batch_before_anything_is_decided() -> None:
    observer = FakeObserver()

    with pytest.raises(RouteSDKError):
        make_router(observers=[observer]).route_batch(["Who?", "", "When?"])

    assert observer.decisions == []


# Concurrency.


def test_aroute_decides_as_route_does() -> None:
    router = make_router(longer_gains_more, references=TEXTS)

    async def ask() -> list[Decision]:
        return await asyncio.gather(
            *(router.aroute(text, large_share=0.5, explain=True) for text in TEXTS[:20])
        )

    assert asyncio.run(ask()) == [router.route(text, large_share=0.5, explain=True) for text in TEXTS[:20]]


def test_many_threads_on_one_router_decide_as_one_does() -> None:
    rules = (RuleConfig(name="length", options={"min_words": 3, "model": "gemini-2.5-pro"}),)
    router = make_router(longer_gains_more, references=TEXTS, mapping=MappingConfig(rules=rules)).with_budget(
        100
    )
    shares = [index % 11 / 10 for index in range(100)]
    wanted = [
        make_router(longer_gains_more, references=TEXTS, mapping=MappingConfig(rules=rules))
        .with_budget(100)
        .route(text, large_share=share)
        for text, share in zip(TEXTS, shares, strict=True)
    ]

    with ThreadPoolExecutor(8) as threads:
        for _ in range(3):
            found = list(threads.map(lambda at: router.route(TEXTS[at], large_share=shares[at]), range(100)))
            assert found == wanted


def test_threads_that_swap_models_do_not_disturb_each_other() -> None:
    router = make_router({"IC": 1.0})

    def swap(index: int) -> str:
        return router.with_model("large", f"model-{index}").route("Who?").model

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(swap, range(50))) == [f"model-{index}" for index in range(50)]
    assert router.route("Who?").model == LARGE


# Copies.


@pytest.mark.parametrize("field", ["mapping", "operating_point", "spend", "host", "policy_model"])
def test_a_router_cannot_be_changed_in_place(field: str) -> None:
    router = make_router()

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(router, field, None)


def test_a_decision_cannot_be_changed_in_place() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        make_router().route("Who?").model = "other"  # type: ignore[misc]


def test_decisions_survive_pickling() -> None:
    router = make_router({"IC": 1.0}).with_budget(1).with_rule("tag", tag="law", model=MEDIUM)
    decision = router.route(Query("Who?", tags={"law"}, metadata={"tenant": "a"}), explain=True)

    assert pickle.loads(pickle.dumps(decision)) == decision


def test_with_rule_takes_a_name_or_an_object() -> None:
    class Up:
        def propose(self, context: RouteContext) -> Proposal:
            return Proposal(LARGE, "up")

    router = make_router({"CC": 1.0})

    assert router.with_rule(Up()).route("Who?").trace[-1].source == "Up"
    named = router.with_rule("tag", tag="law", model=LARGE)
    assert named.route(Query("Who?", tags={"law"})).trace[-1].source == "tag"
    with pytest.raises(ConfigError) as caught:
        router.with_rule(Up(), tag="law")
    assert caught.value.key == "options"
    with pytest.raises(UnknownComponentError) as unknown:
        router.with_rule("tagg", tag="law", model=LARGE)
    assert (unknown.value.kind, unknown.value.name) == ("rule", "tagg")
    with pytest.raises(ConfigError) as wrong:
        router.with_rule("tag", tagg="law", model=LARGE)
    assert wrong.value.key == "rule.tag.tagg"
    with pytest.raises(RuleError):
        router.with_rule(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("on_error", ["Skip", "", "ignore"])
def test_on_error_is_raise_or_skip(on_error: str) -> None:
    class Up:
        def propose(self, context: RouteContext) -> Proposal:
            return Proposal(LARGE, "up")

    for attempt in (
        lambda: make_router().with_rule("tag", on_error=on_error, tag="law", model=LARGE),
        lambda: make_router().with_rule(Up(), on_error=on_error),
    ):
        with pytest.raises(ConfigError) as caught:
            attempt()
        assert (caught.value.key, caught.value.value) == ("rule.on_error", repr(on_error))


def test_a_rule_sees_what_it_may_decide_by() -> None:
    seen: list[RouteContext] = []

    class Look:
        def propose(self, context: RouteContext) -> None:
            seen.append(context)

    router = make_router({"IC": 1.0})
    router = attrs.evolve(router, spend=router.host.spend_source("memory", settled_usd=2)).with_rule(Look())  # type: ignore[arg-type]

    decision = router.route(Query("Who?", tags={"law"}))

    (context,) = seen
    assert context.query.tags == {"law"}
    assert context.prediction == decision.prediction
    assert (context.policy, context.default_model) == ("Complex_Query", LARGE)
    assert context.models == MODELS
    assert context.spend == Spend(settled_usd=Decimal(2))
    assert context.catalogue is router.mapping.catalogue


# Tiers.


def test_more_than_two_tiers_are_climbed_one_by_one() -> None:
    def predict(query: Query) -> Mapping[str, float]:
        return {"small": {"CCC": 1.0}, "medium": {"ICC": 1.0}, "large": {"IIC": 0.4, "ICC": 0.6}}[query.text]

    router = make_router(predict, tiers=THREE, point=OperatingPoint((0.5, 0.3)))

    decisions = router.route_batch(["small", "medium", "large"])

    assert [each.tier for each in decisions] == ["small", "medium", "large"]
    assert [each.policy for each in decisions] == ["Needs_small", "Needs_medium", "Needs_large"]
    assert [each.model for each in decisions] == ["small-m", "medium-m", "large-m"]
    assert decisions[2].prediction.gains == (0.6, 0.4)
    assert decisions[2].expected_gain == 1.0


@pytest.mark.parametrize(
    ("tiers", "key"),
    [
        ((Tier("a", "m"),), "tiers"),
        ((), "tiers"),
        (tuple(Tier(f"t{i}", f"m{i}") for i in range(9)), "tiers"),
        ((Tier("a", "m"), Tier("a", "n")), "tiers.name"),
        ((Tier("a", "m"), Tier("b", "m")), "tiers.model"),
        ((Tier("a", "m"), Tier("", "n")), "tiers.name"),
        ((Tier("a", "m"), Tier("b", None)), "tiers.model"),  # type: ignore[arg-type]
    ],
)
def test_tiers_that_no_router_can_have_are_refused(tiers: tuple[Tier, ...], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_router(model=FakePolicyModel(cells={"CC": 1.0}), tiers=tiers)

    assert caught.value.key == key


def test_a_matrix_for_other_tiers_is_refused() -> None:
    with pytest.raises(ConfigError):
        assemble_router(
            policy_model=FakePolicyModel(cells={"CC": 1.0}),
            policy_model_record=PartRecord(kind="policy model", name="fake"),
            matrix_record=PartRecord(kind="matrix", name="nine-cell"),
            tiers=THREE,
            point=OperatingPoint((0.1, 0.1)),
            host=host_with_fake(),
        )


def test_eight_tiers_are_served() -> None:
    tiers = [Tier(f"t{index}", f"m{index}") for index in range(8)]

    decision = make_router({"I" * 7 + "C": 1.0}, tiers=tiers, point=OperatingPoint((0,) * 7)).route("Who?")

    assert (decision.tier, decision.policy) == ("t7", "Needs_t7")


# From a config.


def test_a_config_describes_a_router(tmp_path: Path) -> None:
    host = host_with_fake()
    saved = make_router(by_length, references=TEXTS, host=host)
    fixed = make_router({"IC": 0.5, "CC": 0.5}, references=["a", "b"], host=host)
    folder = fixed.save_pretrained(tmp_path / "router")
    log = tmp_path / "log.jsonl"
    rules = (RuleConfig(name="tag", options={"tag": "law", "model": MEDIUM}),)

    router = Router.from_config(
        RouterConfig(checkpoint=str(folder), large="gemini-2.5-pro", large_share=1.0, decision_log=str(log)),
        MappingConfig(rules=rules),
        host=host,
    )

    assert saved.tiers == TIERS
    assert router.tiers == (Tier("medium", MEDIUM), Tier("large", "gemini-2.5-pro"))
    assert router.operating_point.large_share == 1.0
    assert [rule.name for rule in router.mapping.rules] == ["tag"]
    router.route("Who?")
    assert log.read_text().count("\n") == 1


def test_an_empty_mapping_in_a_config_keeps_the_checkpoint_s(tmp_path: Path) -> None:
    host = host_with_fake()
    folder = (
        make_router(host=host).with_rule("tag", tag="law", model=MEDIUM).save_pretrained(tmp_path / "router")
    )

    router = Router.from_config(RouterConfig(checkpoint=str(folder)), MappingConfig(), host=host)

    assert [rule.name for rule in router.mapping.rules] == ["tag"]


# Policy models that fail, and models that were swapped.


class Faulty(FakePolicyModel):
    """Raises or returns nonsense in one of its methods."""

    def fail(self, *_: object) -> object:
        raise ZeroDivisionError("no rows")


@pytest.mark.parametrize("method", ["predict", "explain", "reference"])
def test_a_policy_model_that_raises_is_an_error_that_names_it(method: str) -> None:
    faulty = type("Faulty", (Faulty,), {method: Faulty.fail})
    router = make_router(model=faulty(cells={"CC": 1.0}))

    with pytest.raises(PredictionError) as caught:
        router.route("Who?", explain=True, large_share=0.5 if method == "reference" else None)

    assert caught.value.policy_model == "Faulty"
    assert "ZeroDivisionError: no rows" in caught.value.problem
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("method", ["predict", "explain", "reference"])
def test_an_error_of_routesdk_s_own_comes_through_a_policy_model_as_it_is(method: str) -> None:
    def refuse(*_: object) -> object:
        raise BackendError("local", "is busy")

    faulty = type("Faulty", (Faulty,), {method: refuse})
    router = make_router(model=faulty(cells={"CC": 1.0}))

    with pytest.raises(BackendError):
        router.route("Who?", explain=True, large_share=0.5 if method == "reference" else None)


@pytest.mark.parametrize("said", [None, 5, b"since", ["since"]])
def test_an_explanation_that_is_no_text_is_an_error_that_names_the_policy_model(said: object) -> None:
    faulty = type("Faulty", (Faulty,), {"explain": lambda self, query, policy: said})
    router = make_router(model=faulty(cells={"CC": 1.0}))

    with pytest.raises(PredictionError) as caught:
        router.route("Who?", explain=True)

    said_instead = f"`explain` returned {type(said).__name__}, not a string"
    assert attrs.astuple(caught.value) == ("Faulty", said_instead)


@pytest.mark.parametrize("rows", [5, "rows", [0.5]])
def test_reference_rows_of_another_type_are_an_error_that_names_the_policy_model(rows: object) -> None:
    faulty = type("Faulty", (Faulty,), {"reference": lambda self: rows})
    router = make_router(model=faulty(cells={"CC": 1.0}))

    with pytest.raises(PredictionError) as caught:
        router.route("Who?", large_share=0.5)

    assert type(rows).__name__ in caught.value.problem


def test_a_swapped_model_is_noticed_where_it_serves_and_only_there() -> None:
    up, down = make_router({"IC": 1.0}), make_router({"CC": 1.0})
    swap = {"where": "large", "model": "gemini-2.5-pro"}

    assert up.route("Who?").notices == ()
    assert up.with_model(**swap).route("Who?").notices == (
        f"predicted for {TIERS[1].model}, served by gemini-2.5-pro",
    )
    assert down.with_model(**swap).route("Who?").notices == ()
    assert up.with_model(**swap).with_model("large", TIERS[1].model).route("Who?").notices == ()


def test_a_swapped_tier_is_not_named_where_another_model_serves_the_query() -> None:
    router = make_router({"IC": 1.0}).with_model("large", "gemini-2.5-pro")

    assert router.with_budget(0).route("Who?").notices == ()
    assert router.with_policy_map({"Complex_Query": "gpt-5.2"}).route("Who?").notices == ()
