"""Refuses ONNX graphs that would have onnxruntime read other files than themselves.

Arrays of a graph may lie in files of their own, at a place that the graph names. Given a
graph's bytes, onnxruntime looks for them from the working directory on: whoever made the
graph would choose what is read. So the protocol buffer is walked before a session is made.

Source: onnx.proto of ONNX (Apache-2.0) for the numbers of the fields, and the encoding of
protocol buffers for how they lie in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from routesdk.plugins.encoder.pooling import UnsuitableError

_TENSOR = "TensorProto"
_INNER: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: _TENSOR, 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: _TENSOR,
        6: "GraphProto",
        10: _TENSOR,
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {},
}
"""Messages that lie within messages, by the number of their field, as far as a tensor may be in them."""

_ORT_FORMAT = b"ORTM"
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


def refuse_other_files(graph: bytes) -> None:
    """Check that all arrays of a graph lie in it.

    Raises:
        UnsuitableError: One lies in another file, or this is no ONNX graph.
    """
    if graph[4:8] == _ORT_FORMAT:
        raise UnsuitableError("its graph is not in ONNX, but in onnxruntime's own format")
    waiting = [("ModelProto", memoryview(graph))]
    while waiting:
        kind, message = waiting.pop()
        inner = _INNER[kind]
        for field, value in _fields(message):
            if kind == _TENSOR and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
                raise UnsuitableError("its graph has arrays in other files: save it as one file")
            if field in inner:
                if isinstance(value, int):
                    raise UnsuitableError("its graph cannot be read")
                waiting.append((inner[field], value))


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number of each field with its bytes, or with its number for a plain one."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if not 8 <= tag < 1 << 32:
            # Readers differ in what they make of it.
            raise UnsuitableError("its graph cannot be read")
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in _WIDTHS:
            size = _WIDTHS[kind]
        else:
            raise UnsuitableError("its graph cannot be read")
        if at + size > len(message):
            raise UnsuitableError("its graph is cut off")
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; return it and where the next one begins."""
    value = 0
    # Ten bytes hold 64 bits; more are no number.
    for place, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise UnsuitableError("its graph cannot be read")
