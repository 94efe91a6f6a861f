"""What is read from safetensors files is what the package safetensors reads; what is damaged is refused."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from searchkit.embedding.weights_file import DamagedWeightsError, Tensor, read_floats, read_header

KINDS = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16, np.int64, np.int32, np.int16, np.int8]
KINDS += [np.uint64, np.uint32, np.uint16, np.uint8, np.bool_]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Tensors of every type and several shapes."""
    random = np.random.default_rng(7)
    shapes = [(), (1,), (7, 5), (0, 3), (2, 3, 4)]
    tensors = {
        f"{np.dtype(kind).name}{number}": (random.standard_normal(shape) * 50).astype(kind)
        for kind in KINDS
        for number, shape in enumerate(shapes)
    }
    path = tmp_path / "model.safetensors"
    save_file({name: np.asarray(tensor) for name, tensor in tensors.items()}, path, metadata={"format": "pt"})
    return path


def test_every_tensor_is_read_as_the_package_reads_it(file: Path) -> None:
    ours = read_header(file)
    with safe_open(file, framework="numpy") as theirs:
        assert set(ours) == set(theirs.keys())
        for name, tensor in ours.items():
            wanted = np.asarray(theirs.get_tensor(name)).astype(np.float32)
            assert np.array_equal(read_floats(file, tensor), wanted)
            assert tensor.shape == wanted.shape


@pytest.mark.parametrize("wanted", [slice(2, 5), slice(0, 0), slice(5, 99), np.array([6, 0, 0, 3])])
def test_rows_are_read_alone(file: Path, wanted: slice | npt.NDArray[np.int64]) -> None:
    for name in ("float322", "bfloat162", "float162"):
        tensor = read_header(file)[name]
        assert np.array_equal(read_floats(file, tensor, wanted), read_floats(file, tensor)[wanted])


def written(path: Path, header: object, content: bytes = b"") -> Path:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + content)
    return path


@pytest.mark.parametrize(
    ("header", "content"),
    [
        (b"", b""),
        (b"no json", b""),
        ([], b""),
        (b"[" * 100_000, b""),
        ({"x": 3}, b""),
        ({"x": {"dtype": "F32", "shape": [1]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"123"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, b"12345"),
        ({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"12345678"),
        ({"x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, b"1234"),
        ({"x": {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}}, b"1234"),
        ({"x": {"dtype": 32, "shape": [1], "data_offsets": [0, 4]}}, b"1234"),
        ({name: {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} for name in "xy"}, b"1234"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header: object, content: bytes, tmp_path: Path) -> None:
    with pytest.raises(DamagedWeightsError):
        read_header(written(tmp_path / "x.safetensors", header, content))


@pytest.mark.parametrize("part", [0, 7, 8, 100, -1])
def test_a_file_that_is_cut_short_is_refused(file: Path, part: int) -> None:
    file.write_bytes(file.read_bytes()[:part])
    with pytest.raises(DamagedWeightsError):
        read_header(file)


def test_a_header_longer_than_any_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    with pytest.raises(DamagedWeightsError, match="not all there"):
        read_header(tmp_path / "x")


def test_a_type_that_numpy_does_not_have_is_listed_and_refused_when_it_is_read(tmp_path: Path) -> None:
    entry = {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}
    path = written(tmp_path / "x", {"x": entry}, b"12")
    [tensor] = read_header(path).values()
    assert tensor == Tensor("F8_E4M3", (2,), path.stat().st_size - 2)
    with pytest.raises(DamagedWeightsError, match="F8_E4M3"):
        read_floats(path, tensor)
