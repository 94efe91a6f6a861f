"""All data that an adapter is trained on and proven with, as vectors; texts that have none yet are embedded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchkit.catalog.connection import reading
from searchkit.embedding.embedder import Embedder
from searchkit.errors import Action, Remedy, TrainingError
from searchkit.evaluate.judged import read_judged
from searchkit.home import existing_collection
from searchkit.index_store import wanted_spec
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.train.gate import JudgedQueries
from searchkit.train.judged_sets import SAMPLE_DOCS, judged_folder, own_queries
from searchkit.train.options import AdapterOptions
from searchkit.train.pairs.collect import LEAST_TRAINING, check_pairs, read_or_mine_pairs
from searchkit.train.pairs.languages import corpus_sample, judged_remarks, pair_remarks
from searchkit.train.pairs.pair import Kind, Pair, PairCounts, Split, of_split, sample
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors, Sources, VectorCache, vectors_of_pairs
from searchkit_indexes import IndexSpec

_MOST_TRAINING, _MOST_VALIDATION, _MOST_TEST = 10_000, 300, 500
_QUICK_TRAINING, _QUICK_VALIDATION, _QUICK_TEST = 1_500, 100, 150
_QUICK_SENTENCES = 400  # all of them, and what is left of their passages, have to be embedded


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The data of training and proof. `own`: the user's judged queries, None if there are none.

    `parts`: the pairs by split; `remarks`: sentences for people on what is odd about them; `embedded`: number of texts that had
    to be embedded. `index`: the one that the collection is searched with.
    """

    counts: PairCounts
    remarks: tuple[str, ...]
    parts: Mapping[Split, PairVectors]
    corpus: CorpusVectors
    own: JudgedQueries | None
    general: Sequence[JudgedQueries]
    embedded: int
    index: IndexSpec


def load(
    library: Library, collection: str, embedder: Embedder, options: AdapterOptions, on_progress: ProgressListener
) -> TrainingData:
    """Load the pairs and judged queries of a run. New vectors are saved, even if the run fails later.

    Raises TrainingError if there is too little to learn from, or the collection has no vectors.
    """
    pairs, counts = _pairs(library, collection, options)
    check_pairs(pairs, counts, collection, options.pairs)
    remarks = remarks_on(library, collection, options.queries, pairs)
    return load_vectors(
        library, collection, embedder, options, (_limited(pairs, options), counts, remarks), on_progress
    )


def load_vectors(
    library: Library,
    collection: str,
    embedder: Embedder,
    options: AdapterOptions,
    chosen: tuple[Sequence[Pair], PairCounts, tuple[str, ...]],
    on_progress: ProgressListener,
) -> TrainingData:
    """Load the vectors of pairs that were chosen already, and what they are proven with; new ones are saved.

    `chosen`: the pairs, the counts of all, and remarks on them. The parts have the pairs in this order. Raises TrainingError if
    the collection has no vectors.
    """
    pairs, counts, remarks = chosen
    folder = existing_collection(library.home, collection)
    with reading(folder) as catalog:
        corpus = CorpusVectors.read(catalog, embedder)
        index = wanted_spec(catalog, embedder, len(corpus.vectors))
    if not len(corpus.vectors):
        raise TrainingError(
            f"'{collection}' has no vectors yet.",
            remedy=Remedy(Action.RESUME_INDEXING, collection=collection, sentence="Embed it first"),
        )
    cache = VectorCache(folder.training / "vectors.bin", embedder, on_progress)
    try:
        vectors = vectors_of_pairs(pairs, corpus, cache, Sources.STORED if options.is_quick else Sources.EMBEDDED)
        own = own_queries(library, collection, options.queries, corpus, cache) if options.queries else None
    finally:
        cache.save()
    parts = {split: vectors.of_rows(_rows_of(pairs, split)) for split in Split}
    folders = [SAMPLE_DOCS, *options.general]
    general = [judged_folder(library.home, each, embedder, on_progress) for each in folders]
    return TrainingData(counts, remarks, parts, corpus, own, general, cache.embedded, index)


def _pairs(library: Library, collection: str, options: AdapterOptions) -> tuple[list[Pair], PairCounts]:
    """The pairs of a run. A quick one embeds little: sentences and their passages only where nothing else is to be learned from."""
    file, seed = options.pairs, options.seed
    found = read_or_mine_pairs(library, collection, file, seed=seed, with_sentences=not options.is_quick)
    if options.is_quick and len(of_split(found[0], Split.TRAIN)) < LEAST_TRAINING:
        found = read_or_mine_pairs(library, collection, file, seed=seed)
    return found


def remarks_on(library: Library, collection: str, judged: Path | None, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """Sentences on what is odd about the languages of the queries."""
    found = pair_remarks(pairs, corpus_sample(library, collection))
    if judged is None:
        return found
    queries = read_judged(library.home, collection, judged).queries
    return (*found, *judged_remarks(list(queries.values()), pairs))


def _limited(pairs: Sequence[Pair], options: AdapterOptions) -> list[Pair]:
    """A sample of each split that can be embedded in reasonable time."""
    quick = options.is_quick
    of_sentences = all(pair.kind is Kind.SENTENCE for pair in pairs)
    quick_training = _QUICK_SENTENCES if of_sentences else _QUICK_TRAINING
    most = {
        Split.TRAIN: quick_training if quick else _MOST_TRAINING,
        Split.VALIDATION: _QUICK_VALIDATION if quick else _MOST_VALIDATION,
        Split.TEST: _QUICK_TEST if quick else _MOST_TEST,
    }
    return [pair for split, count in most.items() for pair in sample(of_split(pairs, split), count, options.seed)]


def _rows_of(pairs: Sequence[Pair], split: Split) -> "np.typing.NDArray[np.int64]":
    return np.array([row for row, pair in enumerate(pairs) if pair.split is split], np.int64)
