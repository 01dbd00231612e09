"""A static map of policies, and a model that the catalogue does not know."""

# --8<-- [start:map]
import json
from pathlib import Path

from routesdk import Router

router = Router.from_pretrained("default")
mapped = router.with_policy_map({"Ambiguous_Query": "gpt-4.1"})

Path("policy_map.json").write_text(json.dumps({"Complex_Query": "claude-sonnet-4-5"}))
from_file = router.with_policy_map("policy_map.json")
# --8<-- [end:map]
assert mapped.mapping.defaults["Ambiguous_Query"] == "gpt-4.1"
assert from_file.route("How far is the Moon?", large_share=1.0).model == "claude-sonnet-4-5"

# --8<-- [start:price]
from routesdk.catalogue import Catalogue
from routesdk.errors import UnknownPriceError

house = router.with_model("large", "house-model-1")
decision = house.route("How far is the Moon?", large_share=1.0)
print(decision.estimated_cost_usd, decision.cost_note)

try:
    house.with_budget(10).route("How far is the Moon?", large_share=1.0)
except UnknownPriceError as error:
    print(error)

catalogue = Catalogue.default().with_price("house-model-1", input_usd_per_mtok=0.5, output_usd_per_mtok=2)
priced = Router.from_pretrained("default", catalogue=catalogue).with_model("large", "house-model-1")
print(priced.with_budget(10).route("How far is the Moon?", large_share=1.0).estimated_cost_usd)
# --8<-- [end:price]
assert decision.estimated_cost_usd is None
assert decision.model == "house-model-1"
