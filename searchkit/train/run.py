"""From a collection to a model adapted to it: pairs, vectors, a matrix, the gate, the model's folder and its report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

from searchkit.catalog.access import reading
from searchkit.catalog.collection_folder import existing_collection
from searchkit.embedding.adapted_model import Adaptation, Matrix, mapped
from searchkit.embedding.embedder import Embedder, Vectors
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.errors import ModelError
from searchkit.evaluate.judged import read_judged
from searchkit.library import Library
from searchkit.train.adapter import CANDIDATES, Chosen, choose_matrix
from searchkit.train.collect import check_pairs, gather_pairs
from searchkit.train.errors import TrainingError, writing_to
from searchkit.train.gate import GENERAL_LOSS, Comparison, JudgedQueries, Verdict, compare, compare_pairs, judge
from searchkit.train.judged_sets import check_folders, judged_folder, known_items, own_queries, sample_docs
from searchkit.train.languages import corpus_sample, judged_remarks, pair_remarks
from searchkit.train.losses import LossWeights
from searchkit.train.measures import KnownItems
from searchkit.train.pairs import Pair, PairCounts, Split, of_split, sample
from searchkit.train.report import AdapterReport, markdown, write_report
from searchkit.train.report_folder import report_place
from searchkit.train.vectors import CorpusVectors, PairVectors, Sources, VectorCache, vectors_of_pairs
from searchkit.types import Progress, ProgressListener
from searchkit.wording import command

_MOST_TRAINING, _MOST_VALIDATION, _MOST_TEST = 10_000, 300, 500
_QUICK_TRAINING, _QUICK_VALIDATION, _QUICK_TEST = 1_500, 100, 150
_NEAREST = 10


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """How an adapter is trained.

    `pairs`: from a file instead of the collection's own. `queries`: a file of judged queries, which are then the target. `general`:
    folders in BEIR's layout besides the bundled check. `name`: the new model's. `is_forced`: make it though the gate says no.
    `is_quick`: learn from stored vectors and embed no more than the proof needs. `out`: folder for the report.
    """

    pairs: Path | None = None
    queries: Path | None = None
    general: tuple[Path, ...] = ()
    name: str = ""
    seed: int = 0
    is_forced: bool = False
    is_quick: bool = False
    out: Path | None = None
    candidates: Sequence[LossWeights] = CANDIDATES


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it. `model`: the name of the new model, "" if the base stays."""

    model: str
    report: AdapterReport
    report_folder: Path


def train_adapter(
    library: Library,
    collection: str,
    options: AdapterOptions = AdapterOptions(),
    on_progress: ProgressListener = lambda _: None,
) -> Adapted:
    """Train an adapter, prove it, and make it a model if it passes. No collection is changed, nor any model that there is.

    Raises TrainingError for too little to learn from, and what opening the collection and its model raises.
    """
    started = monotonic()
    embedder = library.embedder_of(collection)
    card = library.models.card(embedder.name)
    if card is None:
        raise ModelError(f"The model '{embedder.name}' has no folder to make an adapted one of. Import it first.")
    name = _free_name(library, card, collection, options.name)
    if options.out:
        report_place(options.out)
    check_folders(options.general)
    known = _gather(library, collection, embedder, options, on_progress)
    prefixes = embedder.prefix_dimensions
    on_progress(Progress("Training", 0, None, ""))
    embedded_at = monotonic()
    chosen = choose_matrix(
        known.parts[Split.TRAIN],
        known_items(known.parts[Split.VALIDATION], known.corpus, seed=options.seed),
        prefixes,
        candidates=options.candidates,
        seed=options.seed,
        objection_to=lambda matrix: next(filter(None, (_harm(one, matrix, prefixes) for one in known.general)), ""),
    )
    trained_at = monotonic()
    on_progress(Progress("Proving", 0, None, ""))
    test = known_items(known.parts[Split.TEST], known.corpus, seed=options.seed)
    targets, checks, verdict = _prove(chosen, test, known.own, known.general, prefixes)
    is_made = verdict.passed or options.is_forced
    report = AdapterReport(
        collection=collection,
        base=card.name,
        model=name if is_made else "",
        licence=card.licence,
        counts=known.counts,
        remarks=known.remarks,
        used={split.value: len(known.parts[split]) for split in Split},
        is_quick=options.is_quick,
        seed=options.seed,
        chosen=chosen.trial,
        trials=chosen.trials,
        targets=targets,
        general=checks,
        verdict=verdict,
        is_forced=options.is_forced,
        embedded=known.embedded,
        embed_seconds=embedded_at - started,
        train_seconds=trained_at - embedded_at,
        prove_seconds=monotonic() - trained_at,
    )
    if is_made:
        adaptation = _adaptation(report, _proven(chosen), known, embedder)
        with writing_to(library.home / "models", f"The model {name}"):
            library.models.add_adapted(card.name, name, adaptation)
    place = options.out or library.home / "train" / collection / "reports" / (report.model or "rejected")
    write_report(place, report)
    return Adapted(report.model, report, place)


def _adaptation(report: AdapterReport, matrix: Matrix, known: "_Known", embedder: Embedder) -> Adaptation:
    """What the model folder gets to say of the matrix."""
    queries = np.concatenate([known.parts[split].queries for split in Split])
    similarity = adapted_range(embedder, matrix, known.corpus.vectors, queries)
    source = {
        "adapted_to": report.collection,
        "passages": str(len(known.corpus.vectors)),
        "pairs": str(report.used[Split.TRAIN]),
    }
    return Adaptation(matrix, similarity, source, markdown(report))


@dataclass(frozen=True, slots=True)
class _Known:
    """All that training and proof need, as vectors. `own`: the user's judged queries, None if there are none."""

    counts: PairCounts
    remarks: tuple[str, ...]
    parts: Mapping[Split, PairVectors]
    corpus: CorpusVectors
    own: JudgedQueries | None
    general: Sequence[JudgedQueries]
    embedded: int


def _gather(
    library: Library, collection: str, embedder: Embedder, options: AdapterOptions, on_progress: ProgressListener
) -> _Known:
    """Embed what has no vector yet; what was embedded is kept, whatever happens then."""
    pairs, counts = gather_pairs(library, collection, options.pairs, seed=options.seed)
    check_pairs(pairs, counts, collection, options.pairs)
    remarks = _remarks(library, collection, options.queries, pairs)
    pairs = _limited(pairs, options)
    with reading(existing_collection(library.home, collection)) as connection:
        corpus = CorpusVectors.read(connection, embedder)
    if not len(corpus.vectors):
        raise TrainingError(f"'{collection}' has no vectors yet. Embed it first: {command('index', '-c', collection)}")
    cache = VectorCache(library.home / "train" / collection / "vectors.bin", embedder, on_progress)
    try:
        vectors = vectors_of_pairs(pairs, corpus, cache, Sources.STORED if options.is_quick else Sources.EMBEDDED)
        own = own_queries(library, collection, options.queries, corpus, cache) if options.queries else None
    finally:
        cache.save()
    parts = {split: _part(pairs, vectors, split) for split in Split}
    general = _general_sets(library, embedder, options, on_progress)
    return _Known(counts, remarks, parts, corpus, own, general, cache.embedded)


def _remarks(library: Library, collection: str, judged: Path | None, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """What is odd about the languages of the queries."""
    found = pair_remarks(pairs, corpus_sample(library, collection))
    if judged is None:
        return found
    queries = read_judged(library.home, collection, judged).queries
    return (*found, *judged_remarks(list(queries.values()), pairs))


def adapted_range(embedder: Embedder, matrix: Matrix, corpus: Vectors, queries: Vectors) -> tuple[float, float]:
    """The adapted model's similarity range: where the cosines at the base's ends go, so that what was weak stays weak.

    A line through the cosines of the nearest passages, before and after, of the collection's own queries and of strangers'.
    """
    strangers = embedder.embed_queries([query for query, _ in SAMPLE_PAIRS])
    asked = np.concatenate([queries[: 10 * len(strangers)], strangers])
    before = asked @ corpus.T
    nearest = np.argsort(-before, axis=1)[:, :_NEAREST]
    after = np.einsum("qd,qkd->qk", mapped(asked, matrix), mapped(corpus, matrix)[nearest])
    slope, start = np.polyfit(np.take_along_axis(before, nearest, 1).ravel(), after.ravel(), 1)
    low, high = (float(np.clip(start + slope * end, -1, 1)) for end in embedder.similarity_range)
    return (round(low, 4), round(high, 4)) if low < high else embedder.similarity_range


def _prove(
    chosen: Chosen,
    test: KnownItems,
    own: JudgedQueries | None,
    general: Sequence[JudgedQueries],
    prefixes: Sequence[int],
) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...], Verdict]:
    """The user's queries are the target where there are some, else the held-out pairs.

    Where nothing was chosen the likeliest is compared all the same, for the report.
    """
    matrix = _proven(chosen)
    pairs = compare_pairs("held-out pairs", test, matrix, prefixes)
    targets = (compare(own, matrix, prefixes), pairs) if own else (pairs,)
    checks = tuple(compare(one, matrix, prefixes) for one in general)
    if chosen.matrix is None:
        first = max(chosen.trials, key=lambda trial: trial.likelihood)
        reason = f"no adapter made the validation pairs likelier without harm (the likeliest: {first.objection})"
        return targets, checks, Verdict(False, reason)
    return targets, checks, judge(targets[:1], checks)


def _proven(chosen: Chosen) -> Matrix:
    return chosen.likeliest if chosen.matrix is None else chosen.matrix


def _harm(judged: JudgedQueries, matrix: Matrix, prefixes: Sequence[int]) -> str:
    """What a general check has against a matrix, "" if nothing."""
    gain = compare(judged, matrix, prefixes).gain
    return "" if gain >= -GENERAL_LOSS else f"{judged.name} loses {-gain:.4f} of nDCG@10"


def _general_sets(
    library: Library, embedder: Embedder, options: AdapterOptions, on_progress: ProgressListener
) -> list[JudgedQueries]:
    bundled = sample_docs()
    folders = [*([bundled] if bundled else []), *options.general]
    return [judged_folder(library.home, folder, embedder, on_progress) for folder in folders]


def _limited(pairs: Sequence[Pair], options: AdapterOptions) -> list[Pair]:
    """As many as are embedded in the time one has."""
    quick = options.is_quick
    most = {
        Split.TRAIN: _QUICK_TRAINING if quick else _MOST_TRAINING,
        Split.VALIDATION: _QUICK_VALIDATION if quick else _MOST_VALIDATION,
        Split.TEST: _QUICK_TEST if quick else _MOST_TEST,
    }
    return [pair for split, count in most.items() for pair in sample(of_split(pairs, split), count, options.seed)]


def _part(pairs: Sequence[Pair], vectors: PairVectors, split: Split) -> PairVectors:
    rows = np.array([i for i, pair in enumerate(pairs) if pair.split is split], np.int64)
    return PairVectors(*(getattr(vectors, name)[rows] for name in PairVectors.__slots__))


def _free_name(library: Library, base: ModelCard, collection: str, wanted: str) -> str:
    """The name wanted, or the first free one made of the base's and the collection's."""
    if wanted:
        return library.models.free_name(wanted)
    stem = base.source.get("base", base.name) if base.root_fingerprint != base.fingerprint else base.name
    plain = "-".join(collection.split()).replace("@", "-")
    taken = {*library.models.names(), *(model.name for model in library.models.broken())}
    names = [f"{stem}-{plain}"[:90], *(f"{stem}-{plain}"[:90] + f"-{number}" for number in range(2, len(taken) + 3))]
    return library.models.free_name(next(name for name in names if name not in taken))
