python - <<'PYTHON'
from pathlib import Path

from routesdk.testing import make_examples
from routesdk.testing.training import write_dataset

write_dataset(Path("outcomes.jsonl"), make_examples(200, models=("gemini-2.5-flash", "gemini-2.5-pro")))
PYTHON
# --8<-- [start:share]
routesdk calibrate outcomes.jsonl --target-large-share 0.2 --output tuned
routesdk route --checkpoint tuned "How far is the Moon?"
# --8<-- [end:share]
# --8<-- [start:json]
routesdk calibrate outcomes.jsonl --target-cost 0.002 --json > found.json
# --8<-- [end:json]
test -s found.json
