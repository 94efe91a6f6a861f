"""Checkpoints whose vectors by sentence-transformers are kept, to prove that an import of them is right."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "reference_vectors"


def known_vectors(weights_checksum: str) -> Path:
    """The file for the weights of that SHA-256, made by tests/data/make_reference_vectors.py: (40, dimension) float16.

    There is none for most weights.
    """
    return _FOLDER / f"{weights_checksum[:16]}.npy"
