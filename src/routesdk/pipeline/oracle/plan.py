"""What an oracle run asks whom: the parts of the config, built, and the requests that they lead to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import attrs

from routesdk.catalogue import Catalogue
from routesdk.config import Config, OracleConfig, TierConfig
from routesdk.dataset import example_to_row
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.journal import provider_id
from routesdk.pipeline.oracle.pace import Pace
from routesdk.pipeline.oracle.purse import Pricing
from routesdk.pipeline.oracle.seam import Line, sound
from routesdk.pricebook import catalogue_of
from routesdk.protocols import Analyst, Backend, Benchmark, Judge, Matrix, PromptedAnalyst, PromptedJudge
from routesdk.types import Example, PartConfig, Query, Request

PATIENCE_S = 900.0
"""Seconds that a provider may be down, without one call that succeeds, before a run stops."""

_PLAN_VERSION = 1
"""Raised when what a run does with a row changes, so that rows are gone through again."""


@attrs.frozen(kw_only=True)
class Seat:
    """A tier, and the line to its model.

    Attributes:
        tier: The tier.
        line: How its model is reached.
    """

    tier: TierConfig
    line: Line


@attrs.frozen(kw_only=True)
class Plan:
    """Everything that a run needs, built.

    Attributes:
        config: `[oracle]`.
        benchmark: Where the questions come from.
        seats: The tiers, cheapest first.
        judge: Grades.
        judge_line: Reaches the judge's model; None for a judge that makes its calls itself, or none.
        analyst: Writes reasons.
        analyst_line: Reaches the analyst's model; None as for the judge.
        matrix: Labels.
        pricing: What calls cost.
        digest: Changes with everything that is asked about a row.
    """

    config: OracleConfig
    benchmark: Benchmark
    seats: tuple[Seat, ...]
    judge: Judge
    judge_line: Line | None
    analyst: Analyst
    analyst_line: Line | None
    matrix: Matrix
    pricing: Pricing
    digest: str

    def answer_request(self, query: Query, seat: Seat) -> Request:
        """Write the request to a tier's model: the query and the instruction, the same for every tier."""
        config, thinking = self.config, seat.tier.thinking_tokens
        return Request(
            query=query,
            model=seat.tier.model,
            system=config.system,
            max_output_tokens=config.max_output_tokens,
            temperature=config.temperature,
            thinking_tokens=config.thinking_tokens if thinking is None else thinking,
            timeout_s=config.timeout_s,
        )

    def in_time(self, request: Request) -> Request:
        """Return a judge's or an analyst's request with the run's deadline."""
        return attrs.evolve(request, timeout_s=self.config.timeout_s)

    def row_digest(self, example: Example) -> str:
        """Return what changes with the question, its reference and everything that is asked about them."""
        row = {key: value for key, value in example_to_row(example).items() if key != "outcomes"}
        return _digest([self.digest, row])


def build_plan(
    config: Config,
    host: PluginHost,
    *,
    benchmark: Benchmark | None = None,
    backends: Mapping[str, Backend] | None = None,
    judge: Judge | None = None,
    analyst: Analyst | None = None,
    catalogue: Catalogue | None = None,
) -> Plan:
    """Build the parts of a run, and check whatever can be checked before anything is paid.

    Args:
        config: All of the config; of `[oracle]` and `[prices]` use is made.
        host: Where parts are found.
        benchmark: In place of the one that the config names.
        backends: Backends by name, in place of those that the host would build.
        judge: In place of the one that the config names.
        analyst: In place of the one that the config names.
        catalogue: Prices; None takes the bundled ones.

    Raises:
        RouteSDKError: A part cannot be built, or a model that costs money has no known price.
    """
    oracle = config.oracle
    if not has_utf8(oracle.system):
        problem = "holds half of a character, which cannot be sent"
        raise ConfigError("oracle.system", ascii(oracle.system)[:80], problem, "Write whole characters.")
    lines = _Lines(oracle, host, backends or {})
    judge = judge or host.judge(oracle.judge.name, **oracle.judge.options)
    analyst = analyst or host.analyst(oracle.analyst.name, **oracle.analyst.options)
    models = [*(tier.model for tier in oracle.tiers), *(probe.model for probe in _probes(judge, analyst))]
    pricing = Pricing(
        catalogue=catalogue_of(config.prices, models, catalogue=catalogue),
        count_only_tokens=oracle.count_only_tokens,
    )
    plan = Plan(
        config=oracle,
        benchmark=benchmark or host.benchmark(oracle.benchmark.name, **oracle.benchmark.options),
        seats=tuple(Seat(tier=tier, line=lines.to(tier.backend or oracle.backend)) for tier in oracle.tiers),
        judge=judge,
        judge_line=lines.to(judge.backend) if isinstance(judge, PromptedJudge) else None,
        analyst=analyst,
        analyst_line=lines.to(analyst.backend) if isinstance(analyst, PromptedAnalyst) else None,
        matrix=build_matrix(oracle.matrix, host, tuple(tier.name for tier in oracle.tiers)),
        pricing=pricing,
        digest="",
    )
    _check_prices(plan)
    return attrs.evolve(plan, digest=_digest(_asked(plan)))


def build_matrix(part: PartConfig, host: PluginHost, tiers: tuple[str, ...]) -> Matrix:
    """Build a matrix for these tiers.

    Args:
        part: Name and options.
        host: Where it is found.
        tiers: The tiers' names, cheapest first; passed on as `tiers` where the matrix has others by itself.

    Raises:
        ConfigError: The matrix is not for these tiers.
    """
    matrix = host.matrix(part.name, **part.options)
    if tuple(matrix.tiers) != tiers and "tiers" not in part.options:
        matrix = host.matrix(part.name, **part.options, tiers=tiers)
    if tuple(matrix.tiers) != tiers:
        problem = f"is for the tiers {', '.join(matrix.tiers)}, and the oracle has {', '.join(tiers)}"
        raise ConfigError("oracle.matrix", repr(part.name), problem, "Use the same names, cheapest first.")
    return matrix


class _Lines:
    """One line a provider: tiers, judge and analyst that share one share its pace."""

    def __init__(self, oracle: OracleConfig, host: PluginHost, backends: Mapping[str, Backend]) -> None:
        self._oracle = oracle
        self._host = host
        self._backends = backends
        self._lines: dict[str, Line] = {}

    def to(self, part: PartConfig) -> Line:
        provider = provider_id(part)
        if provider not in self._lines:
            backend = self._backends.get(part.name) or self._host.backend(part.name, **part.options)
            pace = Pace(
                self._oracle.concurrency,
                requests_per_minute=self._oracle.requests_per_minute,
                tokens_per_minute=self._oracle.tokens_per_minute,
                patience_s=PATIENCE_S,
                attempts=self._oracle.attempts,
            )
            free = bool(getattr(backend, "free", False))
            self._lines[provider] = Line(
                name=part.name, provider=provider, backend=backend, pace=pace, free=free
            )
        return self._lines[provider]


def _probes(judge: Judge, analyst: Analyst) -> list[Request]:
    """Return a request of the judge's and one of the analyst's, where they ask a model."""
    probes = []
    if isinstance(judge, PromptedJudge):
        probes.append(sound("judge", judge, judge.request, "?", "?", "?"))
    if isinstance(analyst, PromptedAnalyst):
        probes.append(sound("analyst", analyst, analyst.request, Query("?")))
    return probes


def _check_prices(plan: Plan) -> None:
    """Check, before anything is paid, that every call has a price, and a cap where money is reserved."""
    lines = [line for line in (plan.judge_line, plan.analyst_line) if line is not None]
    asked = [(seat.line, plan.answer_request(Query("?"), seat)) for seat in plan.seats]
    asked += zip(lines, _probes(plan.judge, plan.analyst), strict=True)
    for line, request in asked:
        if not line.free:
            plan.pricing.check(request.model)
            plan.pricing.worst_nano(request)


def _asked(plan: Plan) -> object:
    """List all that could change what a run finds out about a row."""
    config = plan.config
    seats = [
        [
            *(seat.tier.name, seat.tier.model, seat.line.provider),
            config.thinking_tokens if seat.tier.thinking_tokens is None else seat.tier.thinking_tokens,
        ]
        for seat in plan.seats
    ]
    return {
        "version": _PLAN_VERSION,
        "seats": seats,
        "request": [config.system, config.max_output_tokens, config.temperature],
        "judge": _part(config.judge, plan.judge),
        "analyst": _part(config.analyst, plan.analyst),
    }


def _part(part: PartConfig, built: Judge | Analyst) -> list[object]:
    version = built.prompt_version if isinstance(built, (PromptedJudge, PromptedAnalyst)) else ""
    return [provider_id(part), type(built).__name__, version]


def has_utf8(text: str) -> bool:
    """Tell whether a text can be sent and stored: lone surrogates cannot."""
    return text.encode("utf-8", "replace") == text.encode("utf-8", "surrogatepass")


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()[:32]
