"""Writes vectors by sentence-transformers in fp32, for tests and for the importer.

tests/data/reference_NAME.npz: of the reference texts. searchkit/embedding/reference_vectors/WEIGHTS.npy: of the built-in
sample, named after the checksum of the checkpoint's weights; an import of these weights is compared with them.

Usage: python tests/data/make_reference_vectors.py NAME CHECKPOINT_FOLDER      (needs the extra [reference])
"""

import sys
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer

sys.path.insert(0, str(Path(__file__).parents[2]))
from searchkit.embedding.import_model import known_vectors
from searchkit.embedding.model_folder import checksum
from searchkit.embedding.sample import SAMPLE_PAIRS
from tests.support.reference_texts import DOCUMENTS, QUERIES


def main(name: str, checkpoint: str) -> None:
    """Embed a text at a time, so that no padding takes part."""
    model = SentenceTransformer(checkpoint, device="cpu")
    queries = np.stack([model.encode_query(text, normalize_embeddings=True) for text in QUERIES])
    documents = np.stack([model.encode_document(text, normalize_embeddings=True) for text in DOCUMENTS])
    target = Path(__file__).parent / f"reference_{name}.npz"
    np.savez_compressed(target, queries=queries, documents=documents)
    sample = [model.encode_query(query, normalize_embeddings=True) for query, _ in SAMPLE_PAIRS]
    sample += [model.encode_document(text, normalize_embeddings=True) for _, text in SAMPLE_PAIRS]
    np.save(known_vectors(checksum(Path(checkpoint) / "model.safetensors")), np.stack(sample).astype(np.float16))


if __name__ == "__main__":
    main(*sys.argv[1:])
