"""Move the operating point."""

# --8<-- [start:move]
from routesdk import OperatingPoint, Router

router = Router.from_pretrained("default")
question = "Who was awarded the Oceanography Society's Jerlov Award in 2018?"

cheap = router.with_large_share(0.2)  # a router
once = router.route(question, large_share=0.2)  # one call
exact = router.route(question, operating_point=OperatingPoint((0.1,)))  # a threshold of one's own

print(cheap.operating_point)
print(once.tier, exact.tier, exact.expected_gain)
# --8<-- [end:move]
assert exact.tier == ("large" if exact.expected_gain >= 0.1 else "medium")
assert once.operating_point.thresholds == cheap.operating_point.thresholds

# --8<-- [start:pair]
pair = Router.from_pretrained("default", medium="gemini-1.5-flash-002", large="gemini-1.5-pro-002")
# --8<-- [end:pair]
