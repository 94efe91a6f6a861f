"""The order from the whole vectors: codes only choose which vectors are worth looking up."""

from collections.abc import Callable

import numpy as np

from searchkit_indexes.base import Ids, Neighbours, VectorIndex, Vectors

DEFAULT_DEPTH = 400  # candidates a query where it could not be measured; 200 gave .988 among 100,000 one-bit codes
_SCORED_OUTRIGHT = 2000  # allowed vectors up to which looking all of them up is quicker than choosing

FetchVectors = Callable[[Ids], tuple[Ids, Vectors]]


def search_rescored(
    index: VectorIndex, query: Vectors, k: int, fetch: FetchVectors, *, depth: int, allowed_ids: Ids | None = None
) -> Neighbours:
    """The k nearest of one (dimension,) query by dot products of whole vectors, among `depth` candidates or more.

    `fetch` gives the (ids, vectors) of those of the ids it is asked for that still exist, all in one go, in any order.
    A filter that leaves few is scored outright. Where many candidates no longer exist, more are looked at.
    """
    if allowed_ids is not None and len(allowed_ids) <= max(_SCORED_OUTRIGHT, k):
        return _ranked(query, *fetch(allowed_ids), k)
    wanted = max(depth, k)
    while True:
        candidates = index.search(query[None], wanted, allowed_ids).ids[0]
        ids, vectors = fetch(candidates)
        if (len(ids) >= min(k, len(candidates)) and 2 * len(ids) >= len(candidates)) or len(candidates) < wanted:
            return _ranked(query, ids, vectors, k)
        wanted *= 4


def _ranked(query: Vectors, ids: Ids, vectors: Vectors, k: int) -> Neighbours:
    scores = vectors @ query
    order = np.lexsort((ids, -scores))[:k]
    return Neighbours(ids[order][None], scores[order][None])
