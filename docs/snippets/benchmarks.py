"""Benchmarks by name, a division of one, and the checks that refuse what leaks."""

from pathlib import Path

Path("own.csv").write_text(
    "metadata,problem,answer\n"
    + "".join(
        f"\"{{'topic': 'Art', 'answer_type': 'Person'}}\",Who painted wall {wall} of {town}?,Nobody\n"
        for wall in ("one", "two", "three")
        for town in ("Ghent", "Turin", "Oslo", "Porto")
    ),
    encoding="utf-8",
)
Path("own.jsonl").write_text('{"id": "q1", "question": "Who wrote Faust?", "gold": "Goethe"}\n')

# --8<-- [start:read]
from routesdk.host import PluginHost

host = PluginHost()
simpleqa = host.benchmark("simpleqa", file="own.csv")  # without `file`, it is downloaded once
for example in simpleqa.examples():
    print(example.id, example.topic, example.query.metadata["answer_type"], example.query.text)
    break

mine = host.benchmark("jsonl", path="own.jsonl", query="question", reference="gold")
print(next(mine.examples()).reference)
# --8<-- [end:read]
# --8<-- [start:divide]
from routesdk.pipeline.division import divide, write_parts

division = divide(simpleqa, test_share=0.25, seed=0)
print(division.strata, dict(division.counts["Art"]))
print(division.part(0), division.is_train(example))
files = write_parts(simpleqa, division, "simpleqa")
# --8<-- [end:divide]
assert division.size("test") == 3
assert {file.name for file in files.values()} == {"simpleqa_train.jsonl", "simpleqa_test.jsonl"}
# --8<-- [start:refuse]
from routesdk import Router
from routesdk.errors import LeakError
from routesdk.pipeline.leak import refuse_learned, refuse_outside_train

train = list(division.select(simpleqa, "train"))
refuse_outside_train(division, train)  # nothing happens: all of them may be labelled
try:
    refuse_outside_train(division, simpleqa.examples())
except LeakError as error:
    print(error)

refuse_learned(Router.from_pretrained("default"), train, "evaluation")  # the router is new to them
# --8<-- [end:refuse]
# --8<-- [start:reasons]
from routesdk.pipeline.reasoning import leaked

query = "Who received the IEEE Frank Rosenblatt Award in 2010?"
print(leaked("It takes knowledge of Sugeno.", query, "Michio Sugeno", ["It went to Yann LeCun."]))
print(
    leaked("It asks for one of many winners.", query, "Michio Sugeno", ["It went to Yann LeCun."]) or "fine"
)
# --8<-- [end:reasons]
