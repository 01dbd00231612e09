"""Rows and scores on which our metrics are compared with those of RouteLLM's own evaluation."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"


def recorded(folder: Path) -> tuple[list[dict[str, object]], np.ndarray, np.ndarray]:
    """Return RouteLLM's rows of MMLU, and whether each model was right, (rows,) each."""
    with gzip.open(folder / "routellm_mmlu.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    weak, strong = (
        np.array([row["outcomes"][model]["grade"] == "CORRECT" for row in rows], dtype=float)
        for model in (WEAK, STRONG)
    )
    return rows, weak, strong


def scores_of(rows: Sequence[Mapping[str, object]], gain: np.ndarray) -> Mapping[str, np.ndarray]:
    """Rank rows by length, by nothing, by more and less of the truth, and against it; without ties."""
    digests = [hashlib.sha256(str(row["id"]).encode()).hexdigest()[:12] for row in rows]
    drawn = np.array([int(digest, 16) / 16**12 for digest in digests])
    length = np.array([float(len(str(row["query"]))) for row in rows])
    return {
        "length": length + drawn,
        "hash": drawn,
        "leaning": drawn + 0.3 * gain,
        "helpful": drawn + gain,
        "against": drawn - 0.4 * gain,
    }


def made_up() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 500 rows by arithmetic: scores without ties, and both models' grades."""
    row = np.arange(500)
    weak = ((row * 31) % 10 < 5).astype(float)
    strong = ((row * 17 + row // 7) % 10 < 7).astype(float)
    return ((row * 7919) % 1009) / 1009 + 0.25 * (strong - weak), weak, strong
