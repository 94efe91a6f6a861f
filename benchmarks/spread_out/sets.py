"""The vectors of a judged set: passages, queries, and the pairs that adapters are learned from. Embedded once, then kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import reading
from searchkit.embedding.embedder import Embedder, normalized
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.home import Home
from searchkit.reports import ProgressListener
from searchkit.train.gate import JudgedQueries
from searchkit.train.judged_sets import judged_folder
from searchkit.train.pairs.mining import mine_pairs, mine_sentences
from searchkit.train.pairs.pair import Pair, Split, deduplicated, sample, split_by_document
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors, VectorCache, vectors_of_pairs
from searchkit_indexes import Ids, Vectors

SEEDS = 3
_MOST_PAIRS, _LEAST_PAIRS = (
    2_000,
    300,
)  # of titles and headings; where there are fewer, sentences are taken out of passages
_MOST_SENTENCES = 1_200  # each takes two texts to embed
_MOST_QUERIES = 500
_PREFIXES = (512, 256, 128)


@dataclass(frozen=True, slots=True)
class StudySet:
    """A judged set as vectors of one model. `is_training`: (seeds, pairs) which pairs each seed learns from.

    `passages`: (n, dimension), `document_of`: (n,) their documents, `queries`: (q, dimension), `relevance`: by document number.
    """

    name: str
    model: str
    prefixes: tuple[int, ...]
    passages: Vectors
    document_of: Ids
    queries: Vectors
    relevance: tuple[Mapping[str, int], ...]
    pairs: PairVectors
    is_training: npt.NDArray[np.bool_]

    def training(self, seed: int) -> PairVectors:
        """The pairs that a seed learns from. No judged query is among them."""
        return self.pairs.of_rows(np.flatnonzero(self.is_training[seed]))


def load_set(home: Home, folder: Path, embedder: Embedder, cache: Path, on_progress: ProgressListener) -> StudySet:
    """Read a set's vectors from `cache`, or embed it, which resumes after an interruption."""
    file = cache / f"{embedder.info.name}-{folder.resolve().name}.npz"
    if not file.is_file() or str(np.load(file)["fingerprint"]) != embedder.info.fingerprint:
        _write(file, home, folder, embedder, on_progress)
    with np.load(file) as kept:
        pairs = PairVectors(
            queries=_unit(kept["pair_queries"]),
            passages=_unit(kept["pair_passages"]),
            query_ids=kept["query_ids"],
            passage_ids=kept["passage_ids"],
            rows=np.full(len(kept["query_ids"]), -1, np.int64),
            negatives=np.zeros(kept["pair_queries"].shape, np.float32),
        )
        return StudySet(
            name=folder.resolve().name,
            model=embedder.info.name,
            prefixes=tuple(kept["prefixes"].tolist()),
            passages=_unit(kept["passages"]),
            document_of=kept["document_of"],
            queries=_unit(kept["queries"]),
            relevance=tuple(json.loads(str(kept["relevance"]))),
            pairs=pairs,
            is_training=kept["is_training"],
        )


def _write(file: Path, home: Home, folder: Path, embedder: Embedder, on_progress: ProgressListener) -> None:
    judged = some_queries(judged_folder(home, folder, embedder, on_progress), _MOST_QUERIES)
    data = read_beir(folder)
    collection = corpus_collection(home, Corpus(data.name, data.documents), embedder)
    cache = VectorCache(home.path / "train" / f"benchmark-{folder.resolve().name}.bin", embedder, on_progress)
    with reading(collection.folder) as catalog:
        pairs = pairs_of(catalog)
        if not pairs:
            raise SystemExit(f"{folder} has neither titles nor passages of several sentences to learn from.")
        vectors = vectors_of_pairs(pairs, CorpusVectors((), judged.corpus[:0]), cache)
    cache.save()
    splits = [split_by_document(pairs, seed) for seed in range(SEEDS)]
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(
        part,
        fingerprint=embedder.info.fingerprint,
        prefixes=np.array(prefixes_of(embedder.info.dimension)),
        passages=judged.corpus.astype(np.float16),
        document_of=judged.document_of,
        queries=judged.queries.astype(np.float16),
        relevance=json.dumps([dict(each) for each in judged.relevance]),
        pair_queries=vectors.queries.astype(np.float16),
        pair_passages=vectors.passages.astype(np.float16),
        query_ids=vectors.query_ids,
        passage_ids=vectors.passage_ids,
        is_training=np.array([[pair.split is Split.TRAIN for pair in split] for split in splits]),
    )
    part.replace(file)


def prefixes_of(dimension: int) -> list[int]:
    """The prefixes that are studied, whether or not the model was trained for them: the whole vector, 512, 256, 128."""
    return [dimension, *(each for each in _PREFIXES if each < dimension)]


def pairs_of(catalog: CatalogReader) -> list[Pair]:
    """Titles and headings with their passages; where there are hardly any, sentences with what is left of theirs."""
    titled, _ = deduplicated(mine_pairs(catalog))
    if len(titled) >= _LEAST_PAIRS:
        return sample(titled, _MOST_PAIRS)
    taken_out, _ = deduplicated(mine_sentences(catalog, _MOST_SENTENCES))
    return max(titled, taken_out, key=len)


def some_queries(judged: JudgedQueries, most: int) -> JudgedQueries:
    """At most so many of the queries, chosen by chance, the same at each call."""
    count = len(judged.queries)
    rows = np.sort(np.random.default_rng(0).permutation(count)[:most])
    return judged.of_rows(rows)


def _unit(halves: npt.NDArray[np.float16]) -> Vectors:
    return normalized(halves.astype(np.float32))
