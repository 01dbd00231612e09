"""The command line: thin commands over the SDK, and the only place that prints."""

from __future__ import annotations

from routesdk.cli.app import main

__all__ = ["main"]
