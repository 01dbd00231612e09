"""Builds HTML and SVG out of elements, so that no text gets in without being escaped.

What is built is also well-formed XML: an element that has no content is closed by itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

import attrs

_VOID = frozenset({"br", "col", "hr", "img", "link", "meta"})

_SELF_CLOSED = frozenset({"circle", "line", "path", "polygon", "polyline", "rect", "use"})
"""Shapes of SVG, which may be closed by themselves also in HTML."""

# Not allowed in XML, or no characters at all: a query may hold them, and none may break the page.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# Characters that turn the direction of what follows; shown by their codes, they turn nothing.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")

_TAG = re.compile("[a-z][a-zA-Z0-9]*")
_KEY = re.compile("[a-zA-Z][a-zA-Z0-9:-]*")


@attrs.frozen
class Markup:
    """Text that is HTML already. Nothing but this module makes it out of text."""

    text: str


Content: TypeAlias = Markup | str
"""What may stand in an element: text is escaped."""

NOTHING = Markup("")


def plain(text: str) -> str:
    """Replace characters that no page may hold, or that would turn the direction of what follows."""
    shown = _TURNING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    return _UNPRINTABLE.sub("�", shown)


def escape(text: str) -> Markup:
    """Turn text into HTML that shows it as it is."""
    return Markup(html.escape(plain(text), quote=True))


def join(children: Iterable[Content]) -> Markup:
    """Put parts one after another; text is escaped."""
    return Markup("".join(_text(child) for child in children))


def element(tag: str, *children: Content, **attributes: str | float | None) -> Markup:
    """Build an element.

    Args:
        tag: Its name.
        children: What stands in it; text is escaped.
        attributes: Its attributes, in order. A leading or trailing underscore is dropped, as in
            `class_`, and others become hyphens; one that is None is left out.

    Raises:
        ValueError: The tag or an attribute has no name of one, or an element without content has some.
    """
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is not the name of an element")
    written = "".join(
        f' {_key(key)}="{_text(_number(value))}"' for key, value in attributes.items() if value is not None
    )
    if tag in _VOID or (tag in _SELF_CLOSED and not children):
        if children:
            raise ValueError(f"<{tag}> has no content")
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{join(children).text}</{tag}>")


def style_sheet(css: str) -> Markup:
    """Build a style element out of our own style sheet, which is not escaped.

    Raises:
        ValueError: It would end the element, or loads something.
    """
    for banned in ("</", "<!", "@import", "url("):
        if banned in css:
            raise ValueError(f"a style sheet of a page that stands alone may not hold {banned!r}")
    return Markup(f"<style>\n{css}</style>")


def document(head: Markup, body: Markup, *, language: str = "en") -> str:
    """Write a whole page."""
    page = element("html", "\n", head, "\n", body, "\n", lang=language)
    return f"<!DOCTYPE html>\n{page.text}\n"


def _key(name: str) -> str:
    key = name.strip("_").replace("_", "-")
    # The few attributes of SVG that have capitals are written so by who gives them.
    if not _KEY.fullmatch(key):
        raise ValueError(f"{name!r} is not the name of an attribute")
    return key


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def _text(child: Content) -> str:
    return child.text if isinstance(child, Markup) else escape(child).text
