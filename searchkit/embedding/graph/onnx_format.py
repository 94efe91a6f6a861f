"""The ONNX file format, as far as our graphs use it: messages of Protocol Buffers, written and read.

Writes byte by byte what the package onnx would, of which the command therefore has no need (31 MB). Field numbers are those
of onnx.proto. Knows no operators.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

_VARINT, _BYTES, _FIXED32, _FIXED64 = 0, 2, 5, 1  # wire types
_FIXED_BYTES = {_FIXED32: 4, _FIXED64: 8}
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_OUTPUT = 1, 5, 12
NODE_OUTPUT = 2
_EXTERNAL = 1  # a tensor's data_location
FLOAT, INT, STRING, GRAPH, INTS = 1, 2, 3, 5, 7  # types of attributes


class ElementType(IntEnum):
    """The type of a tensor's elements, by the name that NumPy has for it."""

    FLOAT32 = 1
    UINT8 = 2
    INT8 = 3
    INT32 = 6
    INT64 = 7
    BOOL = 9
    FLOAT16 = 10

    @classmethod
    def of(cls, kind: npt.DTypeLike) -> "ElementType":
        """Return the type of a NumPy dtype. Raises KeyError for one that our graphs have no tensors of."""
        return cls[np.dtype(kind).name.upper()]


@dataclass(frozen=True, slots=True)
class Graph:
    """An encoded graph, as a branch of a conditional or as what a model runs."""

    message: bytes


@dataclass(frozen=True, slots=True)
class ExternalData:
    """Where a tensor's elements are: so many bytes of a file next to the graph's, from an offset on."""

    location: str
    offset: int
    length: int


def encode_node(
    operator: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    domain: str | None = None,
    attributes: Mapping[str, Any] = {},
) -> bytes:
    """Encode a node. Attributes are integers, floats, texts, lists of integers, or graphs. No domain is ONNX's own, as "" is."""
    return b"".join(
        (
            *(_text(1, name) for name in inputs),
            *(_text(NODE_OUTPUT, name) for name in outputs),
            _text(4, operator),
            *(_message(5, _attribute(name, attributes[name])) for name in sorted(attributes)),
            b"" if domain is None else _text(7, domain),
        )
    )


def encode_tensor(name: str, shape: Sequence[int], kind: ElementType, content: bytes | ExternalData) -> bytes:
    """Encode a tensor, with its elements (little-endian) or with the place where they are."""
    head = b"".join((*(_integer(1, size) for size in shape), _integer(2, kind), _text(8, name)))
    if isinstance(content, bytes):
        return head + _message(9, content)
    place = {"location": content.location, "offset": str(content.offset), "length": str(content.length)}
    entries = (_message(13, _text(1, key) + _text(2, value)) for key, value in place.items())
    return b"".join((head, *entries, _integer(14, _EXTERNAL)))


def encode_value(name: str, kind: ElementType, shape: Sequence[int | str] | None = None) -> bytes:
    """Encode the description of an input or output. Sizes are numbers or names; None for a shape that is not given."""
    tensor = _integer(1, kind)
    if shape is not None:
        sizes = (_text(2, size) if isinstance(size, str) else _integer(1, size) for size in shape)
        tensor += _message(2, b"".join(_message(1, size) for size in sizes))
    return _text(1, name) + _message(2, _message(1, tensor))


def encode_graph(
    name: str,
    nodes: Iterable[bytes],
    *,
    initializers: Iterable[bytes] = (),
    inputs: Iterable[bytes] = (),
    outputs: Iterable[bytes] = (),
) -> Graph:
    """Encode a graph of encoded parts."""
    return Graph(
        b"".join(
            (
                *(_message(GRAPH_NODE, node) for node in nodes),
                _text(2, name),
                *(_message(GRAPH_INITIALIZER, tensor) for tensor in initializers),
                *(_message(11, value) for value in inputs),
                *(_message(12, value) for value in outputs),
            )
        )
    )


def encode_model(graph: Graph, opsets: Mapping[str, int], *, ir_version: int, producer: str) -> bytes:
    """Encode a model: what a file holds. `opsets`: the version of the operators of each domain."""
    sets = (_message(8, _text(1, domain) + _integer(2, version)) for domain, version in opsets.items())
    return b"".join(
        (_integer(1, ir_version), _text(2, producer), _message(MODEL_GRAPH, graph.message), *sets),
    )


def extended_model(
    model: bytes, *, renamed: Mapping[str, str], initializers: Sequence[bytes], nodes: Sequence[bytes]
) -> bytes:
    """Return a model with the outputs of its nodes renamed and encoded initializers and nodes added at the end.

    Raises ValueError for what is no model.
    """
    return b"".join(
        _message(number, _extended_graph(content, renamed, initializers, nodes)) if number == MODEL_GRAPH else whole
        for number, whole, content in fields(model)
    )


def _extended_graph(
    graph: bytes, renamed: Mapping[str, str], initializers: Sequence[bytes], nodes: Sequence[bytes]
) -> bytes:
    parts: dict[int, list[bytes]] = {GRAPH_NODE: [], GRAPH_INITIALIZER: []}
    for number, whole, content in fields(graph):
        parts.setdefault(number, []).append(
            _message(number, _with_outputs_renamed(content, renamed)) if number == GRAPH_NODE else whole
        )
    parts[GRAPH_NODE] += [_message(GRAPH_NODE, node) for node in nodes]
    parts[GRAPH_INITIALIZER] += [_message(GRAPH_INITIALIZER, tensor) for tensor in initializers]
    return b"".join(part for number in sorted(parts) for part in parts[number])


def _with_outputs_renamed(node: bytes, renamed: Mapping[str, str]) -> bytes:
    return b"".join(
        _text(number, renamed.get(content.decode(), content.decode())) if number == NODE_OUTPUT else whole
        for number, whole, content in fields(node)
    )


def _attribute(name: str, value: object) -> bytes:
    match value:
        case Graph():
            kind, content = GRAPH, _message(6, value.message)
        case str():
            kind, content = STRING, _text(4, value)
        case Integral():
            kind, content = INT, _integer(3, int(value))
        case Real():
            kind, content = FLOAT, _key(2, _FIXED32) + struct.pack("<f", value)
        case list() | tuple() if all(isinstance(each, Integral) for each in value):
            kind, content = INTS, b"".join(_integer(8, int(each)) for each in value)
        case _:
            raise TypeError(f"the attribute {name} has a value that our graphs have no use for: {value!r}")
    return _text(1, name) + content + _integer(20, kind)


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written as their two's complement
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _integer(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value)


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _message(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the number, all bytes and the content of each field. Raises ValueError if the message is cut off or none."""
    at = 0
    while at < len(message):
        start = at
        key, at = read_varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            begin = at
            _, at = read_varint(message, at)
        elif wire_type == _BYTES:
            length, begin = read_varint(message, at)
            at = begin + length
        elif wire_type in _FIXED_BYTES:
            begin, at = at, at + _FIXED_BYTES[wire_type]
        else:
            raise ValueError("not a message of Protocol Buffers")
        if at > len(message):
            raise ValueError("a message of Protocol Buffers ends early")
        yield number, message[start:at], message[begin:at]


def read_varint(message: bytes, at: int) -> tuple[int, int]:
    """Read the number at a position; returns it and the position behind it."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("a message of Protocol Buffers ends early")
        value |= (message[at] & 0x7F) << shift
        shift += 7
        at += 1
        if message[at - 1] < 0x80:
            return value, at
