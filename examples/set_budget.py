"""Set a budget: at 90 % of it, every query goes to the cheapest tier."""

from __future__ import annotations

from decimal import Decimal

from routesdk import PluginHost, Router, get_hybrid_mapper

QUESTION = "Prove that the square root of 2 is irrational."


def main() -> None:
    host = PluginHost()
    # `sqlite` in place of `memory` keeps count over processes: host.spend_source("sqlite", path="spend.db").
    spend = host.spend_source("memory")
    router = Router.from_pretrained(
        "default", medium="gemini-2.5-flash", large="gemini-2.5-pro", host=host, spend=spend
    ).with_budget(10)
    # Everything is sent up here, so that the budget alone makes the difference.
    router = router.with_large_share(1.0)
    print("nothing spent:  ", router.route(QUESTION).model)

    # Before a call, set its cost aside; after it, settle what it came to. The router reads the sum.
    reservation = spend.reserve(Decimal("9.20"))
    spend.settle(reservation, Decimal("9.10"))
    decision = router.route(QUESTION)
    print("9.10 USD spent: ", decision.model)
    for step in decision.trace:
        print(f"  {step.stage.value}, {step.source}: {step.reason}")

    # The mapping by itself, for those who know the policy already.
    mapper = get_hybrid_mapper(cost_budget=10.0, current_spend=8.5)
    print("85 % spent:     ", mapper.get_model("Write Python code", "Standard_Query"))
    mapper = get_hybrid_mapper(cost_budget=10.0, current_spend=9.0)
    print("90 % spent:     ", mapper.get_model("Write Python code", "Standard_Query"))


if __name__ == "__main__":
    main()
