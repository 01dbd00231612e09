"""Split without a leak, and see what a router has learned from."""

# --8<-- [start:split]
from routesdk.pipeline.split import split

questions = [f"In what year was the {name} bridge opened?" for name in ("Verrazzano", "Akashi", "Humber")]
questions += ["What is 2 + 2?", "what is  2 + 2", "Who wrote Faust?", "How far is the Moon?"]
parts = split(questions, seed=0)
print(dict(parts.counts()), parts.rows("test").tolist())
# --8<-- [end:split]
assert parts.groups[3] == parts.groups[4], "the same question, written in two ways"

# --8<-- [start:seen]
from routesdk import Router
from routesdk.pipeline.split import query_hash

router = Router.from_pretrained("default")
learned = set(router.training_hashes().tolist())
fresh = [question for question in questions if query_hash(question) not in learned]
print(f"{len(learned):,} queries were learned from; {len(fresh)} of {len(questions)} are new to it")
# --8<-- [end:seen]
assert learned
