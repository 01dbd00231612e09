"""Save a router with its mapping, and load it again."""

# --8<-- [start:save]
from routesdk import Router

router = (
    Router.from_pretrained("default", medium="gemini-2.5-flash", large="gemini-2.5-pro")
    .with_rule("keyword", words=["theorem"], model="gemini-2.5-pro")
    .with_large_share(0.2)
)
folder = router.save_pretrained("my-router")
again = Router.from_pretrained("./my-router")
# --8<-- [end:save]

question = "Which theorem did Emmy Noether prove?"
assert again.tiers == router.tiers
assert again.route(question).model == router.route(question).model == "gemini-2.5-pro"

# --8<-- [start:files]
for file in sorted(folder.rglob("*")):
    print(file.relative_to(folder))
# --8<-- [end:files]

# --8<-- [start:broken]
from routesdk.errors import CheckpointError

weights = next(file for file in sorted(folder.glob("model-*/*")))
weights.write_bytes(weights.read_bytes()[:-1])
try:
    Router.from_pretrained("./my-router")
except CheckpointError as error:
    print(error)
# --8<-- [end:broken]
else:
    raise AssertionError("a truncated file was loaded")
