"""Vectors of pairs: those that the collection has are read from it, the others are embedded once and cached.

A pair's passage lacks its title, so its vector differs from that of the stored passage. Embedding it takes a tenth of a second;
the stored vector minus a share of the title's is near enough to learn from (`Sources.STORED`), but not to judge by.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from time import monotonic

import numpy as np
import numpy.typing as npt

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.documents import content_hash
from searchkit.embedding.embedder import Embedder, normalized
from searchkit.files import make_private_folder, write_atomically
from searchkit.reports import Progress, ProgressListener
from searchkit.train.options import writing_to
from searchkit.train.pairs.pair import Kind, Pair, Split, connected_documents, normalize
from searchkit.types import Passage
from searchkit_indexes import Ids, Vectors

_AT_ONCE = 32
_SAVED_EVERY_SECONDS = 60
_TITLED = {Kind.TITLE, Kind.HEADING}  # pairs whose query is the title of the stored passage
_SHARES = np.linspace(0, 0.6, 13)  # of the query's vector, to try


class Sources(StrEnum):
    """The source of the vectors of training passages."""

    EMBEDDED = "embedded"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class PairVectors:
    """The vectors of n pairs: queries and passages, each (n, dimension) float32 of unit length.

    `query_ids`, `passage_ids`: (n,), equal for equal queries or passages. `rows`: (n,) the corpus row of the passage that each pair
    was made from, -1 for none. `negatives`: (n, dimension), zero for pairs without. `is_sentence`: (n,) True for pairs of a
    sentence and what is left of its passage; None for no such pairs. `document_ids`: (n,), equal for pairs of documents that are
    connected by a query or a passage; None if they are not known.
    """

    queries: Vectors
    passages: Vectors
    query_ids: Ids
    passage_ids: Ids
    rows: Ids
    negatives: Vectors
    is_sentence: npt.NDArray[np.bool_] | None = None
    document_ids: Ids | None = None

    def __len__(self) -> int:
        return len(self.queries)

    def of_rows(self, rows: Ids) -> "PairVectors":
        """The vectors of some of the pairs."""
        return PairVectors(
            self.queries[rows],
            self.passages[rows],
            self.query_ids[rows],
            self.passage_ids[rows],
            self.rows[rows],
            self.negatives[rows],
            None if self.is_sentence is None else self.is_sentence[rows],
            None if self.document_ids is None else self.document_ids[rows],
        )


@dataclass(frozen=True, slots=True)
class CorpusVectors:
    """The vectors of all passages of a collection: (n, dimension), with their content hashes."""

    hashes: tuple[bytes, ...]
    vectors: Vectors

    @classmethod
    def read(cls, catalog: CatalogReader, embedder: Embedder) -> "CorpusVectors":
        """Read all vectors of the model from the catalog."""
        ids = vectors.vector_ids(catalog, embedder.info.fingerprint)
        _, hashes, found = vectors.fetch_vectors(catalog, ids, embedder.info.dimension)
        return cls(tuple(hashes), normalized(found))


class VectorCache:
    """A file of vectors by model and text, so that another run embeds only what is new."""

    def __init__(self, file: Path, embedder: Embedder, on_progress: ProgressListener = lambda _: None) -> None:
        self._file = file
        self._embedder = embedder
        self._on_progress = on_progress
        self._known: dict[bytes, Vectors] = {}
        self._is_changed = False
        self._saved_at = monotonic()
        self.embedded = 0
        self._read()

    def queries(self, texts: Sequence[str]) -> Vectors:
        """The vectors of queries, (n, dimension)."""
        return self._of(
            [("q", text) for text in texts], lambda some: self._embedder.embed_queries([t for _, t in some])
        )

    def passages(self, passages: Sequence[Passage]) -> Vectors:
        """The vectors of passages, (n, dimension)."""

        def embed(some: Sequence[tuple[str, str]]) -> Vectors:
            return self._embedder.embed_documents([Passage(*text.split("\0", 1)) for _, text in some])

        return self._of([("p", f"{passage.title}\0{passage.text}") for passage in passages], embed)

    def save(self) -> None:
        """Write the file if anything is new. Raises TrainingError if it cannot be written."""
        if not self._is_changed:
            return
        dtype = self._dtype()
        rows = np.empty(len(self._known), dtype)
        for row, (key, vector) in zip(rows, self._known.items(), strict=True):
            row["key"], row["vector"] = np.frombuffer(key, np.uint8), vector
        with writing_to(self._file, "What was embedded"):
            make_private_folder(self._file.parent)
            write_atomically(self._file, rows.tobytes())
        self._is_changed = False
        self._saved_at = monotonic()

    def _dtype(self) -> np.dtype[np.void]:
        return np.dtype([("key", np.uint8, 16), ("vector", np.float16, self._embedder.info.dimension)])

    def _read(self) -> None:
        if not self._file.is_file():
            return
        content = self._file.read_bytes()
        if len(content) % self._dtype().itemsize == 0:  # otherwise it has another model's dimension, and is made again
            rows = np.frombuffer(content, self._dtype())
            self._known = {row["key"].tobytes(): row["vector"].astype(np.float32) for row in rows}

    def _of(self, texts: Sequence[tuple[str, str]], embed: Callable[[Sequence[tuple[str, str]]], Vectors]) -> Vectors:
        keys = [self._key(*text) for text in texts]
        missing = list({key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}.items())
        stage = "Embedding queries" if texts and texts[0][0] == "q" else "Embedding passages"
        for start in range(0, len(missing), _AT_ONCE):
            some = missing[start : start + _AT_ONCE]
            found = (
                embed([text for _, text in some]).astype(np.float16).astype(np.float32)
            )  # equal when read from the file
            self._known.update(zip([key for key, _ in some], found, strict=True))
            self.embedded += len(some)
            self._is_changed = True
            if monotonic() - self._saved_at > _SAVED_EVERY_SECONDS:  # a run that is killed loses no more
                self.save()
            self._on_progress(Progress(stage, start + len(some), len(missing), "texts"))
        if not keys:
            return np.empty((0, self._embedder.info.dimension), np.float32)
        return normalized(np.stack([self._known[key] for key in keys]))

    def _key(self, kind: str, text: str) -> bytes:
        named = f"{self._embedder.info.fingerprint}\0{kind}\0{text}"
        return hashlib.blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def vectors_of_pairs(
    pairs: Sequence[Pair], corpus: CorpusVectors, cache: VectorCache, sources: Sources = Sources.EMBEDDED
) -> PairVectors:
    """Compute the vectors of pairs. With STORED, training pairs whose passage is in the corpus get an estimate (see above)."""
    row_of = {content_hash: row for row, content_hash in enumerate(corpus.hashes)}
    rows = np.array([row_of.get(bytes.fromhex(pair.stored), -1) for pair in pairs], np.int64)
    queries = cache.queries([pair.query for pair in pairs])
    connected = connected_documents(pairs)
    is_estimated = (rows >= 0) & [
        sources is Sources.STORED and pair.split is Split.TRAIN and pair.kind in _TITLED for pair in pairs
    ]
    passages = np.zeros_like(queries)
    exact = np.flatnonzero(~is_estimated)
    passages[exact] = cache.passages([pairs[i].passage for i in exact.tolist()])
    if is_estimated.any():
        known = exact[rows[exact] >= 0]
        share = best_share(queries[known], corpus.vectors[rows[known]], passages[known])
        estimate = normalized(corpus.vectors[rows] - share * queries)
        passages = np.where(is_estimated[:, None], estimate, passages)
    return PairVectors(
        queries=queries,
        passages=passages,
        query_ids=_numbers([normalize(pair.query) for pair in pairs]),
        passage_ids=_numbers([pair.stored or normalize(pair.passage.text) for pair in pairs]),
        rows=rows,
        negatives=_negatives(pairs, corpus, row_of, cache),
        is_sentence=np.array([pair.kind is Kind.SENTENCE for pair in pairs], bool),
        document_ids=_numbers([connected[pair.document] for pair in pairs]),
    )


def best_share(queries: Vectors, stored: Vectors, wanted: Vectors) -> float:
    """The share of the queries that, subtracted from the stored vectors, comes nearest to `wanted` on average; .3 for none."""
    if not len(queries):
        return 0.3
    means = [float((normalized(stored - share * queries) * wanted).sum(axis=1).mean()) for share in _SHARES]
    return float(_SHARES[int(np.argmax(means))])


def _negatives(
    pairs: Sequence[Pair], corpus: CorpusVectors, row_of: Mapping[bytes, int], cache: VectorCache
) -> Vectors:
    """The vector of each pair's first hard negative, from the corpus if it is there."""
    found = np.zeros((len(pairs), corpus.vectors.shape[1]), np.float32)
    unknown: list[int] = []
    for i, pair in enumerate(pairs):
        for negative in pair.negatives[:1]:
            row = row_of.get(content_hash(negative.title, negative.text))
            if row is None:
                unknown.append(i)
            else:
                found[i] = corpus.vectors[row]
    if unknown:
        found[unknown] = cache.passages([pairs[i].negatives[0] for i in unknown])
    return found


def _numbers(names: Sequence[str]) -> Ids:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)
