"""The guide "Train an encoder", in a function: it needs torch, and rows that were graded."""

from __future__ import annotations

from pathlib import Path

from routesdk import PluginHost, Router
from routesdk.manifest import PartRecord
from routesdk.pretrained import assemble_router
from routesdk.types import Dataset, Tier, TrainJob


def train_encoder(rows: Path, encoder: str, folder: Path, device: str = "auto") -> Router:
    """Train on rows, and save the router in a folder."""
    model_folder = folder / "model"
    model_folder.mkdir(parents=True)
    # --8<-- [start:train]
    models = ("medium-model", "large-model")
    host = PluginHost()
    trainer = host.trainer("encoder", encoder=encoder, device=device)
    job = TrainJob(train=(Dataset(name="mine", path=rows, tiers=models),), output=model_folder)
    trained = host.policy_model("encoder").load(trainer.train(job))
    # --8<-- [end:train]
    # --8<-- [start:router]
    router = assemble_router(
        policy_model=trained,
        policy_model_record=PartRecord(kind="policy model", name="encoder"),
        tiers=(Tier("medium", models[0]), Tier("large", models[1])),
        host=host,
    )
    router.save_pretrained(folder / "router")
    # --8<-- [end:router]
    return router
