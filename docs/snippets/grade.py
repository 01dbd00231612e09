"""Grade one answer, offline."""

# --8<-- [start:grade]
import asyncio

from routesdk import PluginHost

judge = PluginHost().judge("lexical")
verdict = asyncio.run(judge.grade("When did the ferry open?", "3 May 1962", "Am 3. Mai 1962."))
print(verdict)
# --8<-- [end:grade]

from routesdk.types import Grade, Verdict

assert isinstance(verdict, Verdict)
assert verdict.grade is Grade.CORRECT
