"""Answers and verdicts that a file has recorded."""

import asyncio
from pathlib import Path

from routesdk import PluginHost
from routesdk.config import load_config
from routesdk.types import Query, Request

# --8<-- [start:rows]
ROWS = """\
{"id": 1, "query": "Who wrote Faust?", "reference": "Goethe", "topic": "Art", "outcomes": {\
"small": {"grade": "INCORRECT", "answer": "Schiller"}, \
"big": {"grade": "CORRECT", "answer": "Goethe", \
"usage": {"input_tokens": 12, "output_tokens": 3, "cost_usd": "0.00002"}}}}
{"id": 2, "query": "How far is the Moon?", "reference": "384,400 km", "outcomes": {\
"small": {"grade": "NOT_ATTEMPTED", "answer": "I do not know."}, \
"big": {"grade": "CORRECT", "answer": "About 384,400 km."}}}
"""
# --8<-- [end:rows]
Path("outcomes.jsonl").write_text(ROWS, encoding="utf-8")

# --8<-- [start:parts]
host = PluginHost()
benchmark = host.benchmark("recorded", path="outcomes.jsonl")
backend = host.backend("recorded", path="outcomes.jsonl")
judge = host.judge("recorded", path="outcomes.jsonl")


async def look_up() -> None:
    for example in benchmark.examples():
        answer = await backend.generate(Request(query=example.query, model="small"))
        verdict = await judge.grade(example.query.text, example.reference or "", answer.text)
        print(answer.text, verdict)


asyncio.run(look_up())
# --8<-- [end:parts]
answer = asyncio.run(backend.generate(Request(query=Query("who wrote FAUST?"), model="big")))
assert (answer.text, answer.usage.output_tokens) == ("Goethe", 3)
# The config of the same page builds the same parts.
oracle = load_config("recorded.toml").oracle
for kind, part in (("benchmark", oracle.benchmark), ("backend", oracle.backend), ("judge", oracle.judge)):
    host.build(kind, part.name, part.options)
