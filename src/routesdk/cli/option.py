"""The options that several commands share, and the router that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer

from routesdk.cli.part import part_options
from routesdk.config import Config, RouterConfig, load_config
from routesdk.errors import ConfigError
from routesdk.structure import structure, unstructure

if TYPE_CHECKING:
    from routesdk.router import Router

QUERY = typer.Argument(None, help="A question, or several. None reads standard input.")
FILE = typer.Option(None, "--file", "-f", help="A query a line, or JSONL; - for standard input.")
CHECKPOINT = typer.Option(None, help="A bundled name, a folder, or a Hub id. [default: default]")
MEDIUM = typer.Option(None, help="Model of the medium tier.")
LARGE = typer.Option(None, help="Model of the large tier.")
TIER = typer.Option(None, help="NAME=MODEL, cheapest first; repeat it for two to eight tiers.")
LARGE_SHARE = typer.Option(
    None, help="Share of calls, of a mix like the training mix, meant for the large model: 0 to 1."
)
BUDGET = typer.Option(None, help="US dollars; at 90 % of them everything goes to the cheapest tier.")
SPENT = typer.Option(None, help="US dollars of the budget that are spent already.")
MODEL_OPTION = typer.Option(
    None, help="KEY=VALUE for the policy model on this machine, such as device=cpu; repeat it."
)
CONFIG = typer.Option(None, "--config", "-c", help="routesdk.toml with [router], [mapping] and [prices].")


@attrs.frozen(kw_only=True)
class RouterOptions:
    """What the command line says of the router; None where it says nothing.

    Attributes:
        config: The config file.
        checkpoint: A bundled name, a folder, or a Hub id.
        medium: Model of the medium tier.
        large: Model of the large tier.
        tier: `NAME=MODEL` for each tier.
        large_share: Share of calls meant for the large model.
        budget: US dollars.
        spent: US dollars of the budget that are spent already.
        model_option: `KEY=VALUE` for the policy model on this machine.
        log: File that decisions and answers are appended to.
        log_text: Whether questions and answers are written there word for word.
    """

    config: Path | None
    checkpoint: str | None
    medium: str | None
    large: str | None
    tier: list[str] | None
    large_share: float | None
    budget: str | None
    spent: str | None
    log: Path | None
    model_option: list[str] | None = None
    log_text: bool = False

    def router(self) -> Router:
        """Load the router that the config describes, with what the command line says in its place."""
        if self.log_text and self.log is None:
            raise ConfigError("--log-text", "given", "without a log", "Give --log too.")
        settings = load_config(self.config) if self.config is not None else Config()
        given = {
            "checkpoint": self.checkpoint,
            "medium": self.medium,
            "large": self.large,
            "large_share": self.large_share,
            "model_options": part_options(self.model_option or (), flag="--model-option") or None,
        }
        router = _within_budget(
            _router(settings, given, named_tiers(self.tier or [])), self.budget, self.spent
        )
        if self.log is not None:
            log = router.host.observer("decision-log", path=str(self.log), include_text=self.log_text)
            router = router.with_observer(log)
        return router


def _router(settings: Config, given: Mapping[str, object], tiers: Mapping[str, str]) -> Router:
    from routesdk.router import Router

    described = unstructure(settings.router) | {
        key: value for key, value in given.items() if value is not None
    }
    if tiers:
        described |= {"medium": None, "large": None}
    config = structure(described, RouterConfig)
    return Router.from_config(config, settings.mapping, settings.prices, tiers=tiers or None)


def _within_budget(router: Router, budget: str | None, spent: str | None) -> Router:
    """Set what the command line says of money.

    Raises:
        ConfigError: Money is said to be spent, and no budget is set anywhere.
    """
    if budget is not None:
        router = router.with_budget(budget)
    if spent is None:
        return router
    if all(rule.name != "cost-budget" for rule in router.mapping.rules):
        raise ConfigError(
            "--spent", spent, "was given without a budget", "Give --budget too, or a cost-budget rule."
        )
    return attrs.evolve(router, spend=router.host.spend_source("memory", settled_usd=spent))


def named_tiers(given: list[str]) -> dict[str, str]:
    """Read `NAME=MODEL` pairs, in their order.

    Raises:
        ConfigError: One is no such pair, or a name stands twice.
    """
    tiers: dict[str, str] = {}
    for item in given:
        name, equals, model = item.partition("=")
        if not equals or not name or not model or name in tiers:
            raise ConfigError(
                "--tier", repr(item), "is not NAME=MODEL, or its name stands twice", "Write small=my-model."
            )
        tiers[name] = model
    return tiers
