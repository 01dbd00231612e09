"""What a trained `encoder` consists of, and its files: heads, the vector's weights, the encoder itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from routesdk.errors import CheckpointError, MissingExtraError
from routesdk.heads.files import FIX, read_table, write_heads
from routesdk.host import attempt
from routesdk.plugins.encoder.engine import Engine
from routesdk.plugins.encoder.onnx_engine import GRAPH, TOKENIZER, OnnxEngine
from routesdk.plugins.encoder.pooling import Pooling
from routesdk.plugins.encoder.source import fetch_source, open_torch
from routesdk.words.heads import Heads

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
WORDS, STEM, FOLDER = "words", "encoder", "encoder"
"""Names of the files of heads on words, of the vectors' weights, and of the encoder's folder."""

_HUB_ID, _COMMIT = r"|\w[\w.-]*(/\w[\w.-]*)?", r"|[0-9a-f]{40}"


@attrs.frozen(kw_only=True)
class EncoderTable:
    """What the checkpoint says of its encoder.

    Attributes:
        format: Version of this form.
        engine: What runs it, `torch` or `onnx`.
        max_tokens: Tokens that are read of a query.
        penalty: Ridge penalty that the vectors' weights were fitted with.
        hub_id: Hub id, `owner/name` or `name`, where the checkpoint does not hold the encoder.
        commit: Its commit, 40 hexadecimal digits.
        pooling: How one vector is made of the tokens', for an encoder in ONNX.
        files: Files of the encoder, with their sizes in bytes.
    """

    format: int = FORMAT
    engine: str = attrs.field(validator=attrs.validators.in_(("torch", "onnx")))
    max_tokens: int
    penalty: float
    hub_id: str = attrs.field(default="", validator=attrs.validators.matches_re(_HUB_ID))
    commit: str = attrs.field(default="", validator=attrs.validators.matches_re(_COMMIT))
    pooling: Pooling | None = None
    files: Mapping[str, int] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if bool(self.hub_id) != bool(self.commit):
            raise ValueError("an encoder of the Hub has an id and a commit")


@attrs.frozen(kw_only=True, eq=False)
class Trained:
    """A trained encoder in memory.

    Attributes:
        table: What is said of the encoder.
        heads: Heads on words; their biases and reference rows are those of the sum.
        vectors: (columns, width) weights of the encoder's vector.
        engine: The encoder.
    """

    table: EncoderTable
    heads: Heads
    vectors: NDArray[np.float32]
    engine: Engine

    def save(self, folder: Path) -> None:
        """Write everything into an existing folder."""
        self.heads.save(folder, WORDS)
        files: dict[str, int] = {}
        if not self.table.hub_id:
            place = folder / FOLDER
            place.mkdir()
            self.engine.save(place)
            files = _sizes(place)
        table = attrs.evolve(self.table, files=files)
        arrays = {"vectors": self.vectors}
        write_heads(table, folder / f"{STEM}.json", arrays, folder / f"{STEM}.safetensors")

    @classmethod
    def load(cls, folder: Path, device: str) -> Trained:
        """Read what `save` wrote.

        Raises:
            CheckpointError: A file is missing, truncated, or not of this kind.
            MissingExtraError: A package that the encoder needs is missing.
        """
        what = "the encoder of a policy model"
        table = read_table(folder / f"{STEM}.json", EncoderTable, newest=FORMAT, what=what)
        heads = Heads.load(folder, WORDS)
        vectors = _read_vectors(folder / f"{STEM}.safetensors", len(heads.bias))
        _check_files(folder / FOLDER, table)
        engine, error = attempt(_open, folder / FOLDER, table, device)
        if engine is None:
            if isinstance(error, MissingExtraError):
                raise error
            raise CheckpointError(str(folder / FOLDER), f"cannot be loaded ({error})", FIX) from error
        if vectors.shape[1] != engine.width:
            problem = f"fits vectors of {vectors.shape[1]} numbers, and the encoder makes {engine.width}"
            raise CheckpointError(str(folder / f"{STEM}.safetensors"), problem, FIX)
        return cls(table=table, heads=heads, vectors=vectors, engine=engine)


def _open(folder: Path, table: EncoderTable, device: str) -> Engine:
    if table.engine == "torch":
        place = fetch_source(table.hub_id, table.commit).folder if table.hub_id else folder
        return open_torch(place, device, table.max_tokens)
    if table.pooling is None:
        raise ValueError("its table does not say how to pool")
    from routesdk.plugins.encoder import INSTALL

    graph, tokenizer = (folder / GRAPH).read_bytes(), (folder / TOKENIZER).read_bytes()
    try:
        return OnnxEngine(graph, tokenizer, table.pooling, table.max_tokens)
    except ImportError as error:
        raise MissingExtraError("encoder", INSTALL, str(error)) from error


def _read_vectors(file: Path, columns: int) -> NDArray[np.float32]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        vectors: NDArray[np.float32] | None = load_file(file).get("vectors")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(str(file), f"cannot be read ({error})", FIX) from error
    if vectors is None or vectors.dtype != np.float32 or vectors.ndim != 2 or len(vectors) != columns:
        raise CheckpointError(str(file), "holds no vectors that fit its heads", FIX)
    if not np.isfinite(vectors).all():
        raise CheckpointError(str(file), "holds vectors that are not finite", FIX)
    return vectors


def _sizes(folder: Path) -> dict[str, int]:
    found = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.stat().st_size for file in found}


def _check_files(folder: Path, table: EncoderTable) -> None:
    """Refuse a file that is missing, cut off, or not the encoder's own: libraries take what they find."""
    found = _sizes(folder) if folder.is_dir() else {}
    for name, size in table.files.items():
        if name not in found:
            raise CheckpointError(str(folder / name), "is missing", FIX)
        if found[name] != size:
            raise CheckpointError(
                str(folder / name), f"has {found[name]} bytes where {size} were written", FIX
            )
    for name in found:
        if name not in table.files:
            raise CheckpointError(str(folder / name), "is not among the encoder's files", "Remove it.")
    if not table.files and not table.hub_id:
        raise CheckpointError(str(folder), "holds no encoder, and none is named", FIX)
