"""What runs a sentence encoder, torch or onnxruntime: the same interface for both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from routesdk.plugins.encoder.reader import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Engine(Protocol):
    """A sentence encoder in memory. Safe to share between threads."""

    @property
    def kind(self) -> str:
        """`torch` or `onnx`."""
        ...

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens that are read of a text."""
        ...

    @property
    def reader(self) -> Reader:
        """Cuts queries to what is read."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, (texts, width); a text's own do not depend on the others."""
        ...

    def save(self, folder: Path) -> None:
        """Write the encoder into an existing, empty folder."""
        ...
