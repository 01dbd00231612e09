"""The last stages: the router judged on the test part, and the report of what was found."""

from __future__ import annotations

import datetime
from pathlib import Path

import attrs

from routesdk.config import Config
from routesdk.dataset import write_examples
from routesdk.pipeline.evaluation import (
    PERTURBATIONS,
    data_file,
    evaluate,
    read_evaluation,
    write_evaluation,
)
from routesdk.pipeline.project import plan
from routesdk.pipeline.project.answer import Answered, answered_test
from routesdk.pipeline.project.deed import Work
from routesdk.pipeline.project.layout import REPORTS
from routesdk.pipeline.project.plan import Project
from routesdk.pricebook import catalogue_of
from routesdk.report import write_html, write_markdown
from routesdk.router import Router


def evaluate_router(work: Work) -> str:
    """Judge the trained router on the test rows, and write what was found.

    Raises:
        RunStoppedError: Answers to test rows cannot be had; what is settled is kept.
        LeakError: The router learned from test rows.
        RouteSDKError: The router cannot be loaded, or the rows cannot be judged on.
        OSError: A file cannot be written.
    """
    project, layout = work.project, work.project.layout
    answered = answered_test(work)
    file = work.made(layout.test_outcomes)
    rows = write_examples(file, answered.rows)
    config = project.config.evaluate
    found = evaluate(
        _router(project),
        answered.rows,
        name=layout.router.name,
        topics=config.topics,
        resamples=config.resamples,
        seed=config.seed,
        perturbations={name: PERTURBATIONS[name] for name in config.perturbations},
        timed=config.timed,
        reasons=config.reasons,
        mistakes=config.mistakes,
        data=(data_file(file, rows),),
        command=work.command,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    notes = _graded_elsewhere(answered, project.config.oracle.judge.name)
    write_evaluation(attrs.evolve(found, notes=(*found.notes, *notes)), work.folder)
    rows_left = "1 row" if answered.left_out == 1 else f"{answered.left_out:,} rows"
    left_out = f"; {rows_left} without outcomes left out" if answered.left_out else ""
    return "; ".join([f"{found.verdict.sentences[0].rstrip('.')}{left_out}", *notes])


def _graded_elsewhere(answered: Answered, judge: str) -> tuple[str, ...]:
    """Say where test rows were not graded by the judge that the router learned from."""
    if judge == "recorded" or not answered.brought:
        return ()
    rows = "1 test row keeps" if answered.brought == 1 else f"{answered.brought:,} test rows keep"
    return (f"{rows} the grades that the benchmark brings, while {judge!r} graded what was learned from",)


def write_report(work: Work) -> str:
    """Render what the evaluation found.

    Raises:
        ConfigError: The evaluation's files hold something else.
        OSError: A file cannot be written.
    """
    found = read_evaluation(work.project.layout.results)
    for name, write in zip(REPORTS, (write_html, write_markdown), strict=True):
        write(found, work.folder / name)
    return f"{found.verdict.advice.value}; {found.rows:,} test rows"


def _router(project: Project) -> Router:
    """Load the trained router, as the config's users have it."""
    config, layout = project.config, project.layout
    models = [tier.model for tier in config.oracle.tiers]
    return Router.from_pretrained(
        # Absolute: a folder is meant, never a bundled router or one of the Hub.
        layout.router.resolve(),
        large_share=config.router.large_share,
        model_options=_model_options(config),
        catalogue=catalogue_of(config.prices, models),
        host=project.host,
    )


def _model_options(config: Config) -> dict[str, object]:
    """Return the policy model's options; a base model that is a folder is found where it was trained from."""
    options = dict(config.router.model_options)
    train = config.train
    if train.trainer.name not in (plan.QLORA_SFT, plan.QLORA_DPO) or "base_model" in options:
        return options
    base = train.trainer.options.get("base_model") or train.sft.base_model or train.base_model
    if isinstance(base, str) and Path(base).expanduser().is_dir():
        options["base_model"] = base
    return options
