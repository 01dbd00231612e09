python - <<'PYTHON'
from pathlib import Path

from routesdk.testing import make_examples
from routesdk.testing.training import write_dataset

rows = make_examples(240)
write_dataset(Path("train.jsonl"), rows[:160])
write_dataset(Path("test.jsonl"), rows[160:])
PYTHON
routesdk train train.jsonl --tier medium=medium-model --tier large=large-model --compare none
# --8<-- [start:evaluate]
routesdk evaluate test.jsonl --checkpoint router_checkpoints/router_final
# --8<-- [end:evaluate]
test -s evaluation/results/router_results.jsonl
test -s evaluation/results/router_metrics.json
test -s evaluation/results/comparison.json
test -s evaluation/results/report.html
# --8<-- [start:bind]
routesdk evaluate test.jsonl --checkpoint default --medium medium-model --large large-model
# --8<-- [end:bind]
# --8<-- [start:markdown]
routesdk evaluate test.jsonl --checkpoint router_checkpoints/router_final --format md > results.md
# --8<-- [end:markdown]
# --8<-- [start:json]
routesdk evaluate test.jsonl --checkpoint router_checkpoints/router_final --format json > evaluation.json
# --8<-- [end:json]
# --8<-- [start:config]
routesdk evaluate --config evaluate.toml
# --8<-- [end:config]
