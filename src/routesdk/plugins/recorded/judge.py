"""Verdicts from a file: how the very same answer was once graded."""

from __future__ import annotations

import os

import attrs

from routesdk.errors import InvalidQueryError
from routesdk.plugins.recorded.index import Recorded, key_of, normal, read_recorded
from routesdk.types import Grade, Query, Unscored, Verdict


@attrs.frozen
class _Recording:
    """The grades that one answer to one question got; None among them is a score without a grade."""

    grades: frozenset[Grade | None]
    references: frozenset[str]


class RecordedJudge:
    """Grade an answer by the verdict that a file has recorded for it; the file is held in memory.

    Blind: neither the verdict nor its reason depends on or names the model.

    Args:
        path: The file.
        query_field: Field of the question.

    Raises:
        ConfigError: The file cannot be read.
        DatasetError: A row cannot be used; file and line are named.
    """

    def __init__(self, path: str | os.PathLike[str], *, query_field: str = "query") -> None:
        self._queries: set[str] = set()
        self._verdicts: dict[tuple[str, str], _Recording] = {}
        for recorded in read_recorded(path, query_field):
            self._add(recorded)

    async def grade(self, question: str, reference: str, answer: str) -> Verdict | Unscored:
        """Return the recorded verdict of this answer, to the letter but for blanks around it.

        Args:
            question: What was asked.
            reference: The right answer; a verdict that was given against
                another one does not count. Rows without one fit any.
            answer: The answer's text.

        Returns:
            The verdict; `Unscored` where the file has none, or several that differ.
        """
        try:
            query = key_of(Query(question))
        except InvalidQueryError as error:
            return Unscored(f"no question: {error.problem}")
        if query not in self._queries:
            return Unscored("no recorded row asks this question")
        recording = self._verdicts.get((query, answer.strip()))
        if recording is None:
            return Unscored("no verdict on this answer was recorded")
        if recording.references and normal(reference) not in recording.references:
            return Unscored("the verdict was recorded against another reference")
        if None in recording.grades:
            return Unscored("a score was recorded, not a grade")
        if len(recording.grades) > 1:
            return Unscored("the recorded verdicts on this answer differ")
        (grade,) = recording.grades
        assert grade is not None
        return Verdict(grade, "recorded verdict on this very answer")

    def _add(self, recorded: Recorded) -> None:
        example, outcome = recorded.example, recorded.outcome
        query = key_of(example.query)
        self._queries.add(query)
        if outcome.answer is None:
            return
        references = frozenset() if example.reference is None else frozenset({normal(example.reference)})
        found = _Recording(frozenset({outcome.grade}), references)
        key = (query, outcome.answer.strip())
        earlier = self._verdicts.get(key)
        self._verdicts[key] = (
            found
            if earlier is None
            else _Recording(earlier.grades | found.grades, earlier.references | found.references)
        )
