"""Stand-ins for tests: deterministic, offline, and true to the protocols."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs

from routesdk.errors import BackendError
from routesdk.host import PluginHost
from routesdk.types import (
    Answer,
    Chunk,
    Decision,
    FrozenMapping,
    Grade,
    OperatingPoint,
    Prediction,
    Query,
    QueryLike,
    Request,
    RouteContext,
    Spend,
    Stage,
    TraceStep,
    Unscored,
    Usage,
    Verdict,
    frozen,
    usd,
)

if TYPE_CHECKING:
    from routesdk.catalogue import Catalogue

MODELS = ("medium-model", "large-model")
"""Models that contexts and decisions are made with; both have a price there."""

POLICIES = ("Standard_Query", "Complex_Query", "Ambiguous_Query")
"""The policies of the nine cells, in the matrix's order."""

_PRICES_USD_PER_MTOK = ((1, 4), (10, 40))


def make_host(*plugins: object, builtins: bool = True, blocked: Iterable[str] = ()) -> PluginHost:
    """Build a host with these plugins and the built-ins, and none of what happens to be installed.

    Args:
        plugins: Modules or objects with hooks.
        builtins: Whether to load the built-in plugins.
        blocked: Names of plugins to leave out.
    """
    return PluginHost(plugins, builtins=builtins, entry_points=False, blocked=blocked)


def make_query(
    text: QueryLike = "How far is the Moon?",
    *,
    tags: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> Query:
    """Build a query from a string, a query or a conversation."""
    query = Query.of(text, tags=frozenset(tags))
    return attrs.evolve(query, metadata=metadata) if metadata else query


def make_prediction(
    probabilities: Mapping[str, float] | None = None,
    *,
    policy: str = "Standard_Query",
    correct: Sequence[float] = (0.5, 0.75),
    gains: Sequence[float] | None = None,
    derived: bool = False,
) -> Prediction:
    """Build a prediction.

    Args:
        probabilities: Policy → probability; without it, `policy` has 0.8 and the others share the rest.
        policy: The likeliest policy, where `probabilities` is not given.
        correct: P(correct) of each tier, cheapest first.
        gains: Gain of each step; without it, the differences of `correct`.
        derived: Whether the gains count as derived from policy probabilities.
    """
    if probabilities is None:
        names = POLICIES if policy in POLICIES else (policy, *POLICIES)
        rest = 0.2 / (len(names) - 1)
        probabilities = {name: 0.8 if name == policy else rest for name in names}
    if gains is None:
        gains = [high - low for low, high in pairwise(correct)]
    return Prediction(
        tuple(probabilities), tuple(probabilities.values()), tuple(correct), tuple(gains), derived
    )


def make_catalogue(models: Sequence[str] = MODELS) -> Catalogue:
    """Return the catalogue of routesdk with a price for each of these models that it has none for.

    The first costs 1 and 4 US dollars per million tokens in and out, all others 10 and 40.
    """
    return _catalogue(tuple(models))


@cache
def _catalogue(models: tuple[str, ...]) -> Catalogue:
    from routesdk.catalogue import Catalogue

    catalogue = Catalogue.default()
    for index, model in enumerate(models):
        if model not in catalogue:
            dollars_in, dollars_out = _PRICES_USD_PER_MTOK[min(index, 1)]
            catalogue = catalogue.with_price(
                model, input_usd_per_mtok=dollars_in, output_usd_per_mtok=dollars_out
            )
    return catalogue


def make_context(
    text: QueryLike = "How far is the Moon?",
    *,
    tags: Iterable[str] = (),
    metadata: Mapping[str, str] | None = None,
    policy: str = "Standard_Query",
    default_model: str | None = None,
    models: Sequence[str] = MODELS,
    probabilities: Mapping[str, float] | None = None,
    prediction: Prediction | None = None,
    spend: Spend | Decimal | float | int | str = 0,
    catalogue: Catalogue | None = None,
) -> RouteContext:
    """Build what a rule is shown, as the router would.

    Args:
        text: A string, a query or a conversation.
        tags: Labels of the query.
        metadata: Metadata of the query.
        policy: The policy that was decided.
        default_model: The model that the policy map gave; without it, the
            dearest for `Complex_Query` and the cheapest for any other policy.
        models: The tiers' models, cheapest first.
        probabilities: Policy → probability; without it, `policy` has 0.8.
        prediction: The whole prediction, in place of `probabilities`.
        spend: What was spent: US dollars settled, or a `Spend`.
        catalogue: Prices; without it, routesdk's and one for each of `models`.
    """
    if default_model is None:
        default_model = models[-1] if policy == "Complex_Query" else models[0]
    return RouteContext(
        query=make_query(text, tags=tags, metadata=metadata),
        prediction=prediction or make_prediction(probabilities, policy=policy),
        policy=policy,
        default_model=default_model,
        models=tuple(models),
        catalogue=make_catalogue(models) if catalogue is None else catalogue,
        spend=spend if isinstance(spend, Spend) else Spend(settled_usd=usd(spend)),
    )


def make_decision(
    text: QueryLike = "How far is the Moon?",
    *,
    policy: str = "Standard_Query",
    tier: str | None = None,
    model: str | None = None,
    confidence: float = 0.8,
    prediction: Prediction | None = None,
    trace: Sequence[TraceStep] = (),
    notices: Sequence[str] = (),
    estimated_cost_usd: Decimal | float | int | str | None = "0.0001",
) -> Decision:
    """Build a decision, as the router would return it for `text`.

    Args:
        text: A string, a query or a conversation.
        policy: The policy's name.
        tier: The tier; without it, `large` for `Complex_Query` and `medium` for any other.
        model: The model that serves; without it, the tier's of `MODELS`.
        confidence: Probability that the policy is the oracle's.
        prediction: The prediction; without it, one with 0.8 for `policy`.
        trace: The steps; without them, the policy map alone.
        notices: What the reader should know.
        estimated_cost_usd: US dollars; None where unknown.
    """
    tier = tier or ("large" if policy == "Complex_Query" else "medium")
    model = model or MODELS[tier == "large"]
    return Decision(
        query_id=Query.of(text).id,
        policy=policy,
        tier=tier,
        model=model,
        confidence=confidence,
        prediction=prediction or make_prediction(policy=policy),
        operating_point=OperatingPoint((0.3,), source="caller"),
        trace=tuple(trace) or (TraceStep(Stage.DEFAULT, "policy map", model, model, "mapped"),),
        notices=tuple(notices),
        estimated_cost_usd=None if estimated_cost_usd is None else usd(estimated_cost_usd),
        cost_note="made up for a test",
    )


@attrs.frozen(kw_only=True)
class FakeBackend:
    """A backend that answers from a script, counts words as tokens, and remembers what it was asked.

    Attributes:
        answers: Text of the question → answer, or a function of the request.
        default: Answer to what the script does not hold; None raises `BackendError`.
        failures: How many calls fail first, each with a `BackendError` that is worth a retry.
        cost_usd: US dollars of each call; None where the price is unknown.
        requests: Every request so far, failed ones too, oldest first.
    """

    answers: Mapping[str, str] | Callable[[Request], str] = attrs.field(factory=FrozenMapping)
    default: str | None = "A scripted answer."
    failures: int = 0
    cost_usd: Decimal | None = attrs.field(default=Decimal(0), converter=attrs.converters.optional(usd))
    requests: list[Request] = attrs.field(factory=list, init=False, eq=False)

    async def generate(self, request: Request) -> Answer:
        """Answer from the script."""
        self.requests.append(request)
        if len(self.requests) <= self.failures:
            raise BackendError("fake", f"call {len(self.requests)} is scripted to fail", retryable=True)
        text = self._text(request)
        usage = Usage(
            input_tokens=len(request.query.text.split()),
            output_tokens=len(text.split()),
            cost_usd=self.cost_usd,
            latency_s=0.0,
        )
        return Answer(text=text, model=request.model, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer word by word; the last chunk has the usage and no text."""
        answer = await self.generate(request)
        for index, word in enumerate(answer.text.split(" ")):
            # The blank goes in front of all but the first, so that the pieces join to the text.
            yield Chunk(text=f" {word}" if index else word)
        yield Chunk(usage=answer.usage, finish_reason=answer.finish_reason)

    def _text(self, request: Request) -> str:
        if not isinstance(self.answers, Mapping):
            return self.answers(request)
        text = self.answers.get(request.query.text, self.default)
        if text is None:
            raise BackendError("fake", f"no answer is scripted for {request.query.text[:60]!a}")
        return text


@attrs.frozen
class FakeJudge:
    """A judge that compares texts, or says what a script says.

    An answer equal to the reference, case and outer blanks aside, is CORRECT;
    `I don't know` and the like, or nothing, is ABSTAINED; all else is INCORRECT.

    Attributes:
        script: Answer → verdict, for answers that should not be compared.
    """

    script: Mapping[str, Verdict | Unscored] = attrs.field(factory=FrozenMapping, converter=frozen)

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Grade by the script, or by comparing."""
        if answer in self.script:
            return self.script[answer]
        text = answer.strip().casefold().rstrip(".")
        if text in {"", "idk", "i don't know"}:
            return Verdict(Grade.ABSTAINED, "the answer says that it does not know")
        same = text == reference.strip().casefold().rstrip(".")
        return Verdict(Grade.CORRECT if same else Grade.INCORRECT, "compared with the reference")


@attrs.frozen
class FakeObserver:
    """An observer that keeps what it is told.

    Attributes:
        decisions: Every decision so far.
        queries: The query of each decision.
        answers: Every decision with its answer so far.
    """

    decisions: list[Decision] = attrs.field(factory=list, init=False)
    queries: list[Query] = attrs.field(factory=list, init=False)
    answers: list[tuple[Decision, Answer]] = attrs.field(factory=list, init=False)

    def routesdk_routed(self, decision: Decision, query: Query) -> None:
        """Keep the decision and its query."""
        self.decisions.append(decision)
        self.queries.append(query)

    def routesdk_answered(self, decision: Decision, query: Query, answer: Answer) -> None:
        """Keep the answer with its decision."""
        self.answers.append((decision, answer))
