"""What an evaluation found, for people: one HTML page that stands alone, or Markdown for a README."""

from __future__ import annotations

from routesdk.report.markdown import to_markdown
from routesdk.report.page import to_html, write_html

__all__ = ["to_html", "to_markdown", "write_html"]
