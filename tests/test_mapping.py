"""From policy to model: defaults, overrides, constraints, and a trace that explains the choice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routers import make_router
from routesdk import Component, hookimpl
from routesdk.config import MappingConfig, RuleConfig
from routesdk.errors import (
    ConfigError,
    NoModelAllowedError,
    PolicyParseError,
    RuleError,
    UnknownModelError,
    UnknownPriceError,
)
from routesdk.mapping import POLICY_MAP, ActiveRule, Choice, ModelMapping, load_policy_map
from routesdk.plugins.nine_cell.matrix import NineCell
from routesdk.testing import MODELS, make_catalogue, make_context, make_host
from routesdk.types import Policy, Proposal, Refusal, RouteContext, Stage, Tier, TraceStep

MEDIUM, LARGE = MODELS
TIERS = (Tier("medium", MEDIUM), Tier("large", LARGE))


@attrs.frozen
class Propose:
    """Proposes a model, or whatever it is given."""

    answer: object

    def propose(self, context: RouteContext) -> object:
        return Proposal(self.answer, f"wants {self.answer}") if isinstance(self.answer, str) else self.answer


@attrs.frozen
class Refuse:
    """Refuses some models."""

    models: frozenset[str]

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        return Refusal(f"{model} is refused") if model in self.models else None


@attrs.frozen
class Fail:
    """Raises where it proposes."""

    error: Exception = attrs.field(factory=lambda: KeyError("no such thing"))

    def propose(self, context: RouteContext) -> Proposal | None:
        raise self.error


@attrs.frozen
class FailOn:
    """Raises where it is asked about some models."""

    models: frozenset[str]

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        if model in self.models:
            raise ValueError(f"cannot judge {model}")
        return None


@attrs.frozen
class AnswerRefusal:
    """Returns whatever it is given where a refusal is due."""

    answer: object

    def refuse(self, context: RouteContext, model: str) -> object:
        return self.answer


def make_mapping(
    *rules: object,
    tiers: Sequence[Tier] = TIERS,
    policy_map: dict[str, str] | None = None,
    models: Sequence[str] = (),
    on_error: str = "raise",
) -> ModelMapping:
    names = tuple(tier.name for tier in tiers)
    policies = (
        NineCell().policies
        if names == ("medium", "large")
        else tuple(Policy(f"For_{name}", "", name) for name in names)
    )
    return ModelMapping(
        tiers=tuple(tiers),
        policies=policies,
        policy_map=policy_map or {},
        rules=tuple(ActiveRule.of(rule, on_error) for rule in rules),  # type: ignore[arg-type]
        models=tuple(models),
        catalogue=make_catalogue(),
    )


def summary(choice: Choice) -> list[tuple[Stage, str, str, str]]:
    return [(step.stage, step.source, step.model, step.chosen) for step in choice.trace]


# Defaults: the tier of a policy, or the static map.


@pytest.mark.parametrize(
    ("policy", "model"), [("Standard_Query", MEDIUM), ("Complex_Query", LARGE), ("Ambiguous_Query", MEDIUM)]
)
def test_without_a_map_a_policy_goes_to_the_model_of_its_tier(policy: str, model: str) -> None:
    choice = make_mapping().choose(make_context(policy=policy))

    assert choice.model == model
    assert choice.trace == (
        TraceStep(Stage.DEFAULT, POLICY_MAP, model, model, f"it serves the tier of {policy}"),
    )


def test_a_static_map_comes_before_the_tier_and_the_trace_says_so() -> None:
    mapping = make_mapping(policy_map={"Ambiguous_Query": "cheap-and-cheerful"})

    choice = mapping.choose(make_context(policy="Ambiguous_Query"))

    assert choice.model == "cheap-and-cheerful"
    assert choice.trace[0].reason == "Ambiguous_Query is mapped to it"
    assert mapping.choose(make_context(policy="Standard_Query")).model == MEDIUM


def test_a_map_of_an_unknown_policy_is_refused() -> None:
    with pytest.raises(PolicyParseError) as caught:
        make_mapping(policy_map={"Complex": LARGE})

    assert attrs.astuple(caught.value) == ("Complex", tuple(p.name for p in NineCell().policies))


@pytest.mark.parametrize("model", ["", "  ", None, 5])
def test_a_map_to_what_is_no_model_names_the_policy(model: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make_mapping(policy_map={"Complex_Query": model})  # type: ignore[dict-item]

    assert (caught.value.key, caught.value.value) == ("mapping.policies.Complex_Query", repr(model))


def test_a_policy_of_a_tier_that_the_router_lacks_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        ModelMapping(tiers=TIERS, policies=(Policy("Odd", "", "huge"),), catalogue=make_catalogue())

    assert (caught.value.key, caught.value.value) == ("matrix.Odd.tier", "huge")


def test_a_policy_map_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policy_map.json"
    file.write_text('{"Complex_Query": "größtes-modell"}', encoding="utf-8")

    assert load_policy_map(file) == {"Complex_Query": "größtes-modell"}


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('{"Complex_Query": ', "policy_map", "is no JSON"),
        ("", "policy_map", "is no JSON"),
        ('["Complex_Query"]', "policy_map", "is no object"),
        ('{"Complex_Query": 5}', "policy_map.Complex_Query", "not a model's name"),
        ('{"Complex_Query": " "}', "policy_map.Complex_Query", "not a model's name"),
    ],
)
def test_a_file_that_is_no_policy_map_is_named(tmp_path: Path, text: str, key: str, problem: str) -> None:
    file = tmp_path / "policy_map.json"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_policy_map(file)

    assert caught.value.key == key
    assert caught.value.problem.startswith(problem)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_policy_map_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "policy_map.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load_policy_map(file)

    assert caught.value.value == str(file)


# Overrides: the first proposal wins.


def test_the_first_proposal_wins_and_later_ones_are_overruled_in_the_trace() -> None:
    choice = make_mapping(Propose(None), Propose(LARGE), Propose(MEDIUM)).choose(make_context())

    assert choice.model == LARGE
    assert summary(choice) == [
        (Stage.DEFAULT, POLICY_MAP, MEDIUM, MEDIUM),
        (Stage.OVERRIDE, "Propose", LARGE, LARGE),
        (Stage.OVERRIDE, "Propose", MEDIUM, LARGE),
    ]
    assert [step.overruled for step in choice.trace] == [False, False, True]


def test_a_proposal_of_the_default_still_decides() -> None:
    choice = make_mapping(Propose(MEDIUM), Propose(LARGE)).choose(make_context())

    assert choice.model == MEDIUM


def test_overrides_come_before_constraints_whatever_their_place_in_the_list() -> None:
    choice = make_mapping(Refuse(frozenset({LARGE})), Propose(LARGE)).choose(make_context())

    assert summary(choice) == [
        (Stage.DEFAULT, POLICY_MAP, MEDIUM, MEDIUM),
        (Stage.OVERRIDE, "Propose", LARGE, LARGE),
        (Stage.CONSTRAINT, "Refuse", LARGE, MEDIUM),
    ]


def test_a_rule_may_propose_what_the_map_the_list_or_the_catalogue_knows() -> None:
    for model in ("mapped", "listed", "gpt-5.2"):
        mapping = make_mapping(Propose(model), policy_map={"Complex_Query": "mapped"}, models=["listed"])
        assert mapping.choose(make_context()).model == model


def test_a_proposal_of_a_model_that_nobody_knows_raises_with_the_nearest_name() -> None:
    with pytest.raises(UnknownModelError) as caught:
        make_mapping(Propose("large-modle")).choose(make_context())

    assert attrs.astuple(caught.value) == ("large-modle", (LARGE, MEDIUM), "rule 'Propose'")
    assert "Did you mean 'large-model'?" in str(caught.value)


@pytest.mark.parametrize("answer", [5, True, [], {"model": LARGE}, Refusal("no"), Choice(LARGE, ())])
def test_a_proposal_of_another_type_names_the_rule(answer: object) -> None:
    with pytest.raises(RuleError) as caught:
        make_mapping(Propose(answer)).choose(make_context())

    assert caught.value.rule == "Propose"
    assert type(answer).__name__ in caught.value.problem


@pytest.mark.parametrize(
    "proposal",
    [Proposal(None, "why"), Proposal(["m"], "why"), Proposal(LARGE, None)],  # type: ignore[arg-type]
)
def test_a_proposal_without_model_or_reason_names_the_rule(proposal: Proposal) -> None:
    with pytest.raises(RuleError) as caught:
        make_mapping(Propose(proposal)).choose(make_context())

    assert caught.value.rule == "Propose"


@pytest.mark.parametrize(
    "error",
    [KeyError("no such thing"), ZeroDivisionError(), RecursionError("deep"), ConfigError("a", "b", "c", "d")],
)
def test_a_rule_that_raises_is_an_error_that_names_it(error: Exception) -> None:
    with pytest.raises(RuleError) as caught:
        make_mapping(Fail(error)).choose(make_context())

    assert caught.value.rule == "Fail"
    assert type(error).__name__ in caught.value.problem
    assert caught.value.__cause__ is error
    assert 'on_error = "skip"' in str(caught.value)


def test_a_rule_that_may_be_skipped_is_noted_and_the_next_one_decides() -> None:
    choice = make_mapping(Fail(), Propose(LARGE), on_error="skip").choose(make_context())

    assert summary(choice) == [
        (Stage.DEFAULT, POLICY_MAP, MEDIUM, MEDIUM),
        (Stage.SKIPPED, "Fail", MEDIUM, MEDIUM),
        (Stage.OVERRIDE, "Propose", LARGE, LARGE),
    ]
    assert "no such thing" in choice.trace[1].reason


@pytest.mark.parametrize("answer", [5, "nobody-knows-it"])
def test_a_wrong_proposal_may_be_skipped_too(answer: object) -> None:
    choice = make_mapping(Propose(answer), on_error="skip").choose(make_context())

    assert choice.model == MEDIUM
    assert choice.trace[-1].stage is Stage.SKIPPED


@pytest.mark.parametrize("part", [object(), None, 5, Propose, lambda context: None])
def test_what_is_no_rule_is_refused_when_it_is_added(part: object) -> None:
    with pytest.raises(RuleError) as caught:
        ActiveRule.of(part)  # type: ignore[arg-type]

    assert caught.value.problem.startswith("it ")


# Constraints: they always hold.


def test_a_refused_model_falls_to_the_nearest_cheaper_tier_first() -> None:
    tiers = [Tier(name, f"{name}-m") for name in ("a", "b", "c", "d")]
    context = make_context(policy="For_c", models=[tier.model for tier in tiers])

    orders = []
    refused: set[str] = set()
    for _ in range(5):
        mapping = make_mapping(Refuse(frozenset(refused)), tiers=tiers, models=["extra"])
        orders.append(mapping.choose(context).model)
        refused.add(orders[-1])

    assert orders == ["c-m", "b-m", "a-m", "d-m", "extra"]


FOUR = [Tier(name, f"{name}-m") for name in ("a", "b", "c", "d")]


@pytest.mark.parametrize(
    ("policy", "policy_map", "proposals", "order"),
    [
        # Nobody proposes anything: the default, cheaper tiers, dearer tiers, the rest.
        ("For_b", {}, [], ["b-m", "a-m", "c-m", "d-m", "extra"]),
        ("For_a", {}, [], ["a-m", "b-m", "c-m", "d-m", "extra"]),
        # A proposal on the ladder: the other proposals and the default come before its neighbours.
        ("For_a", {}, ["d-m"], ["d-m", "a-m", "c-m", "b-m", "extra"]),
        ("For_a", {}, ["d-m", "extra", "b-m"], ["d-m", "extra", "b-m", "a-m", "c-m"]),
        ("For_d", {}, ["b-m", "b-m", "c-m"], ["b-m", "c-m", "d-m", "a-m", "extra"]),
        # Off the ladder, the policy's own tier is where counting begins.
        ("For_b", {}, ["extra"], ["extra", "b-m", "a-m", "c-m", "d-m"]),
        ("For_c", {"For_c": "odd"}, [], ["odd", "c-m", "b-m", "a-m", "d-m", "extra"]),
        ("For_c", {"For_c": "odd"}, ["extra"], ["extra", "odd", "c-m", "b-m", "a-m", "d-m"]),
        ("For_c", {"For_c": "odd"}, ["a-m"], ["a-m", "odd", "b-m", "c-m", "d-m", "extra"]),
    ],
)
def test_a_refusal_moves_to_proposals_then_to_the_default_then_down_then_up(
    policy: str, policy_map: dict[str, str], proposals: list[str], order: list[str]
) -> None:
    found: list[str] = []
    for _ in order:
        rules = [*map(Propose, proposals), Refuse(frozenset(found))]
        mapping = make_mapping(*rules, tiers=FOUR, models=["extra"], policy_map=policy_map)
        context = make_context(policy=policy, models=[tier.model for tier in FOUR])
        found.append(mapping.choose(context).model)

    assert found == order


def test_a_proposal_that_was_skipped_is_no_fallback() -> None:
    rules = (Propose(LARGE), Propose("unheard-of"), Refuse(frozenset({LARGE})))

    assert make_mapping(*rules, on_error="skip").choose(make_context()).model == MEDIUM


def test_a_number_that_json_does_not_know_is_no_option_of_a_saved_rule() -> None:
    @attrs.frozen(kw_only=True)
    class Odd:
        limit: float

        def propose(self, context: RouteContext) -> Proposal | None:
            return None

    class Plugin:
        @hookimpl
        def routesdk_rules(self) -> list[Component[Odd]]:
            return [Component(name="odd", factory=Odd)]

    rule = ActiveRule.build(RuleConfig(name="odd", options={"limit": float("inf")}), make_host(Plugin()))

    with pytest.raises(ConfigError) as caught:
        make_mapping().with_rule(rule).config()

    assert caught.value.key == "mapping.rules.odd"


def test_every_refusal_on_the_way_is_in_the_trace() -> None:
    tiers = [Tier(name, f"{name}-m") for name in ("a", "b", "c")]
    mapping = make_mapping(Refuse(frozenset({"c-m"})), Refuse(frozenset({"b-m"})), tiers=tiers)

    choice = mapping.choose(make_context(policy="For_c", models=[tier.model for tier in tiers]))

    assert summary(choice)[1:] == [
        (Stage.CONSTRAINT, "Refuse", "c-m", "a-m"),
        (Stage.CONSTRAINT, "Refuse", "b-m", "a-m"),
    ]


def test_where_every_model_is_refused_the_error_lists_them_all() -> None:
    mapping = make_mapping(Refuse(frozenset({MEDIUM, LARGE, "extra"})), models=["extra"])

    with pytest.raises(NoModelAllowedError) as caught:
        mapping.choose(make_context())

    assert [text.partition(" ")[0] for text in caught.value.refusals] == [MEDIUM, LARGE, "extra"]
    assert all("Refuse" in text for text in caught.value.refusals)


@pytest.mark.parametrize("answer", [True, False, 0, "no", Proposal(LARGE, "why")])
def test_a_refusal_of_another_type_names_the_rule(answer: object) -> None:
    with pytest.raises(RuleError) as caught:
        make_mapping(AnswerRefusal(answer)).choose(make_context())

    assert caught.value.rule == "AnswerRefusal"
    assert type(answer).__name__ in caught.value.problem


def test_a_constraint_that_raises_is_an_error_that_names_it() -> None:
    with pytest.raises(RuleError) as caught:
        make_mapping(FailOn(frozenset({MEDIUM}))).choose(make_context())

    assert attrs.astuple(caught.value) == ("FailOn", f"ValueError: cannot judge {MEDIUM}")


def test_a_skipped_constraint_leaves_the_choice_to_the_others() -> None:
    rules = (FailOn(frozenset({LARGE, MEDIUM})), Refuse(frozenset({LARGE})))

    choice = make_mapping(*rules, on_error="skip").choose(make_context(policy="Complex_Query"))

    assert summary(choice) == [
        (Stage.DEFAULT, POLICY_MAP, LARGE, LARGE),
        (Stage.SKIPPED, "FailOn", LARGE, LARGE),
        (Stage.CONSTRAINT, "Refuse", LARGE, MEDIUM),
    ]


def test_two_rules_of_one_name_are_skipped_each_for_itself() -> None:
    rules = (FailOn(frozenset({MEDIUM})), FailOn(frozenset({MEDIUM})))

    choice = make_mapping(*rules, on_error="skip").choose(make_context())

    assert [step.source for step in choice.trace] == [POLICY_MAP, "FailOn", "FailOn"]


def test_a_rule_that_is_override_and_constraint_in_one_is_asked_as_both() -> None:
    class Both:
        def propose(self, context: RouteContext) -> Proposal:
            return Proposal(LARGE, "up")

        def refuse(self, context: RouteContext, model: str) -> Refusal | None:
            return Refusal("down") if model == LARGE else None

    choice = make_mapping(Both()).choose(make_context())

    assert [step.stage for step in choice.trace] == [Stage.DEFAULT, Stage.OVERRIDE, Stage.CONSTRAINT]
    assert choice.model == MEDIUM


def test_an_unknown_price_under_a_budget_raises_for_the_model_that_would_be_called() -> None:
    host = make_host()
    budget = ActiveRule.build(RuleConfig(name="cost-budget", options={"budget_usd": 5}), host)
    mapping = make_mapping(policy_map={"Complex_Query": "no-price-known"}).with_rule(budget)

    with pytest.raises(UnknownPriceError) as caught:
        mapping.choose(make_context(policy="Complex_Query"))

    assert caught.value.model == "no-price-known"
    assert "with_price" in str(caught.value)


# Changing a mapping.


@pytest.mark.parametrize("bad", ["", " ", None, 3])
def test_a_model_that_has_no_name_is_refused_where_it_is_swapped(bad: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make_mapping().with_model("large", bad)  # type: ignore[arg-type]

    assert (caught.value.key, caught.value.value) == ("mapping.large", repr(bad))


def test_a_swap_names_tiers_and_policies_where_it_is_given_neither() -> None:
    with pytest.raises(ConfigError) as caught:
        make_mapping().with_model("huge", LARGE)

    assert caught.value.value == "'huge'"
    assert "medium, large, Standard_Query" in caught.value.fix


def test_one_model_cannot_serve_two_tiers() -> None:
    with pytest.raises(ConfigError) as caught:
        make_mapping().with_model("large", MEDIUM)

    assert (caught.value.key, caught.value.value) == ("tiers.model", repr(MEDIUM))


def test_a_tier_or_a_policy_is_swapped_and_the_original_stays() -> None:
    mapping = make_mapping()

    by_tier = mapping.with_model("large", "new")
    by_policy = mapping.with_model("Ambiguous_Query", "new")

    assert dict(by_tier.defaults) == {
        "Standard_Query": MEDIUM,
        "Complex_Query": "new",
        "Ambiguous_Query": MEDIUM,
    }
    assert dict(by_policy.defaults) == {
        "Standard_Query": MEDIUM,
        "Complex_Query": LARGE,
        "Ambiguous_Query": "new",
    }
    assert mapping.defaults["Complex_Query"] == LARGE


def test_a_mapping_gives_the_config_that_builds_it_again() -> None:
    config = MappingConfig(
        policies={"Ambiguous_Query": "gpt-5.2"},
        rules=(
            RuleConfig(name="tag", options={"tag": "law", "model": LARGE}, on_error="skip"),
            RuleConfig(name="cost-budget", options={"budget_usd": "5"}),
        ),
        models=("extra",),
    )
    host = make_host()
    mapping = ModelMapping.build(config, host, TIERS, NineCell().policies, make_catalogue())

    again = ModelMapping.build(mapping.config(), host, TIERS, NineCell().policies, make_catalogue())

    assert mapping.config() == config
    assert again == mapping


def test_a_rule_object_has_no_config_and_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        make_mapping(Propose(LARGE)).config()

    assert (caught.value.key, caught.value.value) == ("mapping.rules", "Propose")


def test_an_option_that_json_cannot_hold_is_named_before_anything_is_written() -> None:
    options = {"words": frozenset({"law"}), "model": LARGE}
    rule = ActiveRule.build(RuleConfig(name="keyword", options=options), make_host())

    with pytest.raises(ConfigError) as caught:
        make_mapping().with_rule(rule).config()

    assert caught.value.key == "mapping.rules.keyword"


def test_a_rule_may_have_an_option_called_name() -> None:
    @attrs.frozen(kw_only=True)
    class Named:
        name: str

        def propose(self, context: RouteContext) -> Proposal | None:
            return Proposal(self.name, "by name")

    class Plugin:
        @hookimpl
        def routesdk_rules(self) -> list[Component[Named]]:
            return [Component(name="named", factory=Named)]

    rule = ActiveRule.build(RuleConfig(name="named", options={"name": LARGE}), make_host(Plugin()))

    assert make_mapping().with_rule(rule).choose(make_context()).model == LARGE


# On a loaded router: the policy model is never touched.


def test_swapping_a_model_adding_a_rule_and_setting_a_budget_leave_the_policy_model_alone() -> None:
    router = make_router()
    changed = [
        router.with_model("large", "gemini-2.5-pro"),
        router.with_model("Ambiguous_Query", "gemini-2.5-pro"),
        router.with_rule("tag", tag="law", model="gemini-2.5-pro"),
        router.with_rule(Propose(LARGE)),  # type: ignore[arg-type]
        router.with_budget(5),
        router.with_policy_map({"Complex_Query": "gemini-2.5-pro"}),
        router.with_operating_point(attrs.evolve(router.operating_point, thresholds=(0.1,))),
    ]

    assert all(each.policy_model is router.policy_model for each in changed)
    assert all(each.mapping != router.mapping for each in changed[:-1])


def test_each_change_shows_in_decisions_and_the_original_decides_as_before() -> None:
    router = make_router({"IC": 1.0})
    before = router.route("Who?")

    assert router.with_model("large", "gemini-2.5-pro").route("Who?").model == "gemini-2.5-pro"
    assert router.with_rule("length", max_words=3, model=MEDIUM).route("Who?").model == MEDIUM
    assert router.with_budget(0).route("Who?").model == MEDIUM
    assert router.with_policy_map({"Complex_Query": MEDIUM}).route("Who?").model == MEDIUM
    assert router.route("Who?") == before


@pytest.mark.parametrize("budget", [-1, -0.01, float("nan"), float("inf"), "much", None, True, [1]])
def test_a_budget_that_is_no_amount_of_money_is_named(budget: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make_router().with_budget(budget)  # type: ignore[arg-type]

    assert caught.value.key == "rule.cost-budget.budget_usd"
    # Options are kept as they cannot be changed: a list as a tuple.
    assert caught.value.value == repr(tuple(budget) if isinstance(budget, list) else budget)


@pytest.mark.parametrize("share", [0, -0.5, 1.01, float("nan"), "most"])
def test_a_share_of_the_budget_out_of_range_is_named(share: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make_router().with_budget(5, downgrade_at=share)  # type: ignore[arg-type]

    assert caught.value.key == "rule.cost-budget.downgrade_at"


def test_a_second_budget_replaces_the_first() -> None:
    router = make_router().with_budget(1).with_rule("tag", tag="law", model=LARGE).with_budget("2.50")

    assert [rule.name for rule in router.mapping.rules] == ["tag", "cost-budget"]
    assert router.mapping.rules[1].part.budget_usd == Decimal("2.50")  # type: ignore[union-attr]


def test_a_budget_counts_on_the_spend_source_that_it_is_given() -> None:
    router = make_router({"IC": 1.0})
    spend = router.host.spend_source("memory", settled_usd="0.5")

    limited = router.with_budget(1, downgrade_at=0.5, spend=spend)

    assert limited.route("Who?").model == MEDIUM
    assert limited.spend is spend
    assert router.with_budget(1, downgrade_at=0.5).route("Who?").model == LARGE


# Properties.

_MODELS = ("a-m", "b-m", "c-m", "extra")
_LADDER = tuple(Tier(name, f"{name}-m") for name in ("a", "b", "c"))

_overrides = st.one_of(
    st.builds(Propose, st.sampled_from([*_MODELS, None, "unheard-of", 7])),
    st.just(Fail()),
)
_constraints = st.one_of(
    st.builds(Refuse, st.frozensets(st.sampled_from(_MODELS), max_size=3)),
    st.builds(FailOn, st.frozensets(st.sampled_from(_MODELS), max_size=2)),
)
_rules = st.lists(st.one_of(_overrides, _constraints), max_size=8)
_policies = st.sampled_from(["For_a", "For_b", "For_c"])


def choose(rules: list[object], policy: str) -> Choice | NoModelAllowedError:
    mapping = make_mapping(*rules, tiers=_LADDER, models=["extra"], on_error="skip")
    default = mapping.defaults[policy]
    try:
        return mapping.choose(
            make_context(policy=policy, default_model=default, models=[tier.model for tier in _LADDER])
        )
    except NoModelAllowedError as error:
        return error


def replay(trace: Sequence[TraceStep]) -> str:
    """Follow a trace by its words alone, without looking at who stands after a step."""
    standing, proposed, refused = "", False, set()
    fallbacks = ""
    for step in trace:
        if step.stage is Stage.DEFAULT:
            standing = step.model
        elif step.stage is Stage.OVERRIDE and not proposed:
            standing, proposed = step.model, True
        elif step.stage is Stage.CONSTRAINT:
            refused.add(step.model)
            fallbacks = step.chosen
    return fallbacks if standing in refused else standing


@settings(max_examples=60)
@given(_rules, _policies)
def test_the_trace_explains_the_model(rules: list[object], policy: str) -> None:
    choice = choose(rules, policy)
    if isinstance(choice, NoModelAllowedError):
        return

    assert replay(choice.trace) == choice.model
    assert choice.trace[-1].chosen == choice.model
    assert choice.trace[0].stage is Stage.DEFAULT


@settings(max_examples=60)
@given(_rules, _policies)
def test_constraints_always_hold(rules: list[object], policy: str) -> None:
    banned = frozenset[str]().union(*(rule.models for rule in rules if isinstance(rule, Refuse)))

    choice = choose(rules, policy)

    if isinstance(choice, NoModelAllowedError):
        assert banned >= {tier.model for tier in _LADDER}
    else:
        assert choice.model not in banned


@settings(max_examples=60)
@given(_rules, _policies)
def test_the_order_of_the_list_is_respected(rules: list[object], policy: str) -> None:
    choice = choose(rules, policy)
    if isinstance(choice, NoModelAllowedError):
        return

    valid = [rule for rule in rules if isinstance(rule, Propose) and rule.answer in _MODELS]
    overrides = [step for step in choice.trace if step.stage is Stage.OVERRIDE]
    assert [step.model for step in overrides] == [rule.answer for rule in valid]
    assert {step.chosen for step in overrides} <= {rule.answer for rule in valid[:1]}
    stages = [step.stage for step in choice.trace if step.stage is not Stage.SKIPPED]
    order = [Stage.DEFAULT, Stage.OVERRIDE, Stage.CONSTRAINT]
    assert stages == sorted(stages, key=order.index)


@settings(max_examples=60)
@given(_rules, _policies)
def test_an_allowed_proposal_comes_before_any_other_model(rules: list[object], policy: str) -> None:
    banned = frozenset[str]().union(*(rule.models for rule in rules if isinstance(rule, Refuse)))
    proposals = [rule.answer for rule in rules if isinstance(rule, Propose) and rule.answer in _MODELS]

    choice = choose(rules, policy)

    wanted = [model for model in [*proposals, f"{policy[-1]}-m"] if model not in banned]
    if isinstance(choice, Choice) and wanted:
        assert choice.model == wanted[0]


@settings(max_examples=60)
@given(_rules, _policies)
def test_a_skipped_step_never_moves_the_decision(rules: list[object], policy: str) -> None:
    choice = choose(rules, policy)
    if isinstance(choice, NoModelAllowedError):
        return

    standing = ""
    for step in choice.trace:
        assert step.stage is not Stage.SKIPPED or step.chosen == standing
        standing = step.chosen


@settings(max_examples=60)
@given(_rules, _policies)
def test_the_same_rules_choose_the_same_model_with_the_same_trace(rules: list[object], policy: str) -> None:
    first, second = (choose(rules, policy) for _ in range(2))

    assert attrs.astuple(first) == attrs.astuple(second)


@settings(max_examples=20)
@given(st.dictionaries(_policies, st.sampled_from(_MODELS)))
def test_a_policy_map_and_its_file_say_the_same(policy_map: dict[str, str]) -> None:
    mapping = make_mapping(tiers=_LADDER, policy_map=policy_map)
    again = make_mapping(tiers=_LADDER, policy_map=json.loads(json.dumps(policy_map)))

    assert (
        dict(mapping.defaults)
        == dict(again.defaults)
        == {"For_a": "a-m", "For_b": "b-m", "For_c": "c-m"} | policy_map
    )
