"""What each stage depends on, as facts: when one of them changes, the stage is stale."""

from __future__ import annotations

import json
from pathlib import Path

import routesdk
from routesdk.config import OracleConfig, TrainConfig
from routesdk.errors import RouteSDKError
from routesdk.pipeline.prepare import FORM_VERSION, PROMPT_VERSION
from routesdk.pipeline.project import plan
from routesdk.pipeline.project.fact import FILE, Facts, file_facts, part_fact, setting_facts
from routesdk.pipeline.project.plan import Project, Stage
from routesdk.structure import unstructure
from routesdk.types import PartConfig

_MEASURED = ("resamples", "seed", "topics", "perturbations", "timed", "reasons", "mistakes")
_ASKED = ("system", "max_output_tokens", "thinking_tokens", "temperature")
_TUNED = ("matrix", "tiers", "tier_names", "seed", "validation_share")
# Where training runs, and where its state lies, makes no other router.
_LEARNED = (*_TUNED, "base_model", "sft", "dpo")


def facts_of(project: Project, stage: Stage) -> Facts:
    """Return what a stage depends on, as it stands now.

    Raises:
        OSError: A file cannot be read.
        RouteSDKError: The config names a part that there is not.
    """
    facts = file_facts(stage.needs)
    own = {
        plan.DOWNLOAD: _download,
        plan.SPLIT: _split,
        plan.ORACLE: _oracle,
        plan.PREPARE: _prepare,
        plan.TRAIN: _train,
        plan.SFT: _sft,
        plan.DPO: _train,
        plan.EVALUATE: _evaluate,
        plan.REPORT: _report,
    }
    return facts | own[stage.name](project)


def _report(_: Project) -> dict[str, str]:
    return _measured_by()


def _measured_by() -> dict[str, str]:
    """Return who measures and renders: another version may know more figures, and neither costs anything."""
    return {"routesdk": routesdk.__version__}


def _download(project: Project) -> dict[str, str]:
    return {"oracle.benchmark": part_fact(project.host, "benchmark", project.config.oracle.benchmark)}


def _split(project: Project) -> dict[str, str]:
    oracle = project.config.oracle
    facts = setting_facts("oracle", unstructure(oracle), ("test_share", "split_seed"))
    if oracle.held_out is not None:
        facts |= file_facts((oracle.held_out,))
    # Joint cells are of these models, where the benchmark brings their outcomes.
    return facts | {"oracle.tiers (models)": json.dumps([tier.model for tier in oracle.tiers])}


def _oracle(project: Project) -> dict[str, str]:
    oracle = project.config.oracle
    return {
        **_asked(project, oracle),
        **setting_facts("oracle", unstructure(oracle), ("limit",)),
        "oracle.analyst": part_fact(project.host, "analyst", oracle.analyst),
        "the analyst's prompt": _prompt_version(project, "analyst", oracle.analyst),
        "oracle.matrix": part_fact(project.host, "matrix", oracle.matrix),
    }


def _asked(project: Project, oracle: OracleConfig) -> dict[str, str]:
    """Return what answers and verdicts depend on."""
    host = project.host
    facts = setting_facts("oracle", unstructure(oracle), _ASKED)
    for at, tier in enumerate(oracle.tiers):
        facts[f"oracle.tiers[{at}]"] = json.dumps([tier.name, tier.model, tier.thinking_tokens])
        facts[f"oracle.tiers[{at}].backend"] = part_fact(host, "backend", tier.backend or oracle.backend)
    facts["oracle.judge"] = part_fact(host, "judge", oracle.judge)
    facts["the judge's prompt"] = _prompt_version(project, "judge", oracle.judge)
    return facts


def _prompt_version(project: Project, kind: str, part: PartConfig) -> str:
    """Return the version of a part's wording; empty for a part that asks no model."""
    key = f"{kind} {part!r}"
    # Building one may mean to read a file of recorded verdicts.
    if key not in project.versions:
        try:
            built = project.host.build(kind, part.name, part.options)
        except RouteSDKError as error:
            # The stage itself will say what is wrong; a status must be had all the same.
            return f"not known: {type(error).__name__}"
        project.versions[key] = str(getattr(built, "prompt_version", ""))
    return project.versions[key]


def _prepare(project: Project) -> dict[str, str]:
    train = project.config.train
    described = unstructure(train)
    facts = {
        **_files(train),
        **setting_facts("train", described, _TUNED),
        **_part_of_training(project),
        "the prompt": str(PROMPT_VERSION),
        "the form of completions": str(FORM_VERSION),
    }
    for name, table, keys in (("sft", train.sft, ("order", "balance")), ("dpo", train.dpo, ("rejected",))):
        facts |= setting_facts(f"train.{name}", unstructure(table), keys)
    return facts


def _train(project: Project) -> dict[str, str]:
    train = project.config.train
    facts = _files(train) | setting_facts("train", unstructure(train), (*_LEARNED, "compare", "options"))
    for name in train.compare:
        facts[f"train.compare: {name}"] = part_fact(project.host, "trainer", PartConfig(name))
    return facts | _part_of_training(project) | _written(train)


def _sft(project: Project) -> dict[str, str]:
    train = project.config.train
    if train.trainer.name == plan.QLORA_SFT:
        return _train(project)
    described = unstructure(train)
    names = [name for name in _LEARNED if name != "dpo"]
    return _files(train) | setting_facts("train", described, names) | _written(train)


def _part_of_training(project: Project) -> dict[str, str]:
    return {"train.trainer": part_fact(project.host, "trainer", project.config.train.trainer)}


def _written(train: TrainConfig) -> dict[str, str]:
    """Return the versions of what language models are trained on; nothing for other trainers."""
    if not {train.trainer.name, *train.compare} & {plan.QLORA_SFT, plan.QLORA_DPO}:
        return {}
    return {"the prompt": str(PROMPT_VERSION), "the form of completions": str(FORM_VERSION)}


def _files(train: TrainConfig) -> dict[str, str]:
    """Return facts about what training reads beside the oracle."""
    named = {train.base_model, train.sft.base_model, train.trainer.options.get("base_model")}
    bases = [Path(base) for base in named if isinstance(base, str) and Path(base).is_dir()]
    return {
        **file_facts(train.validation),
        **{f"{FILE}{base.as_posix()}": _listing(base) for base in sorted(bases)},
    }


def _listing(folder: Path) -> str:
    """Describe a base model by the names and sizes of its files: its bytes would take minutes to read."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return json.dumps([[file.relative_to(folder).as_posix(), file.stat().st_size] for file in files])


def _evaluate(project: Project) -> dict[str, str]:
    config = project.config
    return {
        **_measured_by(),
        **setting_facts("evaluate", unstructure(config.evaluate), _MEASURED),
        **setting_facts("project", unstructure(config.project), ("test_limit",)),
        **setting_facts("router", unstructure(config.router), ("large_share", "model_options")),
        # Costs are estimated from prices.
        "prices": json.dumps(unstructure(config)["prices"], sort_keys=True),
        **_asked(project, config.oracle),
    }
