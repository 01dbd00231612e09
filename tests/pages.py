"""Pages of reports as trees, and evaluations whose every text is hostile, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from evaluations import make_evaluation
from routesdk.pipeline.evaluation import Evaluation, from_record, to_record

LONG_WORD = "unbroken" * 60
HOSTILE = (
    "\"'><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
    "</td></table></style></title><!-- ]]> &amp; &lt; \x00\x1b\ud800\u202etxt.exe مرحبا 🙂 | `a` [b](c)\n"
    + LONG_WORD
)
"""What a query may hold."""

# Their values are words that our own code chose, or are read as something else than text.
_OURS = {
    "advice", "better", "by", "call_id", "date", "estimated_cost_usd", "grades", "key", "large_total_usd",
    "source", "stage", "thresholds", "tier", "tier_total_usd", "total_usd", "unit",
}  # fmt: skip
# Their names are what lines and curves are found by.
_FOUND_BY_NAME = ("tiers", "lines", "curves")


def tree(page: str) -> ElementTree.Element:
    """Parse a page, which is well-formed XML behind its doctype."""
    doctype, text = page.split("\n", 1)
    assert doctype == "<!DOCTYPE html>"
    return ElementTree.fromstring(text)


def words(element: ElementTree.Element | None) -> str:
    """Return the text of an element and of all within it, without line breaks."""
    assert element is not None
    return " ".join("".join(element.itertext()).split())


def by_id(page: ElementTree.Element, key: str) -> ElementTree.Element:
    """Return the element that has this id."""
    (found,) = (each for each in page.iter() if each.get("id") == key)
    return found


def rows_of(page: ElementTree.Element, key: str) -> Iterator[tuple[str, ...]]:
    """Return the rows of a table below its head, as text."""
    for table in page.iter("table"):
        caption = table.find("caption")
        if caption is not None and caption.get("id") == f"{key}-caption":
            for row in table.iterfind("tbody/tr"):
                yield tuple(words(cell) for cell in row)


def hostile_evaluation() -> Evaluation:
    """Return an evaluation of which every text from outside holds markup and control characters."""
    record = to_record(make_evaluation())
    found = {
        key: _hostile(value, key, kept=("name",) if key in _FOUND_BY_NAME else ())
        for key, value in record.items()
    }
    return from_record(found)


def _hostile(value: object, key: str, kept: tuple[str, ...] = ()) -> object:
    if key in _OURS or key in kept:
        return value
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, Mapping):
        told = {"answers", "probabilities"}
        return {
            name + HOSTILE if key in told else name: _hostile(each, key if key in told else name, kept)
            for name, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_hostile(each, key, kept) for each in value]
    return value
