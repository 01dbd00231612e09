"""The contract between routesdk and its parts. Provisional until 1.0.

A part is any object with the methods of its protocol; nothing needs to be
subclassed. `routesdk.testing` has a contract check for each.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import attrs

from routesdk.errors import ConfigError
from routesdk.types import (
    Answer,
    Chunk,
    Decision,
    Example,
    Grade,
    PartConfig,
    Policy,
    PredictionBatch,
    Proposal,
    Query,
    Refusal,
    Request,
    Reservation,
    RouteContext,
    ShardResult,
    Spend,
    Tier,
    TrainJob,
    Unscored,
    Verdict,
)

_KEBAB_CASE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

API_VERSION = 1
"""The version of this contract; a component with a newer one is reported and left out."""


@runtime_checkable
class Benchmark(Protocol):
    """A source of questions."""

    def examples(self) -> Iterator[Example]:
        """Yield the questions, one at a time: nothing holds them all.

        Raises:
            DatasetError: A row cannot be used; source and line are named.
        """
        ...


@runtime_checkable
class Backend(Protocol):
    """Something that answers: a provider, a local model, a file of recorded answers.

    A backend whose calls cost nobody anything says so by an attribute `free`
    that is true: budgets then leave its calls alone.
    """

    async def generate(self, request: Request) -> Answer:
        """Answer one request.

        Raises:
            BackendError: There is no answer; `retryable` says whether to try again.
        """
        ...

    def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Answer one request piece by piece; the last chunk has the usage.

        Raises:
            BackendError: There is no answer, or it broke off.
        """
        ...


@runtime_checkable
class Judge(Protocol):
    """Grades one answer, blind to who gave it."""

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Grade one answer against the reference; `Unscored` where no grade can be read."""
        ...


@runtime_checkable
class PromptedJudge(Judge, Protocol):
    """A judge that asks a model: it writes the request and reads the reply, and others may pay.

    An oracle run makes the call itself, so that it is paced, bounded and
    journaled like every other; `grade` makes it on the spot.
    """

    @property
    def backend(self) -> PartConfig:
        """The backend that the model is asked through."""
        ...

    @property
    def prompt_version(self) -> str:
        """Changes whenever the wording of the request does."""
        ...

    def request(self, question: str, reference: str, answer: str) -> Request:
        """Write the request; it holds question, reference and this one answer, and nothing else."""
        ...

    def read(self, reply: Answer, answer: str) -> Verdict | Unscored:
        """Read the reply about an answer; `Unscored` where no grade can be read, never a guess.

        The answer is there for what the verdict must say of it: that only a part of it was judged.
        """
        ...


@runtime_checkable
class Matrix(Protocol):
    """A total function from the tiers' grades to a policy."""

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Every policy that it can give, each with the tier that serves it by default."""
        ...

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers' names, cheapest first."""
        ...

    def policy(self, grades: tuple[Grade, ...]) -> Policy:
        """Return the policy of one cell: one grade a tier, cheapest first.

        Raises:
            ConfigError: There are not as many grades as tiers.
        """
        ...

    def reason(self, grades: tuple[Grade, ...]) -> str:
        """Say in a sentence why the cell has its policy."""
        ...


@runtime_checkable
class PolicyModel(Protocol):
    """Predicts, from the query alone, how each tier will fare."""

    def predict(self, queries: Sequence[Query]) -> PredictionBatch:
        """Predict a batch, in the order of `queries`, for the tiers that are bound."""
        ...

    def explain(self, query: Query, policy: Policy) -> str:
        """Write why the query has this policy, which is already decided."""
        ...

    def bind(self, tiers: tuple[Tier, ...]) -> PolicyModel:
        """Return a copy that predicts for these tiers, cheapest first.

        A model that it never learned from gets a generic head, and every
        batch then says so in its notices. A policy model that knows policies
        alone returns itself.
        """
        ...

    def reference(self) -> PredictionBatch | None:
        """Predict its calibration rows for the bound tiers; None where it kept none.

        From their gains the router finds the threshold that sends a wanted
        share to the next tier.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything into an existing, empty folder: safetensors, JSON, ONNX, text; never pickle."""
        ...

    def load(self, folder: Path) -> PolicyModel:
        """Return the policy model that `save` wrote; this one stays as it is.

        Raises:
            CheckpointError: A file is missing, truncated or not of this kind.
        """
        ...


@runtime_checkable
class Rule(Protocol):
    """May propose a model for one decision. Does no I/O."""

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose a model, or return None to leave the decision alone."""
        ...


@runtime_checkable
class Constraint(Protocol):
    """May forbid models for one decision. Does no I/O."""

    def refuse(self, context: RouteContext, model: str) -> Refusal | None:
        """Refuse the model, or return None to allow it."""
        ...


@runtime_checkable
class Budget(Protocol):
    """A rule or constraint that bounds money: no answer is paid for that could exceed it."""

    @property
    def budget_usd(self) -> Decimal:
        """US dollars that settled and reserved money may come to."""
        ...


@runtime_checkable
class Analyst(Protocol):
    """Writes the reason that a router learns to give."""

    async def reason(self, query: Query) -> str:
        """Write why the query is easy or hard, from the query alone."""
        ...


@runtime_checkable
class PromptedAnalyst(Analyst, Protocol):
    """An analyst that asks a model: it writes the request and reads the reply, and others may pay."""

    @property
    def backend(self) -> PartConfig:
        """The backend that the model is asked through."""
        ...

    @property
    def prompt_version(self) -> str:
        """Changes whenever the wording of the request does."""
        ...

    def request(self, query: Query) -> Request:
        """Write the request; it holds the query, and neither a reference nor an answer to it."""
        ...

    def read(self, reply: Answer) -> str:
        """Read the reason; empty where there is none in the reply."""
        ...


@runtime_checkable
class SpendSource(Protocol):
    """Keeps count of money. Safe to share between threads."""

    def snapshot(self) -> Spend:
        """Return what has been settled and reserved until now."""
        ...

    def reserve(self, cost: Decimal, *, limit: Decimal | None = None) -> Reservation:
        """Set `cost` US dollars aside for a call that is about to be made.

        Args:
            cost: US dollars.
            limit: What settled, reserved and this may come to in US dollars; None
                for no limit. Looking and reserving are one step, so that calls made
                at once cannot exceed it together.

        Raises:
            BudgetError: The limit would be exceeded; nothing is reserved.
        """
        ...

    def settle(self, reservation: Reservation, cost: Decimal) -> None:
        """Replace a reservation by what the call cost in US dollars.

        Raises:
            BudgetError: The reservation is unknown, or settled already.
        """
        ...


@runtime_checkable
class Trainer(Protocol):
    """Turns rows into a policy model.

    Three attributes are read where a trainer has them: `policy_model`, the name of
    the policy model that it trains, where that is not its own; `after`, the name of
    the trainer whose output it starts from, which it gets as `job.start`; and
    `serving_options`, options with which this machine builds the policy model.
    """

    def train(self, job: TrainJob) -> Path:
        """Train, save the policy model in `job.output`, and return that folder.

        Raises:
            TrainingError: Nothing can be learned from the rows.
        """
        ...


@runtime_checkable
class Executor(Protocol):
    """Runs a stage over shards, on this machine or on others."""

    def map(self, stage_name: str, shard_files: Sequence[Path]) -> Iterator[ShardResult]:
        """Run a stage on each file and yield the results as they come.

        Args:
            stage_name: `package.module:function`; the function takes the
                shard's path and returns the path that it wrote. Names and
                files cross machines, never closures.
            shard_files: One file a shard.

        Yields:
            One result a shard, failed ones too, in any order.
        """
        ...


@runtime_checkable
class RemoteExecutor(Executor, Protocol):
    """An executor whose shards run on machines that do not see this one's files, and outlive its process."""

    def recover(self, stage_name: str, shard_files: Sequence[Path]) -> None:
        """Bring home what shards had found out that an earlier process was killed over.

        Args:
            stage_name: The stage that they were given to.
            shard_files: The files, as they were given; each is replaced by what had become of it, if any.

        Raises:
            ExecutorError: The machines cannot be reached.
        """
        ...

    def cancel(self) -> None:
        """Cancel what is under way, from any thread.

        `map` then yields what is left with an error, and with what each shard had found out.
        """
        ...


@runtime_checkable
class Observer(Protocol):
    """Is told of decisions and answers; what it raises is logged and fails nothing.

    It may have `routesdk_answered(decision, query, answer)` too, or instead.
    A method is passed the arguments that it names, by keyword.
    """

    def routesdk_routed(self, decision: Decision, query: Query) -> None:
        """Take note of a decision, and of the query that it is about."""
        ...


P_co = TypeVar("P_co", covariant=True)


@attrs.frozen(kw_only=True)
class Component(Generic[P_co]):
    """A part that a plugin offers by name.

    Attributes:
        name: In kebab-case; unique among the parts of its kind.
        factory: Builds the part from a `config` object. Without `config`, the
            factory is itself an attrs class, built from its own fields, or
            takes nothing. A factory with a `config` that names a parameter `host`
            is passed the host that builds it: a judge finds its backend there by name.
        config: A light attrs class, importable without the part's extra.
        summary: One line for `routesdk plugins list`.
        install: The command that installs what the part needs, such as
            `pip install "routesdk[gemini]"`; empty where it needs nothing.
        api: The contract's version that the part was written for.
    """

    name: str
    factory: Callable[..., P_co]
    config: type | None = None
    summary: str = ""
    install: str = ""
    api: int = API_VERSION

    def __attrs_post_init__(self) -> None:
        # Checked where it is offered: the host then blames the plugin, and the others go on.
        if not isinstance(self.name, str) or not _KEBAB_CASE.fullmatch(self.name):
            raise ConfigError(
                "component.name", repr(self.name), "not in kebab-case", "Write it like 'pin-tag'."
            )
        if not callable(self.factory):
            problem = f"{type(self.factory).__name__} cannot be called"
            raise ConfigError(
                f"{self.name}.factory", repr(self.factory), problem, "Give a class or function."
            )
        if self.config is not None and not (isinstance(self.config, type) and attrs.has(self.config)):
            problem = "not an attrs class"
            raise ConfigError(f"{self.name}.config", repr(self.config), problem, "Decorate it: attrs.frozen.")
        if type(self.api) is not int or self.api < 1:
            problem = "not a version of the contract"
            raise ConfigError(f"{self.name}.api", repr(self.api), problem, f"Write {API_VERSION}.")


Offer = Iterable[Component[P_co]]
