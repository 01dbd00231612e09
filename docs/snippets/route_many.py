"""Many queries at once, from Python."""

# --8<-- [start:batch]
from collections import Counter

from routesdk import Router

router = Router.from_pretrained("default")
questions = [f"What is {number} times {number + 1}?" for number in range(1_000)]
decisions = router.route_batch(questions)
print(Counter(decision.model for decision in decisions))
# --8<-- [end:batch]
assert len(decisions) == 1_000

# --8<-- [start:log]
from routesdk.record import decision_from_dict, decision_to_dict

record = decision_to_dict(decisions[0])
assert decision_from_dict(record) == decisions[0]
# --8<-- [end:log]
