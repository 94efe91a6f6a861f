"""How near a model's vectors are to sentence-transformers' in fp32, and how long a text takes.

Usage: python -m benchmarks.reference_cosines NAME      (minilm or embeddinggemma: which reference; the model must be installed)

The reference vectors lie in tests/data; tests/data/make_reference_vectors.py made them.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.library import Library
from searchkit.types import Passage
from tests.reference_texts import DOCUMENTS, QUERIES

RUNS = 20


def main() -> None:
    """Compare, time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", choices=["minilm", "embeddinggemma"])
    parser.add_argument("--model", default="", help="name of the installed model (default: as its authors call it)")
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
        f"{embedder.name} ({embedder.card.quantization}): cosine to fp32 mean {cosines.mean():.4f}, worst {cosines.min():.4f}"
    )
    for tokens in (16, 256):
        print(f"a text of {tokens} tokens: {median_ms(embedder, tokens):.1f} ms (median of {RUNS})")


def median_ms(embedder: OnnxEmbedder, tokens: int) -> float:
    """Milliseconds to embed a text of about that many tokens, the prompt included."""
    text = ""
    while embedder.count_tokens(embedder.card.prompts.of_passage(Passage("", text))) < tokens - 2:
        text += " word"
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        embedder.embed_documents([Passage("", text)])
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
