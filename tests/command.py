"""Runs commands in this process, as their entry point does."""

from __future__ import annotations

import io
import json
import sys

import attrs
import pytest

from routesdk.cli import main


@attrs.frozen
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def refused(self) -> str:
        """Check that the last line is an error that left as one sentence, and return it."""
        assert self.code == 2
        assert "Traceback" not in self.err
        last = self.err.splitlines()[-1]
        assert last.startswith("error: ")
        return last


@attrs.frozen
class Command:
    """A command with the arguments that every call has."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    before: tuple[object, ...] = ()
    after: tuple[object, ...] = ()

    def __call__(self, *arguments: object, stdin: bytes = b"") -> Result:
        argv = ["routesdk", *map(str, (*self.before, *arguments, *self.after))]
        self.monkeypatch.setattr(sys, "argv", argv)
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        self.monkeypatch.setenv("COLUMNS", "160")
        with pytest.raises(SystemExit) as left:
            main()
        said = self.capsys.readouterr()
        return Result(int(left.value.code or 0), said.out, said.err)
