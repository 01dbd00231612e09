"""The one config schema, `routesdk.toml`, and the strict reading of it."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, le, lt, matches_re, optional

from routesdk._checked import checked, named
from routesdk._variable import with_variables
from routesdk.errors import ConfigError
from routesdk.structure import structure
from routesdk.tuning import DPOConfig, SFTConfig
from routesdk.types import FrozenMapping, PartConfig, Tier, distinct_tiers, frozen, frozen_throughout, usd

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]{0,127}")
_FILE_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

ANSWER_INSTRUCTION = (
    "Answer the question in one or two sentences. If you do not know the answer, say that you do not know."
)
"""The system instruction of answers: an abstention must be possible, or the matrix loses its third grade."""


# Converters of their own: type checkers lose the type variables of a generic one. What is
# of the wrong type passes through, for the check to name it.
def _options(options: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", frozen_throughout(options))


def _tables(tables: Mapping[str, Mapping[str, object]]) -> Mapping[str, Mapping[str, object]]:
    return cast("Mapping[str, Mapping[str, object]]", frozen_throughout(tables))


def _policies(policies: Mapping[str, str]) -> Mapping[str, str]:
    return frozen(policies) if isinstance(policies, Mapping) else policies


def _rules(rules: Iterable[RuleConfig]) -> tuple[RuleConfig, ...]:
    return tuple(rules) if isinstance(rules, list) else cast("tuple[RuleConfig, ...]", rules)


def _models(models: Iterable[str]) -> tuple[str, ...]:
    return tuple(models) if isinstance(models, list) else cast("tuple[str, ...]", models)


def environment_variable(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Refuse what is no name of an environment variable; a validator of `api_key_env`."""
    if not _VARIABLE.fullmatch(value):
        # Whoever writes the key itself here must not find it in a log.
        problem, fix = "not the name of an environment variable", "Write its name, never the key itself."
        raise ConfigError(attribute.name, "(not shown)", problem, fix)


def web_address(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Refuse what is no address of a server; a validator of `base_url`."""
    try:
        parts = urlsplit(value)
        # A port that no server can have comes to light when it is asked for.
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", value):
        fix = "Write http://HOST:PORT/v1, with a port from 1 to 65535."
        raise ConfigError(attribute.name, repr(value), "not an address of a server", fix)


def _part(value: PartConfig | str) -> PartConfig:
    return PartConfig.of(value)


def _optional_part(value: PartConfig | str | None) -> PartConfig | None:
    return None if value is None else PartConfig.of(value)


def _parts(parts: Mapping[str, PartConfig | str]) -> Mapping[str, PartConfig]:
    if not isinstance(parts, Mapping):
        return parts
    return frozen(
        {key: PartConfig.of(part) if isinstance(part, str) else part for key, part in parts.items()}
    )


def _log(given: Mapping[str, object] | str | None) -> Mapping[str, object] | None:
    if isinstance(given, str):
        if not given.strip():
            raise ConfigError("decision_log", repr(given), "is blank", "Name a file.")
        return FrozenMapping({"path": given})
    return _options(given) if isinstance(given, Mapping) else given


def _tiers(tiers: Iterable[TierConfig]) -> tuple[TierConfig, ...]:
    return tuple(tiers) if isinstance(tiers, list) else cast("tuple[TierConfig, ...]", tiers)


def _prices(prices: Mapping[str, PriceConfig]) -> Mapping[str, PriceConfig]:
    return frozen(prices) if isinstance(prices, Mapping) else prices


def _path(value: Path | str) -> Path:
    return Path(value) if isinstance(value, str) else value


def _paths(paths: Iterable[Path | str]) -> tuple[Path, ...]:
    if isinstance(paths, (str, Path)):
        return (Path(paths),)
    return tuple(_path(path) for path in paths) if isinstance(paths, (list, tuple)) else paths  # type: ignore[return-value]


def _optional_path(value: Path | str | None) -> Path | None:
    return None if value is None else _path(value)


def _usd(value: Decimal | float | int | str) -> Decimal:
    return usd(value)


def _max_usd(value: Decimal | float | int | str | None) -> Decimal | None:
    return None if value is None else usd(value, key="max_usd")


@attrs.frozen(kw_only=True, field_transformer=checked)
class RuleConfig:
    """One rule of a mapping, by name.

    Attributes:
        name: A rule that a plugin offers.
        options: What the rule's own config takes.
        on_error: `raise`, or `skip`: pass the rule over and note it in the trace.
    """

    name: str = attrs.field(validator=named)
    options: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=_options)
    on_error: str = attrs.field(default="raise", validator=in_(("raise", "skip")))


@attrs.frozen(kw_only=True, field_transformer=checked)
class MappingConfig:
    """From policy to model: `[mapping]`.

    Attributes:
        policies: Policy → model; a policy that is not listed goes to its tier's model.
        rules: Rules in order: the first override to propose a model wins.
        models: Models beyond the tiers' that rules may choose.
    """

    policies: Mapping[str, str] = attrs.field(factory=FrozenMapping, converter=_policies)
    rules: tuple[RuleConfig, ...] = attrs.field(default=(), converter=_rules)
    models: tuple[str, ...] = attrs.field(default=(), converter=_models, validator=deep_iterable(named))


@attrs.frozen(kw_only=True, field_transformer=checked)
class RouterConfig:
    """Which router, bound to which models: `[router]`.

    Attributes:
        checkpoint: A bundled name, a folder, or a Hub id.
        revision: Branch, tag or commit on the Hub.
        medium: Model of the medium tier; None keeps the checkpoint's.
        large: Model of the large tier; None keeps the checkpoint's.
        large_share: Share of calls meant for the large model; None keeps the checkpoint's.
        model_options: Options of the policy model on this machine, such as `device` or `base_model`
            of a generative router.
        decision_log: JSONL file that every decision and answer is appended to, or a table of
            the options of the observer `decision-log`.
        backend: Backend that reaches every model that `backends` does not list.
        backends: Model → the backend that reaches it.
        fallback: Models to ask in turn where the chosen one gives no answer for a
            reason that may pass.
    """

    checkpoint: str = attrs.field(default="default", validator=named)
    revision: str | None = attrs.field(default=None, validator=optional(named))
    medium: str | None = attrs.field(default=None, validator=optional(named))
    large: str | None = attrs.field(default=None, validator=optional(named))
    large_share: float | None = attrs.field(default=None, validator=optional([ge(0.0), le(1.0)]))
    model_options: Mapping[str, object] = attrs.field(factory=FrozenMapping, converter=_options)
    decision_log: Mapping[str, object] | str | None = attrs.field(default=None, converter=_log)
    backend: PartConfig | None = attrs.field(default=None, converter=_optional_part)
    backends: Mapping[str, PartConfig] = attrs.field(factory=FrozenMapping, converter=_parts)
    fallback: tuple[str, ...] = attrs.field(default=(), converter=_models, validator=deep_iterable(named))


@attrs.frozen(kw_only=True, field_transformer=checked)
class TierConfig:
    """One tier of an oracle: `[[oracle.tiers]]`, cheapest first.

    Attributes:
        name: The tier's name, such as `medium`.
        model: The model that answers for it, as its provider spells it.
        backend: Backend that reaches the model; None takes the oracle's.
        thinking_tokens: Cap on thinking; None takes the oracle's.
    """

    name: str = attrs.field(validator=named)
    model: str = attrs.field(validator=named)
    backend: PartConfig | None = attrs.field(default=None, converter=_optional_part)
    thinking_tokens: int | None = attrs.field(default=None, validator=optional(ge(0)))


DEFAULT_TIERS = (
    TierConfig(name="medium", model="gemini-2.5-flash"),
    TierConfig(name="large", model="gemini-2.5-pro"),
)
"""The two models that an oracle compares where none are named."""


@attrs.frozen(kw_only=True, field_transformer=checked)
class OracleConfig:
    """How evidence is made: `[oracle]`.

    Parts are names, or tables with `name` and `options`.

    Attributes:
        benchmark: Benchmark whose train rows are answered.
        tiers: The models that answer, cheapest first.
        backend: Backend that answers, for tiers that name none of their own.
        judge: Judge that grades.
        matrix: Matrix that labels.
        analyst: Analyst that writes reasons.
        system: System instruction of every answer; empty for none.
        max_output_tokens: Cap on each answer, thinking included: what a call may cost at the most.
        thinking_tokens: Cap on thinking within it; None leaves it to the provider.
        temperature: Sampling temperature; None leaves it to the provider.
        test_share: Share of rows held out for evaluation.
        split_seed: Another seed is another split.
        held_out: The test part of a split that was made beforehand, as `routesdk split`
            writes it: all of the benchmark is then the train part, and a row that
            stands in this file is refused. None divides the benchmark.
        limit: Rows of the train part to take, chosen by their hash; None for all.
        journal: The run's SQLite file.
        concurrency: Calls under way at once, for each provider.
        requests_per_minute: Calls begun a minute, for each provider; None for no bound.
        tokens_per_minute: Tokens a minute, in and out, for each provider; None for no bound.
        timeout_s: Deadline of a call, in seconds.
        attempts: How often a call is tried.
        max_usd: Budget of the run in US dollars; None for none.
        count_only_tokens: Whether models without a known price may be called, their tokens
            counted and their cost left open; not together with `max_usd`.
        executor: Where shards run.
        shards: Parts that the rows are divided into; 1 runs in this process.
    """

    benchmark: PartConfig = attrs.field(default=PartConfig("simpleqa"), converter=_part)
    tiers: tuple[TierConfig, ...] = attrs.field(default=DEFAULT_TIERS, converter=_tiers)
    backend: PartConfig = attrs.field(default=PartConfig("gemini"), converter=_part)
    judge: PartConfig = attrs.field(default=PartConfig("gemini"), converter=_part)
    matrix: PartConfig = attrs.field(default=PartConfig("nine-cell"), converter=_part)
    analyst: PartConfig = attrs.field(default=PartConfig("heuristic"), converter=_part)
    system: str = ANSWER_INSTRUCTION
    max_output_tokens: int = attrs.field(default=2048, validator=ge(1))
    thinking_tokens: int | None = attrs.field(default=None, validator=optional(ge(0)))
    temperature: float | None = attrs.field(default=None, validator=optional([ge(0.0), lt(math.inf)]))
    test_share: float = attrs.field(default=0.2, validator=[gt(0.0), lt(1.0)])
    split_seed: int = attrs.field(default=0, validator=ge(0))
    held_out: Path | None = attrs.field(default=None, converter=_optional_path)
    limit: int | None = attrs.field(default=None, validator=optional(ge(1)))
    journal: Path = attrs.field(default=Path("oracle.sqlite"), converter=_path)
    concurrency: int = attrs.field(default=16, validator=ge(1))
    requests_per_minute: float | None = attrs.field(default=None, validator=optional([gt(0.0), lt(math.inf)]))
    tokens_per_minute: float | None = attrs.field(default=None, validator=optional([gt(0.0), lt(math.inf)]))
    timeout_s: float = attrs.field(default=120.0, validator=[gt(0.0), lt(math.inf)])
    attempts: int = attrs.field(default=6, validator=ge(1))
    max_usd: Decimal | None = attrs.field(default=None, converter=_max_usd)
    count_only_tokens: bool = False
    executor: PartConfig = attrs.field(default=PartConfig("local"), converter=_part)
    shards: int = attrs.field(default=1, validator=ge(1))

    def __attrs_post_init__(self) -> None:
        names = tuple(Tier(tier.name, tier.model) for tier in self.tiers)
        distinct_tiers(names)
        if self.count_only_tokens and self.max_usd is not None:
            problem = "money cannot be bounded where only tokens are counted"
            raise ConfigError("count_only_tokens", "true", problem, "Leave out one of it and max_usd.")


@attrs.frozen(kw_only=True, field_transformer=checked)
class PriceConfig:
    """What a model costs, in place of the catalogue's price: `[prices."MODEL"]`.

    Attributes:
        input_usd_per_mtok: US dollars per million tokens of prompt.
        output_usd_per_mtok: US dollars per million tokens of answer, thinking included.
        cached_input_usd_per_mtok: US dollars per million cached tokens of prompt.
        source: Where the price was read.
        date: The day it was read, as YYYY-MM-DD.
    """

    input_usd_per_mtok: Decimal = attrs.field(converter=_usd)
    output_usd_per_mtok: Decimal = attrs.field(converter=_usd)
    cached_input_usd_per_mtok: Decimal | None = attrs.field(default=None, converter=_max_usd)
    source: str = "user"
    date: str = ""


@attrs.frozen(kw_only=True, field_transformer=checked)
class TrainConfig:
    """How a router is trained: `[train]`.

    Attributes:
        trainer: Trainer, by name or as a table with its options; `qlora-dpo` trains `qlora-sft` first.
        data: Files of outcomes to learn from, such as `routesdk oracle export` writes.
        validation: Files for early stopping, calibration and the table at the end; empty holds a
            part of `data` out.
        tiers: Models that stand for the tiers in `data`, cheapest first; empty takes those of
            the manifest beside the first file.
        tier_names: Names of those tiers; empty takes the manifest's, or medium and large.
        matrix: Matrix that turns grades into policies.
        output: Folder of the checkpoint.
        work: Folder of prepared rows, training state and metrics: a killed run goes on from there.
        compare: Trainers whose routers stand beside it in the table at the end.
        validation_share: Share of `data` held out where there are no validation files.
        seed: Seed of every random choice.
        base_model: Folder or Hub id of the base model, for trainers that need one.
        sft: Options of `qlora-sft`.
        dpo: Options of `qlora-dpo`.
        options: `[train.options.NAME]`: options of the trainers to compare with, by name.
        executor: Where training runs.
    """

    trainer: PartConfig = attrs.field(default=PartConfig("linear"), converter=_part)
    data: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    validation: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    tiers: tuple[str, ...] = attrs.field(default=(), converter=_models, validator=deep_iterable(named))
    tier_names: tuple[str, ...] = attrs.field(default=(), converter=_models, validator=deep_iterable(named))
    matrix: str = attrs.field(default="nine-cell", validator=named)
    output: Path = attrs.field(default=Path("router_checkpoints/router_final"), converter=_path)
    work: Path = attrs.field(default=Path("router_checkpoints/work"), converter=_path)
    compare: tuple[str, ...] = attrs.field(
        default=("linear",), converter=_models, validator=deep_iterable(named)
    )
    validation_share: float = attrs.field(default=0.15, validator=[gt(0.0), lt(1.0)])
    seed: int = attrs.field(default=0, validator=ge(0))
    base_model: str | None = attrs.field(default=None, validator=optional(named))
    sft: SFTConfig = attrs.field(factory=SFTConfig)
    dpo: DPOConfig = attrs.field(factory=DPOConfig)
    options: Mapping[str, Mapping[str, object]] = attrs.field(factory=FrozenMapping, converter=_tables)
    executor: PartConfig = attrs.field(default=PartConfig("local"), converter=_part)


@attrs.frozen(kw_only=True, field_transformer=checked)
class EvaluateConfig:
    """How a router is judged: `[evaluate]`; which one is said by `[router]`.

    Attributes:
        data: Files of rows with recorded outcomes, none of which the router learned from.
        output: Folder of the results and the report.
        format: Form of the report: `html`, `md` or `json`.
        resamples: Bootstrap resamples behind every interval.
        seed: Seed of the bootstrap.
        topics: Whether figures are broken down by topic.
        perturbations: Other wordings under which decisions should stay; empty measures none.
        timed: Up to how many decisions are timed alone; 0 for none.
        reasons: For how many rows a reason is written and looked at; 0 for none.
        mistakes: How many mistakes of each kind are shown.
    """

    data: tuple[Path, ...] = attrs.field(default=(), converter=_paths)
    output: Path = attrs.field(default=Path("evaluation/results"), converter=_path)
    format: str = attrs.field(default="html", validator=in_(("html", "md", "json")))
    resamples: int = attrs.field(default=2000, validator=ge(100))
    seed: int = attrs.field(default=0, validator=ge(0))
    topics: bool = True
    perturbations: tuple[str, ...] = attrs.field(
        default=("case", "typos", "whitespace", "politeness"),
        converter=_models,
        validator=deep_iterable(in_(("case", "typos", "whitespace", "politeness"))),
    )
    timed: int = attrs.field(default=200, validator=ge(0))
    reasons: int = attrs.field(default=50, validator=ge(0))
    mistakes: int = attrs.field(default=5, validator=ge(0))


@attrs.frozen(kw_only=True, field_transformer=checked)
class ProjectConfig:
    """What `routesdk run` calls its files, and how much of the test part it pays for: `[project]`.

    Attributes:
        name: Name of the benchmark's files, as in `data/benchmarks/NAME.jsonl`; None takes the
            benchmark's own.
        test_limit: Test rows to answer and grade, chosen by their hash; None for all. Rows whose
            outcomes the benchmark brings cost nothing, and are all taken.
    """

    name: str | None = attrs.field(default=None, validator=optional(matches_re(_FILE_NAME)))
    test_limit: int | None = attrs.field(default=None, validator=optional(ge(1)))


@attrs.frozen(kw_only=True, field_transformer=checked)
class Config:
    """All of `routesdk.toml`."""

    router: RouterConfig = attrs.field(factory=RouterConfig)
    mapping: MappingConfig = attrs.field(factory=MappingConfig)
    oracle: OracleConfig = attrs.field(factory=OracleConfig)
    train: TrainConfig = attrs.field(factory=TrainConfig)
    evaluate: EvaluateConfig = attrs.field(factory=EvaluateConfig)
    project: ProjectConfig = attrs.field(factory=ProjectConfig)
    prices: Mapping[str, PriceConfig] = attrs.field(factory=FrozenMapping, converter=_prices)


def load_config(path: str | os.PathLike[str]) -> Config:
    """Read `routesdk.toml`.

    In its texts, `${ROUTESDK_NAME}` stands for an environment variable, and
    `${ROUTESDK_NAME:-text}` for one that may be unset.

    Raises:
        ConfigError: The file is missing, is no TOML, holds an unknown key,
            a wrong type or a value out of range, or names a variable that is not set;
            key and file are named.
    """
    file = Path(path)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            "file", str(file), f"cannot be read ({error.strerror})", "Check the path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("file", str(file), f"is no TOML: {error}", "Mend it.") from error
    return structure(with_variables(data, source=str(file)), Config, source=str(file))
