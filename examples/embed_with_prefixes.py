"""Compare sentences by whole vectors and by their prefixes: python examples/embed_with_prefixes.py COLLECTION."""

import sys

import numpy as np

from searchkit import Library

sentences = ["when does the lease end", "until what day is the flat rented", "how to prune roses"]

with Library() as library:
    embedder = library.collection(sys.argv[1]).embedder()
    vectors = embedder.embed_queries(sentences)  # (3, dimension) float32, unit length
    for dimension in embedder.info.prefix_dimensions:
        prefixes = vectors[:, :dimension] / np.linalg.norm(vectors[:, :dimension], axis=1, keepdims=True)
        alike, unlike = prefixes[0] @ prefixes[1], prefixes[0] @ prefixes[2]
        print(f"{dimension} dimensions: cosine {alike:.3f} of the same question, {unlike:.3f} of another")
