"""From a collection to a model adapted to it: pairs, vectors, a matrix, the gate, the model's folder and its report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np

from searchkit.embedding.adapted_model import Adaptation, Matrix, mapped
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.sample import SAMPLE_PAIRS
from searchkit.errors import ModelError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.adapter.learn import Chosen, choose_matrix
from searchkit.train.adapter.report import AdapterReport, markdown, write_report
from searchkit.train.adapter.training_data import Known, gather
from searchkit.train.gate import GENERAL_LOSS, Comparison, JudgedQueries, Verdict, compare, compare_pairs, judge
from searchkit.train.judged_sets import check_folders, known_items
from searchkit.train.likelihoods import KnownItems
from searchkit.train.options import AdapterOptions
from searchkit.train.pairs.pair import Split
from searchkit.train.reports import report_place
from searchkit.train.requirements import writing_to
from searchkit_indexes import Vectors

_NEAREST = 10


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it. `model`: the name of the new model, "" if the base stays."""

    model: str
    report: AdapterReport
    report_folder: Path


def train_adapter(
    library: Library,
    collection: str,
    options: AdapterOptions,
    on_progress: ProgressListener = lambda _: None,
) -> Adapted:
    """Train an adapter, prove it, and make it a model if it passes. No collection is changed, nor any model that there is.

    Raises TrainingError for too little to learn from, and what opening the collection and its model raises.
    """
    started = monotonic()
    embedder, card, name = _checked(library, collection, options)
    known = gather(library, collection, embedder, options, on_progress)
    prefixes = embedder.info.prefix_dimensions
    on_progress(Progress("Training", 0, None, ""))
    embedded_at = monotonic()
    chosen = _choose(known, options, prefixes)
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
        with writing_to(library.home.models, f"The model {name}"):
            library.models.add_adapted(card.name, name, adaptation)
    reports = existing_collection(library.home, collection).training / "reports"
    return _reported(report, options.out or reports / (report.model or "rejected"))


def _checked(library: Library, collection: str, options: AdapterOptions) -> tuple[Embedder, ModelCard, str]:
    """The collection's embedder, its card, and a free name for the new model; what cannot work is refused before training."""
    embedder = library.collection(collection).embedder()
    card = _base_card(library, embedder)
    name = _free_name(library, card, collection, options.name)
    if options.out:
        report_place(options.out)
    check_folders(options.general)
    return embedder, card, name


def _reported(report: AdapterReport, place: Path) -> Adapted:
    write_report(place, report)
    return Adapted(report.model, report, place)


def _base_card(library: Library, embedder: Embedder) -> ModelCard:
    card = library.models.card(embedder.info.name)
    if card is None:
        raise ModelError(
            f"The model '{embedder.info.name}' has no folder to make an adapted one of.", remedy="Import it first."
        )
    return card


def _choose(known: Known, options: AdapterOptions, prefixes: Sequence[int]) -> Chosen:
    """Learn from the training pairs; the validation pairs and the general checks choose."""
    return choose_matrix(
        known.parts[Split.TRAIN],
        known_items(known.parts[Split.VALIDATION], known.corpus, seed=options.seed),
        prefixes,
        candidates=options.candidates,
        seed=options.seed,
        objection_to=lambda matrix: next(filter(None, (_harm(one, matrix, prefixes) for one in known.general)), ""),
    )


def _adaptation(report: AdapterReport, matrix: Matrix, known: Known, embedder: Embedder) -> Adaptation:
    """What the model folder gets to say of the matrix."""
    queries = np.concatenate([known.parts[split].queries for split in Split])
    similarity = adapted_range(embedder, matrix, known.corpus.vectors, queries)
    source = {
        "adapted_to": report.collection,
        "passages": str(len(known.corpus.vectors)),
        "pairs": str(report.used[Split.TRAIN]),
    }
    return Adaptation(matrix, similarity, source, markdown(report))


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
    low, high = (float(np.clip(start + slope * end, -1, 1)) for end in embedder.info.similarity_range)
    return (round(low, 4), round(high, 4)) if low < high else embedder.info.similarity_range


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


def _free_name(library: Library, base: ModelCard, collection: str, wanted: str) -> str:
    """The name wanted, or the first free one made of the base's and the collection's."""
    if wanted:
        return library.models.free_name(wanted)
    stem = base.source.get("base", base.name) if base.root_fingerprint != base.fingerprint else base.name
    plain = "-".join(collection.split()).replace("@", "-")
    taken = {*library.models.names(), *(model.name for model in library.models.broken())}
    names = [f"{stem}-{plain}"[:90], *(f"{stem}-{plain}"[:90] + f"-{number}" for number in range(2, len(taken) + 3))]
    return library.models.free_name(next(name for name in names if name not in taken))
