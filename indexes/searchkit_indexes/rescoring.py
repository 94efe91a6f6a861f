"""Rescoring: full vectors decide the order; codes only select the candidates, and how many to look up.

The error of the codes, exact score minus estimate, is known for the candidates looked up so far. Once the next candidate's
estimate, corrected by the median error and a margin of its spread, is below the score of the tenth best, later candidates are
unlikely to change the first ten. Easy queries need one round, hard ones more.
"""

from collections.abc import Callable

import numpy as np

from searchkit_indexes.base import Ids, Neighbours, SearchableIndex, Vectors

EXACT_TOP_K = 10  # default: results after these depend on the candidates of the rounds
_MARGIN = 4.0  # standard deviations; among 1,000,000 one-bit codes 3 yields a recall of .9968, 4 and more .9986
_OF_NORMAL = 1.4826  # standard deviation of a normal distribution divided by its median absolute deviation
_LEAST_KNOWN = 16  # errors required for an estimate
_FIRST_ROUND = 64
_SMALL = 20_000  # vectors, up to which small dense clusters can distort the errors and more candidates cost nothing
_LEAST_OF_SMALL = 512  # candidates always looked up in a small index
_LARGEST_ROUND = 256  # more at once exceed the processor's caches
_SCORED_OUTRIGHT = 2000  # allowed vectors up to which looking up all is faster than selecting

FetchVectors = Callable[[Ids], tuple[Ids, Vectors]]


def search_rescored(
    index: SearchableIndex,
    query: Vectors,
    k: int,
    fetch: FetchVectors,
    *,
    exact_top_k: int = EXACT_TOP_K,
    allowed_ids: Ids | None = None,
) -> Neighbours:
    """Find the k nearest of one (dimension,) query by dot products of full vectors, among as many candidates as necessary.

    `fetch`: returns (ids, vectors) of those requested ids that still exist, in any order. `exact_top_k`: how many of the first
    must be almost certain; of the rest up to a fifth may differ. If a filter allows few vectors, all are scored. If many
    candidates no longer exist, more are requested.
    """
    if k < 1:
        return _ranked(np.empty(0, np.int64), np.empty(0, np.float32), 0)
    if allowed_ids is not None and len(allowed_ids) <= max(_SCORED_OUTRIGHT, k):
        ids, vectors = fetch(np.unique(allowed_ids))
        return _ranked(ids, vectors @ query, k)
    least = _LEAST_OF_SMALL if len(index) <= _SMALL else _FIRST_ROUND
    rounds = _Rounds(query, k, min(k, exact_top_k), least, fetch)
    wanted = max(index.max_candidates, k, least)
    while True:
        candidates = index.search(query[None], wanted, allowed_ids)
        if rounds.go_through(candidates) or len(candidates.ids[0]) < wanted:
            return rounds.ranked()
        if not rounds.too_few_found():
            return rounds.ranked()
        wanted *= 4


class _Rounds:
    """The candidates looked up so far; each round doubles them. `least`: size of the first round, and minimum of each."""

    def __init__(self, query: Vectors, k: int, exact_top_k: int, least: int, fetch: FetchVectors) -> None:
        self._query, self._k, self._exact_top_k, self._least, self._fetch = query, k, exact_top_k, least, fetch
        self._asked: Ids = np.empty(0, np.int64)
        self._ids: Ids = np.empty(0, np.int64)
        self._scores: Vectors = np.empty(0, np.float32)
        self._errors: Vectors = np.empty(0, np.float32)

    def go_through(self, found: Neighbours) -> bool:
        """Look up new candidates, best first; returns whether the first results are almost certain."""
        new = ~np.isin(found.ids[0], self._asked)
        candidates, estimates, are_coded = found.ids[0, new], found.scores[0, new], found.are_coded[0, new]
        start = 0
        while start < len(candidates):
            stop = start + max(min(len(self._asked), _LARGEST_ROUND), self._least, self._k - len(self._asked))
            self._look_up(candidates[start:stop], np.where(are_coded, estimates, np.nan)[start:stop])
            if stop < len(candidates) and self._is_settled(float(estimates[stop])):
                return True
            start = stop
        return False

    def too_few_found(self) -> bool:
        """Return whether too few of the candidates still exist."""
        return len(self._ids) < self._k or 2 * len(self._ids) < len(self._asked)

    def ranked(self) -> Neighbours:
        """Rank the k best of the candidates looked up."""
        return _ranked(self._ids, self._scores, self._k)

    def _look_up(self, candidates: Ids, estimates: Vectors) -> None:
        """Look up and score candidates. `estimates`: NaN for scores that are exact."""
        ids, vectors = self._fetch(candidates)
        scores = vectors @ self._query
        order = np.argsort(candidates)
        estimated = estimates[order[np.searchsorted(candidates, ids, sorter=order)]]
        self._asked = np.concatenate([self._asked, candidates])
        self._ids = np.concatenate([self._ids, ids])
        self._scores = np.concatenate([self._scores, scores])
        self._errors = np.concatenate([self._errors, (scores - estimated)[~np.isnan(estimated)]])

    def _is_settled(self, next_estimate: float) -> bool:
        if self.too_few_found() or len(self._errors) < _LEAST_KNOWN:
            return False
        last = np.partition(self._scores, -self._exact_top_k)[-self._exact_top_k]
        middle = np.median(self._errors)
        spread = _OF_NORMAL * np.median(np.abs(self._errors - middle))
        return bool(last >= next_estimate + middle + _MARGIN * spread)


def _ranked(ids: Ids, scores: Vectors, k: int) -> Neighbours:
    order = np.lexsort((ids, -scores))[:k]
    return Neighbours(ids[order][None], scores[order][None], np.zeros((1, len(order)), bool))
