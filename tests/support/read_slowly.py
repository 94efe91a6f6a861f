"""A process of its own that asks a lazy collection with a slow HashEmbedder, for tests that kill it while the model reads.

Usage: python -m tests.support.read_slowly HOME DELAY_SECONDS QUERY
"""

import sys

from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder


def main(home: str, delay_seconds: str, query: str) -> None:
    """Print the name of the first hit."""
    print("started", flush=True)  # noqa: T201
    with Library(home, embedder=HashEmbedder(delay_seconds=float(delay_seconds))) as library:
        print(library.search(query)[0].path.name, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
