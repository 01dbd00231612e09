"""An oracle from Python: run it, count its cells, write it out, label it anew."""

import json
from pathlib import Path

GRADES = ["CORRECT", "INCORRECT", "NOT_ATTEMPTED"]
FACTS = {
    "Who wrote Faust?": "Goethe",
    "How far is the Moon?": "384,400 km",
    "Which river runs through Vienna?": "the Danube",
    "What is the highest peak of Mars?": "Olympus Mons",
    "Who composed Rusalka?": "Dvořák",
    "Which gas did Ramsay find in 1898?": "krypton",
    "How many keys has a celesta?": "61",
    "When was the Jena planetarium opened?": "1926",
}
with Path("outcomes.jsonl").open("w", encoding="utf-8") as file:
    for number, (question, reference) in enumerate(FACTS.items()):
        small = {"grade": GRADES[number % 3], "answer": reference if number % 3 == 0 else f"no. {number}"}
        big = {"grade": "CORRECT", "answer": f"It is {reference}."}
        row = {"id": number, "query": question, "reference": reference}
        file.write(json.dumps(row | {"outcomes": {"small": small, "big": big}}) + "\n")

# --8<-- [start:generate]
from routesdk.config import load_config
from routesdk.pipeline.oracle import generate

config = load_config("recorded.toml")
progress = generate(config, listen=lambda now: print(f"{now.done} of {now.total}"))
print(progress.done, progress.calls, progress.ledger.settled_nano)
# --8<-- [end:generate]
assert progress.done == progress.total == 7
assert progress.calls == 14

# --8<-- [start:again]
assert generate(config).calls == 0  # everything is in the journal
# --8<-- [end:again]

# --8<-- [start:table]
from routesdk import PluginHost
from routesdk.journal import JournalView
from routesdk.pipeline.oracle.label import cell_table

matrix = PluginHost().matrix("nine-cell")
with JournalView.open("oracle.sqlite") as view:
    table = cell_table(view.work(), matrix)
for cell in table.cells:
    print(cell.name, cell.policy, cell.rows, cell.reason)
# --8<-- [end:table]
assert sum(cell.rows for cell in table.cells) == 7

# --8<-- [start:export]
from routesdk.pipeline.oracle.export import export
from routesdk.pipeline.oracle.relabel import relabel

host = PluginHost()
with JournalView.open("oracle.sqlite") as view:
    written = export(view, "oracle_dataset.jsonl")
    print(written.rows, written.rows_kept_out, written.manifest)
    changed = relabel(view.work(), matrix, host.matrix("cheapest-correct"), judge=host.judge("lexical"))
print(changed.moved, "labels change,", changed.moved_tier, "rows go to another tier")
# --8<-- [end:export]
assert written.rows == 7
row = json.loads(Path("oracle_dataset.jsonl").read_text("utf-8").splitlines()[0])
assert set(row) == {"id", "query", "reference", "outcomes", "label", "analysis"}
assert set(row["label"]) == {"policy", "cell", "reason"}

# --8<-- [start:dry]
from routesdk.pipeline.oracle.forecast import forecast

found = forecast(config)
print(found.rows, found.cost_usd, found.at_most_usd, found.seconds)
# --8<-- [end:dry]
assert found.rows == 0

# The configs of the same pages are valid.
gemini = load_config("oracle.toml").oracle
assert (gemini.backend.name, gemini.judge.name, str(gemini.max_usd)) == ("gemini", "gemini", "60")
shards = load_config("oracle_shards.toml").oracle
PluginHost().executor(shards.executor.name, **shards.executor.options)
assert str(load_config("oracle_prices.toml").prices["my-model"].output_usd_per_mtok) == "1.5"
