"""Queries to measure an index with, where nobody has given any: what the collection's own headings ask for, and questions
about other things, whose neighbours lie far off and scattered: those an index misses first.
"""

import numpy as np

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import sample_starts
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit_indexes import Vectors

_COUNT = 100
_WORDS = 12


def _heading_texts(catalog: CatalogReader, count: int = _COUNT) -> list[str]:
    """Up to `count` distinct headings from all over the collection, or the first words of passages that have none."""
    texts = (
        title.rsplit(" › ", 1)[-1].strip() or " ".join(text.split()[:_WORDS])
        for title, text in sample_starts(catalog, 4 * count)
    )
    return list(dict.fromkeys(text for text in texts if text))[:count]


def synthetic_query_texts(catalog: CatalogReader) -> list[str]:
    """Headings, and the built-in questions; none of a collection without passages."""
    headings = _heading_texts(catalog)
    return [*headings, *(query for query, _ in SAMPLE_PAIRS)] if headings else []


def synthetic_queries(catalog: CatalogReader, embedder: Embedder) -> Vectors:
    """(n, dimension) vectors of `synthetic_query_texts`, embedded as queries are."""
    texts = synthetic_query_texts(catalog)
    return embedder.embed_queries(texts) if texts else np.empty((0, embedder.info.dimension), np.float32)
