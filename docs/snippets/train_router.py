"""The guide "Train a router" in Python: `linear`, and functions on a router that is a language model."""

from __future__ import annotations

from pathlib import Path

from routesdk import Router
from routesdk.testing import make_examples, write_dataset

write_dataset(Path("oracle_dataset.jsonl"), make_examples(80))

# --8<-- [start:train]
from routesdk.config import TrainConfig
from routesdk.pipeline.training import train

config = TrainConfig(data="oracle_dataset.jsonl", tiers=("medium-model", "large-model"))
done = train(config, listen=print)
print(done.verdict.text)
router = Router.from_pretrained(str(done.folder))
# --8<-- [end:train]
assert router.route("How far is the Moon?").model in ("medium-model", "large-model")


def use() -> Router:
    # --8<-- [start:use]
    router = Router.from_pretrained(
        "router_checkpoints/router_final",
        model_options={"base_model": "models/SmolLM2-135M-Instruct", "device": "cpu"},
    )
    decision = router.route("How far is the Moon?", explain=True)
    print(decision.policy, decision.model, decision.explanation)
    # --8<-- [end:use]
    return router


def merge(router: Router) -> None:
    # --8<-- [start:merge]
    router.merged().save_pretrained("router_checkpoints/merged")
    # --8<-- [end:merge]
