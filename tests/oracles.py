"""Oracle runs for tests: questions, a scripted backend, configs, and what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import attrs

from routesdk import Component, PluginHost, Query, hookimpl
from routesdk.config import Config, OracleConfig, PriceConfig, TierConfig
from routesdk.dataset import write_examples
from routesdk.journal import JournalView
from routesdk.pipeline.oracle import Progress, generate
from routesdk.protocols import Backend, Benchmark, Judge
from routesdk.testing import FakeJudge, make_examples, make_host
from routesdk.types import Answer, Chunk, Example, PartConfig, Request, Usage

MEDIUM, LARGE = "medium-model", "large-model"
TIERS = (TierConfig(name="medium", model=MEDIUM), TierConfig(name="large", model=LARGE))
PRICES = {
    MEDIUM: PriceConfig(input_usd_per_mtok=1, output_usd_per_mtok=4),
    LARGE: PriceConfig(input_usd_per_mtok=10, output_usd_per_mtok=40),
}
WORDS = ("river", "castle", "comet", "poet", "bridge", "opera", "island", "engine", "painter", "treaty")


def question(number: int) -> str:
    """Return a question that is no near duplicate of another."""
    digest = hashlib.blake2b(str(number).encode(), digest_size=4).hexdigest()
    first, second = WORDS[number % 10], WORDS[number // 10 % 10]
    return f"Which {first} of {digest} came before the {second} in the year {1000 + number}?"


def examples(count: int) -> list[Example]:
    return [
        Example(id=f"q{number}", query=Query(question(number)), reference=f"thing {number}", topic="things")
        for number in range(count)
    ]


@attrs.frozen
class Questions:
    """A benchmark of so many questions."""

    rows: tuple[Example, ...]

    @classmethod
    def of(cls, count: int) -> Questions:
        return cls(tuple(examples(count)))

    def examples(self) -> Iterator[Example]:
        return iter(self.rows)


def answer_to(request: Request) -> str:
    """Answer rightly, wrongly, or not at all, as question and model have it."""
    number = request.query.text.rstrip("?").rsplit(" ", 1)[1]
    draw = hashlib.blake2b(f"{request.model}{request.query.text}".encode(), digest_size=2).digest()[0]
    if draw % 4 == 0:
        return "I don't know."
    return f"thing {int(number) - 1000}" if draw % 2 else "another thing"


@attrs.define
class Oracle:
    """A backend that answers by a function, costs tokens, and remembers how it was asked."""

    reply: Callable[[Request], str | Answer | Exception] = answer_to
    latency_s: float = 0.0
    free: bool = False
    asked: list[Request] = attrs.field(factory=list)
    under_way: int = 0
    most_under_way: int = 0

    async def generate(self, request: Request) -> Answer:
        self.asked.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.latency_s)
            said = self.reply(request)
        finally:
            self.under_way -= 1
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Answer):
            return said
        usage = Usage(input_tokens=len(request.query.text.split()), output_tokens=len(said.split()))
        return Answer(text=said, model=request.model, usage=usage)

    async def stream(self, request: Request) -> AsyncIterator[Chunk]:
        answer = await self.generate(request)
        yield Chunk(text=answer.text)
        yield Chunk(usage=answer.usage, finish_reason=answer.finish_reason)

    def counts(self) -> Counter[tuple[str, str]]:
        """Count how often each model was asked each question."""
        return Counter((request.model, request.query.text) for request in self.asked)


class OraclePlugin:
    """Offers the benchmark `questions`, the backend `scripted` and the judge `comparing`, by name."""

    @hookimpl
    def routesdk_benchmarks(self) -> Iterable[Component[Benchmark]]:
        yield Component(name="questions", factory=_questions, config=QuestionsConfig)

    @hookimpl
    def routesdk_backends(self) -> Iterable[Component[Backend]]:
        yield Component(name="scripted", factory=_scripted)

    @hookimpl
    def routesdk_judges(self) -> Iterable[Component[Judge]]:
        yield Component(name="comparing", factory=FakeJudge)


@attrs.frozen(kw_only=True)
class QuestionsConfig:
    count: int = 40


def _scripted() -> Backend:
    return Oracle()


def _questions(config: QuestionsConfig) -> Benchmark:
    return Questions.of(config.count)


def host() -> PluginHost:
    return make_host(OraclePlugin())


def config(folder: Path, *, count: int = 40, prices: bool = True, **changes: object) -> Config:
    """Describe a run over so many questions, in a folder."""
    described: dict[str, object] = {
        "benchmark": PartConfig("questions", {"count": count}),
        "backend": PartConfig("scripted"),
        "judge": PartConfig("comparing"),
        "tiers": TIERS,
        "journal": folder / "oracle.sqlite",
        "concurrency": 8,
        **changes,
    }
    return Config(oracle=OracleConfig(**described), prices=PRICES if prices else {})  # type: ignore[arg-type]


def write_recorded(file: Path, count: int = 60) -> Path:
    """Write recorded answers and verdicts of both models, which every process and machine can read."""
    rows = []
    for number, each in enumerate(make_examples(count)):
        outcomes = {
            tier.model: attrs.evolve(outcome, model=tier.model, answer=f"{tier.model} says {number}")
            for tier, outcome in zip(TIERS, each.outcomes.values(), strict=False)
        }
        rows.append(attrs.evolve(each, reference=f"reference {number}", outcomes=outcomes))
    write_examples(file, rows)
    return file


def recorded_config(recorded: Path, journal: Path, **changes: object) -> Config:
    """Describe a run over recorded answers, by parts that every process can build."""
    part = PartConfig("recorded", {"path": str(recorded)})
    described: dict[str, object] = {
        "benchmark": part,
        "backend": part,
        "judge": part,
        "tiers": TIERS,
        "journal": journal,
        **changes,
    }
    return Config(oracle=OracleConfig(**described))  # type: ignore[arg-type]


def findings(journal: Path) -> list[object]:
    """Return what a journal found out, row by row, without times, costs and counts of calls."""
    with JournalView.open(journal) as view:
        return [
            [
                work.row.example.id,
                [[each.model, each.grade and each.grade.value, each.reason] for each in work.outcomes],
                [None if answer is None else answer.text for answer in work.answers],
                work.analysis,
                work.problem,
            ]
            for work in view.work()
        ]


def exported(file: Path) -> list[dict[str, object]]:
    """Read an export, without what two runs may differ in: how long calls took."""
    rows = []
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        for outcome in row["outcomes"].values():
            outcome.get("usage", {}).pop("latency_s", None)
        rows.append(row)
    return rows


def run(folder: Path, oracle: Oracle | None = None, **changes: object) -> Progress:
    """Run to the end with a scripted backend."""
    extra = {
        key: changes.pop(key)
        for key in ("rows", "retry_unscored", "judge", "analyst", "listen", "benchmark", "halt")
        if key in changes and not isinstance(changes[key], PartConfig)
    }
    backends = {"scripted": oracle or Oracle()}
    return generate(config(folder, **changes), host=host(), backends=backends, **extra)  # type: ignore[arg-type]


def grades(folder: Path) -> dict[str, list[str | None]]:
    with JournalView.open(folder / "oracle.sqlite") as view:
        return {
            work.row.example.id: [each.grade and each.grade.value for each in work.outcomes]
            for work in view.work()
        }
