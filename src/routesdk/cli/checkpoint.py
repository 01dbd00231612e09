"""`routesdk merge` and `push`: a checkpoint without its base model, and on the Hub."""

from __future__ import annotations

from pathlib import Path

import attrs
import typer

from routesdk.cli.console import console, printable
from routesdk.cli.part import part_options

_MODEL_OPTION = typer.Option(None, help="KEY=VALUE for the policy model, such as base_model=FOLDER.")


def merge(
    checkpoint: str = typer.Argument(..., help="A folder or a Hub id."),
    output: Path = typer.Argument(..., help="Folder of the merged checkpoint."),
    model_option: list[str] = _MODEL_OPTION,
) -> None:
    """Merge an adapter into its base model: the checkpoint then loads without the base model."""
    from routesdk.pretrained import find_checkpoint
    from routesdk.router import Router

    options = part_options(model_option or (), flag="--model-option")
    found = find_checkpoint(checkpoint)
    router = Router.from_pretrained(found, model_options=_wide(found) | options)
    folder = router.merged().save_pretrained(output)
    console().print(f"written to {printable(str(folder))}", soft_wrap=True)


def _wide(folder: Path) -> dict[str, object]:
    """Return the options that load weights whole, where there are such: nothing merges into fewer bits."""
    from routesdk.checkpoint import read_checkpoint
    from routesdk.host import PluginHost

    name = read_checkpoint(folder).manifest.policy_model.name
    config = PluginHost().find("policy model", name).component.config
    return {"bits": 16} if config is not None and "bits" in attrs.fields_dict(config) else {}


def push(
    checkpoint: Path = typer.Argument(..., help="A folder."),
    repo_id: str = typer.Argument(..., help="OWNER/NAME on the Hub."),
    private: bool = typer.Option(False, "--private", help="Let nobody else see it."),
    message: str = typer.Option("", help="Message of the commit."),
) -> None:
    """Put a checkpoint on the Hugging Face Hub, card included; nothing of it is loaded."""
    from routesdk.checkpoint import read_checkpoint
    from routesdk.hub import upload_checkpoint

    read_checkpoint(checkpoint)
    address = upload_checkpoint(checkpoint, repo_id, private=private, message=message)
    console().print(printable(address), soft_wrap=True)
