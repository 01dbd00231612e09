"""One row of a JSONL file, checked field by field on its way to an example."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import attrs

from routesdk.errors import ConfigError, DatasetError, InvalidQueryError
from routesdk.structure import structure
from routesdk.types import Example, Grade, Outcome, Query, Usage

if TYPE_CHECKING:
    from routesdk.dataset import Fields

# Longer whole numbers are a mistake, and Python refuses to write those of thousands of digits.
_LONGEST_ID_BITS = 340


def kind_of(value: object) -> str:
    """Name the type of a JSON value, as a sentence about it would."""
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)


@attrs.frozen
class Row:
    """One row on its way to an example, with what an error says about it.

    Attributes:
        data: The row.
        source: Its file.
        line: Its line there.
        fields: Which fields hold what.
    """

    data: Mapping[str, object]
    source: str
    line: int
    fields: Fields

    def example(self) -> Example:
        """Check every field and build the example.

        Raises:
            DatasetError: A field is missing, blank or of the wrong type.
        """
        return Example(
            id=self._id(),
            query=self._query(),
            reference=self._text(self.fields.reference, "reference"),
            topic=self._text(self.fields.topic, "topic"),
            outcomes=self._outcomes(),
        )

    def _fail(self, problem: str) -> DatasetError:
        return DatasetError(self.source, self.line, problem)

    def _id(self) -> str:
        value = self.data.get(self.fields.id)
        if value is None:
            raise self._fail(f"it has no {self.fields.id!r}")
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise self._fail(f"its {self.fields.id!r} is {kind_of(value)}, not a string or whole number")
        if isinstance(value, int) and value.bit_length() > _LONGEST_ID_BITS:
            raise self._fail(f"its {self.fields.id!r} is a number of more than a hundred digits")
        if not str(value).strip():
            raise self._fail(f"its {self.fields.id!r} is blank")
        return str(value)

    def _text(self, named: str | None, usual: str) -> str | None:
        field = usual if named is None else named
        value = self.data.get(field)
        if value is None and named is not None:
            raise self._fail(f"it has no {field!r}")
        if value is not None and not isinstance(value, str):
            raise self._fail(f"its {field!r} is {kind_of(value)}, not a string")
        if value is not None and not value.strip():
            raise self._fail(f"its {field!r} is blank: leave the field out where there is none")
        return value

    def _query(self) -> Query:
        field = self.fields.query
        usual = field == "query"
        text, turns = self.data.get(field), self.data.get("messages") if usual else None
        if text is None and turns is None:
            raise self._fail(f"it has no {field!r}" + (" and no 'messages'" if usual else ""))
        if text is not None and not isinstance(text, str):
            raise self._fail(f"its {field!r} is {kind_of(text)}, not a string")
        if turns is not None and not isinstance(turns, list):
            raise self._fail(f"its 'messages' are {kind_of(turns)}, not a list")
        try:
            if turns is None:
                query = Query(text or "")
            elif text is None:
                query = Query.of(turns)
            else:
                # The question stands for itself: the turns before it need not hold a user's.
                asked = Query.of([*turns, {"role": "user", "content": text}])
                query = Query(text, asked.messages[:-1])
            identity = self._text(None, "query_id") or ""
            return attrs.evolve(query, tags=self._tags(), metadata=self._metadata(), id=identity)
        except InvalidQueryError as error:
            at = "'messages'" if text is None else repr(field)
            raise self._fail(f"its {at} cannot be used: {error.problem}") from error

    def _tags(self) -> frozenset[str]:
        tags = self.data.get("tags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise self._fail("its 'tags' are no list of strings")
        return frozenset(tags)

    def _metadata(self) -> dict[str, str]:
        metadata = self.data.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise self._fail(f"its 'metadata' is {kind_of(metadata)}, not an object")
        try:
            return {
                key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()
            }
        except (TypeError, ValueError) as error:
            raise self._fail(f"its 'metadata' cannot be written as JSON: {error}") from error

    def _outcomes(self) -> dict[str, Outcome]:
        field = self.fields.outcomes
        outcomes = None if field is None else self.data.get(field)
        if outcomes is None:
            return {}
        if not isinstance(outcomes, dict):
            raise self._fail(f"its {field!r} are {kind_of(outcomes)}, not an object of models")
        return {model: self._outcome(model, outcome) for model, outcome in outcomes.items()}

    def _outcome(self, model: str, data: object) -> Outcome:
        if not isinstance(data, dict):
            raise self._fail(f"the outcome of {model!r} is {kind_of(data)}, not an object")
        grade, score = data.get("grade"), data.get("score")
        if isinstance(score, bool) or not isinstance(score, (int, float, type(None))):
            raise self._fail(f"the score of {model!r} is {kind_of(score)}, not a number")
        for field in ("answer", "reason"):
            if not isinstance(data.get(field), (str, type(None))):
                raise self._fail(f"the {field} of {model!r} is {kind_of(data[field])}, not a string")
        try:
            return Outcome(
                model=model,
                # Read as text here, so that a grade of another type is refused by the parser.
                grade=None if grade is None else Grade.parse(cast("str", grade)),
                score=None if score is None else float(score),
                answer=data.get("answer"),
                usage=self._usage(model, data.get("usage")),
                reason=data.get("reason") or "",
            )
        except ConfigError as error:
            raise self._fail(f"the outcome of {model!r}: {error.problem} ({error.value})") from error
        except OverflowError as error:
            raise self._fail(f"the score of {model!r} lies outside [0, 1]") from error

    def _usage(self, model: str, data: object) -> Usage | None:
        try:
            return None if data is None else structure(data, Usage, where="usage")
        except ConfigError as error:
            problem = f"the outcome of {model!r}: {error.key} = {error.value}: {error.problem}"
            raise self._fail(problem) from error
