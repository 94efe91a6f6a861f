"""A model whose vectors are another model's times a matrix: the same files plus a matrix and two nodes in the graph.

The product follows the normalisation of the base model, in floats, whatever the quantization of the layers before it. That
equals another Dense layer at the end: norm(norm(W x) A) = norm((W x) A), and is exactly how stored vectors are converted.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import normalized
from searchkit.embedding.graph.onnx_format import (
    ElementType,
    ExternalData,
    encode_node,
    encode_tensor,
    extended_model,
)
from searchkit.embedding.model_folder import (
    ADAPTER_FILE,
    CORRECTION_FILE,
    GRAPH_FILE,
    JUDGED_FILE,
    PROVISIONAL_FILE,
    REFERENCE_FILE,
    ModelCard,
    checksum,
    read_model_card,
)
from searchkit.embedding.model_info import Scale
from searchkit.embedding.scale import judged_correction, judged_vectors, measure_scale, write_judged_vectors
from searchkit.embedding.tokenizer import TokenCounter, open_tokenizer
from searchkit.errors import ModelError
from searchkit.files import new_folder
from searchkit_indexes import Vectors

CARD_FILE = "README.md"
_LARGEST_CONDITION = 1e5  # condition number in the 1-norm; up to here the inverse restores half-precision vectors
_OUTPUT, _UNADAPTED = "embedding", "embedding_of_base"
_OWN = {GRAPH_FILE, "model.json", REFERENCE_FILE, JUDGED_FILE, ADAPTER_FILE, CORRECTION_FILE, CARD_FILE}
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The changes that make an adapted model of its base.

    `matrix`: (dimension, dimension); base vectors @ matrix, normalised, are its vectors. `similarity_range`: see ModelInfo.
    `source`: how the model was made, for model.json; `description`: the same for people, in Markdown.
    """

    matrix: Matrix
    similarity_range: tuple[float, float]
    source: Mapping[str, str]
    description: str


def mapped(vectors: Vectors, matrix: Matrix) -> Vectors:
    """Convert (n, dimension) unit vectors of the base model to those of a model adapted by the matrix."""
    return normalized(vectors @ matrix)


def matrix_of(folder: Path, card: ModelCard) -> Matrix | None:
    """Read the matrix from the root model's vectors to this model's; None for a model that is its own root. Raises ModelError."""
    if ADAPTER_FILE not in card.checksums:
        return None
    matrix: Matrix = np.load(folder / ADAPTER_FILE, allow_pickle=False)
    if matrix.shape != (card.dimension, card.dimension) or not np.isfinite(matrix).all():
        raise ModelError(f"The model {card.name} has a damaged {ADAPTER_FILE}.", remedy="Train it again.")
    return matrix


def write_adapted_model(base: Path, target: Path, new: Adaptation) -> ModelCard:
    """Write the model folder `target`: the base's files, hard-linked where the file system allows it, and the changed ones.

    If the base is an adapted model itself, the two matrices are multiplied, so that adaptations do not pile up. Raises
    ModelError for a matrix that does not fit or cannot be inverted.
    """
    card = read_model_card(base)
    if new.matrix.shape != (card.dimension, card.dimension) or not np.isfinite(new.matrix).all():
        raise ModelError(
            f"The adapter does not fit the model {card.name}: {new.matrix.shape}, {card.dimension} wanted."
        )
    before = matrix_of(base, card)
    total = new.matrix if before is None else before @ new.matrix
    if np.linalg.cond(total, 1) > _LARGEST_CONDITION:
        raise ModelError(
            f"The adapter cannot be undone: it flattens the vectors of {card.name}.", remedy="Train it again."
        )
    with new_folder(target) as folder:
        shared = [name for name in card.checksums if name not in _OWN]
        for name in shared:
            _share(base / name, folder / name)
        np.save(folder / ADAPTER_FILE, np.ascontiguousarray(total, np.float32))
        _write_graph(base / GRAPH_FILE, folder, is_adapted=before is not None)
        if REFERENCE_FILE in card.checksums:
            reference = np.load(base / REFERENCE_FILE, allow_pickle=False).astype(np.float32)
            np.save(folder / REFERENCE_FILE, mapped(reference, new.matrix).astype(np.float16))
        judged = mapped(judged_vectors(base, card), new.matrix)
        write_judged_vectors(folder, judged)
        if PROVISIONAL_FILE in shared:
            _write_correction(folder, card, judged)
        measured = measure_scale(judged, new.similarity_range, TokenCounter(card.tokenizer, base / card.tokenizer_file))
        (folder / CARD_FILE).write_text(new.description, encoding="utf-8")
        kept = {name: card.checksums[name] for name in shared if (folder / name).exists()}
        own = {path.name: checksum(path) for path in folder.iterdir() if path.name not in shared}
        adapted = replace(
            card,
            name=target.name,
            source={**card.source, **new.source, "root": card.root_fingerprint, "base": card.name},
            checksums=dict(sorted({**kept, **own}.items())),
            similarity_range=new.similarity_range,
            scale=lower_cuts(measured, card.scale),
        )
        adapted.write(folder)
    return adapted


def _write_correction(folder: Path, base: ModelCard, judged: Vectors) -> None:
    """Write what corrects the base's guesses of vectors for the adapted model; remove them if they find less than words do."""
    tokenize = open_tokenizer(base.tokenizer, folder / base.tokenizer_file).encode_many
    correction = judged_correction(folder, tokenize, judged)
    if correction is None:
        (folder / PROVISIONAL_FILE).unlink()
    else:
        np.save(folder / CORRECTION_FILE, correction)


def lower_cuts(measured: Scale, base: Scale) -> Scale:
    """Return the scale measured for an adapted model, with no cut higher than its base's.

    An adapter moves the cosines of its collection, which its similarity range follows, further than those of the judged set.
    By the latter alone, 5 % of CISI's own queries would be marked instead of 2.5 (docs/benchmarks/search.md).
    """
    return replace(
        measured,
        short_cut=min(measured.short_cut, base.short_cut),
        long_cut=min(measured.long_cut, base.long_cut),
        support=min(measured.support, base.support),
    )


def _share(source: Path, target: Path) -> None:
    """Hard-link a file, so that weights take up space once; copy it where hard links are not possible."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _write_graph(source: Path, folder: Path, *, is_adapted: bool) -> None:
    """Write the base's graph with the product appended. The matrix stays in its own file, which ONNX Runtime maps."""
    if is_adapted:  # the graph reads the matrix from that file already
        shutil.copyfile(source, folder / GRAPH_FILE)
        return
    model = extended_model(
        source.read_bytes(),
        renamed={_OUTPUT: _UNADAPTED},
        initializers=[_tensor(folder / ADAPTER_FILE)],
        nodes=[
            encode_node("MatMul", [_UNADAPTED, "adapter"], ["adapted"]),
            encode_node("LpNormalization", ["adapted"], [_OUTPUT], attributes={"axis": -1, "p": 2}),
        ],
    )
    (folder / GRAPH_FILE).write_bytes(model)


def _tensor(file: Path) -> bytes:
    """Describe the matrix where NumPy wrote it: after the header of the file, up to its end."""
    shape = np.load(file, mmap_mode="r").shape
    length = 4 * int(np.prod(shape))
    place = ExternalData(file.name, file.stat().st_size - length, length)
    return encode_tensor("adapter", shape, ElementType.FLOAT32, place)
