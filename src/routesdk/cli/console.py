"""What the commands share in printing."""

from __future__ import annotations

import sys

from rich.console import Console

from routesdk.errors import ConfigError


def console() -> Console:
    """Return a console for results, on standard output."""
    return Console(highlight=False)


def errors() -> Console:
    """Return a console for everything else, on standard error."""
    return Console(stderr=True, highlight=False)


def check_output() -> None:
    """Check that there is a standard output, before anything is paid for what is written there.

    Raises:
        ConfigError: It is closed.
    """
    if sys.stdout is None:
        fix = "Send it to a file, or to /dev/null, instead of closing it."
        raise ConfigError("standard output", "closed", "has no place for answers", fix)


def fail(error: Exception) -> None:
    """Print an error as one sentence."""
    errors().print(f"[bold red]error:[/] {printable(str(error))}", soft_wrap=True)


def printable(text: str, limit: int | None = None) -> str:
    """Return text that any terminal takes: no markup, no control characters, no lone surrogates.

    Args:
        text: Anything.
        limit: Characters after which it is cut, with an ellipsis.
    """
    from rich.markup import escape

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = " ".join(text.split()) if limit is not None else text
    if limit is not None and len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    shown = "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in shown
    )
    return escape(shown.encode(encoding, "replace").decode(encoding))


def plain(text: str) -> str:
    """Return text for standard output as it stands, but for what its encoding lacks.

    On a terminal, control characters are replaced too: a model's words must
    not move the cursor.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if sys.stdout.isatty():
        text = "".join(
            char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text
        )
    return text.encode(encoding, "replace").decode(encoding)
