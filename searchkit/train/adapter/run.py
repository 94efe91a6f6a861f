"""From a collection to a model adapted to it: pairs, vectors, a matrix, the gate, the model's folder and its report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from searchkit.train.adapter.learn import Chosen, Validation, choose_matrix
from searchkit.train.adapter.report import AdapterReport, markdown, write_report
from searchkit.train.adapter.training_data import TrainingData, load
from searchkit.train.effort import Effort, compare_effort
from searchkit.train.gate import (
    NO_GAINS,
    Comparison,
    JudgedQueries,
    Verdict,
    compare,
    compare_pairs,
    judge,
    loses_too_much,
)
from searchkit.train.judged_sets import check_folders, known_items
from searchkit.train.likelihoods import KnownItems, Values
from searchkit.train.options import AdapterOptions, writing_to
from searchkit.train.pairs.pair import Split
from searchkit.train.pairs.vectors import PairVectors
from searchkit.train.reports import report_place
from searchkit_indexes import Vectors

_NEAREST = 10


@dataclass(frozen=True, slots=True)
class Adapted:
    """The result of a run. `model`: the name of the new model, "" if the base stays."""

    model: str
    report: AdapterReport
    report_folder: Path


@dataclass(frozen=True, slots=True)
class _Proven:
    """The learned matrix, and its effect on held-out and general queries."""

    chosen: Chosen
    proof: "Proof"
    train_seconds: float
    prove_seconds: float


@dataclass(frozen=True, slots=True)
class Proof:
    """The effect of a matrix on held-out and general queries and on the index. The first of the targets decides."""

    targets: tuple[Comparison, ...]
    general: tuple[Comparison, ...]
    effort: Effort | None
    verdict: Verdict


def train_adapter(
    library: Library,
    collection: str,
    options: AdapterOptions,
    on_progress: ProgressListener = lambda _: None,
) -> Adapted:
    """Train an adapter, prove it, and make a model of it if it passes. No collection and no existing model is changed.

    Raises TrainingError if there is too little to learn from, and what opening the collection and its model raises.
    """
    started = monotonic()
    embedder = library.collection(collection).embedder()
    card = base_card(library, embedder)
    name = free_name(library, card, collection, options.name)
    if options.out:
        report_place(options.out)
    check_folders(options.general)
    data = load(library, collection, embedder, options, on_progress)
    embed_seconds = monotonic() - started
    proven = _learn_and_prove(data, options, embedder.info.prefix_dimensions, on_progress)
    is_made = proven.proof.verdict.passed or options.is_forced
    report = AdapterReport(
        collection=collection,
        base=card.name,
        model=name if is_made else "",
        licence=card.licence,
        counts=data.counts,
        remarks=data.remarks,
        used={split.value: len(data.parts[split]) for split in Split},
        quick=options.is_quick,
        seed=options.seed,
        chosen=proven.chosen.trial,
        trials=proven.chosen.trials,
        targets=proven.proof.targets,
        general=proven.proof.general,
        effort=proven.proof.effort,
        verdict=proven.proof.verdict,
        forced=options.is_forced,
        embedded=data.embedded,
        embed_seconds=embed_seconds,
        train_seconds=proven.train_seconds,
        prove_seconds=proven.prove_seconds,
    )
    if is_made:
        adaptation = adaptation_of(collection, _best_matrix(proven.chosen), data, embedder, markdown(report))
        with writing_to(library.home.models, f"The model {name}"):
            library.models.add_adapted(card.name, name, adaptation)
    folder = options.out or own_reports(library, collection) / (report.model or "rejected")
    write_report(folder, report)
    return Adapted(report.model, report, folder)


def own_reports(library: Library, collection: str) -> Path:
    """The folder for the reports of a collection's adapters."""
    return existing_collection(library.home, collection).training / "reports"


def base_card(library: Library, embedder: Embedder) -> ModelCard:
    """The card of the model to adapt. Raises ModelError if it has no folder."""
    card = library.models.card(embedder.info.name)
    if card is None:
        raise ModelError(
            f"The model '{embedder.info.name}' has no folder to make an adapted one of.", remedy="Import it first."
        )
    return card


def _learn_and_prove(
    data: TrainingData, options: AdapterOptions, prefixes: Sequence[int], on_progress: ProgressListener
) -> _Proven:
    """Learn a matrix, and compare it with the base.

    The target is the user's judged queries, or the held-out pairs if there are none. If no matrix was chosen, the likeliest is
    compared nevertheless, for the report.
    """
    on_progress(Progress("Training", 0, None, ""))
    started = monotonic()
    chosen = _choose(data, options, prefixes)
    trained = monotonic()
    on_progress(Progress("Proving", 0, None, ""))
    proof = prove_matrix(data, _best_matrix(chosen), prefixes, seed=options.seed, crossed=chosen.crossed)
    if chosen.matrix is None:
        proof = replace(proof, verdict=_none_chosen(chosen))
    return _Proven(chosen, proof, trained - started, monotonic() - trained)


def prove_matrix(
    data: TrainingData, matrix: Matrix, prefixes: Sequence[int], *, seed: int = 0, crossed: Values = NO_GAINS
) -> Proof:
    """Compare a matrix with the base: the user's judged queries or the held-out pairs decide, with general checks and the index.

    `crossed`: see Chosen.
    """
    test = known_items(data.parts[Split.TEST], data.corpus, seed=seed)
    pairs = compare_pairs("held-out pairs", test, matrix, prefixes, crossed)
    targets = (compare(data.own, matrix, prefixes), pairs) if data.own else (pairs,)
    general = tuple(compare(each, matrix, prefixes) for each in data.general)
    effort = compare_effort(data.index, test.queries, data.corpus.vectors, matrix)
    return Proof(targets, general, effort, judge(targets[:1], general, effort))


def _choose(data: TrainingData, options: AdapterOptions, prefixes: Sequence[int]) -> Chosen:
    """Learn from the training pairs; choose by the validation pairs and the general checks."""

    def held_out(pairs: PairVectors) -> KnownItems:
        return known_items(pairs, data.corpus, seed=options.seed)

    validation = Validation(
        held_out(data.parts[Split.VALIDATION]),
        held_out,
        regression_of=lambda matrix: regression_of(data.general, matrix, prefixes),
    )
    return choose_matrix(
        data.parts[Split.TRAIN], validation, prefixes, candidates=options.candidates, seed=options.seed
    )


def _best_matrix(chosen: Chosen) -> Matrix:
    return chosen.likeliest if chosen.matrix is None else chosen.matrix


def _none_chosen(chosen: Chosen) -> Verdict:
    best = max(chosen.trials, key=lambda trial: trial.likelihood)
    reason = (
        f"no adapter made the answers of the validation pairs likelier without harm (the best: {best.rejection_reason})"
    )
    return Verdict(False, reason)


def regression_of(general: Sequence[JudgedQueries], matrix: Matrix, prefixes: Sequence[int]) -> str:
    """The loss of the first general check that loses too much under a matrix, "" if none does."""
    for judged in general:
        comparison = compare(judged, matrix, prefixes)
        if loses_too_much(comparison):
            return f"{judged.name} loses {-comparison.gain:.4f} of nDCG@10"
    return ""


def adaptation_of(
    collection: str, matrix: Matrix, data: TrainingData, embedder: Embedder, description: str
) -> Adaptation:
    """The content of the new model's folder; `description` in Markdown."""
    queries = np.concatenate([data.parts[split].queries for split in Split])
    similarity = adapted_range(embedder, matrix, data.corpus.vectors, queries)
    source = {
        "adapted_to": collection,
        "passages": str(len(data.corpus.vectors)),
        "pairs": str(len(data.parts[Split.TRAIN])),
    }
    return Adaptation(matrix, similarity, source, description)


def adapted_range(embedder: Embedder, matrix: Matrix, corpus: Vectors, queries: Vectors) -> tuple[float, float]:
    """The adapted model's similarity range: the base's range, mapped so that weak matches stay weak.

    It is mapped by a line through the cosines of the nearest passages before and after, for queries of the collection and for
    unrelated ones.
    """
    unrelated = embedder.embed_queries([query for query, _ in SAMPLE_PAIRS])
    asked = np.concatenate([queries[: 10 * len(unrelated)], unrelated])
    before = asked @ corpus.T
    nearest = np.argsort(-before, axis=1)[:, :_NEAREST]
    after = np.einsum("qd,qkd->qk", mapped(asked, matrix), mapped(corpus, matrix)[nearest])
    slope, start = np.polyfit(np.take_along_axis(before, nearest, 1).ravel(), after.ravel(), 1)
    low, high = (float(np.clip(start + slope * end, -1, 1)) for end in embedder.info.similarity_range)
    return (round(low, 4), round(high, 4)) if low < high else embedder.info.similarity_range


def free_name(library: Library, base: ModelCard, collection: str, name: str) -> str:
    """The name that was asked for, or the first free one made of the base's and the collection's."""
    if name:
        return library.models.free_name(name)
    stem = base.source.get("base", base.name) if base.root_fingerprint != base.fingerprint else base.name
    plain = "-".join(collection.split()).replace("@", "-")
    taken = {*library.models.names(), *(model.name for model in library.models.broken())}
    names = [f"{stem}-{plain}"[:90], *(f"{stem}-{plain}"[:90] + f"-{number}" for number in range(2, len(taken) + 3))]
    return library.models.free_name(next(each for each in names if each not in taken))
