"""Is a model folder what it was when it was made? Checksums first, then vectors of a built-in sample.

The reference vectors were made from the original weights when the model was imported; how near a model comes to them
tells a damaged or badly converted one from a good one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchkit.embedding.model_folder import ADAPTER_FILE, REFERENCE_FILE, ModelCard, checksum, read_model_card
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.sample import sample_inputs
from searchkit.errors import ModelError
from searchkit_indexes import Vectors

# Cosine that the worst of the sample's 40 texts must reach, by quantization: below what MiniLM-L6 reaches (int8 .9796, mixed
# .9785, int4 .979), whose narrow layers quantize worse than EmbeddingGemma's. Damaged weights come nowhere near.
COSINE_FLOORS = {"fp32": 0.9999, "int8": 0.97, "mixed": 0.96, "int4": 0.85}
_ADAPTED_SLACK = 0.05  # a matrix may enlarge what the quantization has changed


@dataclass(frozen=True, slots=True)
class Verification:
    """What a look at a model folder found. `problems`: sentences; none, and the model is sound.

    The cosines to the reference vectors are None if none were compared; `remark` says why.
    """

    problems: tuple[str, ...] = ()
    mean_cosine: float | None = None
    worst_cosine: float | None = None
    remark: str = ""


def verify_model(folder: Path) -> Verification:
    """Check the files of a model folder and the vectors it gives. Never raises for what is wrong with the folder."""
    try:
        card = read_model_card(folder)
        if problems := tuple(_file_problems(folder, card)):
            return Verification(problems)
        return _compare(OnnxEmbedder(folder).embed_many(sample_inputs(card.prompts)), folder, card)
    except (ModelError, OSError, AttributeError, TypeError, ValueError) as error:  # what a changed model.json can cause
        return Verification((f"{error}".rstrip(".") + ".",))


def _file_problems(folder: Path, card: ModelCard) -> Iterator[str]:
    for name in sorted({"model.onnx", card.tokenizer_file} - set(card.checksums)):
        yield f"model.json holds no checksum of {name}."
    for name, expected in card.checksums.items():
        path = folder / name
        if path.parent != folder:
            yield f"model.json names {name!r}, which is not in its folder."
        elif not path.is_file():
            yield f"{name} is missing."
        elif checksum(path) != expected:
            yield f"{name} is damaged: its SHA-256 is not the one in model.json."


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
    floor = COSINE_FLOORS[card.quantization.value] - (_ADAPTED_SLACK if ADAPTER_FILE in card.checksums else 0.0)
    problems: tuple[str, ...] = ()
    if not worst >= floor:  # also where it is not a number
        problems = (f"Its vectors are too far from the reference: worst cosine {worst:.4f}, {floor} is asked for.",)
    return Verification(problems, mean, worst)
