"""The blocks that a page is made of: sections, tables that scroll within themselves, facts, quoted text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import attrs

from routesdk.report.drawing import Plot, draw, legend
from routesdk.report.markup import NOTHING, Content, Markup, element, join

_COMMAND = re.compile("`([^`\n]+)`")

_LONGEST_QUOTE = 600
"""Characters of a query or a reason that are shown."""


@attrs.frozen(kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        heading: What it holds, with its unit.
        kind: `number`, `words` for a few of them, `text` for sentences, or `long` for some of them.
    """

    heading: str
    kind: str = "number"


def number_columns(*headings: str) -> tuple[Column, ...]:
    """Return columns of numbers."""
    return tuple(Column(heading=heading) for heading in headings)


@attrs.frozen(kw_only=True)
class Row:
    """A row of a table; its first cell names it.

    Attributes:
        cells: One for each column; the name alone of a group that begins here.
        ours: Whether it is the router that the report is about.
        group: Whether it is the heading of the rows below it.
    """

    cells: tuple[Content, ...]
    ours: bool = False
    group: bool = False


def table(key: str, caption: str, columns: Sequence[Column], rows: Iterable[Row]) -> Markup:
    """Build a table.

    Args:
        key: Unique in its page.
        caption: What it shows, and what an interval in it covers.
        columns: Its columns; the first names the rows.
        rows: Its rows.
    """
    heads = [element("th", each.heading, scope="col", class_=each.kind) for each in columns]
    return element(
        "div",
        element(
            "table",
            element("caption", element("span", caption), id=f"{key}-caption"),
            element("thead", element("tr", *heads)),
            *_bodies(columns, rows),
        ),
        # Whoever has no mouse scrolls it with the arrow keys, and hears what it is.
        class_="scroll",
        role="region",
        aria_labelledby=f"{key}-caption",
        tabindex="0",
    )


def _bodies(columns: Sequence[Column], rows: Iterable[Row]) -> Iterable[Markup]:
    """Put the rows of each group into a body of their own, whose heading then is theirs alone."""
    held: list[Markup] = []
    for row in rows:
        if row.group:
            if held:
                yield element("tbody", *held)
            heading = element("th", *row.cells, scope="rowgroup", colspan=len(columns))
            held = [element("tr", heading, class_="group")]
        else:
            held.append(_row(columns, row))
    yield element("tbody", *held)


def _row(columns: Sequence[Column], row: Row) -> Markup:
    first, *rest = zip(columns, row.cells, strict=True)
    name = element("th", first[1], scope="row")
    cells = [element("td", cell, class_=column.kind) for column, cell in rest]
    return element("tr", name, *cells, class_="ours" if row.ours else None)


def section(key: str, heading: str, *content: Content) -> Markup:
    """Build a section under a heading of its own, to which the page's list of contents leads."""
    title = f"{key}-heading"
    return element("section", element("h2", heading, id=title), *content, id=key, aria_labelledby=title)


def paragraph(*content: Content, kind: str | None = None) -> Markup:
    """Build a paragraph."""
    return element("p", *content, class_=kind)


def bullets(lines: Iterable[Content]) -> Markup:
    """Build a list; nothing where there is nothing to list."""
    items = [element("li", line) for line in lines]
    return element("ul", *items) if items else NOTHING


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup:
    """Build a list of names and values."""
    return element(
        "dl",
        *(part for name, value in pairs for part in (element("dt", name), element("dd", value))),
        class_="facts",
    )


def details(summary: str, *content: Content) -> Markup:
    """Fold something away under a line that says what it is."""
    return element("details", element("summary", summary), *content)


def quoted(text: str) -> Markup:
    """Show what somebody else wrote: apart from our own text, in its own direction, and not at any length."""
    return element("bdi", shortened(text), dir="auto", class_="query")


def shortened(text: str, limit: int = _LONGEST_QUOTE) -> str:
    """Return the beginning of a long text, and say how much was left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()}… ({len(text) - limit:,} more characters)"


def spoken(text: str) -> Markup:
    """Write our own sentences, in which commands stand between backticks."""
    parts = _COMMAND.split(text)
    return join(code(part) if at % 2 else part for at, part in enumerate(parts))


def code(text: str) -> Markup:
    """Show a name or a command."""
    return element("code", text)


def figure(plot: Plot, caption: str, numbers: Content = NOTHING) -> Markup:
    """Show a plot, its legend, what to see in it, and its numbers as a table."""
    return element(
        "figure",
        element("h3", plot.title),
        draw(plot),
        legend(plot),
        element("figcaption", caption),
        details("The numbers of this figure", numbers) if numbers != NOTHING else NOTHING,
    )


def lines(parts: Iterable[Content]) -> Markup:
    """Put parts below each other in a cell."""
    found = list(parts)
    broken: list[Content] = []
    for at, part in enumerate(found):
        broken += [element("br"), part] if at else [part]
    return join(broken)
