"""Answers from a file: what a model once said to the same question."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import AsyncIterator

from routesdk.errors import BackendError
from routesdk.plugins.recorded.index import Recorded, key_of, read_recorded
from routesdk.types import Answer, Chunk, Request, Usage

# A word with the blanks after it, or blanks alone: the pieces joined are the text again.
_PIECE = re.compile(r"\S+\s*|\s+")


class RecordedBackend:
    """Answer with what a file has recorded; the file is held in memory.

    Instructions, temperature and limits of a request are passed over: they
    cannot change what was once said.

    Args:
        path: The file.
        query_field: Field of the question.

    Raises:
        ConfigError: The file cannot be read.
        DatasetError: A row cannot be used; file and line are named.
    """

    def __init__(self, path: str | os.PathLike[str], *, query_field: str = "query") -> None:
        self._source = os.fspath(path)
        self._models: set[str] = set()
        self._queries: set[str] = set()
        self._answers: dict[tuple[str, str], Answer] = {}
        self._disputed: set[tuple[str, str]] = set()
        for recorded in read_recorded(path, query_field):
            self._add(key_of(recorded.example.query), recorded)

    async def generate(self, request: Request) -> Answer:
        """Return what the model once answered.

        Tokens and cost are as recorded, and None where they were not.

        Raises:
            BackendError: The file has no such question or model, did not keep
                the answer, or has several answers that differ.
        """
        key = (key_of(request.query), request.model)
        if key in self._disputed or key not in self._answers:
            raise self._missing(request, key)
        return self._answers[key]

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        """Yield what the model once answered, word by word; the last chunk has the usage.

        Raises:
            BackendError: As for `generate`.
        """
        answer = await self.generate(request)
        for piece in _PIECE.findall(answer.text):
            yield Chunk(text=piece)
        yield Chunk(usage=answer.usage, finish_reason=answer.finish_reason)

    def _add(self, query: str, recorded: Recorded) -> None:
        outcome = recorded.outcome
        model, text = outcome.model, outcome.answer
        self._models.add(model)
        self._queries.add(query)
        if text is None:
            return
        answer = Answer(text=text, model=model, usage=outcome.usage or Usage())
        if self._answers.setdefault((query, model), answer).text != text:
            self._disputed.add((query, model))

    def _missing(self, request: Request, key: tuple[str, str]) -> BackendError:
        (query, model), shown = key, ascii(request.query.text[:60])
        if model not in self._models:
            known = sorted(self._models)
            near = difflib.get_close_matches(model, known, n=1) or known
            problem = f"{self._source} has no model {model!r}; it has {', '.join(near)}"
        elif query not in self._queries:
            problem = f"no row of {self._source} asks {shown}"
        elif key in self._disputed:
            problem = f"{self._source} has several answers of {model!r} to {shown}, which differ"
        else:
            problem = f"{self._source} has kept no answer of {model!r} to {shown}"
        # Asking a file again gives the same: never retryable.
        return BackendError("recorded", problem)
