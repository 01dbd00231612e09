"""The mapping without a policy model."""

# --8<-- [start:mapper]
from routesdk import get_hybrid_mapper

mapper = get_hybrid_mapper(cost_budget=10.0, current_spend=8.5)
assert mapper.get_model("Write Python code", "Standard_Query") == "gemini-2.5-pro"

mapper = get_hybrid_mapper(cost_budget=10.0, current_spend=9.0)
assert mapper.get_model("Write Python code", "Standard_Query") == "gemini-2.5-flash"
# --8<-- [end:mapper]

# --8<-- [start:trace]
for step in mapper.choose("Write Python code", "Standard_Query").trace:
    print(step.stage.value, step.source, step.model, step.reason)
# --8<-- [end:trace]
