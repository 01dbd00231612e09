"""Every error that routesdk raises: data as fields, and a sentence that says what to do.

Fields are positional, because exceptions cross process borders and keyword-only
fields break pickling.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from routesdk.types.money import Usage

# More names than this are a list to scroll through, not a hint.
_SHOWN = 12


def _hint(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    shown = ", ".join(known[:_SHOWN]) or "none"
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"Known: {shown}{more}."


class RouteSDKError(Exception):
    """The root of all errors that routesdk raises on purpose."""


@attrs.frozen
class InvalidQueryError(RouteSDKError):
    """A value that cannot be routed was given as a query."""

    problem: str
    fix: str = "Give a non-blank string, a Query, or a list of messages with 'role' and 'content'."

    def __str__(self) -> str:
        return f"Not a query: {self.problem}. {self.fix}"


@attrs.frozen
class ConfigError(RouteSDKError):
    """A configuration value is unknown, of the wrong type or out of range.

    Attributes:
        key: Dotted path of the key, such as `mapping.rules[0].name`.
        value: The offending value, as text.
        problem: What is wrong with it.
        fix: What to write instead.
        source: The file that holds it, where there is one.
    """

    key: str
    value: str
    problem: str
    fix: str
    source: str = ""

    def __str__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        return f"{where}{self.key} = {self.value}: {self.problem}. {self.fix}"


@attrs.frozen
class UnknownComponentError(RouteSDKError):
    """A name was asked for that no loaded plugin offers.

    Attributes:
        kind: Kind of part.
        name: What was asked for.
        known: The names that there are.
        blocked: Plugins that were left out by name, and may offer it.
    """

    kind: str
    name: str
    known: tuple[str, ...]
    blocked: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"No {self.kind} is named {self.name!r}. {_hint(self.name, self.known)}"
        return f"{text} Blocked, and so not asked: {', '.join(self.blocked)}." if self.blocked else text


@attrs.frozen
class ComponentConflictError(RouteSDKError):
    """Two plugins offer the same component name."""

    kind: str
    name: str
    distributions: tuple[str, ...]

    def __str__(self) -> str:
        owners = " and ".join(self.distributions)
        return (
            f"The {self.kind} {self.name!r} is offered by {owners}. "
            f"Uninstall one, or block its plugin: PluginHost(blocked={{...}}) or ROUTESDK_BLOCKED_PLUGINS."
        )


@attrs.frozen
class PluginLoadError(RouteSDKError):
    """A component was asked for that a broken plugin offers, or may offer."""

    plugin: str
    distribution: str
    problem: str
    wanted: str = ""

    def __str__(self) -> str:
        wanted = f"{self.wanted} cannot be built: " if self.wanted else ""
        return (
            f"{wanted}plugin {self.plugin!r} of {self.distribution} failed: {self.problem}. "
            f"Repair or upgrade {self.distribution}, or block the plugin by name."
        )


@attrs.frozen
class MissingExtraError(RouteSDKError):
    """A component needs a package that is not installed."""

    component: str
    install: str
    problem: str

    def __str__(self) -> str:
        return f"{self.component!r} needs a package that is missing ({self.problem}). Run: {self.install}"


@attrs.frozen
class PredictionError(RouteSDKError):
    """A policy model returned something that is no prediction."""

    policy_model: str
    problem: str

    def __str__(self) -> str:
        return f"Policy model {self.policy_model!r} returned no valid prediction: {self.problem}."


@attrs.frozen
class PolicyParseError(RouteSDKError):
    """A policy name was read that the matrix does not define."""

    policy: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.policy!r} is no policy of this router. {_hint(self.policy, self.known)}"


@attrs.frozen
class ReasonParseError(RouteSDKError):
    """A reason was written or read that is not one line after its mark."""

    text: str
    problem: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 80 else f"{self.text[:79]}…"
        return f"No reason can be read from {shown!r}: {self.problem}. A reason is one line of text."


@attrs.frozen
class RuleError(RouteSDKError):
    """A mapping rule raised, or returned something that is no proposal or refusal."""

    rule: str
    problem: str

    def __str__(self) -> str:
        return (
            f"Rule {self.rule!r} failed: {self.problem}. Repair or remove it, "
            f'or set on_error = "skip" for it to be passed over and noted in the trace.'
        )


@attrs.frozen
class UnknownModelError(RouteSDKError):
    """A model was named that neither the mapping nor the catalogue knows."""

    model: str
    known: tuple[str, ...]
    named_by: str = ""

    def __str__(self) -> str:
        by = f" (named by {self.named_by})" if self.named_by else ""
        return (
            f"No model {self.model!r} is known{by}. {_hint(self.model, self.known)} "
            f"Bind it to a tier, list it in mapping.models, or add it to the catalogue with `with_price`."
        )


@attrs.frozen
class NoModelAllowedError(RouteSDKError):
    """Constraints refused every model of the mapping."""

    refusals: tuple[str, ...]

    def __str__(self) -> str:
        return f"Every model is refused: {'; '.join(self.refusals)}. Relax a constraint, or add a model."


@attrs.frozen
class UnknownPriceError(RouteSDKError):
    """Money is bounded or summed over a model whose price is not known."""

    model: str
    known: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"No price is known for {self.model!r}. {_hint(self.model, self.known)} "
            f'Give one: [prices."{self.model}"] in routesdk.toml, or catalogue.with_price({self.model!r}, '
            f"input_usd_per_mtok=..., output_usd_per_mtok=...)."
        )


@attrs.frozen
class PriceStepError(RouteSDKError):
    """Money is bounded or summed over a prompt that may be too long for the price that is known."""

    model: str
    tokens: int
    most_tokens: int

    def __str__(self) -> str:
        return (
            f"A prompt to {self.model!r} may have {self.tokens:,} tokens, and its price is known for up to "
            f"{self.most_tokens:,} alone: longer ones cost more. Shorten the prompt, or give the dearer "
            f'price in [prices."{self.model}"] of routesdk.toml.'
        )


@attrs.frozen
class BudgetError(RouteSDKError):
    """A spend source was used in a way that would lose track of money."""

    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.fix}"


@attrs.frozen
class CheckpointError(RouteSDKError):
    """A checkpoint cannot be read, trusted or written."""

    path: str
    problem: str
    fix: str = "Load another checkpoint, or write this one again with `save_pretrained`."

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.fix}"


@attrs.frozen
class MissingPluginError(RouteSDKError):
    """A checkpoint was saved with parts that no installed plugin offers."""

    checkpoint: str
    missing: tuple[str, ...]
    install: str

    def __str__(self) -> str:
        return f"{self.checkpoint} needs {', '.join(self.missing)}. Run: {self.install}"


@attrs.frozen
class DatasetError(RouteSDKError):
    """A row of a data file cannot be used."""

    source: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.problem}. Mend the row, or leave it out."


@attrs.frozen
class BackendError(RouteSDKError):
    """A backend could not answer.

    Attributes:
        backend: The backend's name.
        problem: What went wrong; never with a key in it.
        retryable: Whether the same call may succeed later.
        may_cost: Whether the provider may have done the work, and may bill it, although
            no answer arrived: the call hung, broke off, or its reply could not be read.
        retry_after_s: Seconds after which the provider wants to be asked again.
        blocked: Whether a safety filter withheld the answer.
        denied: Whether the key was refused, or lacks permission: every other call will fail, too.
        usage: What the provider counted nevertheless, as for an answer that was blocked.
    """

    backend: str
    problem: str
    retryable: bool = False
    may_cost: bool = False
    retry_after_s: float | None = None
    blocked: bool = False
    denied: bool = False
    usage: Usage | None = None

    def __str__(self) -> str:
        again = " Trying again may help." if self.retryable else ""
        return f"Backend {self.backend!r}: {self.problem}.{again}"


@attrs.frozen
class JudgeError(RouteSDKError):
    """A judge raised, or returned something that is neither a verdict nor `Unscored`."""

    judge: str
    problem: str

    def __str__(self) -> str:
        return f"Judge {self.judge!r} failed: {self.problem}. Repair its plugin, or use another judge."


@attrs.frozen
class RunningLoopError(RouteSDKError):
    """A method that waits was called inside a running event loop, which it would hold up."""

    called: str
    instead: str

    def __str__(self) -> str:
        return f"`{self.called}` waits, and would hold up the running event loop. Write {self.instead}."


@attrs.frozen
class JournalError(RouteSDKError):
    """The journal of a run cannot be read or written."""

    path: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.fix}"


@attrs.frozen
class RunStoppedError(RouteSDKError):
    """A run ended before all of its rows were done; what it has is in the journal.

    Attributes:
        problem: Why it stopped.
        fix: What to do before it is started again.
        done: Rows that are finished.
        total: Rows that there are.
    """

    problem: str
    fix: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        return f"Stopped at {self.done:,} of {self.total:,} rows: {self.problem}. {self.fix}"


@attrs.frozen
class LeakError(RouteSDKError):
    """Rows would be scored, or trained on, that belong to the other side of the split.

    Attributes:
        purpose: What the rows were meant for.
        ids: The rows.
        learned_by: The checkpoint that learned from them; empty where a split is what forbids them.
        learned_from: What its card says that it learned from.
        fix: What to do about it, where it is not to take them out.
    """

    purpose: str
    ids: tuple[str, ...]
    learned_by: str = ""
    learned_from: tuple[str, ...] = ()
    fix: str = ""

    def __str__(self) -> str:
        shown = ", ".join(self.ids[:5]) + (f" and {len(self.ids) - 5:,} more" if len(self.ids) > 5 else "")
        rows = "1 row" if len(self.ids) == 1 else f"{len(self.ids):,} rows"
        text = f"{rows} must not be used for {self.purpose}: {shown}. "
        if self.fix:
            return text + self.fix
        if not self.learned_by:
            return f"{text}Take them out; `routesdk.pipeline.split` keeps both sides apart."
        sources = (
            f", whose card says that it was trained on {'; '.join(self.learned_from)}"
            if self.learned_from
            else ""
        )
        return (
            f"{text}They are what {self.learned_by} learned from{sources}. Take them out: "
            f"`routesdk leak-check --checkpoint` lists them; or give rows that it has not seen."
        )


@attrs.frozen
class MetricError(RouteSDKError):
    """A metric is not defined for what it was given."""

    metric: str
    problem: str

    def __str__(self) -> str:
        return f"{self.metric} is not defined here: {self.problem}."


@attrs.frozen
class TrainingError(RouteSDKError):
    """A trainer was given rows from which nothing can be learned."""

    trainer: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"Trainer {self.trainer!r}: {self.problem}. {self.fix}"


@attrs.frozen
class EditedFilesError(RouteSDKError):
    """A run would write over files that somebody changed by hand.

    Attributes:
        files: The files.
        reasons: Stage by stage, what was found.
    """

    files: tuple[str, ...]
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"A run would write over what is not its own. {'. '.join(self.reasons)}. "
            "To go on from these files as they are: --keep-edits. To have them made anew, with yours put "
            "aside under another name: --replace-edits."
        )


@attrs.frozen
class StageError(RouteSDKError):
    """A stage that an executor ran has failed on one shard."""

    stage: str
    shard: str
    problem: str

    def __str__(self) -> str:
        return f"Stage {self.stage!r} failed on {self.shard}: {self.problem}."


@attrs.frozen
class ExecutorError(RouteSDKError):
    """An executor cannot hand out work: there is no account, no such secret, or no service.

    Attributes:
        executor: The executor's name.
        problem: What is wrong; never with a token in it.
        fix: What to do.
    """

    executor: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"Executor {self.executor!r}: {self.problem}. {self.fix}"
