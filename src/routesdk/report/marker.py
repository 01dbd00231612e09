"""Shapes of the points on a plot, which can be told apart without colour."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from routesdk.report.markup import Markup, element

Place: TypeAlias = tuple[float, float]
"""Across and down, in the units of a drawing; or two values that stand for them."""


def corners(places: Iterable[Place]) -> str:
    """Write places as SVG lists them."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _polygon(*places: Place, sides: Place) -> Markup:
    x, y = sides
    return element("polygon", points=corners((x + dx, y + dy) for dx, dy in places), class_="marker")


def _star() -> tuple[Place, ...]:
    turns = [math.pi * at / 5 - math.pi / 2 for at in range(10)]
    radii = [9.0 if at % 2 == 0 else 3.8 for at in range(10)]
    return tuple(
        (radius * math.cos(turn), radius * math.sin(turn)) for radius, turn in zip(radii, turns, strict=True)
    )


_SHAPES: dict[str, tuple[Place, ...]] = {
    "square": ((-5, -5), (5, -5), (5, 5), (-5, 5)),
    "diamond": ((0, -7), (7, 0), (0, 7), (-7, 0)),
    "triangle": ((0, -7), (6.5, 5), (-6.5, 5)),
    "inverted": ((0, 7), (6.5, -5), (-6.5, -5)),
    "star": _star(),
}

_STROKES: dict[str, str] = {
    "cross": "M{l} {t}L{r} {b}M{l} {b}L{r} {t}",
    "plus": "M{l} {y}L{r} {y}M{x} {t}L{x} {b}",
}

MARKERS = ("circle", "ring", *_SHAPES, *_STROKES)
"""Shapes that can be told apart in black and white."""


def marker(shape: str, at: Place) -> Markup:
    """Draw a shape around a place.

    Raises:
        ValueError: There is no such shape.
    """
    x, y = at
    if shape in {"circle", "ring"}:
        radius, kind = (5.0, "marker") if shape == "circle" else (9.0, "marker hollow")
        return element("circle", cx=x, cy=y, r=radius, class_=kind)
    if shape in _SHAPES:
        return _polygon(*_SHAPES[shape], sides=at)
    if shape in _STROKES:
        ends = {"l": x - 5.5, "r": x + 5.5, "t": y - 5.5, "b": y + 5.5, "x": x, "y": y}
        path = _STROKES[shape].format(**{key: f"{end:.1f}" for key, end in ends.items()})
        return element("path", d=path, class_="marker stroke")
    raise ValueError(f"{shape!r} is no marker; known: {', '.join(MARKERS)}")
