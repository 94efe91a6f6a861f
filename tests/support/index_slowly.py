"""A process of its own that indexes a folder with a slow HashEmbedder, for tests that interrupt it.

Usage: python -m tests.support.index_slowly HOME FOLDER DELAY_SECONDS [COLLECTION]
"""

import sys

from searchkit.ingest import embed_pending
from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder


def main(home: str, folder: str, delay_seconds: str, collection: str = "") -> None:
    """Index, committing often enough that an interruption meets every kind of moment."""
    embed_pending.COMMIT_SECONDS, embed_pending.PASSAGES_AT_ONCE = 0.02, 8
    print("started", flush=True)  # noqa: T201
    with Library(home, embedder=HashEmbedder(delay_seconds=float(delay_seconds))) as library:
        library.index(folder, collection=collection)
    print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
