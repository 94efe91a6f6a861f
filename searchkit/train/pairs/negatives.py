"""Mines hard negatives: passages that a query finds, by meaning or by words, and that do not answer it.

They are near enough to teach something, but not so near that they may be unmarked answers: below 95 % of the answer's own cosine
(NV-Retriever), from another file, and not a near copy of the answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import Stemmer
from searchkit.catalog.passages import hashes_of_chunks, passages_of_hashes
from searchkit.reports import Progress, ProgressListener
from searchkit.search.lexical.bm25 import lexical_candidates, read_query
from searchkit.search.results.passages import NormalizedText
from searchkit.train.pairs.pair import Pair
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors
from searchkit.types import Passage

_MARGIN = 0.95
_DEPTH = 30  # candidates of each arm
_REPORTED = 50


def with_negatives(
    catalog: CatalogReader,
    pairs: Sequence[Pair],
    known: PairVectors,
    corpus: CorpusVectors,
    *,
    count: int = 1,
    on_progress: ProgressListener = lambda _: None,
) -> list[Pair]:
    """Give each pair up to `count` hard negatives, the hardest first; pairs that have some keep them."""
    row_of = {content_hash: row for row, content_hash in enumerate(corpus.hashes)}
    stemmer = Stemmer()
    found: list[Pair] = []
    try:
        for i, pair in enumerate(pairs):
            if i % _REPORTED == 0:
                on_progress(Progress("Looking for hard negatives", i, len(pairs), "pairs"))
            if pair.negatives:
                found.append(pair)
                continue
            cosines = corpus.vectors @ known.queries[i]
            limit = _MARGIN * float(known.queries[i] @ known.passages[i])
            candidates = _candidates(catalog, pair, cosines, row_of, stemmer)
            near = sorted((row for row in candidates if cosines[row] < limit), key=lambda row: -float(cosines[row]))
            hashes = [corpus.hashes[row] for row in near]
            found.append(replace(pair, negatives=tuple(_different(catalog, pair, hashes, count))))
    finally:
        stemmer.close()
    return found


def _candidates(
    catalog: CatalogReader,
    pair: Pair,
    cosines: "np.typing.NDArray[np.float32]",
    row_of: Mapping[bytes, int],
    stemmer: Stemmer,
) -> set[int]:
    """The rows of the corpus that either arm finds, deep enough that those above the margin leave some."""
    near = np.argsort(-cosines)[: 4 * _DEPTH].tolist()
    chunks = lexical_candidates(catalog, read_query(catalog, pair.query, stemmer), _DEPTH)
    hashes = hashes_of_chunks(catalog, list(chunks)).values()
    return {*near, *(row_of[content_hash] for content_hash in hashes if content_hash in row_of)}


def _different(catalog: CatalogReader, pair: Pair, hashes: Sequence[bytes], count: int) -> Iterator[Passage]:
    """Yield the first of these passages that are from another file than the answer, and say something else."""
    answer = NormalizedText.of("", pair.passage.text)
    count_yielded = 0
    for content_hash in hashes:
        places = passages_of_hashes(catalog, [content_hash]).get(content_hash, [])
        files = {place.path.as_posix() for place in places}
        if not places or pair.document in files or NormalizedText.of("", places[0].text).is_nearly(answer):
            continue
        yield Passage(places[0].title, places[0].text)
        count_yielded += 1
        if count_yielded == count:
            return
