"""A model whose vectors are another model's times a matrix: the same files, a matrix and two nodes more in the graph.

The product stands behind the base model's unit length, in floats, whatever the quantization of what comes before. That is
the same as a new last Dense layer: norm(norm(W x) A) = norm((W x) A), and exactly what happens to vectors that are stored.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import normalized
from searchkit.embedding.model_folder import (
    ADAPTER_FILE,
    GRAPH_FILE,
    REFERENCE_FILE,
    ModelCard,
    checksum,
    read_model_card,
)
from searchkit.errors import ModelError
from searchkit.files import new_folder
from searchkit_indexes import Vectors

CARD_FILE = "README.md"
_LARGEST_CONDITION = 1e5  # in the 1-norm; up to here the inverse gives half-precision vectors back
_OUTPUT, _UNADAPTED = "embedding", "embedding_of_base"
_OWN = {GRAPH_FILE, "model.json", REFERENCE_FILE, ADAPTER_FILE, CARD_FILE}
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What is new about a model. `matrix`: (dimension, dimension), vectors @ matrix are its vectors but for their length.

    `similarity_range`: see Embedder. `source`: how it came about, for model.json; `description`: the same for people, Markdown.
    """

    matrix: Matrix
    similarity_range: tuple[float, float]
    source: Mapping[str, str]
    description: str


def mapped(vectors: Vectors, matrix: Matrix) -> Vectors:
    """(n, dimension) unit vectors as a model with this matrix gives them."""
    return normalized(vectors @ matrix)


def matrix_of(folder: Path, card: ModelCard) -> Matrix | None:
    """The matrix from the root model's vectors to a model's, None for a model that is its own root."""
    if ADAPTER_FILE not in card.checksums:
        return None
    matrix: Matrix = np.load(folder / ADAPTER_FILE, allow_pickle=False)
    if matrix.shape != (card.dimension, card.dimension) or not np.isfinite(matrix).all():
        raise ModelError(f"The model {card.name} has a damaged {ADAPTER_FILE}. Train it again.")
    return matrix


def write_adapted_model(base: Path, target: Path, new: Adaptation) -> ModelCard:
    """Write the model folder `target`: the base's files, shared where the file system can, and what is new.

    A base that is adapted itself gives its own base and the product of both matrices, so that nothing piles up. Raises
    ModelError for a matrix that does not fit.
    """
    card = read_model_card(base)
    if new.matrix.shape != (card.dimension, card.dimension) or not np.isfinite(new.matrix).all():
        raise ModelError(
            f"The adapter does not fit the model {card.name}: {new.matrix.shape}, {card.dimension} wanted."
        )
    before = matrix_of(base, card)
    total = new.matrix if before is None else before @ new.matrix
    if np.linalg.cond(total, 1) > _LARGEST_CONDITION:
        raise ModelError(f"The adapter cannot be undone: it flattens the vectors of {card.name}. Train it again.")
    with new_folder(target) as folder:
        shared = [name for name in card.checksums if name not in _OWN]
        for name in shared:
            _share(base / name, folder / name)
        np.save(folder / ADAPTER_FILE, np.ascontiguousarray(total, np.float32))
        _write_graph(base / GRAPH_FILE, folder, is_adapted=before is not None)
        if REFERENCE_FILE in card.checksums:
            reference = np.load(base / REFERENCE_FILE, allow_pickle=False).astype(np.float32)
            np.save(folder / REFERENCE_FILE, mapped(reference, new.matrix).astype(np.float16))
        (folder / CARD_FILE).write_text(new.description, encoding="utf-8")
        own = {path.name: checksum(path) for path in folder.iterdir() if path.name not in shared}
        adapted = replace(
            card,
            name=target.name,
            source={**card.source, **new.source, "root": card.root_fingerprint, "base": card.name},
            checksums=dict(sorted({**{name: card.checksums[name] for name in shared}, **own}.items())),
            similarity_range=new.similarity_range,
        )
        adapted.write(folder)
    return adapted


def _share(source: Path, target: Path) -> None:
    """The same file under a second name, so that weights take no place twice; a copy where there are no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_graph(source: Path, folder: Path, *, is_adapted: bool) -> None:
    """The base's graph with the product behind it. The matrix stays in its own file, which ONNX Runtime maps."""
    if is_adapted:  # it reads the matrix from that file already
        shutil.copyfile(source, folder / GRAPH_FILE)
        return
    import onnx

    model = onnx.load(str(source), load_external_data=False)
    graph = model.graph
    for node in graph.node:
        node.output[:] = [_UNADAPTED if name == _OUTPUT else name for name in node.output]
    graph.initializer.append(_tensor(folder / ADAPTER_FILE))
    graph.node.append(onnx.helper.make_node("MatMul", [_UNADAPTED, "adapter"], ["adapted"]))
    graph.node.append(onnx.helper.make_node("LpNormalization", ["adapted"], [_OUTPUT], axis=-1, p=2))
    (folder / GRAPH_FILE).write_bytes(model.SerializeToString())


def _tensor(file: Path) -> "onnx.TensorProto":  # type: ignore[name-defined] # noqa: F821
    """The matrix where NumPy has written it: behind a header, to the end of the file."""
    import onnx

    shape = np.load(file, mmap_mode="r").shape
    length = 4 * int(np.prod(shape))
    tensor = onnx.TensorProto(
        name="adapter", dims=shape, data_type=onnx.TensorProto.FLOAT, data_location=onnx.TensorProto.EXTERNAL
    )
    for key, value in {"location": file.name, "offset": file.stat().st_size - length, "length": length}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
