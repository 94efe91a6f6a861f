"""Measures how near a model's vectors are to sentence-transformers' in fp32.

Usage: python -m benchmarks.reference_cosines NAME      (minilm or embeddinggemma: which reference; the model must be installed)

The reference vectors lie in tests/data; tests/data/make_reference_vectors.py made them.
"""

import argparse
from pathlib import Path

import numpy as np

from searchkit.library import Library
from searchkit.types import Passage
from tests.support.reference_texts import DOCUMENTS, QUERIES


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", choices=["minilm", "embeddinggemma"])
    parser.add_argument("--model", default="", help="name of the installed model (default: its authors' name)")
    options = parser.parse_args()
    default = {"minilm": "all-minilm-l6-v2", "embeddinggemma": "embeddinggemma-300m"}[options.reference]
    with Library() as library:
        embedder = library.models.open(options.model or default)
    with np.load(Path(__file__).parents[1] / "tests" / "data" / f"reference_{options.reference}.npz") as arrays:
        queries, documents = arrays["queries"], arrays["documents"]
    cosines = np.concatenate(
        [
            (embedder.embed_queries(QUERIES) * queries).sum(axis=1),
            (embedder.embed_documents([Passage("", text) for text in DOCUMENTS]) * documents).sum(axis=1),
        ]
    )
    print(
        f"{embedder.info.name} ({embedder.card.quantization}): cosine to fp32 mean {cosines.mean():.4f}, worst {cosines.min():.4f}"
    )


if __name__ == "__main__":
    main()
