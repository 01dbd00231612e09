"""From a policy to a model: defaults, rules, and the trace of who chose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast

import attrs

from routesdk.catalogue import Catalogue
from routesdk.config import MappingConfig, RuleConfig
from routesdk.errors import (
    ConfigError,
    NoModelAllowedError,
    PolicyParseError,
    RouteSDKError,
    RuleError,
    UnknownModelError,
    UnknownPriceError,
)
from routesdk.host import PluginHost, attempt
from routesdk.protocols import Budget, Constraint, Rule
from routesdk.structure import unstructure
from routesdk.types import (
    FrozenMapping,
    Policy,
    Proposal,
    Refusal,
    RouteContext,
    Stage,
    Tier,
    TraceStep,
    distinct_tiers,
    frozen,
)

POLICY_MAP = "policy map"
"""What a trace calls the source of the default model."""


@attrs.frozen
class ActiveRule:
    """A built rule, and how it came to be.

    Attributes:
        name: What the trace and errors call it.
        part: The rule, the constraint, or both in one.
        config: The config it was built from; None for an object that was
            passed in, which no checkpoint can hold.
        on_error: `raise`, or `skip`.
    """

    name: str
    part: Rule | Constraint
    config: RuleConfig | None = None
    on_error: str = "raise"

    def __attrs_post_init__(self) -> None:
        if self.on_error not in ("raise", "skip"):
            raise ConfigError(
                "rule.on_error", repr(self.on_error), "is neither raise nor skip", "Use one of the two."
            )

    @classmethod
    def build(cls, config: RuleConfig, host: PluginHost) -> ActiveRule:
        """Build a rule by name from its config."""
        # Not `host.rule`: an option may be called `name`.
        part = cast("Rule | Constraint", host.build("rule", config.name, config.options))
        return cls(config.name, part, config, config.on_error)

    @classmethod
    def of(cls, part: Rule | Constraint, on_error: str = "raise") -> ActiveRule:
        """Take a rule object as it is.

        Raises:
            RuleError: It has neither `propose` nor `refuse`, or is a class.
        """
        if isinstance(part, type):
            raise RuleError(part.__name__, "it is a class, not an object of it")
        name = type(part).__name__
        if not isinstance(part, (Rule, Constraint)):
            raise RuleError(name, "it has neither a method `propose` nor a method `refuse`")
        return cls(name, part, None, on_error)


@attrs.frozen
class Choice:
    """The model that a mapping chose, with the trace of how."""

    model: str
    trace: tuple[TraceStep, ...]


@attrs.frozen(kw_only=True)
class ModelMapping:
    """Policy → model by default, an ordered list of rules, and constraints that always hold.

    Attributes:
        tiers: The tiers with their models, cheapest first.
        policies: The matrix's policies.
        policy_map: Policy → model, where it differs from the policy's tier.
        rules: Overrides and constraints, in order.
        models: Further models that rules may choose.
        catalogue: Models and prices that are known.
    """

    tiers: tuple[Tier, ...] = attrs.field(converter=distinct_tiers)
    policies: tuple[Policy, ...]
    policy_map: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=frozen)
    rules: tuple[ActiveRule, ...] = ()
    models: tuple[str, ...] = ()
    catalogue: Catalogue = attrs.field(factory=Catalogue.default, repr=False)
    defaults: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)
    known: frozenset[str] = attrs.field(init=False, repr=False, eq=False)
    _default_choices: Mapping[str, Choice] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        by_tier = {tier.name: tier.model for tier in self.tiers}
        for policy in self.policies:
            if policy.tier not in by_tier:
                raise ConfigError(
                    f"matrix.{policy.name}.tier",
                    policy.tier,
                    "is no tier of this router",
                    f"Tiers: {', '.join(by_tier)}.",
                )
        names = tuple(policy.name for policy in self.policies)
        for name, model in self.policy_map.items():
            if name not in names:
                raise PolicyParseError(name, names)
            if not isinstance(model, str) or not model.strip():
                raise ConfigError(
                    f"mapping.policies.{name}", repr(model), "not a model's name", "Give a string."
                )
        defaults = {
            policy.name: self.policy_map.get(policy.name, by_tier[policy.tier]) for policy in self.policies
        }
        choices = {
            name: Choice(model, (self._default_step(name, model),)) for name, model in defaults.items()
        }
        object.__setattr__(self, "defaults", frozen(defaults))
        object.__setattr__(self, "known", frozenset({*self.models, *by_tier.values(), *defaults.values()}))
        object.__setattr__(self, "_default_choices", frozen(choices))

    @classmethod
    def build(
        cls,
        config: MappingConfig,
        host: PluginHost,
        tiers: tuple[Tier, ...],
        policies: tuple[Policy, ...],
        catalogue: Catalogue,
    ) -> ModelMapping:
        """Build a mapping, with its rules by name, from config."""
        return cls(
            tiers=tiers,
            policies=policies,
            policy_map=config.policies,
            rules=tuple(ActiveRule.build(rule, host) for rule in config.rules),
            models=config.models,
            catalogue=catalogue,
        )

    def config(self) -> MappingConfig:
        """Return the config that builds this mapping again.

        Raises:
            ConfigError: A rule was passed in as an object, so no config names
                it, or has an option that JSON cannot hold.
        """
        for rule in self.rules:
            if rule.config is None:
                raise ConfigError(
                    "mapping.rules",
                    rule.name,
                    "was passed in as an object, which cannot be saved",
                    "Offer it by a plugin and add it by name.",
                )
        rules = tuple(rule.config for rule in self.rules if rule.config is not None)
        for config in rules:
            try:
                json.dumps(unstructure(config), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise ConfigError(
                    f"mapping.rules.{config.name}",
                    str(config.options)[:80],
                    f"cannot be saved ({error})",
                    "Give options as strings, numbers, lists and tables.",
                ) from error
        return MappingConfig(policies=self.policy_map, rules=rules, models=self.models)

    def with_rule(self, rule: ActiveRule) -> ModelMapping:
        """Return a copy with one more rule, behind the others."""
        return attrs.evolve(self, rules=(*self.rules, rule))

    def with_model(self, where: str, model: str) -> ModelMapping:
        """Return a copy in which a tier, or a policy, is served by another model.

        Args:
            where: A tier's or a policy's name.
            model: The model's name.

        Raises:
            ConfigError: `where` is neither a tier nor a policy, or the model has no name.
        """
        if not isinstance(model, str) or not model.strip():
            raise ConfigError(
                f"mapping.{where}", repr(model), "not a model's name", "Give a non-blank string."
            )
        if where in self.defaults:
            return attrs.evolve(self, policy_map={**self.policy_map, where: model})
        names = [tier.name for tier in self.tiers]
        if where not in names:
            raise ConfigError(
                "mapping",
                repr(where),
                "is neither a tier nor a policy",
                f"Use one of {', '.join([*names, *self.defaults])}.",
            )
        tiers = tuple(attrs.evolve(tier, model=model) if tier.name == where else tier for tier in self.tiers)
        return attrs.evolve(self, tiers=tiers)

    def default(self, policy: str) -> Choice:
        """Return the policy's default model with its trace.

        Raises:
            PolicyParseError: The matrix defines no such policy.
        """
        try:
            return self._default_choices[policy]
        except (KeyError, TypeError):
            raise PolicyParseError(str(policy), tuple(self.defaults)) from None

    def choose(self, context: RouteContext) -> Choice:
        """Apply the rules: the first proposal wins, then constraints move it to an allowed model.

        A refusal moves the decision to the next proposal, then to the policy's
        default, then to the nearest cheaper tier, then to dearer ones.

        Raises:
            PolicyParseError: The matrix defines no such policy.
            RuleError: A rule raised, or returned something else than the contract allows.
            UnknownModelError: A rule proposed a model that nobody knows.
            NoModelAllowedError: Constraints refuse every model.
        """
        default = self.default(context.policy)
        if not self.rules:
            return default
        model, steps = self._override(context, default)
        proposed = [step.model for step in steps if step.stage is Stage.OVERRIDE]
        model, more = self._constrain(context, model, proposed)
        return Choice(model, (*steps, *more))

    def refusals(self, context: RouteContext, model: str) -> tuple[TraceStep, ...]:
        """Ask the constraints about a model that the mapping did not choose.

        Args:
            context: What the decision was made from; its default model is the one that stands.
            model: The model that shall take its place.

        Returns:
            The refusal, if there is one, as the last step; before it, constraints that were skipped.

        Raises:
            RuleError: A constraint raised, or returned something else than the contract allows.
        """
        steps, stands = [], context.default_model
        for rule in self.rules:
            if not isinstance(rule.part, Constraint):
                continue
            refusal, error = _ask(rule, context, model)
            if error is not None:
                steps.append(_skip(rule, model, stands, error))
            elif refusal is not None:
                steps.append(TraceStep(Stage.CONSTRAINT, rule.name, model, stands, refusal.reason))
                break
        return tuple(steps)

    @property
    def budget_usd(self) -> Decimal | None:
        """The smallest budget of the rules in US dollars; None where none bounds money."""
        budgets = [rule.part.budget_usd for rule in self.rules if isinstance(rule.part, Budget)]
        return min(budgets, default=None)

    def _default_step(self, policy: str, model: str) -> TraceStep:
        mapped = policy in self.policy_map
        reason = f"{policy} is mapped to it" if mapped else f"it serves the tier of {policy}"
        return TraceStep(Stage.DEFAULT, POLICY_MAP, model, model, reason)

    def _override(self, context: RouteContext, default: Choice) -> tuple[str, list[TraceStep]]:
        chosen, decided = default.model, False
        steps = list(default.trace)
        for rule in self.rules:
            if not isinstance(rule.part, Rule):
                continue
            proposal, error = attempt(rule.part.propose, context)
            if error is None:
                error = self._proposal_error(rule, proposal)
            if error is not None:
                steps.append(_skip(rule, chosen, chosen, error))
            elif isinstance(proposal, Proposal):
                chosen = chosen if decided else proposal.model
                decided = True
                steps.append(TraceStep(Stage.OVERRIDE, rule.name, proposal.model, chosen, proposal.reason))
        return chosen, steps

    def _proposal_error(self, rule: ActiveRule, proposal: object) -> RouteSDKError | None:
        if proposal is None:
            return None
        if not isinstance(proposal, Proposal):
            return RuleError(
                rule.name, f"`propose` returned {type(proposal).__name__}, not a Proposal or None"
            )
        if not isinstance(proposal.model, str) or not isinstance(proposal.reason, str):
            return RuleError(rule.name, f"it proposed {proposal!r}, and model and reason must be strings")
        if proposal.model not in self.known and proposal.model not in self.catalogue:
            return UnknownModelError(proposal.model, tuple(sorted(self.known)), f"rule {rule.name!r}")
        return None

    def _constrain(
        self, context: RouteContext, chosen: str, proposed: list[str]
    ) -> tuple[str, list[TraceStep]]:
        constraints = [rule for rule in self.rules if isinstance(rule.part, Constraint)]
        refusals: list[tuple[str, str, str]] = []
        skipped: dict[int, TraceStep] = {}
        for model in self._candidates(context.policy, chosen, proposed) if constraints else ():
            for place, rule in enumerate(constraints):
                refusal, error = _ask(rule, context, model)
                if error is not None:
                    # Once a rule, however many models it failed on; skipping never moves the decision.
                    skipped.setdefault(place, _skip(rule, model, chosen, error))
                elif refusal is not None:
                    refusals.append((rule.name, model, refusal.reason))
                    break
            else:
                steps = [TraceStep(Stage.CONSTRAINT, who, what, model, why) for who, what, why in refusals]
                return model, [*skipped.values(), *steps]
        if not constraints:
            return chosen, []
        raise NoModelAllowedError(tuple(f"{what} by {who} ({why})" for who, what, why in refusals))

    def _candidates(self, policy: str, chosen: str, proposed: list[str]) -> Iterator[str]:
        """Yield the chosen model, then the others in the order in which a refusal moves the decision.

        These are the other proposals in the order of the list, the policy's
        default, the nearest cheaper tier first and then the dearer ones, and
        whatever else the mapping knows.
        """
        # Nearly always the first is allowed, and the rest need not be put in order.
        yield chosen
        ladder = [tier.model for tier in self.tiers]
        if chosen in ladder:
            place = ladder.index(chosen)
        else:
            served = next(each.tier for each in self.policies if each.name == policy)
            place = [tier.name for tier in self.tiers].index(served)
        by_tier = [ladder[place], *reversed(ladder[:place]), *ladder[place + 1 :]]
        ordered = [*proposed, self.defaults[policy], *by_tier, *self.defaults.values(), *self.models]
        yield from (model for model in dict.fromkeys(ordered) if model != chosen)


def _ask(rule: ActiveRule, context: RouteContext, model: str) -> tuple[Refusal | None, Exception | None]:
    """Ask a constraint about a model: its refusal, or what was wrong with it."""
    assert isinstance(rule.part, Constraint)
    refusal, error = attempt(rule.part.refuse, context, model)
    if error is None and refusal is not None and not isinstance(refusal, Refusal):
        problem = f"`refuse` returned {type(refusal).__name__}, not a Refusal or None"
        return None, RuleError(rule.name, problem)
    return refusal, error


def _skip(rule: ActiveRule, model: str, chosen: str, error: Exception) -> TraceStep:
    """Note in the trace that a rule failed on a model, or raise if its config does not allow that."""
    if rule.on_error != "skip":
        # These tell by themselves what to do; a rule's own mistake is told with the rule's name.
        if isinstance(error, (RuleError, UnknownModelError, UnknownPriceError)):
            raise error
        raise RuleError(rule.name, f"{type(error).__name__}: {error}") from error
    return TraceStep(Stage.SKIPPED, rule.name, model, chosen, f"it failed: {error}")


def load_policy_map(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a policy map: a JSON file such as `policy_map.json`, of policy → model.

    Raises:
        ConfigError: The file cannot be read, is no JSON, or is no mapping of strings.
    """
    file = Path(path)
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            "policy_map", str(file), f"cannot be read ({error.strerror})", "Check the path."
        ) from error
    except ValueError as error:
        raise ConfigError("policy_map", str(file), f"is no JSON: {error}", "Mend it.") from error
    if not isinstance(data, dict):
        raise ConfigError(
            "policy_map", type(data).__name__, "is no object", 'Write {"policy": "model"}.', str(file)
        )
    for policy, model in data.items():
        if not isinstance(model, str) or not model.strip():
            raise ConfigError(
                f"policy_map.{policy}", repr(model), "not a model's name", "Give a string.", str(file)
            )
    return data
