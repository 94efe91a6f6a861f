"""One collection, opened for searching."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.search.fusion import LEXICAL_WEIGHT, fuse, likelihood
from searchkit.search.lexical import LexicalQuery, lexical_candidates, read_query
from searchkit.search.passages import StoredPassage, hashes_of_chunks, read_passage
from searchkit.search.snippets import Marks, sentence_bounds, snippet_around, snippet_by_words
from searchkit.search.terms import Stemmer
from searchkit.types import Evidence, Hit, Passage, SearchMode

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder, Vectors
    from searchkit_indexes import CodedIndex

_CANDIDATES = 200  # of each arm; the depth at which score fusion was measured
_SENTENCES_READ = 24  # sentences embedded at most to find the reason of matches by meaning


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Content hashes by rank value, best first, with what each arm says of them."""

    ranked: Mapping[bytes, float]
    similarities: Mapping[bytes, float]
    bm25: Mapping[bytes, float]


class CollectionSearcher:
    """Searches one collection. The model and the index are loaded when a query first needs them."""

    def __init__(
        self, folder: CollectionFolder, connection: sqlite3.Connection, open_embedder: Callable[[], "Embedder"]
    ) -> None:
        self._folder = folder
        self._connection = connection
        self._open_embedder = open_embedder
        self._read_sentences = 0
        self._seen_version = -1

    def close(self) -> None:
        """Close the catalog."""
        self._connection.close()

    def search(self, query: str, k: int, mode: SearchMode) -> list[Hit]:
        """The best k passages for a query that is not empty, best first, one hit for each distinct passage."""
        stemmer = Stemmer()
        self._notice_changes()
        self._connection.execute("BEGIN")  # one state of the catalog throughout
        try:
            lexical_query = read_query(self._connection, query, stemmer)
            vector = None if mode is SearchMode.LEXICAL else self._embedder.embed_queries([query])[0]
            ranking = self._rank(lexical_query, vector, mode, stemmer)
            return self._hits(ranking, lexical_query, vector, k, stemmer)
        finally:
            self._connection.rollback()
            stemmer.close()

    def _notice_changes(self) -> None:
        """Let go of the index if another process has written since the last search."""
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        if version != self._seen_version:
            self.__dict__.pop("_index", None)
            self._seen_version = version

    @cached_property
    def _embedder(self) -> "Embedder":
        return self._open_embedder()

    @cached_property
    def _index(self) -> "CodedIndex":
        from searchkit.vector_store import open_index

        return open_index(self._folder, self._connection, self._embedder)

    def _rank(self, query: LexicalQuery, vector: "Vectors | None", mode: SearchMode, stemmer: Stemmer) -> _Ranking:
        bm25 = {} if mode is SearchMode.SEMANTIC else self._bm25(query)
        if vector is None:
            return _Ranking(_best_first(bm25), {}, bm25)
        from searchkit.search.candidates import dense_candidates, exact_similarities

        dense = dense_candidates(self._connection, self._index, vector, _CANDIDATES)
        floor = min(dense.values(), default=0.0)
        if len(dense) < _CANDIDATES:  # a small collection: even its last passage may be a good one
            floor = min(floor, self._embedder.similarity_range[0])
        only_lexical = [content_hash for content_hash in bm25 if content_hash not in dense]
        exact = exact_similarities(self._connection, self._embedder.fingerprint, only_lexical, vector)
        similarities = {**dense, **exact}
        if mode is SearchMode.SEMANTIC:
            return _Ranking(_best_first(dense), similarities, bm25)
        ranked = fuse(
            similarities, bm25, floor, lexical_weight=LEXICAL_WEIGHT * self._told_by_words(query, bm25, stemmer)
        )
        return _Ranking(_best_first(ranked), similarities, bm25)

    def _told_by_words(self, query: LexicalQuery, bm25: Mapping[bytes, float], stemmer: Stemmer) -> float:
        """How much of the query the best lexical candidate holds, 0 to 1: an arm that knows one word in four counts less."""
        stored = read_passage(self._connection, next(iter(bm25))) if bm25 else None
        return query.coverage(_stems_of(stored, stemmer)) if stored else 0.0

    def _bm25(self, query: LexicalQuery) -> dict[bytes, float]:
        """BM25 by content hash; of equal passages the best place counts."""
        by_chunk = lexical_candidates(self._connection, query, _CANDIDATES)
        hashes = hashes_of_chunks(self._connection, list(by_chunk))
        found: dict[bytes, float] = {}
        for chunk, score in by_chunk.items():
            found.setdefault(hashes[chunk], score)
        return found

    def _hits(
        self, ranking: _Ranking, query: LexicalQuery, vector: "Vectors | None", k: int, stemmer: Stemmer
    ) -> list[Hit]:
        self._read_sentences = 0
        hits: list[Hit] = []
        coverages: list[float] = []
        for content_hash in ranking.ranked:
            if len(hits) == k:
                break
            stored = read_passage(self._connection, content_hash)
            if stored is None:
                continue
            coverages.append(query.coverage(_stems_of(stored, stemmer)))
            evidence = Evidence(
                similarity=ranking.similarities.get(content_hash),
                bm25=ranking.bm25.get(content_hash),
                terms=_matching_words(stored, query, stemmer),
            )
            snippet, marks = self._shown(stored.text, query, vector, stemmer)
            hits.append(_hit(self._folder.name, stored, evidence, ranking.ranked[content_hash], snippet, marks))
        return self._on_common_scale(hits, coverages)

    def _shown(self, text: str, query: LexicalQuery, vector: "Vectors | None", stemmer: Stemmer) -> tuple[str, Marks]:
        """The snippet, with the words that tell why it matches marked, else the sentence nearest in meaning."""
        spans = stemmer.spans(text)
        if not query.is_telling({span.stem for span in spans}) and (sentence := self._best_sentence(text, vector)):
            return snippet_around(text, sentence)
        return snippet_by_words(text, spans, query.weights)

    def _best_sentence(self, text: str, vector: "Vectors | None") -> tuple[int, int] | None:
        """The sentence nearest to the query in meaning, None if the passage is a single one or enough were read."""
        bounds = sentence_bounds(text)[: _SENTENCES_READ - self._read_sentences]
        if vector is None or len(bounds) < 2:
            return None
        self._read_sentences += len(bounds)
        vectors = self._embedder.embed_documents([Passage("", text[start:end]) for start, end in bounds])
        return bounds[int((vectors @ vector).argmax())]

    def _on_common_scale(self, hits: list[Hit], coverages: list[float]) -> list[Hit]:
        """Scores between 0 and 1 in the ranking's order.

        The first hit gets the better of what its meaning and its words say on their own; the others follow it in
        proportion to what they were ranked by.
        """
        if not hits or hits[0].score <= 0:
            return hits
        similarities = [hit.evidence.similarity for hit in hits if hit.evidence.similarity is not None]
        by_meaning = likelihood(max(similarities), self._embedder.similarity_range) if similarities else 0.0
        by_words = max(coverages) if any(hit.evidence.bm25 for hit in hits) else 0.0
        factor = max(by_meaning, by_words) / hits[0].score
        return [replace(hit, score=max(0.0, hit.score * factor)) for hit in hits]


def _stems_of(stored: StoredPassage, stemmer: Stemmer) -> set[str]:
    """Every word that the full-text table has of a passage."""
    return {span.stem for part in (stored.name, stored.title, stored.text) for span in stemmer.spans(part)}


def _matching_words(stored: StoredPassage, query: LexicalQuery, stemmer: Stemmer) -> tuple[str, ...]:
    """The distinct words of a passage, its headings and its path that the query asks for, as they are written."""
    words = (
        text[span.start : span.end].lower()
        for text in (stored.text, stored.title, stored.name)
        for span in stemmer.spans(text)
        if span.stem in query.weights
    )
    return tuple(dict.fromkeys(words))


def _hit(collection: str, stored: StoredPassage, evidence: Evidence, score: float, snippet: str, marks: Marks) -> Hit:
    return Hit(
        collection=collection,
        path=stored.path,
        title=stored.title,
        page=stored.page,
        line=stored.line,
        line_end=stored.line_end,
        score=score,
        text=stored.text,
        snippet=snippet,
        marks=marks,
        evidence=evidence,
        copies=stored.copies,
        place=stored.place,
    )


def _best_first(scores: Mapping[bytes, float]) -> dict[bytes, float]:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
