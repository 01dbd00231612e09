python - <<'PYTHON'
from pathlib import Path

from routesdk.testing import make_examples
from routesdk.testing.training import write_dataset

write_dataset(Path("outcomes.jsonl"), make_examples(80))
PYTHON
routesdk oracle generate --recorded outcomes.jsonl --medium medium-model --large large-model
# --8<-- [start:export]
routesdk oracle export oracle.sqlite oracle_dataset.jsonl
# --8<-- [end:export]
# --8<-- [start:linear]
routesdk train oracle_dataset.jsonl
# --8<-- [end:linear]
# --8<-- [start:route]
routesdk route --checkpoint router_checkpoints/router_final "How far is the Moon?"
# --8<-- [end:route]
# --8<-- [start:prepare]
routesdk prepare oracle_dataset.jsonl --output data/training
# --8<-- [end:prepare]
test -s data/training/sft_train.jsonl
test -s data/training/dpo_train.jsonl
# --8<-- [start:json]
routesdk train oracle_dataset.jsonl --json > trained.json
# --8<-- [end:json]
test -s router_checkpoints/work/payoff.json
