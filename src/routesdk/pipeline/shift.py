"""Learns the shift score from the texts that a router learned from, near duplicates kept together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from routesdk.dataset import read_examples
from routesdk.errors import ConfigError
from routesdk.pipeline.split import folds
from routesdk.shift import DEFAULT_FALSE_ALARM, ShiftScore, fit_shift
from routesdk.shift.score import least_rows
from routesdk.types import Dataset

_FOLDS = 5


def learn_shift(
    sources: Mapping[str, Sequence[str]],
    *,
    false_alarm: float = DEFAULT_FALSE_ALARM,
    seed: int = 0,
    groups: Mapping[str, npt.NDArray[np.int64]] | None = None,
) -> ShiftScore:
    """Learn what the training texts look like, set by set.

    Args:
        sources: Set → its texts. Sets of different forms are told apart, so that a text
            needs to be like one of them.
        false_alarm: The share of new texts of any of the sets that may be called unlike.
        seed: Seed of the folds.
        groups: Set → the group of near duplicates of each text, where they are known; else
            they are looked for.

    Raises:
        ConfigError: There is no set, or one has too few texts.
    """
    parts = {
        name: np.asarray(
            folds(texts, count=_FOLDS, seed=seed, groups=None if groups is None else groups[name]).codes
        )
        for name, texts in sources.items()
        if len(texts) >= _FOLDS
    }
    few = [name for name in sources if name not in parts]
    if few:
        problem = f"has {len(sources[few[0]])} rows: too few to be like"
        raise ConfigError("shift.sources", few[0], problem, f"Give {2 * least_rows(false_alarm)} or more.")
    return fit_shift(sources, parts, false_alarm=false_alarm, seed=seed)


def learn_shift_of(
    datasets: Iterable[Dataset], *, false_alarm: float = DEFAULT_FALSE_ALARM, seed: int = 0
) -> ShiftScore | None:
    """Learn what the rows of files look like, all together; None where they are too few to say.

    Args:
        datasets: The files of one training; their rows count as one set.
        false_alarm: The share of new texts that may be called unlike.
        seed: Seed of the folds.
    """
    texts = [example.query.text for part in datasets for example in read_examples(part.path)]
    if len(texts) < 2 * least_rows(false_alarm):
        return None
    return learn_shift({"train": texts}, false_alarm=false_alarm, seed=seed)
