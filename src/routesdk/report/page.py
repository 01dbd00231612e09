"""One HTML page that stands alone: no script, nothing that is loaded, the same page each time."""

from __future__ import annotations

import os
from functools import cache
from importlib.resources import files
from pathlib import Path

from routesdk.dataset import replacing
from routesdk.pipeline.evaluation import Evaluation
from routesdk.report import basis, curve, detail, mistake, summary
from routesdk.report.markup import Markup, document, element, join, style_sheet

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser may do with the page: show it. A script would not run even if one got in."""

_CONTENTS = {
    "headline": "Baselines",
    "curve": "Cost and quality",
    "targets": "Targets",
    "cost": "Cost",
    "confidence": "Confidence",
    "policies": "Policies",
    "topics": "Topics",
    "cells": "Cells",
    "mistakes": "Mistakes",
    "shift": "Likeness",
    "robustness": "Wordings, reasons, time",
    "figures": "Every figure",
    "provenance": "Provenance",
}


def to_html(evaluation: Evaluation) -> str:
    """Render an evaluation as one page that stands alone.

    Args:
        evaluation: What was measured.

    Returns:
        HTML that is well-formed XML, too. The same evaluation gives the same page.

    Raises:
        ConfigError: A mistake's decision cannot be read.
    """
    return document(_head(evaluation), _body(evaluation))


def write_html(evaluation: Evaluation, file: str | os.PathLike[str]) -> Path:
    """Write the page into a file, whole or not at all.

    Args:
        evaluation: What was measured.
        file: Where to; its folder is made, and what stood there is replaced.

    Raises:
        ConfigError: A mistake's decision cannot be read.
        OSError: The file cannot be written.
    """
    page = to_html(evaluation)
    target = Path(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as raw:
        raw.write(page.encode("utf-8"))
    return target


def _head(evaluation: Evaluation) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"routesdk {evaluation.provenance.package_version}"),
        # Without it a browser asks for /favicon.ico.
        element("link", rel="icon", href="data:,"),
        element(
            "title",
            _title(evaluation),
        ),
        style_sheet(_style()),
    )


def _title(evaluation: Evaluation) -> str:
    return f"Does routing pay? {evaluation.provenance.checkpoint}: {evaluation.verdict.advice.value}"


@cache
def _style() -> str:
    return files("routesdk.report").joinpath("style.css").read_text(encoding="utf-8")


def _body(evaluation: Evaluation) -> Markup:
    sections = (
        summary.headline(evaluation),
        curve.curves(evaluation),
        summary.targets(evaluation),
        summary.cost(evaluation),
        curve.confidence(evaluation),
        detail.policies(evaluation),
        detail.topics(evaluation),
        detail.cells(evaluation),
        mistake.mistakes(evaluation),
        basis.shift(evaluation),
        detail.robustness(evaluation),
        basis.metrics(evaluation),
        basis.provenance(evaluation),
    )
    return element(
        "body",
        element("a", "To the verdict", href="#verdict", class_="skip"),
        element("header", summary.opening(evaluation), _contents(sections)),
        element("main", summary.verdict(evaluation), *sections),
        element("footer", element("p", f"Written by routesdk {evaluation.provenance.package_version}.")),
    )


def _contents(sections: tuple[Markup, ...]) -> Markup:
    """Link to the sections that there are."""
    text = join(sections).text
    links = (
        element("li", element("a", name, href=f"#{key}"))
        for key, name in _CONTENTS.items()
        if f'<section id="{key}"' in text
    )
    return element("nav", element("ul", *links), aria_label="Contents")
