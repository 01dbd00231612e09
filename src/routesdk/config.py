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

import attrs
from attrs.validators import deep_iterable, ge, gt, in_, le, lt, optional

from routesdk._checked import checked, named
from routesdk.errors import ConfigError
from routesdk.structure import structure
from routesdk.types import FrozenMapping, frozen, frozen_throughout, usd

_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]{0,127}")


# Converters of their own: type checkers lose the type variables of a generic one. What is
# of the wrong type passes through, for the check to name it.
def _options(options: Mapping[str, object]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", frozen_throughout(options))


def _policies(policies: Mapping[str, str]) -> Mapping[str, str]:
    return frozen(policies) if isinstance(policies, Mapping) else policies


def _rules(rules: Iterable[RuleConfig]) -> tuple[RuleConfig, ...]:
    return tuple(rules) if isinstance(rules, list) else cast("tuple[RuleConfig, ...]", rules)


def _models(models: Iterable[str]) -> tuple[str, ...]:
    return tuple(models) if isinstance(models, list) else cast("tuple[str, ...]", models)


def _variable(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    if not _VARIABLE.fullmatch(value):
        # Whoever writes the key itself here must not find it in a log.
        problem, fix = "not the name of an environment variable", "Write its name, never the key itself."
        raise ConfigError(attribute.name, "(not shown)", problem, fix)


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
        decision_log: JSONL file that every decision is appended to.
    """

    checkpoint: str = attrs.field(default="default", validator=named)
    revision: str | None = attrs.field(default=None, validator=optional(named))
    medium: str | None = attrs.field(default=None, validator=optional(named))
    large: str | None = attrs.field(default=None, validator=optional(named))
    large_share: float | None = attrs.field(default=None, validator=optional([ge(0.0), le(1.0)]))
    decision_log: str | None = attrs.field(default=None, validator=optional(named))


@attrs.frozen(kw_only=True, field_transformer=checked)
class OracleConfig:
    """How evidence is made: `[oracle]`.

    Attributes:
        benchmark: Benchmark whose train rows are answered.
        backend: Backend that answers.
        judge: Judge that grades.
        matrix: Matrix that labels.
        analyst: Analyst that writes reasons.
        test_share: Share of rows held out for evaluation.
        concurrency: Calls under way at once.
        max_usd: Budget of the run in US dollars; None for none.
        api_key_env: Environment variable that holds the key; never the key.
    """

    benchmark: str = attrs.field(default="simpleqa", validator=named)
    backend: str = attrs.field(default="gemini", validator=named)
    judge: str = attrs.field(default="gemini", validator=named)
    matrix: str = attrs.field(default="nine-cell", validator=named)
    analyst: str = attrs.field(default="heuristic", validator=named)
    test_share: float = attrs.field(default=0.2, validator=[gt(0.0), lt(1.0)])
    concurrency: int = attrs.field(default=16, validator=ge(1))
    max_usd: Decimal | None = attrs.field(default=None, converter=_max_usd)
    api_key_env: str = attrs.field(default="GEMINI_API_KEY", validator=_variable)


@attrs.frozen(kw_only=True, field_transformer=checked)
class QLoRAConfig:
    """Adapter and quantisation settings that SFT and DPO share.

    Attributes:
        rank: LoRA rank r; factors are A (r, d_in) and B (d_out, r).
        alpha: Update scale; the product BA is multiplied by alpha / r.
        dropout: Share of adapter inputs dropped while training.
        bits: Bits per frozen base weight; 16 is no quantisation.

    Source: Dettmers et al., QLoRA (arXiv:2305.14314), for 4-bit NF4 and adapters on all linear layers.
    """

    rank: int = attrs.field(default=16, validator=ge(1))
    alpha: float = attrs.field(default=32.0, validator=[gt(0.0), lt(math.inf)])
    dropout: float = attrs.field(default=0.05, validator=[ge(0.0), lt(1.0)])
    bits: int = attrs.field(default=4, validator=in_((4, 8, 16)))


@attrs.frozen(kw_only=True, field_transformer=checked)
class SFTConfig:
    """Supervised fine-tuning.

    Attributes:
        epochs: Passes over the rows.
        learning_rate: Peak step size of the cosine schedule.
        batch_size: Rows per optimiser step.
        max_tokens: Rows longer than this are cut from the oldest turn.
    """

    epochs: float = attrs.field(default=3.0, validator=[gt(0.0), lt(math.inf)])
    learning_rate: float = attrs.field(default=2e-4, validator=[gt(0.0), lt(math.inf)])
    batch_size: int = attrs.field(default=16, validator=ge(1))
    max_tokens: int = attrs.field(default=1024, validator=ge(16))


@attrs.frozen(kw_only=True, field_transformer=checked)
class DPOConfig:
    """Direct preference optimisation, starting from the SFT adapter.

    Attributes:
        epochs: Passes over the pairs.
        learning_rate: Peak step size.
        beta: Strength of the pull towards the SFT adapter.
        batch_size: Pairs per optimiser step.

    Source: Rafailov et al., DPO (arXiv:2305.18290), for beta = 0.1.
    """

    epochs: float = attrs.field(default=1.0, validator=[gt(0.0), lt(math.inf)])
    learning_rate: float = attrs.field(default=5e-6, validator=[gt(0.0), lt(math.inf)])
    beta: float = attrs.field(default=0.1, validator=[gt(0.0), lt(math.inf)])
    batch_size: int = attrs.field(default=16, validator=ge(1))


@attrs.frozen(kw_only=True, field_transformer=checked)
class TrainConfig:
    """How a router is trained: `[train]`.

    Attributes:
        trainer: Trainer by name.
        base_model: Folder or Hub id of the base model, where the trainer needs one.
        seed: Seed of every random choice.
        qlora: Adapter settings.
        sft: Fine-tuning settings.
        dpo: Preference settings.
    """

    trainer: str = attrs.field(default="linear", validator=named)
    base_model: str | None = attrs.field(default=None, validator=optional(named))
    seed: int = attrs.field(default=0, validator=ge(0))
    qlora: QLoRAConfig = attrs.field(factory=QLoRAConfig)
    sft: SFTConfig = attrs.field(factory=SFTConfig)
    dpo: DPOConfig = attrs.field(factory=DPOConfig)


@attrs.frozen(kw_only=True, field_transformer=checked)
class EvaluateConfig:
    """How a router is judged: `[evaluate]`.

    Attributes:
        resamples: Bootstrap resamples behind every interval.
        seed: Seed of the bootstrap.
    """

    resamples: int = attrs.field(default=2000, validator=ge(100))
    seed: int = attrs.field(default=0, validator=ge(0))


@attrs.frozen(kw_only=True, field_transformer=checked)
class Config:
    """All of `routesdk.toml`."""

    router: RouterConfig = attrs.field(factory=RouterConfig)
    mapping: MappingConfig = attrs.field(factory=MappingConfig)
    oracle: OracleConfig = attrs.field(factory=OracleConfig)
    train: TrainConfig = attrs.field(factory=TrainConfig)
    evaluate: EvaluateConfig = attrs.field(factory=EvaluateConfig)


def load_config(path: str | os.PathLike[str]) -> Config:
    """Read `routesdk.toml`.

    Raises:
        ConfigError: The file is missing, is no TOML, or holds an unknown key,
            a wrong type or a value out of range; key and file are named.
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
    return structure(data, Config, source=str(file))
