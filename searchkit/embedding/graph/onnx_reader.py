"""Reads back the graphs that were written for ONNX Runtime: their nodes, and their tensors as views of the files they are in."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.embedding.graph.onnx_format import (
    FLOAT,
    GRAPH,
    GRAPH_INITIALIZER,
    GRAPH_NODE,
    GRAPH_OUTPUT,
    INT,
    INTS,
    MODEL_GRAPH,
    NODE_OUTPUT,
    STRING,
    ElementType,
    fields,
    read_varint,
)

External = Callable[[str], npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was read. Attributes are integers, floats, texts, lists of integers, or `Nodes` for a branch."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Nodes:
    """A graph that was read: its nodes in order, the tensors that they use by name, and the names of its outputs."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, npt.NDArray[Any]]
    outputs: tuple[str, ...]


def decode_model(model: bytes, external: External) -> Nodes:
    """Read the graph of a model that was written here; large tensors are views of the files that `external` opens by name.

    Raises ValueError for what is no such model.
    """
    graphs = [content for number, _, content in fields(model) if number == MODEL_GRAPH]
    if len(graphs) != 1:
        raise ValueError("not a model in ONNX")
    return _decode_graph(graphs[0], external)


def _decode_graph(graph: bytes, external: External) -> Nodes:
    nodes, tensors, outputs = [], {}, []
    for number, _, content in fields(graph):
        if number == GRAPH_NODE:
            nodes.append(_decode_node(content, external))
        elif number == GRAPH_INITIALIZER:
            name, tensor = _decode_tensor(content, external)
            tensors[name] = tensor
        elif number == GRAPH_OUTPUT:
            outputs.append(_texts(content, 1)[0])
    return Nodes(tuple(nodes), tensors, tuple(outputs))


def _decode_node(node: bytes, external: External) -> Node:
    attributes = (_decode_attribute(content, external) for number, _, content in fields(node) if number == 5)
    operator = _texts(node, 4)[0]
    return Node(operator, _texts(node, 1), _texts(node, NODE_OUTPUT), dict(attributes))


def _decode_attribute(attribute: bytes, external: External) -> tuple[str, Any]:
    name, kind, value, integers = "", 0, b"", []
    for number, _, content in fields(attribute):
        if number == 1:
            name = content.decode()
        elif number == 20:
            kind = _signed(content)
        elif number == 8:
            integers.append(_signed(content))
        else:
            value = content
    if kind == FLOAT:
        return name, struct.unpack("<f", value)[0]
    if kind == INT:
        return name, _signed(value)
    if kind == STRING:
        return name, value.decode()
    if kind == GRAPH:
        return name, _decode_graph(value, external)
    if kind == INTS:
        return name, integers
    raise ValueError(f"the attribute {name} is of a type that our graphs do not have")


def _decode_tensor(tensor: bytes, external: External) -> tuple[str, npt.NDArray[Any]]:
    name, kind, shape, raw, place = "", 0, [], np.zeros(0, np.uint8), {}
    for number, _, content in fields(tensor):
        if number == 1:
            shape.append(_signed(content))
        elif number == 2:
            kind = _signed(content)
        elif number == 8:
            name = content.decode()
        elif number == 9:
            raw = np.frombuffer(content, np.uint8)
        elif number == 13:
            place[_texts(content, 1)[0]] = _texts(content, 2)[0]
    if place:
        start = int(place["offset"])
        raw = external(place["location"])[start : start + int(place["length"])]
    return name, raw.view(ElementType(kind).name.lower()).reshape(shape)


def _texts(message: bytes, wanted: int) -> tuple[str, ...]:
    return tuple(content.decode() for number, _, content in fields(message) if number == wanted)


def _signed(content: bytes) -> int:
    """The number in a field of integers, which may be negative."""
    value, _ = read_varint(content, 0)
    return value - (1 << 64) if value >> 63 else value
