"""Renders a checkpoint's model card."""

from __future__ import annotations

from collections.abc import Iterable

from routesdk.manifest import Evidence, Manifest, MetricRecord


def render_card(manifest: Manifest) -> str:
    """Render `README.md` of a checkpoint: what it is, what it learned from, how well it does, how to use it.

    The front matter is what the Hugging Face Hub reads.
    """
    evidence = manifest.evidence
    parts = [
        _front_matter(evidence),
        f"# A routesdk router ({manifest.policy_model.name})",
        evidence.summary or "A router trained with routesdk.",
        _usage(),
        _binding(manifest),
        _sources(evidence),
        _training(evidence),
        _metrics(evidence),
        _shift(manifest),
        _bullets("Where it does badly", evidence.limits),
        _requirements(manifest),
        _provenance(manifest),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(evidence: Evidence) -> str:
    datasets = "".join(
        f"\n# trained on: {_cell(source.name)} ({_cell(source.licence)})" for source in evidence.sources
    )
    # Whose router it is, and under which licence, its maker alone can say.
    licence = f"\nlicense: {_cell(evidence.licence)}" if evidence.licence.strip() else ""
    return f"---\nlibrary_name: routesdk\ntags:\n- llm-routing\n- routesdk{licence}{datasets}\n---"


def _usage() -> str:
    return (
        "## Use\n\n```python\nfrom routesdk import Router\n\n"
        'router = Router.from_pretrained("path/or/hub-id")\n'
        'decision = router.route("Who was awarded the Jerlov Award in 2018?")\n```'
    )


def _binding(manifest: Manifest) -> str:
    tiers = _rows((tier.name, f"`{tier.model}`") for tier in manifest.tiers)
    policies = _rows((f"`{policy.name}`", policy.description, policy.tier) for policy in manifest.policies)
    predicted = ", ".join(f"{tier.name} `{tier.model}`" for tier in manifest.bound)
    swapped = f"It predicts for {predicted}; other models serve in their place.\n\n" if predicted else ""
    point = manifest.operating_point
    thresholds = ", ".join(f"{threshold:.4f}" for threshold in point.thresholds)
    share = (
        f", meant to send {point.large_share:.0%} of the training mix up"
        if point.large_share is not None
        else ""
    )
    return (
        f"## Policies and tiers\n\n| tier | model by default |\n|---|---|\n{tiers}\n\n"
        f"| policy | when | tier |\n|---|---|---|\n{policies}\n\n"
        f"{swapped}Operating point: expected gain of at least {thresholds}{share}. "
        "Move it with `large_share`; models change without retraining."
    )


def _sources(evidence: Evidence) -> str:
    if not evidence.sources:
        return ""
    rows = _rows(
        (each.name, f"{each.rows:,}", " → ".join(each.tiers) or "none", each.source, each.licence)
        for each in evidence.sources
    )
    return (
        "## What it learned from\n\n"
        f"| rows of | rows | tiers taught by | source | licence |\n|---|---:|---|---|---|\n{rows}\n\n"
        "The checkpoint carries a 64-bit hash of each normalised training query, so that nobody scores it on "
        "what it learned from."
    )


def _training(evidence: Evidence) -> str:
    if not evidence.training:
        return ""
    rows = _rows((each.name, each.text) for each in evidence.training)
    return f"## How it was trained\n\n| what | how |\n|---|---|\n{rows}"


def _metrics(evidence: Evidence) -> str:
    if not evidence.metrics:
        return ""
    rows = _rows(
        (metric.dataset, f"{metric.rows:,}", metric.method, metric.metric, _figure(metric))
        for metric in evidence.metrics
    )
    return (
        "## How well it does\n\n"
        "On rows that its weights were not fitted to, with 95 % bootstrap intervals.\n\n"
        f"| rows of | n | method | metric | value |\n|---|---:|---|---|---|\n{rows}"
    )


def _shift(manifest: Manifest) -> str:
    record = manifest.shift
    if record is None:
        return ""
    sets = "its training rows" if record.sets == 1 else f"any of the {record.sets} sets that it learned from"
    return (
        "## What looks unlike what it learned from\n\n"
        f"A decision says so where a query does not look like {sets} ({record.rows:,} rows). Of new queries "
        f"like those, in whatever mix, at most {record.false_alarm:.0%} are falsely called unlike. Looks "
        "alone are compared: a query that looks familiar may still be about something new."
    )


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows)


def _cell(text: str) -> str:
    """Keep a text on its line and in its cell, whatever a model or data set is called."""
    return " ".join(text.split()).replace("|", "\\|")


def _figure(metric: MetricRecord) -> str:
    if metric.low is None or metric.high is None:
        return f"{metric.value:.3f}"
    return f"{metric.value:.3f} [{metric.low:.3f}, {metric.high:.3f}]"


def _bullets(title: str, lines: tuple[str, ...]) -> str:
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _requirements(manifest: Manifest) -> str:
    lines = tuple(
        f"{part.kind} `{part.name}` from `{part.distribution}` {part.version}" for part in manifest.requires
    )
    return _bullets("It needs these plugins", lines)


def _provenance(manifest: Manifest) -> str:
    lines = [f"Checkpoint `{manifest.id}`, written by routesdk {manifest.routesdk_version}."]
    if manifest.evidence.command:
        lines.append(f"Made again, figures too, by `{manifest.evidence.command}`.")
    return "## Provenance\n\n" + " ".join(lines)
