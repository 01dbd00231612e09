"""The model card: what the Hub shows of a checkpoint."""

from __future__ import annotations

import attrs

from routesdk.card import render_card
from routesdk.config import MappingConfig
from routesdk.manifest import Evidence, Manifest, MetricRecord, PartRecord, SourceRecord
from routesdk.types import OperatingPoint, Policy, Tier

EVIDENCE = Evidence(
    summary="A router for questions of fact.",
    command="python tools/train.py --seed 1",
    sources=(
        SourceRecord(
            name="SimpleQA",
            rows=3460,
            tiers=("flash", "pro"),
            source="https://example.org/simpleqa",
            licence="MIT",
        ),
        SourceRecord(name="Other", rows=5),
    ),
    metrics=(
        MetricRecord(
            dataset="SimpleQA", method="bound", metric="APGR", value=0.61234, low=0.58, high=0.641, rows=866
        ),
        MetricRecord(dataset="SimpleQA", method="prompt length", metric="APGR", value=0.5, rows=866),
    ),
    limits=("It knows no chemistry.", "It does no better than prompt length on MedQA."),
)
MANIFEST = Manifest(
    policy_model=PartRecord(kind="policy model", name="linear"),
    matrix=PartRecord(kind="matrix", name="nine-cell"),
    policies=(Policy("Down", "Stay.", "medium"), Policy("Up", "Climb.", "large")),
    tiers=(Tier("medium", "flash"), Tier("large", "pro")),
    mapping=MappingConfig(),
    operating_point=OperatingPoint((0.25,), 1 / 3, "checkpoint"),
    evidence=EVIDENCE,
    requires=(
        PartRecord(kind="rule", name="language", distribution="routesdk-rule-language", version="0.1"),
    ),
    routesdk_version="0.1.0",
    checksum="0123456789abcdef",
)


def test_the_card_begins_with_what_the_hub_reads() -> None:
    card = render_card(MANIFEST)

    front, _, rest = card.removeprefix("---\n").partition("\n---\n")
    assert "library_name: routesdk" in front.splitlines()
    assert "- llm-routing" in front.splitlines()
    assert rest.lstrip().startswith("# A routesdk router (linear)")
    assert card.endswith("\n")
    assert not card.endswith("\n\n")


def front_matter(card: str) -> list[str]:
    return card.removeprefix("---\n").partition("\n---\n")[0].splitlines()


def test_the_card_claims_no_licence_that_nobody_gave() -> None:
    given = attrs.evolve(MANIFEST, evidence=attrs.evolve(EVIDENCE, licence="mit"))
    odd = attrs.evolve(MANIFEST, evidence=attrs.evolve(EVIDENCE, licence="mit\ninference: false"))

    assert not [line for line in front_matter(render_card(MANIFEST)) if line.startswith("license")]
    assert "license: mit" in front_matter(render_card(given))
    assert "license: mit inference: false" in front_matter(render_card(odd))


def test_the_card_says_what_the_router_learned_from_and_how_well_it_does() -> None:
    card = render_card(MANIFEST)

    assert "| SimpleQA | 3,460 | flash → pro | https://example.org/simpleqa | MIT |" in card
    assert "| Other | 5 | none |" in card
    assert "| SimpleQA | 866 | bound | APGR | 0.612 [0.580, 0.641] |" in card
    assert "| SimpleQA | 866 | prompt length | APGR | 0.500 |" in card
    assert "- It knows no chemistry." in card
    assert "- It does no better than prompt length on MedQA." in card


def test_the_card_says_how_it_is_used_and_made_again() -> None:
    card = render_card(MANIFEST)

    assert "Router.from_pretrained(" in card
    assert "| medium | `flash` |" in card
    assert "| `Up` | Climb. | large |" in card
    assert "at least 0.2500, meant to send 33% of the training mix up" in card
    assert "- rule `language` from `routesdk-rule-language` 0.1" in card
    assert "Checkpoint `0123456789ab`, written by routesdk 0.1.0." in card
    assert "`python tools/train.py --seed 1`" in card


def test_without_evidence_the_card_has_no_empty_sections() -> None:
    card = render_card(attrs.evolve(MANIFEST, evidence=Evidence(), requires=()))

    headings = [line for line in card.splitlines() if line.startswith("## ")]
    assert headings == ["## Use", "## Policies and tiers", "## Provenance"]


def test_thresholds_without_a_share_promise_none() -> None:
    card = render_card(attrs.evolve(MANIFEST, operating_point=OperatingPoint((0.5, float("inf")))))

    assert "at least 0.5000, inf. Move it" in card


def test_a_router_that_serves_other_models_says_for_which_it_predicts() -> None:
    card = render_card(attrs.evolve(MANIFEST, bound=(Tier("medium", "flash"), Tier("large", "ultra"))))

    assert "It predicts for medium `flash`, large `ultra`; other models serve in their place." in card
    assert "It predicts for" not in render_card(MANIFEST)


def test_names_with_bars_and_line_breaks_stay_in_their_cells() -> None:
    odd = "a|b\n# not a heading\n---"
    evidence = Evidence(
        sources=(SourceRecord(name=odd, rows=1, licence=odd),),
        metrics=(MetricRecord(dataset=odd, method=odd, metric=odd, value=0.5),),
    )
    plain = render_card(attrs.evolve(MANIFEST, evidence=attrs.evolve(EVIDENCE, sources=(), metrics=())))
    card = render_card(
        attrs.evolve(MANIFEST, evidence=evidence, tiers=(Tier(odd, odd), Tier("large", "pro")))
    )

    assert not [line for line in card.splitlines() if line.startswith("# not")]
    assert "a\\|b # not a heading ---" in card
    assert card.splitlines().count("---") == plain.splitlines().count("---") == 2


def test_the_same_manifest_gives_the_same_card() -> None:
    assert render_card(MANIFEST) == render_card(attrs.evolve(MANIFEST))
