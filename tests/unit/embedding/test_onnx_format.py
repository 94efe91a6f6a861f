"""Our ONNX files against the package onnx, which is installed for development only: the same bytes."""

import re
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from searchkit.embedding.graph.onnx_format import (
    ElementType,
    ExternalData,
    encode_graph,
    encode_model,
    encode_node,
    encode_tensor,
    encode_value,
    extended_model,
)
from tests.support.files import ROOT

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
ATTRIBUTES = st.dictionaries(
    st.from_regex(r"[a-z_]{1,9}", fullmatch=True).filter(lambda name: name not in ("name", "domain", "overload")),
    st.one_of(
        st.integers(-(2**63), 2**63 - 1),
        st.floats(width=32, allow_nan=False),
        NAMES,
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
        st.booleans(),
    ),
    max_size=4,
)


@given(
    NAMES,
    st.lists(NAMES, max_size=3),
    st.lists(NAMES, max_size=3),
    st.sampled_from([None, "", "com.microsoft"]),
    ATTRIBUTES,
)
def test_a_node_is_written_as_the_package_onnx_writes_it(
    operator: str, inputs: list[str], outputs: list[str], domain: str | None, attributes: dict[str, Any]
) -> None:
    theirs = helper.make_node(operator, inputs, outputs, domain=domain, **attributes).SerializeToString()
    assert encode_node(operator, inputs, outputs, domain, attributes) == theirs


@pytest.mark.parametrize("kind", list(ElementType))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 200)])
def test_a_tensor_is_written_as_the_package_onnx_writes_it(kind: ElementType, shape: tuple[int, ...]) -> None:
    dtype = np.dtype(kind.name.lower())
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    ours = encode_tensor("x", array.shape, ElementType.of(dtype), array.tobytes())
    assert ours == numpy_helper.from_array(array, "x").SerializeToString()
    assert int(helper.np_dtype_to_tensor_dtype(dtype)) == kind.value


def test_a_tensor_in_another_file_is_written_as_the_package_onnx_writes_it() -> None:
    theirs = TensorProto(name="x", dims=(5, 300), data_type=TensorProto.INT8, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "weights.bin", "offset": "4096", "length": "1500"}.items():
        theirs.external_data.add(key=key, value=value)
    ours = encode_tensor("x", (5, 300), ElementType.INT8, ExternalData("weights.bin", 4096, 1500))
    assert ours == theirs.SerializeToString()


@pytest.mark.parametrize("shape", [None, (), ("batch", "tokens"), (1, "tokens", 768)])
def test_an_input_is_written_as_the_package_onnx_writes_it(shape: tuple[int | str, ...] | None) -> None:
    theirs = helper.make_tensor_value_info("ids", TensorProto.INT64, shape)
    assert encode_value("ids", ElementType.INT64, shape) == theirs.SerializeToString()


def their_model() -> onnx.ModelProto:
    """A model with a branch, a weight and an output."""
    branch = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["b"])],
        "then",
        [],
        [helper.make_tensor_value_info("b", 1, None)],
    )
    nodes = [
        helper.make_node("If", ["c"], ["x"], then_branch=branch, else_branch=branch),
        helper.make_node("Relu", ["x"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("y", 1, None)],
        [numpy_helper.from_array(np.ones(3, np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="searchkit")
    model.ir_version = 10
    return model


def our_model() -> bytes:
    weight = encode_tensor("w", (3,), ElementType.FLOAT32, np.ones(3, np.float32).tobytes())
    branch = encode_graph(
        "then", [encode_node("Identity", ["w"], ["b"])], outputs=[encode_value("b", ElementType.FLOAT32)]
    )
    graph = encode_graph(
        "encoder",
        [
            encode_node("If", ["c"], ["x"], attributes={"then_branch": branch, "else_branch": branch}),
            encode_node("Relu", ["x"], ["y"]),
        ],
        initializers=[weight],
        inputs=[encode_value("c", ElementType.BOOL, [])],
        outputs=[encode_value("y", ElementType.FLOAT32)],
    )
    return encode_model(graph, {"": 20, "com.microsoft": 1}, ir_version=10, producer="searchkit")


def test_a_model_is_written_as_the_package_onnx_writes_it() -> None:
    assert our_model() == their_model().SerializeToString()


def test_a_model_is_extended_as_the_package_onnx_would() -> None:
    theirs = their_model()
    theirs.graph.node[1].output[:] = ["before"]
    theirs.graph.initializer.append(numpy_helper.from_array(np.eye(3, dtype=np.float32), "matrix"))
    theirs.graph.node.append(helper.make_node("MatMul", ["before", "matrix"], ["y"]))
    ours = extended_model(
        our_model(),
        renamed={"y": "before"},
        initializers=[encode_tensor("matrix", (3, 3), ElementType.FLOAT32, np.eye(3, dtype=np.float32).tobytes())],
        nodes=[encode_node("MatMul", ["before", "matrix"], ["y"])],
    )
    assert ours == theirs.SerializeToString()


def test_a_model_of_somebody_else_keeps_what_we_have_no_name_for() -> None:
    theirs = their_model()
    theirs.doc_string, theirs.model_version = "about it", 3
    theirs.graph.node[0].name = "the branch"
    theirs.graph.value_info.append(helper.make_tensor_value_info("x", 1, [3]))
    theirs.metadata_props.add(key="a", value="b")
    whole = theirs.SerializeToString()
    assert extended_model(whole, renamed={}, initializers=[], nodes=[]) == whole


@pytest.mark.parametrize("damaged", [b"\x3a", b"\x3a\x05ab", b"\x0b", our_model()[:-1]])
def test_what_is_no_model_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="Protocol Buffers"):
        extended_model(damaged, renamed={}, initializers=[], nodes=[])


def test_an_attribute_of_another_kind_is_refused() -> None:
    for value in ([0.5], b"bytes", None):
        with pytest.raises(TypeError, match="attribute odd"):
            encode_node("Relu", [], [], attributes={"odd": value})


def test_a_kind_of_element_without_a_use_is_refused() -> None:
    with pytest.raises(KeyError):
        ElementType.of(np.complex64)


def test_no_module_imports_the_package_onnx() -> None:
    importing = re.compile(r"^\s*(?:import|from) onnx\b", re.MULTILINE)
    modules = [path for place in ("searchkit", "indexes", "tui") for path in (ROOT / place).rglob("*.py")]
    found = [path.name for path in modules if importing.search(path.read_text("utf-8"))]
    assert found == ["exported_engine.py"]  # which the benchmark runs in an interpreter that has it
