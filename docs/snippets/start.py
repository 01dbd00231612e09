"""The first decision."""

# --8<-- [start:start]
from routesdk import Router

router = Router.from_pretrained("default")
decision = router.route("Who was awarded the Oceanography Society's Jerlov Award in 2018?")
print(decision.policy, decision.model, decision.confidence)
# --8<-- [end:start]
assert decision.model in {tier.model for tier in router.tiers}
