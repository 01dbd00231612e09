"""Where the files of a project lie, by the names that people expect."""

from __future__ import annotations

from pathlib import Path

import attrs

from routesdk.config import Config


@attrs.frozen(kw_only=True)
class Layout:
    """The files and folders of a project, relative to its folder.

    Attributes:
        name: What the benchmark's files are called.
        router: Folder of the trained router.
        results: Folder of what the evaluation found, and of the report.
    """

    name: str
    router: Path
    results: Path

    @classmethod
    def of(cls, config: Config) -> Layout:
        """Return the layout that a config describes: the benchmark's own name where it gives none."""
        return cls(
            name=config.project.name or config.oracle.benchmark.name,
            router=config.train.output,
            results=config.evaluate.output,
        )

    @property
    def benchmark(self) -> Path:
        """All questions, as downloaded or read."""
        return Path("data", "benchmarks", f"{self.name}.jsonl")

    @property
    def train(self) -> Path:
        """The questions to learn from."""
        return Path("data", "splits", f"{self.name}_train.jsonl")

    @property
    def test(self) -> Path:
        """The questions to be judged on."""
        return Path("data", "splits", f"{self.name}_test.jsonl")

    @property
    def oracle(self) -> Path:
        """Train questions with answers, verdicts and policies."""
        return Path("data", "generated", "oracle_dataset.jsonl")

    @property
    def test_journal(self) -> Path:
        """The journal of the calls that answer and grade test questions."""
        return Path("data", "generated", "test_outcomes.sqlite")

    @property
    def test_outcomes(self) -> Path:
        """The test questions with outcomes that the router is judged on."""
        return Path("data", "generated", "test_outcomes.jsonl")

    @property
    def prepared(self) -> Path:
        """Folder of SFT rows and DPO pairs."""
        return Path("data", "training")

    @property
    def sft_router(self) -> Path:
        """The router after SFT, where DPO follows."""
        return self.router.with_name("router_sft")

    @property
    def state(self) -> Path:
        """Folder of what the runs remember, and of what is not whole yet."""
        return Path(".routesdk")


RESULTS = ("router_results.jsonl", "router_metrics.json", "comparison.json")
"""What the evaluation writes."""

REPORTS = ("report.html", "report.md")
"""What the report consists of."""

PREPARED = (
    "sft_train.jsonl",
    "sft_validation.jsonl",
    "dpo_train.jsonl",
    "dpo_validation.jsonl",
    "statistics.json",
)
"""What the preparation writes."""
