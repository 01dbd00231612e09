"""A rule of one's own in one file: this module is the plugin, and no packaging is needed."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import attrs

from routesdk import Component, PluginHost, Proposal, Query, RouteContext, Router, hookimpl
from routesdk.protocols import Rule


@attrs.frozen(kw_only=True)
class PinTenant:
    """Send every query of one tenant to `model`."""

    tenant: str
    model: str

    def propose(self, context: RouteContext) -> Proposal | None:
        """Propose the model where the query's metadata names the tenant."""
        if context.query.metadata.get("tenant") != self.tenant:
            return None
        return Proposal(self.model, f"tenant {self.tenant!r} has it in its contract")


@hookimpl
def routesdk_rules() -> Iterable[Component[Rule]]:
    """Offer `pin-tenant`."""
    yield Component(name="pin-tenant", factory=PinTenant, summary="One model for one tenant.")


def main() -> None:
    host = PluginHost([sys.modules[__name__]])
    router = Router.from_pretrained("default", host=host)
    # By name, as a config file would do it: options are checked against the class.
    router = router.with_rule("pin-tenant", tenant="acme", model="gpt-4.1")

    for tenant in ("acme", "other"):
        decision = router.route(Query("How far is the Moon?", metadata={"tenant": tenant}))
        print(f"{tenant}: {decision.model}, since {decision.trace[-1].reason}")


if __name__ == "__main__":
    main()
