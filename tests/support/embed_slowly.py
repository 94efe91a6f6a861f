"""A process of its own that embeds what a collection has stored with a slow HashEmbedder, for tests that interrupt it.

Usage: python -m tests.support.embed_slowly HOME COLLECTION DELAY_SECONDS
"""

import sys

from searchkit.ingest import embed_pending
from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder


def main(home: str, collection: str, delay_seconds: str) -> None:
    """Embed two passages at a time, committing often; say how many."""
    embed_pending.COMMIT_SECONDS, embed_pending.PASSAGES_AT_ONCE, embed_pending._PAGE = 0.02, 1, 2
    embedder = HashEmbedder(delay_seconds=float(delay_seconds))
    with Library(home, embedder=embedder) as library:
        print("started", flush=True)  # noqa: T201
        report = library.collection(collection).embed()
    print(report.embedded, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
