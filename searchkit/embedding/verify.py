"""Verifies a model folder: checksums first, then the vectors of a built-in sample.

The reference vectors were computed from the original weights during the import; their cosines to the model's vectors reveal a
damaged or badly converted model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchkit.embedding.engine import ENGINE_FILE, is_damaged
from searchkit.embedding.model_folder import ADAPTER_FILE, REFERENCE_FILE, ModelCard, check_files, read_model_card
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.sample import sample_inputs
from searchkit.errors import ModelError
from searchkit_indexes import Vectors

# The least cosine for the worst of the sample's 40 texts, by quantization: below those of MiniLM-L6 as early versions imported
# it (int8 .9796, mixed .9785), whose narrow layers quantize worse than EmbeddingGemma's. Damaged weights are far below.
COSINE_FLOORS = {"fp32": 0.9999, "weights8": 0.99, "int8": 0.97, "mixed": 0.96, "int4": 0.85}
_OTHER_PROCESSORS = 0.01  # that cosines may be below those of the import
_ADAPTED_SLACK = 0.05  # a matrix may amplify quantization errors


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification. `problems`: sentences; empty if the model is sound.

    The cosines to the reference vectors are None if none were compared; `remark` gives the reason, or facts about the import.
    """

    problems: tuple[str, ...] = ()
    mean_cosine: float | None = None
    worst_cosine: float | None = None
    remark: str = ""


def verify_model(folder: Path) -> Verification:
    """Check the files and the vectors of a model folder. Reports problems instead of raising."""
    try:
        card = read_model_card(folder)
        if problems := check_files(folder, card):
            return Verification(problems)
        return _compare(OnnxEmbedder(folder).embed_many(sample_inputs(card.prompts)), folder, card)
    except (
        ModelError,
        OSError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:  # consequences of a modified model.json
        return Verification((f"{error}".rstrip(".") + ".",))


def _compare(vectors: Vectors, folder: Path, card: ModelCard) -> Verification:
    if not np.isfinite(vectors).all():
        return Verification(("The model gives vectors that are not numbers.",))
    if REFERENCE_FILE not in card.checksums:
        return Verification(remark="no reference vectors: imported by an older version")
    reference = np.load(folder / REFERENCE_FILE, allow_pickle=False).astype(np.float32)
    if reference.shape != vectors.shape:
        return Verification((f"{REFERENCE_FILE} has the shape {reference.shape}, not {vectors.shape}.",))
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
    cosines = (vectors * reference).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    mean, worst = float(cosines.mean()), float(cosines.min())
    floor = _floor(card)
    problems: tuple[str, ...] = ()
    if not worst >= floor:  # true for NaN as well
        problems = (f"Its vectors are too far from the reference: worst cosine {worst:.4f}, {floor} is asked for.",)
    return Verification(problems, mean, worst, "; ".join(_remarks(folder, card)))


def _remarks(folder: Path, card: ModelCard) -> Iterator[str]:
    if is_damaged(folder):
        yield f"{ENGINE_FILE} is damaged, so that its choice of an engine does not count"
    if card.fidelity is not None and card.fidelity.floats:
        yield f"in floats: {', '.join(card.fidelity.floats)}"
    if card.scale.is_meaningless:
        yield "it does not distinguish texts, so words alone are searched"


def _floor(card: ModelCard) -> float:
    """Return the least cosine that the worst text of the sample may have: near that of the import, where it is known."""
    floor = COSINE_FLOORS[card.quantization.value]
    if card.fidelity is not None:
        floor = max(floor, round(card.fidelity.worst_cosine - _OTHER_PROCESSORS, 4))
    return floor - (_ADAPTED_SLACK if ADAPTER_FILE in card.checksums else 0.0)
