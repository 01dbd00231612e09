"""Several base models trained on one oracle, side by side: quality, size, and time per decision."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import attrs

from routesdk.config import TrainConfig
from routesdk.dataset import read_examples
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.pipeline.payoff import Candidate, Failure, Payoff, Verdict, measure, to_record, verdict
from routesdk.pipeline.training.data import divide_data
from routesdk.pipeline.training.train import Listener, matrix_of, train_router

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


@attrs.frozen(kw_only=True, eq=False)
class Comparison:
    """What a comparison of base models brought.

    Attributes:
        payoff: How their routers do on the same validation rows.
        verdict: Which one to ship, and why.
    """

    payoff: Payoff
    verdict: Verdict


def compare_bases(
    config: TrainConfig,
    bases: Sequence[str],
    *,
    host: PluginHost | None = None,
    listen: Listener | None = None,
) -> Comparison:
    """Train a router on each base model, and measure all of them on the same validation rows.

    Each has a folder of its own below `work`, with its checkpoint in `router`; started
    again, what is trained is not trained again.

    Args:
        config: `[train]`; its trainer needs a base model.
        bases: Folders or Hub ids.
        host: Where parts are found; None loads built-in and installed ones.
        listen: Is told where training stands.

    Raises:
        ConfigError: No base model is given, or one is given twice.
        RouteSDKError: What `train_router` raises.
    """
    names = [_short(base) for base in bases]
    if not bases or len(set(names)) < len(names):
        problem = "names no base model, or two of one name"
        raise ConfigError("base_model", ", ".join(bases), problem, "Give different ones.")
    host = host or PluginHost()
    data = divide_data(config, matrix_of(config, host), config.work / "data")
    candidates: list[Candidate] = []
    failures: list[Failure] = []
    for base, name in zip(bases, names, strict=True):
        here = attrs.evolve(
            config,
            base_model=base,
            sft=attrs.evolve(config.sft, base_model=base),
            dpo=attrs.evolve(config.dpo, base_model=None),
            # Others are the same on every base: once is enough.
            compare=config.compare if base == bases[0] else (),
            output=config.work / name / "router",
            work=config.work / name,
        )
        own = {"qlora-sft", "qlora-dpo", config.trainer.name}
        trained = train_router(here, host=host, listen=listen)
        for each in trained.candidates:
            generic = each.name in config.compare and each.name not in own
            candidates.append(each if generic else attrs.evolve(each, name=f"{name}: {each.name}"))
        # Those that could be trained are measured again, and may fail again.
        done = {each.name for each in trained.candidates}
        failures += [each for each in trained.payoff.failures if each.name not in done]
    payoff = measure(candidates, tuple(read_examples(data.validation.path)), seed=config.seed)
    payoff = attrs.evolve(payoff, failures=(*failures, *payoff.failures))
    said = verdict(payoff)
    record = json.dumps(to_record(payoff, said), indent=1)
    (config.work / "compare.json").write_text(record + "\n", encoding="utf-8")
    return Comparison(payoff=payoff, verdict=said)


def _short(base: str) -> str:
    return _NOT_IN_NAMES.sub("-", base.rstrip("/").rpartition("/")[2]) or "base"
