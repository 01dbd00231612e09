"""The nine cells, as the matrix has them."""

# --8<-- [start:cells]
from itertools import product

from routesdk import PluginHost
from routesdk.types import GRADES

matrix = PluginHost().matrix("nine-cell")
for grades in product(GRADES, repeat=2):
    cell = "".join(grade.value[0] for grade in grades)
    print(cell, matrix.policy(grades).name, matrix.reason(grades))
# --8<-- [end:cells]

# --8<-- [start:tiers]
ladder = PluginHost().matrix("cheapest-correct", tiers=["small", "medium", "large"])
print([policy.name for policy in ladder.policies])
# --8<-- [end:tiers]
assert len(ladder.policies) == 4
