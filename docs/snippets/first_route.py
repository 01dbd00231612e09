"""The tutorial "First route", in pieces."""

# --8<-- [start:load]
from routesdk import Router

router = Router.from_pretrained("default")
# --8<-- [end:load]

# --8<-- [start:route]
decision = router.route("Who was awarded the Oceanography Society's Jerlov Award in 2018?")
print(decision.policy)  # what the router predicts
print(decision.model)  # what the mapping makes of it
print(decision.confidence)  # the calibrated probability that the policy is right
print(dict(decision.probabilities))  # of every policy
print(decision.expected_gain)  # what the large model is expected to add
# --8<-- [end:route]
assert abs(sum(decision.probabilities.values()) - 1) < 1e-3
assert -1 <= decision.expected_gain <= 1

# --8<-- [start:trace]
for step in decision.trace:
    print(step.stage.value, step.source, step.model, step.reason)
for notice in decision.notices:
    print(notice)
# --8<-- [end:trace]

# --8<-- [start:conversation]
conversation = [
    {"role": "user", "content": "Who wrote Faust?"},
    {"role": "assistant", "content": "Goethe."},
    {"role": "user", "content": "And who set it to music as an opera in 1859?"},
]
print(router.route(conversation).model)
# --8<-- [end:conversation]

# --8<-- [start:share]
for large_share in (0.1, 0.5, 0.9):
    at_share = router.route("What is the capital of France?", large_share=large_share)
    print(large_share, at_share.tier, at_share.operating_point.thresholds)
# --8<-- [end:share]

# --8<-- [start:errors]
from routesdk.errors import InvalidQueryError

try:
    router.route("   ")
except InvalidQueryError as error:
    print(error)
# --8<-- [end:errors]

# --8<-- [start:async]
import asyncio

decision = asyncio.run(router.aroute("How far is the Moon?"))
# --8<-- [end:async]
