"""Prepared rows as files that other training scripts read, too: JSONL in the form that TRL takes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from routesdk.dataset import replacing
from routesdk.errors import ConfigError
from routesdk.pipeline.prepare.preparation import Preparation
from routesdk.pipeline.prepare.prompt import PROMPT_VERSION, ask, turns
from routesdk.pipeline.prepare.rows import Taught

_WHOLE = 1 << 62


@attrs.frozen(kw_only=True)
class Stored:
    """The files that were written.

    Attributes:
        sft_train: Rows with `prompt` and `completion`.
        sft_validation: The same, held out.
        dpo_train: Rows with `prompt`, `chosen` and `rejected`.
        dpo_validation: The same, held out.
        statistics: What there is how often.
    """

    sft_train: Path
    sft_validation: Path
    dpo_train: Path
    dpo_validation: Path
    statistics: Path


def write_preparation(prepared: Preparation, folder: str | os.PathLike[str]) -> Stored:
    """Write SFT rows, DPO pairs and statistics.

    Each row carries `oracle_id`, the row of the oracle that it comes from. Queries
    stand there whole: what is too long for a model is cut when it is tokenised.

    Raises:
        ConfigError: A file cannot be written.
    """
    place = Path(folder)
    stored = Stored(
        sft_train=place / "sft_train.jsonl",
        sft_validation=place / "sft_validation.jsonl",
        dpo_train=place / "dpo_train.jsonl",
        dpo_validation=place / "dpo_validation.jsonl",
        statistics=place / "statistics.json",
    )
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file, rows in (
            (stored.sft_train, prepared.sft),
            (stored.sft_validation, prepared.sft_validation),
        ):
            _write(
                file,
                (
                    _row(prepared, row.taught, index) | {"completion": _reply(row.completion)}
                    for index, row in enumerate(rows)
                ),
            )
        for file, pairs in (
            (stored.dpo_train, prepared.dpo),
            (stored.dpo_validation, prepared.dpo_validation),
        ):
            _write(
                file,
                (
                    _row(prepared, pair.taught, index)
                    | {
                        "chosen": _reply(pair.chosen),
                        "rejected": _reply(pair.rejected),
                        "rejected_policy": pair.rejected_policy,
                    }
                    for index, pair in enumerate(pairs)
                ),
            )
        about = {"prompt_version": PROMPT_VERSION, **prepared.statistics()}
        with replacing(stored.statistics) as text:
            text.write(json.dumps(about, indent=1).encode("ascii") + b"\n")
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise ConfigError("output", str(place), problem, "Choose another folder, or make room.") from error
    return stored


def _row(prepared: Preparation, taught: Taught, index: int) -> dict[str, object]:
    asked = ask(taught.query, _WHOLE, len)
    prompt = turns(asked.text, prepared.policies, prepared.order)
    return {
        "id": f"{taught.id}#{index}",
        "oracle_id": taught.id,
        "policy": taught.policy,
        "prompt": [{"role": turn.role, "content": turn.content} for turn in prompt],
    }


def _reply(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _write(file: Path, rows: Iterable[Mapping[str, object]]) -> None:
    with replacing(file) as lines:
        for row in rows:
            # ASCII alone: lone surrogates have no UTF-8.
            lines.write(json.dumps(row, allow_nan=False).encode("ascii") + b"\n")
