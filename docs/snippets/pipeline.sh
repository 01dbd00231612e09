mkdir project
cp pipeline.toml project/
cd project
python - <<'PYTHON'
from routesdk.dataset import write_examples
from routesdk.testing import make_examples

write_examples("answers.jsonl", make_examples(160))
PYTHON
# --8<-- [start:init]
routesdk init
# --8<-- [end:init]
mv pipeline.toml routesdk.toml
# --8<-- [start:dry]
routesdk run --dry-run
# --8<-- [end:dry]
test ! -e data
# --8<-- [start:run]
routesdk run
# --8<-- [end:run]
test -s evaluation/results/report.html
# --8<-- [start:status]
routesdk status
# --8<-- [end:status]
# --8<-- [start:part]
routesdk run --until split           # the first two stages
routesdk run --from train            # take what lies before as it stands
routesdk run --from train --force    # again, even where nothing has changed
# --8<-- [end:part]
head -n 100 data/splits/simpleqa_train.jsonl > shorter && mv shorter data/splits/simpleqa_train.jsonl
# --8<-- [start:edits]
routesdk run --keep-edits
# --8<-- [end:edits]
# --8<-- [start:use]
routesdk route --config routesdk.toml "How far is the Moon?"
# --8<-- [end:use]
test "$(wc -l < data/generated/oracle_dataset.jsonl)" -eq 100
