"""One row of an oracle as a language model is trained on it."""

import asyncio

from routesdk import PluginHost, Query
from routesdk.pipeline.prepare import (
    DECISION_FIRST,
    Taught,
    dpo_pairs,
    plain,
    read_completion,
    sft_rows,
    turns,
)

host = PluginHost()
policies = host.matrix("nine-cell").policies
query = Query("Who won the Jerlov Award in 2018?")
analysis = asyncio.run(host.analyst("heuristic").reason(query))
row = Taught(id="1", query=query, policy="Ambiguous_Query", analysis=analysis, gains=(0.0,))

# --8<-- [start:row]
prompt = plain(turns(query.text, policies))  # as a base model without a chat template sees it
(sft,) = sft_rows([row], policies, DECISION_FIRST)
(pair,) = dpo_pairs([row], policies, DECISION_FIRST)
print(prompt, sft.completion, pair.rejected, sep="\n")

names = [policy.name for policy in policies]
assert read_completion(sft.completion, names).policy == "Ambiguous_Query"
# --8<-- [end:row]
assert pair.chosen == sft.completion
rendered = {"prompt": prompt, "completion": f"{sft.completion}\n", "rejected": f"{pair.rejected}\n"}
