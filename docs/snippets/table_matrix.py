"""A matrix of one's own, from a file."""

# --8<-- [start:table]
from routesdk.host import PluginHost
from routesdk.types import Grade

matrix = PluginHost().matrix("table", file="cells.toml")
print(matrix.policy((Grade.INCORRECT, Grade.CORRECT)).name)
print(matrix.reason((Grade.ABSTAINED, Grade.CORRECT)))
# --8<-- [end:table]
assert matrix.policy((Grade.INCORRECT, Grade.ABSTAINED)).name == "Stay"
