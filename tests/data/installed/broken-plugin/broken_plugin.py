"""A plugin that breaks on import."""

raise RuntimeError("the wrong day of the week")
