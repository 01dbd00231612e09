"""What policy models that predict grades share: heads of models and tiers, calibrated with each other.

A head is two logits of a query: of a correct answer, and of abstaining where the answer is
not correct. Where the logits come from, hashed words or a sentence encoder, is a policy
model's own business; how they become the joint of the tiers' grades is written once, here.
"""
