"""Three tiers in place of two."""

# --8<-- [start:tiers]
from routesdk import Router

router = Router.from_pretrained(
    "default",
    tiers={"small": "gemini-2.5-flash-lite", "medium": "gemini-2.5-flash", "large": "gemini-2.5-pro"},
)
decision = router.route("How far is the Moon?")
print(decision.policy, decision.tier, decision.model)
# --8<-- [end:tiers]
assert decision.tier in {"small", "medium", "large"}
