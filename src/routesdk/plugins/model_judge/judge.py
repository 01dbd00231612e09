"""A judge that asks a model, and believes nothing but a reply of the very shape that was asked for."""

from __future__ import annotations

import json
from functools import cached_property
from typing import cast

import attrs

from routesdk.errors import BackendError
from routesdk.host import PluginHost
from routesdk.plugins.model_judge.rubric import LONGEST_ANSWER, SCHEMA, SYSTEM, VERSION, cut, message
from routesdk.protocols import Backend
from routesdk.types import Answer, Grade, PartConfig, Query, Request, Unscored, Verdict

_FENCE = "```"
_GRADES = {grade.value: grade for grade in Grade}
_LONGEST_REPLY = 20_000
_LONGEST_REASON = 1_000


@attrs.frozen(kw_only=True)
class ModelJudge:
    """Grade an answer by asking a model.

    Blind: the request holds the question, the reference, this one answer and
    a rubric that is the same for all.

    Attributes:
        model: The model that judges.
        backend: The backend that it is asked through.
        host: Builds the backend when it is first needed.
        max_output_tokens: Cap on a reply, thinking included.
        thinking_tokens: Cap on thinking within it.
        temperature: Sampling temperature.
        timeout_s: Deadline of a call, in seconds.
    """

    model: str
    backend: PartConfig
    host: PluginHost = attrs.field(repr=False, eq=False)
    max_output_tokens: int = 512
    thinking_tokens: int | None = 0
    temperature: float | None = 0.0
    timeout_s: float = 120.0

    @property
    def prompt_version(self) -> str:
        """A hash of the rubric, the reply's schema and the cut."""
        return VERSION

    def request(self, question: str, reference: str, answer: str) -> Request:
        """Write the request: the three texts as one JSON object, so that none can pass for an instruction."""
        return Request(
            query=Query(message(question, reference, answer)),
            model=self.model,
            system=SYSTEM,
            max_output_tokens=self.max_output_tokens,
            temperature=self.temperature,
            thinking_tokens=self.thinking_tokens,
            response_schema=SCHEMA,
            timeout_s=self.timeout_s,
        )

    def read(self, reply: Answer, answer: str) -> Verdict | Unscored:
        """Read a reply: one JSON object with a known grade and a reason, bare or in one code fence.

        Nothing else counts: a grade that merely stands somewhere in a text is no
        verdict. The reason says where only a part of the answer was judged.
        """
        text = reply.text
        if len(text) > _LONGEST_REPLY:
            return Unscored(
                f"the judge's reply has {len(text):,} characters; it should be a short JSON object"
            )
        try:
            said = json.loads(_unfenced(text.strip()), object_pairs_hook=_once)
        except (ValueError, RecursionError):
            cause = "" if reply.finish_reason == "stop" else f" (it ended with {reply.finish_reason!r})"
            return Unscored(f"the judge's reply is no JSON object{cause}: {text[:80]!r}")
        if not isinstance(said, dict) or set(said) != {"reason", "grade"}:
            return Unscored(f"the judge's reply has other fields than reason and grade: {text[:80]!r}")
        grade, reason = said["grade"], said["reason"]
        if not isinstance(grade, str) or grade not in _GRADES or not isinstance(reason, str):
            return Unscored(f"the judge's reply has no grade that there is, or no reason: {text[:80]!r}")
        return self._noted(Verdict(_GRADES[grade], " ".join(reason.split())[:_LONGEST_REASON]), answer)

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Ask the model; a reply that cannot be read is asked for once more.

        Returns:
            The verdict. `Unscored` where the reference is blank, where neither
            of two replies can be read, and where a safety filter withheld one:
            these are facts about the row.

        Raises:
            BackendError: The model could not be asked. An outage says nothing
                about the row, so it is the caller's to try again.
        """
        if not reference.strip():
            return Unscored("the reference is blank")
        request = self.request(question, reference, answer)
        said: Verdict | Unscored = Unscored("the judge was not asked")
        for _ in range(2):
            try:
                said = self.read(await self._asked.generate(request), answer)
            except BackendError as error:
                if not error.blocked:
                    raise
                return Unscored(f"a safety filter withheld the judge's reply: {error.problem}")
            if isinstance(said, Verdict):
                break
        return said

    @cached_property
    def _asked(self) -> Backend:
        return cast("Backend", self.host.build("backend", self.backend.name, self.backend.options))

    def _noted(self, verdict: Verdict, answer: str) -> Verdict:
        """Say in the reason that a part of the answer was not judged."""
        left_out = cut(answer)[1]
        if not left_out:
            return verdict
        note = f"(judged on {LONGEST_ANSWER:,} of {len(answer):,} characters, its head and tail)"
        return attrs.evolve(verdict, reason=f"{verdict.reason} {note}".strip())


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands twice")
    return found


def _unfenced(text: str) -> str:
    """Return what stands in the one code fence that a text consists of, or the text as it is."""
    first, newline, rest = text.partition("\n")
    if not newline or not rest.endswith(_FENCE) or first.rstrip().casefold() not in (_FENCE, f"{_FENCE}json"):
        return text
    return rest.removesuffix(_FENCE)
