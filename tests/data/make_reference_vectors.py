"""Writes tests/data/reference_NAME.npz: vectors of the reference texts by sentence-transformers in fp32.

Usage: python tests/data/make_reference_vectors.py NAME CHECKPOINT_FOLDER      (needs the extra [reference])
"""

import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.reference_texts import DOCUMENTS, QUERIES


def main(name: str, checkpoint: str) -> None:
    """Embed a text at a time, so that no padding takes part."""
    model = SentenceTransformer(checkpoint, device="cpu")
    queries = np.stack([model.encode_query(text, normalize_embeddings=True) for text in QUERIES])
    documents = np.stack([model.encode_document(text, normalize_embeddings=True) for text in DOCUMENTS])
    target = Path(__file__).parent / f"reference_{name}.npz"
    np.savez_compressed(target, queries=queries, documents=documents)


if __name__ == "__main__":
    main(*sys.argv[1:])
