"""Runs a sentence encoder from an ONNX graph, on the CPU and without torch.

An ONNX file is a graph of operators in a protocol buffer: it holds no code, and operators
from elsewhere run only where a program registers their library, which is never done here.
It may name other files as the places of its arrays; one that does is refused.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from routesdk.plugins.encoder.graph import refuse_other_files
from routesdk.plugins.encoder.pooling import Pooling, UnsuitableError
from routesdk.plugins.encoder.reader import Reader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"

_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class OnnxEngine:
    """A sentence encoder in onnxruntime.

    Texts are encoded one by one: a graph that is quantised as it runs takes its steps from
    all numbers of a batch, so that a text's vector would depend on its neighbours; and on
    one core, batches are hardly faster.

    Args:
        graph: The ONNX file.
        tokenizer: The file tokenizer.json.
        pooling: How one vector is made of the tokens'.
        max_tokens: Tokens that are read of a text.

    Raises:
        UnsuitableError: The graph takes or gives something else than a text encoder's, or has
            arrays in other files.
    """

    kind = "onnx"

    def __init__(self, graph: bytes, tokenizer: bytes, pooling: Pooling, max_tokens: int) -> None:
        refuse_other_files(graph)
        self._graph, self._tokenizer = graph, tokenizer
        self.pooling = pooling
        self.max_tokens = max_tokens
        self.reader = Reader(Tokenizer.from_str(tokenizer.decode("utf-8")), max_tokens, pooling.prompt)
        self._tokens = Tokenizer.from_str(tokenizer.decode("utf-8"))
        self._tokens.no_padding()
        self._tokens.enable_truncation(max_tokens)
        self._session = _session(graph)
        self._inputs = [each.name for each in self._session.get_inputs()]
        strange = sorted(set(self._inputs) - _INPUTS)
        if strange:
            raise UnsuitableError(f"its graph asks for {', '.join(strange)}")
        self.width = int(self.embed(["probe"]).shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, (texts, width)."""
        if not texts:
            return np.zeros((0, self.width), dtype=np.float32)
        return np.stack([self._one(text) for text in texts])

    def save(self, folder: Path) -> None:
        """Write graph and tokenizer."""
        (folder / GRAPH).write_bytes(self._graph)
        (folder / TOKENIZER).write_bytes(self._tokenizer)

    def _one(self, text: str) -> NDArray[np.float32]:
        said = self.pooling.prompt + text
        ids = self._tokens.encode(said.lower() if self.pooling.lower else said).ids or [0]
        row = np.array([ids], dtype=np.int64)
        given = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        found = self._session.run(None, {name: given[name] for name in self._inputs})
        tokens = np.asarray(found[0])
        if tokens.ndim != 3:
            raise UnsuitableError(f"its graph gives numbers of shape {tokens.shape}, not one row a token")
        vector: NDArray[np.float32] = tokens[0].mean(axis=0) if self.pooling.mode == "mean" else tokens[0, 0]
        if self.pooling.normalize:
            vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return vector.astype(np.float32)


def _session(graph: bytes) -> InferenceSession:
    # Its telemetry is on by default, and read once, when it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    threads = os.environ.get("OMP_NUM_THREADS", "")
    # onnxruntime does not look at the variable that numpy and torch obey.
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
