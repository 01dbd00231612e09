"""Swap the model that serves a tier or a policy; the trained policy model stays as it is."""

from __future__ import annotations

from routesdk import Router

QUESTION = "Who was awarded the Oceanography Society's Jerlov Award in 2018?"


def main() -> None:
    router = Router.from_pretrained("default")
    print("tiers:      ", {tier.name: tier.model for tier in router.tiers})

    # Another model on the large tier. Routers are immutable: this one is a copy.
    swapped = router.with_model("large", "claude-sonnet-4-5")
    print("swapped:    ", {tier.name: tier.model for tier in swapped.tiers})

    # One policy to one model, beside its tier.
    special = swapped.with_model("Ambiguous_Query", "gpt-4.1")
    # large_share=0 keeps every query on the cheap tier, 1 sends every query up.
    for share in (0.0, 1.0):
        decision = special.route(QUESTION, large_share=share)
        print(f"share {share:.0f}:     {decision.policy} -> {decision.model}")

    # Tiers can be bound when loading, so that predictions are made for that very pair.
    bound = Router.from_pretrained("default", medium="gemini-1.5-flash-002", large="gemini-1.5-pro-002")
    # A model that the router never learned from gets the generic head, and the decision says so.
    generic = Router.from_pretrained("default", large="claude-sonnet-4-5")
    for name, each in (("bound", bound), ("generic", generic)):
        decision = each.route(QUESTION)
        print(f"{name + ':':12} gain {decision.expected_gain:+.3f} -> {decision.model}")
        for notice in decision.notices:
            print(f"             {notice}")


if __name__ == "__main__":
    main()
