"""Router: decides, for each query, which policy holds and which model serves it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from routesdk._consult import consult
from routesdk.answering import Answering
from routesdk.binding import check_point, swapped_tiers
from routesdk.calibrating import Calibrating
from routesdk.catalogue import Catalogue
from routesdk.config import MappingConfig, PriceConfig, RouterConfig
from routesdk.errors import ConfigError, PredictionError
from routesdk.estimate import CostEstimator
from routesdk.host import PluginHost
from routesdk.manifest import Calibration, Evidence, PartRecord
from routesdk.mapping import ModelMapping
from routesdk.pricebook import catalogue_of
from routesdk.reach import Backends
from routesdk.terms import Fallback
from routesdk.types import (
    Decision,
    OperatingPoint,
    Prediction,
    Query,
    QueryLike,
    RouteContext,
    Tier,
)
from routesdk.variation import Variation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from routesdk.protocols import Matrix, Observer, PolicyModel, SpendSource
    from routesdk.scoring import Scorer, ShareFinder
    from routesdk.shift import ShiftScore

CUT_NOTICE = "the query is longer than the policy model reads, and was cut"
"""What a decision says where text was left out."""


@attrs.frozen(kw_only=True)
class PartNames:
    """The names by which a router's parts were built, so that a checkpoint can build them again.

    Attributes:
        policy_model: Name and options of the policy model.
        matrix: Name and options of the matrix.
    """

    policy_model: PartRecord
    matrix: PartRecord


@attrs.frozen(kw_only=True, eq=False)
class Router(Variation, Calibrating, Answering):
    """A policy model, a matrix, an operating point and a mapping: query in, decision out.

    Immutable, and safe to share between threads; the `with_…` methods return
    copies. Most people get one by `Router.from_pretrained`.

    Attributes:
        policy_model: Predicts grades or policies; bound to the tiers.
        matrix: Turns grades into policies.
        mapping: Turns policies into models; holds tiers, rules and catalogue.
        operating_point: Thresholds on expected gain.
        host: Where parts are found by name, and observers are told.
        spend: Where the money that was spent is counted.
        observers: Told of every decision and answer, beside the host's.
        backends: How models are reached; never saved.
        fallback: Models to ask in turn where the chosen one gives no answer; never saved.
        calibration: What operating points need beside the policy model, and what `calibrate` found.
        evidence: What the model card says.
        names: How to build the parts again, for checkpoints.
        training_hashes: Reads the sorted 64-bit hashes of the normalised
            queries that it learned from.
        shift: Tells queries that look unlike what it learned from; None where nothing does.
        checkpoint_id: The checkpoint it came from; empty for none.
        bound: The tiers that the policy model predicts for; `with_model` leaves them alone.
    """

    policy_model: PolicyModel
    matrix: Matrix
    mapping: ModelMapping
    operating_point: OperatingPoint
    host: PluginHost
    spend: SpendSource
    observers: tuple[Observer, ...] = ()
    backends: Backends = attrs.field(factory=Backends, repr=False)
    fallback: Fallback = attrs.field(factory=Fallback)
    calibration: Calibration = attrs.field(factory=Calibration)
    evidence: Evidence = attrs.field(factory=Evidence)
    names: PartNames
    training_hashes: Callable[[], NDArray[np.uint64]]
    shift: ShiftScore | None = attrs.field(default=None, repr=False)
    checkpoint_id: str = ""
    bound: tuple[Tier, ...] = ()
    _scorer: Scorer = attrs.field(init=False, repr=False)
    _shares: ShareFinder = attrs.field(init=False, repr=False)
    _costs: CostEstimator = attrs.field(init=False, repr=False)
    _watched: bool = attrs.field(init=False, repr=False)
    _swapped: Mapping[int, tuple[str, str]] = attrs.field(init=False, repr=False)
    _by_models: dict[frozenset[str], Router | None] = attrs.field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # numpy is loaded with the first router, not with the package.
        from routesdk.scoring import Scorer, ShareFinder

        names = tuple(tier.name for tier in self.mapping.tiers)
        if names != tuple(self.matrix.tiers):
            raise ConfigError(
                "matrix.tiers",
                str(tuple(self.matrix.tiers)),
                f"differ from the router's {names}",
                "Use the same names.",
            )
        check_point(self.operating_point, len(names) - 1)
        scorer = Scorer.of(self.matrix, self.calibration.policy_gains, self.calibration.recalibration)
        object.__setattr__(self, "_scorer", scorer)
        object.__setattr__(self, "_shares", ShareFinder(scorer, self.policy_model, self.calibration))
        object.__setattr__(self, "_costs", CostEstimator(self.mapping.catalogue))
        object.__setattr__(self, "bound", self.bound or self.mapping.tiers)
        object.__setattr__(self, "_swapped", swapped_tiers(self.bound, self.mapping.tiers))
        watched = bool(self.observers) or self.host.watched("routesdk_routed")
        object.__setattr__(self, "_watched", watched)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str] = "default",
        *,
        revision: str | None = None,
        medium: str | None = None,
        large: str | None = None,
        tiers: Mapping[str, str] | None = None,
        matrix: str | None = None,
        large_share: float | None = None,
        mapping: MappingConfig | None = None,
        host: PluginHost | None = None,
        catalogue: Catalogue | None = None,
        spend: SpendSource | None = None,
        observers: Sequence[Observer] = (),
        model_options: Mapping[str, object] | None = None,
    ) -> Router:
        """Load a trained router and bind its tiers to models.

        Args:
            name: A bundled name; else a folder that exists (`./default`
                forces one); else a Hub id such as `owner/name`.
            revision: Branch, tag or commit, for a Hub id.
            medium: Model of the cheaper tier; None keeps the checkpoint's.
            large: Model of the dearer tier; None keeps the checkpoint's.
            tiers: Tier → model, cheapest first, in place of `medium` and
                `large`: any number from two to eight.
            matrix: Matrix by name. None keeps the checkpoint's where it fits
                the tiers, and takes `cheapest-correct` where it does not.
            large_share: Share of calls, of a mix like the training mix, meant
                to leave the cheapest tier; with more than two tiers, that
                share of those who reach a tier climb on. None keeps the
                checkpoint's operating point.
            mapping: Policy map, rules and models: each that holds something
                replaces the checkpoint's, and the others stay. An empty
                `MappingConfig()` clears all three.
            host: Where parts are found; None loads built-in and installed ones.
            catalogue: Models and prices; None takes the bundled one.
            spend: Where spent money is counted; None counts in memory.
            observers: Told of every decision.
            model_options: Options of the policy model on this machine, in place of the
                checkpoint's: `device`, `bits` or `base_model` of a generative router.

        Raises:
            CheckpointError: Nothing of that name can be loaded, or what was found cannot be trusted.
            MissingPluginError: The checkpoint needs a plugin that is not installed.
            ConfigError: A tier, a share or a model is out of range, or the
                checkpoint's policy map names no policies of the matrix asked for.
        """
        from routesdk.pretrained import load_router

        return load_router(
            name,
            revision=revision,
            medium=medium,
            large=large,
            tiers=tiers,
            matrix=matrix,
            large_share=large_share,
            mapping=mapping,
            host=host,
            catalogue=catalogue,
            spend=spend,
            observers=tuple(observers),
            model_options=model_options,
        )

    @classmethod
    def from_config(
        cls,
        config: RouterConfig,
        mapping: MappingConfig | None = None,
        prices: Mapping[str, PriceConfig] | None = None,
        **options: object,
    ) -> Router:
        """Load the router that a config describes.

        Args:
            config: `[router]`.
            mapping: `[mapping]`; what it leaves empty stays as in the checkpoint.
            prices: `[prices]`, in place of the catalogue's.
            options: Further arguments of `from_pretrained`.
        """
        models = [model for model in (config.medium, config.large, *config.fallback) if model is not None]
        given = cast("Catalogue | None", options.get("catalogue"))
        options["catalogue"] = catalogue_of(prices or {}, models, catalogue=given)
        loaded = cls.from_pretrained(
            config.checkpoint,
            revision=config.revision,
            medium=config.medium,
            large=config.large,
            large_share=config.large_share,
            model_options=config.model_options,
            mapping=None if mapping == MappingConfig() else mapping,
            **options,  # type: ignore[arg-type]
        )
        loaded = attrs.evolve(
            loaded, backends=Backends.of(config, loaded.host), fallback=Fallback(config.fallback)
        )
        if isinstance(config.decision_log, Mapping):
            return loaded.with_observer(loaded.host.observer("decision-log", **config.decision_log))
        return loaded

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The tiers with the models that serve them, cheapest first."""
        return self.mapping.tiers

    def route(
        self,
        query: QueryLike,
        *,
        large_share: float | None = None,
        operating_point: OperatingPoint | None = None,
        explain: bool = False,
    ) -> Decision:
        """Decide one query.

        Args:
            query: A string, a `Query`, or a conversation.
            large_share: Share of calls meant to go up, for this call alone.
            operating_point: Thresholds for this call alone.
            explain: Whether the policy model writes its reason as well.

        Raises:
            InvalidQueryError: The query is blank, or no text at all.
            PredictionError: The policy model raised, or returned no valid probabilities.
            RuleError: A rule failed, and its config does not say to skip it.
            UnknownPriceError: A budget is set, and a model's price is unknown.
            ConfigError: `large_share` lies outside [0, 1].
        """
        return self.route_batch(
            (query,), large_share=large_share, operating_point=operating_point, explain=explain
        )[0]

    def route_batch(
        self,
        queries: Iterable[QueryLike],
        *,
        large_share: float | None = None,
        operating_point: OperatingPoint | None = None,
        explain: bool = False,
    ) -> list[Decision]:
        """Decide many queries at once, in their order; much faster than one by one.

        Arguments and errors are those of `route`. One query that cannot be
        routed raises before any is decided.
        """
        if isinstance(queries, (str, bytes, bytearray, Query)) or not isinstance(queries, Iterable):
            raise ConfigError(
                "queries", repr(queries)[:40], "is one value, not many", "Give a list, or use `route`."
            )
        asked = [query if type(query) is Query else Query.of(query) for query in queries]
        decisions = self._decisions(asked, large_share, operating_point, explain)
        if self._watched:
            for query, decision in zip(asked, decisions, strict=True):
                self.host.routed(decision, query, self.observers)
        return decisions

    def _decisions(
        self,
        asked: list[Query],
        large_share: float | None,
        operating_point: OperatingPoint | None,
        explain: bool = False,
    ) -> list[Decision]:
        """Decide, and tell nobody yet."""
        if not asked:
            return []
        point = self._point(large_share, operating_point)
        name = type(self.policy_model).__name__
        batch = consult(name, self.policy_model.predict, asked)
        predictions = self._scorer.score(batch, len(asked), name)
        cut = batch.cut.tolist() if batch.cut is not None else (False,) * len(asked)
        scores = self._shift_scores(asked)
        decisions = [
            self._decide(
                query, prediction, point, (*batch.notices, CUT_NOTICE) if was_cut else batch.notices, score
            )
            for query, prediction, was_cut, score in zip(asked, predictions, cut, scores, strict=True)
        ]
        if explain:
            decisions = [self.explain(query, each) for query, each in zip(asked, decisions, strict=True)]
        return decisions

    def _shift_scores(self, asked: list[Query]) -> Sequence[float | None]:
        if self.shift is None:
            return (None,) * len(asked)
        if len(asked) == 1:
            return (self.shift.score_text(asked[0].text),)
        return cast("list[float]", self.shift.score(asked).tolist())

    def _decide_call(
        self, query: QueryLike, large_share: float | None, operating_point: OperatingPoint | None
    ) -> tuple[Query, Decision]:
        """Decide a query that is about to be answered: its decision has an id of its own."""
        asked = Query.of(query)
        (decision,) = self._decisions([asked], large_share, operating_point)
        decision = attrs.evolve(decision, call_id=uuid.uuid4().hex)
        if self._watched:
            self.host.routed(decision, asked, self.observers)
        return asked, decision

    async def aroute(
        self,
        query: QueryLike,
        *,
        large_share: float | None = None,
        operating_point: OperatingPoint | None = None,
        explain: bool = False,
    ) -> Decision:
        """Decide one query without holding up the event loop; see `route`."""
        import asyncio

        return await asyncio.to_thread(
            self.route, query, large_share=large_share, operating_point=operating_point, explain=explain
        )

    def save_pretrained(self, folder: str | os.PathLike[str]) -> Path:
        """Write a checkpoint that `from_pretrained` loads.

        A good one in the folder is replaced only by a whole one.
        Spend sources and observers are passed in, and never saved.

        Raises:
            CheckpointError: The folder cannot be written, or holds something else.
            ConfigError: A part was passed in as an object, so that no name builds it again.
        """
        from routesdk.pretrained import save_router

        return save_router(self, folder)

    def merged(self) -> Router:
        """Return a copy whose checkpoint needs no base model: an adapter is merged into the weights.

        Raises:
            ConfigError: The policy model has no adapter.
            PredictionError: Its weights are in too few bits to merge anything into.
        """
        merge = getattr(self.policy_model, "merged", None)
        if merge is None:
            name = self.names.policy_model.name
            raise ConfigError("policy_model", name, "has no adapter to merge", "Use the router as it is.")
        return attrs.evolve(self, policy_model=merge(), checkpoint_id="")

    def push_to_hub(self, repo_id: str, *, private: bool = False, message: str = "") -> str:
        """Save the router and put it on the Hugging Face Hub; returns the commit's address.

        Raises:
            CheckpointError: The Hub refuses, or cannot be reached.
        """
        from routesdk.hub import upload_checkpoint

        with tempfile.TemporaryDirectory() as scratch:
            folder = self.save_pretrained(Path(scratch) / "router")
            return upload_checkpoint(folder, repo_id, private=private, message=message)

    def _decide(
        self,
        query: Query,
        prediction: Prediction,
        point: OperatingPoint,
        notices: tuple[str, ...],
        shift_score: float | None,
    ) -> Decision:
        tier, index = self._scorer.decide(prediction, point)
        policy = self._scorer.policies[index].name
        choice = self.mapping.default(policy)
        if self.mapping.rules:
            choice = self.mapping.choose(self._context(query, prediction, policy, choice.model))
        cost_usd, cost_note, too_long = self._costs.estimate(query, choice.model)
        if too_long:
            notices = (*notices, too_long)
        if self.shift is not None and shift_score is not None and self.shift.is_unlike(shift_score):
            notices = (*notices, self.shift.notice)
        if tier in self._swapped:
            served_by, notice = self._swapped[tier]
            # A rule or a policy map may have sent the query elsewhere: then the trace says so.
            notices = (*notices, notice) if served_by == choice.model else notices
        return Decision(
            query_id=query.id,
            policy=policy,
            tier=self._scorer.tiers[tier],
            model=choice.model,
            confidence=self._scorer.confidence(prediction.values[index]),
            prediction=prediction,
            operating_point=point,
            trace=choice.trace,
            notices=notices,
            estimated_cost_usd=cost_usd,
            cost_note=cost_note,
            checkpoint_id=self.checkpoint_id,
            shift_score=shift_score,
        )

    def _context(self, query: Query, prediction: Prediction, policy: str, model: str) -> RouteContext:
        return RouteContext(
            query=query,
            prediction=prediction,
            policy=policy,
            default_model=model,
            models=tuple([tier.model for tier in self.mapping.tiers]),
            catalogue=self.mapping.catalogue,
            spend=self.spend.snapshot(),
        )

    def explain(self, query: QueryLike, decision: Decision) -> Decision:
        """Return a decision with the policy model's reason; nothing is decided anew, and nobody is told.

        Args:
            query: What was decided about.
            decision: This router's decision.

        Raises:
            InvalidQueryError: The query is blank, or no text at all.
            PredictionError: The policy model raised, or returned no text.
        """
        asked = Query.of(query)
        policy = next(policy for policy in self._scorer.policies if policy.name == decision.policy)
        name = type(self.policy_model).__name__
        explanation = consult(name, self.policy_model.explain, asked, policy)
        if not isinstance(explanation, str):
            raise PredictionError(name, f"`explain` returned {type(explanation).__name__}, not a string")
        return attrs.evolve(decision, explanation=explanation)

    def _point(self, large_share: float | None, operating_point: OperatingPoint | None) -> OperatingPoint:
        if operating_point is not None:
            if large_share is not None:
                raise ConfigError(
                    "large_share",
                    str(large_share),
                    "was given beside an operating point",
                    "Give one of the two.",
                )
            if not isinstance(operating_point, OperatingPoint):
                raise ConfigError(
                    "operating_point",
                    repr(operating_point),
                    "is no operating point",
                    "Write OperatingPoint((0.1,)), or give a large_share.",
                )
            check_point(operating_point, len(self.mapping.tiers) - 1)
            return operating_point
        return self.operating_point if large_share is None else self._shares.point(large_share)
