"""The weights of a trained `linear`, one head a model and one a tier, in eight bits; and their files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from routesdk.errors import CheckpointError, ConfigError
from routesdk.plugins.linear.features import SHAPES
from routesdk.structure import structure, unstructure

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS_FILE = "linear.safetensors"
HEADS_FILE = "linear.json"
FORMAT = 1

LINK = 14
"""Numbers that calibrate a pair of heads."""

_ARRAYS = ("buckets", "steps", "shapes", "bias", "rarity", "reference", "pairs", "links")
_FIX = "Load another checkpoint, or train this one again."


@attrs.frozen(kw_only=True)
class Output:
    """One logit of a head, and how it is calibrated where it stands by itself.

    Attributes:
        column: Column of the weights; None where the logit is the same for all queries.
        constant: That logit, where it is.
        scale: Factor that makes the logit calibrated.
        offset: Added to it.
        loading: What one unit of hidden difficulty adds.
    """

    column: int | None
    constant: float = 0.0
    scale: float
    offset: float
    loading: float


@attrs.frozen(kw_only=True)
class Head:
    """What is known of one model, or of a tier in general.

    Attributes:
        name: The model, or the tier.
        correct: The logit of a correct answer.
        abstained: The logit of abstaining, where the answer is not correct.
    """

    name: str
    correct: Output
    abstained: Output


@attrs.frozen(kw_only=True)
class HeadTable:
    """Everything about the heads that is no array.

    Attributes:
        format: Version of this form.
        bits: Buckets are 2 ** bits.
        models: Heads of the models that were learned.
        tiers: Generic heads, cheapest first; empty where no data set named its tiers.
    """

    format: int = FORMAT
    bits: int
    models: tuple[Head, ...]
    tiers: tuple[Head, ...]

    @property
    def heads(self) -> tuple[Head, ...]:
        """All heads: the models', then the tiers'."""
        return (*self.models, *self.tiers)


@attrs.frozen(eq=False)
class PairLink:
    """How two heads are calibrated with each other.

    Attributes:
        correct: Weight of each head's logit of correct in each one's, (2, 2).
        abstained: Factors of the logits of abstaining, (2,).
        offset: Added to the logits, (2, 2): correct, abstained.
        loading: What one unit of hidden difficulty adds, (2, 2).
    """

    correct: NDArray[np.floating]
    abstained: NDArray[np.floating]
    offset: NDArray[np.floating]
    loading: NDArray[np.floating]

    @classmethod
    def read(cls, link: NDArray[np.float32]) -> PairLink:
        """Read a row of `Heads.links`."""
        shaped = link.astype(np.float64)
        return cls(
            shaped[:4].reshape(2, 2), shaped[4:6], shaped[6:10].reshape(2, 2), shaped[10:].reshape(2, 2)
        )

    def turned(self) -> PairLink:
        """Return the same for the two heads in the other order."""
        return PairLink(
            self.correct[::-1, ::-1], self.abstained[::-1], self.offset[:, ::-1], self.loading[:, ::-1]
        )


@attrs.frozen(kw_only=True, eq=False)
class Heads:
    """All heads with their weights.

    Attributes:
        table: What is no array.
        buckets: (columns, 2 ** bits) weights of hashed words and pairs, int8.
        steps: (columns,) what one unit of `buckets` is worth.
        shapes: (columns, `SHAPES`) weights of a text's shape.
        bias: (columns,) intercepts.
        rarity: (2 ** bits,) inverse document frequency of each bucket.
        reference: (rows, columns) logits of rows that the heads did not learn from.
        pairs: (pairs, 2) numbers of two heads that were calibrated with each other.
        links: (pairs, `LINK`) how: see `PairLink`.
    """

    table: HeadTable
    buckets: NDArray[np.int8]
    steps: NDArray[np.float32]
    shapes: NDArray[np.float32]
    bias: NDArray[np.float32]
    rarity: NDArray[np.float16]
    reference: NDArray[np.float16]
    pairs: NDArray[np.int16]
    links: NDArray[np.float32]

    def model(self, name: str) -> Head | None:
        """Return the head of a model; None where it was never learned."""
        return next((head for head in self.table.models if head.name == name), None)

    def pair(self, one: Head, other: Head) -> PairLink | None:
        """Return how two heads were calibrated with each other; None where they were not."""
        heads = self.table.heads
        wanted = heads.index(one), heads.index(other)
        for (first, second), link in zip(self.pairs.tolist(), self.links, strict=True):
            if wanted == (first, second):
                return PairLink.read(link)
            if wanted == (second, first):
                return PairLink.read(link).turned()
        return None

    def blend(self, place: float) -> tuple[tuple[Head, float], ...]:
        """Return the generic heads around a place on the price ladder, with their shares.

        Args:
            place: From 0, the cheapest tier, to 1, the dearest.

        Raises:
            ConfigError: There are no generic heads.
        """
        tiers = self.table.tiers
        if not tiers:
            known = ", ".join(head.name for head in self.table.models)
            raise ConfigError(
                "tiers", "a model that was never learned", "no generic head was trained", f"Learned: {known}."
            )
        at = place * (len(tiers) - 1)
        low = min(int(at), len(tiers) - 1)
        high = min(low + 1, len(tiers) - 1)
        share = at - low
        if share == 0.0:
            return ((tiers[low], 1.0),)
        return ((tiers[low], 1.0 - share), (tiers[high], share))

    def save(self, folder: Path) -> None:
        """Write two files into a folder."""
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        # Written by hand: the library's own writer makes files that only their owner can read.
        (folder / WEIGHTS_FILE).write_bytes(save(arrays))
        text = json.dumps(unstructure(self.table), indent=1, sort_keys=True, allow_nan=False)
        (folder / HEADS_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Heads:
        """Read what `save` wrote.

        Raises:
            CheckpointError: A file is missing, truncated, or not of this kind.
        """
        table = _read_table(folder / HEADS_FILE)
        file = folder / WEIGHTS_FILE
        try:
            arrays = load_file(file)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(str(file), f"cannot be read ({error})", _FIX) from error
        _check_arrays(file, arrays, table)
        return cls(
            table=table,
            buckets=arrays["buckets"],
            steps=arrays["steps"],
            shapes=arrays["shapes"],
            bias=arrays["bias"],
            rarity=arrays["rarity"],
            reference=arrays["reference"],
            pairs=arrays["pairs"],
            links=arrays["links"],
        )


def quantised(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round weights, (columns, buckets), to eight bits a column, and say what one unit is worth."""
    steps = np.maximum(np.abs(weights).max(axis=1), 1e-12) / 127.0
    return np.rint(weights / steps[:, None]).astype(np.int8), steps.astype(np.float32)


def _read_table(file: Path) -> HeadTable:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(str(file), f"cannot be read ({error.strerror})", _FIX) from error
    except ValueError as error:
        raise CheckpointError(str(file), f"is no JSON, or was cut off ({error})", _FIX) from error
    version = data.get("format") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise CheckpointError(str(file), "does not describe the heads of a linear policy model", _FIX)
    if version > FORMAT:
        raise CheckpointError(
            str(file),
            f"has format {version}; this routesdk reads {FORMAT}",
            "Upgrade: pip install -U routesdk",
        )
    try:
        return structure(data, HeadTable, source=str(file))
    except ConfigError as error:
        raise CheckpointError(str(file), str(error), _FIX) from error


def _check_arrays(file: Path, arrays: Mapping[str, NDArray[np.generic]], table: HeadTable) -> None:
    outputs = [each for head in table.heads for each in (head.correct, head.abstained)]
    used = [output.column for output in outputs]
    columns = 1 + max((column for column in used if column is not None), default=-1)
    buckets = 1 << table.bits
    wanted: dict[str, tuple[Sequence[int | None], type]] = {
        "buckets": ((columns, buckets), np.int8),
        "steps": ((columns,), np.float32),
        "shapes": ((columns, SHAPES), np.float32),
        "bias": ((columns,), np.float32),
        "rarity": ((buckets,), np.float16),
        "reference": ((None, columns), np.float16),
        "pairs": ((None, 2), np.int16),
        "links": ((None, LINK), np.float32),
    }
    for name, (shape, kind) in wanted.items():
        array = arrays.get(name)
        if array is None:
            raise CheckpointError(str(file), f"has no {name}", _FIX)
        fits = len(shape) == array.ndim and all(
            want in (None, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != kind:
            found = f"{array.dtype} of shape {array.shape}"
            raise CheckpointError(str(file), f"holds {found} as {name}, which does not fit its heads", _FIX)
        if issubclass(kind, np.floating) and not np.isfinite(cast("NDArray[np.floating]", array)).all():
            raise CheckpointError(str(file), f"holds {name} that are not finite", _FIX)
    pairs = cast("NDArray[np.int16]", arrays["pairs"])
    if len(pairs) != len(arrays["links"]) or not ((pairs >= 0) & (pairs < len(table.heads))).all():
        raise CheckpointError(str(file), "holds pairs that do not fit its heads", _FIX)
