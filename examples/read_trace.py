"""Read a decision's trace: who chose the model, who was overruled, who was passed over."""

from __future__ import annotations

import json

from routesdk import Proposal, Query, RouteContext, Router
from routesdk.record import decision_to_dict


class Broken:
    """A rule with a bug."""

    def propose(self, context: RouteContext) -> Proposal | None:
        """Fail."""
        raise ZeroDivisionError("a bug")


def main() -> None:
    router = (
        Router.from_pretrained("default", medium="gemini-2.5-flash", large="gemini-2.5-pro")
        .with_rule("tag", tag="vip", model="claude-sonnet-4-5")
        .with_rule("keyword", words=["theorem"], model="gemini-2.5-pro")
        .with_rule(Broken(), on_error="skip")
    )
    decision = router.route(Query("Which theorem did Emmy Noether prove?", tags={"vip"}))

    print(f"{decision.policy} with confidence {decision.confidence:.2f}")
    for policy, probability in decision.probabilities.items():
        print(f"  {policy:16} {probability:.3f}")
    threshold = decision.operating_point.thresholds[0]
    print(f"expected gain {decision.expected_gain:+.3f}, escalates from {threshold:+.3f}")
    print(f"model {decision.model}, about {decision.estimated_cost_usd} USD ({decision.cost_note})")
    for number, step in enumerate(decision.trace, 1):
        fate = f" (overruled: {step.chosen} stays)" if step.overruled else ""
        print(f"{number}. {step.stage.value:10} {step.source:10} {step.model}: {step.reason}{fate}")

    # The same record as the command line's --json and the decision log write.
    print(json.dumps(decision_to_dict(decision))[:100], "...")


if __name__ == "__main__":
    main()
