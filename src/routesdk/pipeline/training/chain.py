"""Which trainers run one after the other, how each is built, and what it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from routesdk.config import TrainConfig
from routesdk.errors import ConfigError
from routesdk.host import PluginHost
from routesdk.protocols import PolicyModel, Trainer
from routesdk.structure import unstructure

_TITLES = {"qlora-sft": "SFT", "qlora-dpo": "SFT + DPO"}
"""What tables call the trainers whose names say how and not what."""


@attrs.frozen(kw_only=True)
class Link:
    """A trainer, built.

    Attributes:
        name: Its name.
        trainer: The trainer.
        start: Name of the trainer whose output it starts from; empty for none.
    """

    name: str
    trainer: Trainer
    start: str = ""

    @property
    def title(self) -> str:
        """What tables call it."""
        return _TITLES.get(self.name, self.name)

    @property
    def policy_model(self) -> str:
        """The policy model that it trains."""
        return str(getattr(self.trainer, "policy_model", self.name))

    def build_model(self, host: PluginHost) -> PolicyModel:
        """Build the untrained policy model, so that it runs on this machine."""
        options = cast("Mapping[str, object]", getattr(self.trainer, "serving_options", {}))
        return host.policy_model(self.policy_model, **options)


def links(config: TrainConfig, host: PluginHost) -> tuple[Link, ...]:
    """Build the trainer of a config, the ones that it starts from before it, and those to compare it with.

    Raises:
        UnknownComponentError: There is no trainer of a name.
        MissingExtraError: A trainer needs an extra that is not installed.
        ConfigError: Trainers start from each other in a circle, or `options` names none of them.
    """
    found: dict[str, Link] = {}
    for name in (config.trainer.name, *config.compare):
        for link in _chain(name, config, host):
            found.setdefault(link.name, link)
    # Those of SFT and DPO stand in their own tables, and are not read here.
    unused = sorted(set(config.options) - (set(found) - {"qlora-sft", "qlora-dpo"}))
    if unused:
        problem = "holds options of a trainer that is not trained, or that has a table of its own"
        fix = f"Trained are {', '.join(found)}; mend the name, or add it to `train.compare`."
        raise ConfigError(f"train.options.{unused[0]}", "given", problem, fix)
    return tuple(found.values())


def _chain(name: str, config: TrainConfig, host: PluginHost) -> list[Link]:
    chain: list[Link] = []
    wanted = name
    while wanted:
        if wanted in [link.name for link in chain]:
            raise ConfigError("trainer", name, "starts from itself", "Choose another trainer.")
        trainer = host.trainer(wanted, **_options(wanted, config))
        start = str(getattr(trainer, "after", ""))
        chain.insert(0, Link(name=wanted, trainer=trainer, start=start))
        wanted = start
    return chain


def _options(name: str, config: TrainConfig) -> dict[str, object]:
    """Return a trainer's options: its table's, and its own beside them where it is the one asked for."""
    tables: dict[str, object] = {"qlora-sft": config.sft, "qlora-dpo": config.dpo}
    options = unstructure(tables[name]) if name in tables else dict(config.options.get(name, {}))
    if name == config.trainer.name:
        options |= dict(config.trainer.options)
    if config.base_model is not None and name in tables and options.get("base_model") is None:
        options["base_model"] = config.base_model
    if name == "qlora-dpo":
        # It starts from what SFT trained: what its table leaves open is as there.
        before = _options("qlora-sft", config)
        for key in ("base_model", "device"):
            if options.get(key) in (None, "auto"):
                options[key] = before.get(key)
    return {key: value for key, value in options.items() if value is not None}
