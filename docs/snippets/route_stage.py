"""A file of queries, routed as a stage: here, and on other machines by the same call."""

from __future__ import annotations

import json
from pathlib import Path

# --8<-- [start:stage]
from routesdk import PluginHost
from routesdk.pipeline.routing import STAGE, RoutingJob, pack_job

asked = Path("asked.jsonl")
asked.write_text('How far is the Moon?\n{"id": "7", "query": "Who wrote Faust?"}\n', encoding="utf-8")
job = pack_job(Path("job.zip"), asked, RoutingJob(checkpoint="default", large_share=0.3))

executor = PluginHost().executor("local")  # or "modal", with its options
for result in executor.map(STAGE, [job]):
    print(result.output or result.error)
# --8<-- [end:stage]

lines = Path("job.decisions.jsonl").read_text(encoding="utf-8").splitlines()
assert json.loads(lines[1])["query_id"] == "7"
