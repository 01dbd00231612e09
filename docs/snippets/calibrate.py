"""Set a router to a target on rows with outcomes, and ask whether queries look familiar."""

from routesdk import Router
from routesdk.errors import ConfigError
from routesdk.testing import make_examples

models = ("gemini-2.5-flash", "gemini-2.5-pro")
examples = make_examples(240, models=models)

# --8<-- [start:share]
router = Router.from_pretrained(medium="gemini-2.5-flash", large="gemini-2.5-pro")
found = router.calibrate(examples, target_large_share=0.2)  # rows with outcomes of both models

print(found.sentence)
print(found.large_share.low, found.large_share.high)  # of rows that were left out in turn
found.router.save_pretrained("tuned")
# --8<-- [end:share]
assert found.reached

# --8<-- [start:quality]
found = router.calibrate(examples, target_quality=0.99)
if not found.reached:
    print(found.sentence)  # This data cannot reach …: the best point comes to …
# --8<-- [end:quality]
assert not found.reached
try:
    _ = found.router
except ConfigError as error:
    assert "cannot reach" in str(error)
else:
    raise AssertionError

# --8<-- [start:cost]
found = router.calibrate(examples, target_cost="0.002")  # US dollars a query, on average
print(found.cost, found.cost_note)
# --8<-- [end:cost]
assert found.cost is not None

# --8<-- [start:warnings]
for warning in found.warnings:
    print(warning)
for rate in found.base_rates:
    print(rate.name, rate.expected, rate.observed, rate.shifted)
# --8<-- [end:warnings]

# --8<-- [start:shift]
decision = router.route("Kolik kilometrů je z Prahy do Brna?")
print(decision.shift_score, decision.notices)  # 0 to 1; a notice from 0.95 on

assert router.shift is not None  # None for a checkpoint that was saved without it
queries = ["git rebase -i HEAD~3", "kubectl get pods -n prod", "awk '{ print $3 }' a.csv"]
together = router.shift.assess(queries)
print(together.shifted, together.sentence)
# --8<-- [end:shift]
assert router.shift.notice in decision.notices

# --8<-- [start:rate]
import attrs

strict = attrs.evolve(router, shift=router.shift.with_false_alarm(0.01))
# --8<-- [end:rate]
assert strict.shift is not None

# --8<-- [start:learn]
from routesdk.pipeline.shift import learn_shift

shift = learn_shift({"support": [f"Where is my order {number}?" for number in range(200)]})
mine = attrs.evolve(router, shift=shift)
# --8<-- [end:learn]
assert mine.route("Who was the first composer to be knighted?").notices
