"""`routesdk`: the commands, and how errors leave the process."""

from __future__ import annotations

import os
import sys
from typing import TextIO

import typer

import routesdk
from routesdk.cli import (
    ask,
    calibrate,
    chat,
    checkpoint,
    evaluate,
    judge,
    leak,
    oracle,
    plugins,
    project,
    route,
    spend,
    split,
    training,
)
from routesdk.cli.console import fail
from routesdk.errors import RouteSDKError

app = typer.Typer(
    name="routesdk",
    # Rich would take [oracle] for a style.
    rich_markup_mode="markdown",
    help="Decide, for each query, whether a cheap model will do or an expensive one is worth its price.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("route")(route.route)
app.command("ask")(ask.ask)
app.command("spend")(spend.spend)
app.add_typer(oracle.app, name="oracle")
app.command("split")(split.split)
app.command("leak-check")(leak.leak_check)
app.command("prepare")(training.prepare)
app.command("train")(training.train)
app.command("compare")(training.compare)
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("merge")(checkpoint.merge)
app.command("push")(checkpoint.push)
app.add_typer(plugins.app, name="plugins")
app.add_typer(judge.app, name="judge")
app.command("init")(project.init)
app.command("run")(project.run)
app.command("status")(project.status)
app.command("chat")(chat.chat)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"routesdk {routesdk.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and leave."
    ),
) -> None:
    """Decide, for each query, whether a cheap model will do or an expensive one is worth its price."""


def main() -> None:
    """Run the command line; errors leave as one sentence: exit code 2 for routesdk's, 1 for the system's."""
    try:
        _run()
    except RouteSDKError as error:
        fail(error)
        sys.exit(2)
    except BrokenPipeError:
        # The reader has left, as `| head` does.
        _silence(sys.stdout)
        sys.exit(1)
    except OSError as error:
        _silence(sys.stdout)
        fail(error)
        sys.exit(1)


def _run() -> None:
    try:
        # Typer's own __call__ sets an attribute on whatever is raised, which frozen errors do not take.
        typer.main.get_command(app)()
    finally:
        # What is still in the buffer may find the disk full: here that can be told, at exit no more.
        if sys.stdout is not None:
            sys.stdout.flush()


def _silence(stream: TextIO | None) -> None:
    """Send what is left in a stream's buffer nowhere: flushing at exit must not raise once more."""
    if stream is None:
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
