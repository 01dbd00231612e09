"""Grades by rules: the reference's words, numbers and dates in the answer, or the answer's refusal."""

from __future__ import annotations

from functools import lru_cache

from routesdk.plugins.lexical.abstention import attempts, declines, without_refusals
from routesdk.plugins.lexical.candidate import hedges
from routesdk.plugins.lexical.comparison import compare
from routesdk.plugins.lexical.letter import fold
from routesdk.plugins.lexical.passage import Passage, cut
from routesdk.plugins.lexical.reference import LONGEST_WORDS, Reference, read_reference
from routesdk.types import Grade, Unscored, Verdict

_LONGEST_REFUSAL = 4000
# Of a longer answer the middle is passed over: a long reference's words would be sought in it for seconds.
_LONGEST, _HEAD = 100_000, 75_000
_ENDS = " \t\n.\"'"
_LONGEST_CACHED = 2000


@lru_cache(maxsize=1024)
def _read(reference: str) -> Reference:
    return read_reference(reference)


@lru_cache(maxsize=1024)
def _asked(question: str) -> frozenset[str]:
    return frozenset(cut(question))


class LexicalJudge:
    """Compare an answer with the reference, word by word, in time linear in the answer."""

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Grade an answer; `Unscored` where the reference is empty or an essay."""
        return self.judge(question, reference, answer)

    def judge(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Grade an answer, outside an event loop."""
        wanted = (_read if len(reference) <= _LONGEST_CACHED else read_reference)(reference)
        if wanted.length > LONGEST_WORDS:
            return Unscored(
                f"the reference has more than {LONGEST_WORDS} words: an answer need not repeat them"
            )
        if not wanted.accepted:
            return Unscored("the reference holds no word and no number")
        if not answer.strip():
            return Verdict(Grade.ABSTAINED, "the answer is empty")
        if fold(answer).strip(_ENDS) == fold(reference).strip(_ENDS):
            return Verdict(Grade.CORRECT, "the reference, word for word")
        if len(answer) > _LONGEST:
            answer = f"{answer[:_HEAD]}\n{answer[_HEAD - _LONGEST :]}"
        passage = Passage.of(answer)
        asked = (_asked if len(question) <= _LONGEST_CACHED else _asked.__wrapped__)(question)
        found = compare(wanted, asked, passage)
        if found.correct and hedges(answer, wanted, asked):
            return Verdict(Grade.INCORRECT, "the answer lists candidates and chooses none")
        folded = fold(answer)
        phrase, at = declines(folded)
        if found.correct and phrase and not declines(fold(reference))[0] and len(answer) <= _LONGEST_REFUSAL:
            # "I cannot say whether it was Paris" names Paris, and answers nothing.
            found = compare(wanted, asked, Passage.of(without_refusals(answer)))
        if found.correct:
            return Verdict(Grade.CORRECT, found.rule)
        if phrase and not attempts(folded, phrase, at):
            return Verdict(Grade.ABSTAINED, "the answer says that it does not know")
        return Verdict(Grade.INCORRECT, found.rule)
