"""From a collection to a model made of a mixture of its sources, or of a soup, with the gate and the model of `train adapter`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np

from searchkit.embedding.adapted_model import Matrix
from searchkit.embedding.embedder import Embedder
from searchkit.errors import Action, Remedy, TrainingError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.adapter.learn import train_matrices
from searchkit.train.adapter.run import adaptation_of, base_card, free_name, own_reports, prove_matrix, regression_of
from searchkit.train.gate import Verdict
from searchkit.train.judged_sets import check_folders, known_items
from searchkit.train.mixtures.blends import (
    Blend,
    Ingredient,
    Validation,
    differences,
    held_out_gains,
    soups,
)
from searchkit.train.mixtures.report import BlendRow, MixtureReport, markdown, write_report
from searchkit.train.mixtures.search import PULLS, TrialFolder, Tried, best_ingredients, search_mixtures
from searchkit.train.mixtures.sources import LEAST_PAIRS, REST, Ingredients, load_ingredients
from searchkit.train.options import MixtureOptions, SoupOf, require_optuna, writing_to
from searchkit.train.pairs.pair import Split
from searchkit.train.reports import report_place

_LEAST_JUDGED = 40  # judged queries, from which on half of them choose; fewer only prove


@dataclass(frozen=True, slots=True)
class Mixed:
    """The result of a run. `model`: the name of the new model, "" if the base stays."""

    model: str
    report: MixtureReport
    report_folder: Path


@dataclass(frozen=True, slots=True)
class _Run:
    """A run with its data. `judged`: the number of judged queries that choose."""

    library: Library
    collection: str
    options: MixtureOptions
    embedder: Embedder
    name: str
    ingredients: Ingredients
    validation: Validation
    judged: int
    trials: TrialFolder
    on_progress: ProgressListener
    embed_seconds: float

    @property
    def prefixes(self) -> tuple[int, ...]:
        return tuple(self.embedder.info.prefix_dimensions)


def train_mixture(
    library: Library, collection: str, options: MixtureOptions, on_progress: ProgressListener = lambda _: None
) -> Mixed:
    """Search mixtures of the collection's sources of pairs; the best of them or a soup of the best becomes a model if it passes.

    Trials are kept, and the same call goes on after it was killed. No collection and no existing model is changed. Raises
    TrainingError if there is too little to learn from, ExtraMissingError without optuna.
    """
    require_optuna()
    run = _prepared(library, collection, options, on_progress)
    started = monotonic()
    kept = run.trials.trials()
    trials = search_mixtures(
        run.ingredients,
        run.validation,
        run.trials,
        options.trials,
        run.prefixes,
        seed=options.seed,
        on_progress=on_progress,
    )
    return _finish(
        run,
        best_ingredients(run.ingredients, run.trials, trials),
        started,
        trials,
        resumed=sum(trial in kept for trial in trials),
    )


def train_soup(
    library: Library, collection: str, options: MixtureOptions, on_progress: ProgressListener = lambda _: None
) -> Mixed:
    """Average adapters: of each source, of the best mixtures, or installed ones; the soup becomes a model if it passes.

    No collection and no existing model is changed. Raises TrainingError if there is too little to learn from or nothing to average,
    ModelNotFoundError.
    """
    installed = [_installed(library, collection, name) for name in dict.fromkeys(options.of)]
    if len(installed) == 1:
        raise TrainingError("A soup needs two models at least.", remedy="Name another one too.")
    run = _prepared(library, collection, options, on_progress)
    started = monotonic()
    members = list(installed)
    if not installed and options.soup_of is not SoupOf.MIXTURES:
        on_progress(Progress("Training", 0, None, ""))
        members += adapters_of_sources(run.ingredients, run.validation, run.prefixes, seed=options.seed)
    if not installed and options.soup_of is not SoupOf.SOURCES:
        members += _kept_mixtures(run)
    if len(members) < 2:
        raise TrainingError(
            f"'{collection}' has one source with {LEAST_PAIRS} pairs or more; a soup needs two ingredients.",
            remedy=Remedy(Action.WRITE_PAIRS, collection=collection),
        )
    return _finish(run, members, started)


def _prepared(library: Library, collection: str, options: MixtureOptions, on_progress: ProgressListener) -> _Run:
    """Check everything that can be checked, then load the data."""
    started = monotonic()
    embedder = library.collection(collection).embedder()
    name = free_name(library, base_card(library, embedder), collection, options.name)
    if options.out:
        report_place(options.out)
    check_folders(options.general)
    found = load_ingredients(library, collection, embedder, options, on_progress)
    judged = None
    if found.data.own is not None and len(found.data.own.queries) >= _LEAST_JUDGED:
        order = np.random.default_rng(options.seed).permutation(len(found.data.own.queries))
        first, second = (np.sort(half) for half in np.array_split(order, 2))
        judged = found.data.own.of_rows(first)
        found = replace(found, data=replace(found.data, own=found.data.own.of_rows(second)))
    items = known_items(found.data.parts[Split.VALIDATION], found.data.corpus, seed=options.seed)
    validation = Validation(items, embedder.info.prefix_dimensions, judged)
    folder = existing_collection(library.home, collection).training / "mixtures"
    return _Run(
        library,
        collection,
        options,
        embedder,
        name,
        found,
        validation,
        len(judged.queries) if judged else 0,
        TrialFolder(folder, found.identity),
        on_progress,
        monotonic() - started,
    )


def _installed(library: Library, collection: str, name: str) -> Ingredient:
    """The matrix from the collection's vectors to those of an installed model. Raises TrainingError unless it has the same base."""
    library.models.require(name)
    embedder = library.collection(collection).embedder()
    card = library.models.card(name)
    if card is None or card.root_fingerprint != embedder.info.root_fingerprint:
        raise TrainingError(
            f"'{name}' and '{embedder.info.name}', the model of '{collection}', are not made of one base.",
            remedy="Name models that were adapted from it.",
        )
    matrix, current = library.models.adapter(name), library.models.adapter(embedder.info.name)
    identity = np.eye(card.dimension, dtype=np.float32)
    matrix = identity if matrix is None else matrix
    if current is not None:  # vectors of the collection are mapped by this one already
        matrix = np.linalg.solve(current.astype(np.float64), matrix.astype(np.float64)).astype(np.float32)
    return Ingredient(name, matrix)


def adapters_of_sources(
    ingredients: Ingredients, validation: Validation, prefixes: Sequence[int], *, seed: int = 0
) -> list[Ingredient]:
    """Learn an adapter from each source that has enough pairs, by the pull that scores best."""
    names, training = ingredients.names, ingredients.data.parts[Split.TRAIN]
    usable = [n for n, size in enumerate(ingredients.sizes) if size >= LEAST_PAIRS and names[n] != REST]
    rows = {n: np.flatnonzero(ingredients.source_of[Split.TRAIN] == n) for n in usable}
    jobs = [(n, pull) for n in usable for pull in sorted(PULLS)]
    learned = train_matrices([(training.of_rows(rows[n]), PULLS[pull]) for n, pull in jobs], prefixes, seed)
    alone = {n: tuple(float(other == n) for other in range(len(names))) for n in usable}
    tried = [
        Ingredient(names[n], matrix, ingredients.sentence_share(alone[n]))
        for (n, _), matrix in zip(jobs, learned, strict=True)
    ]
    scores = [validation.blend("", [each]).measured.score for each in tried]
    best = {n: max((row for row, job in enumerate(jobs) if job[0] == n), key=lambda row: scores[row]) for n in usable}
    return [tried[best[n]] for n in usable]


def _kept_mixtures(run: _Run) -> list[Ingredient]:
    """The best mixtures of an earlier search. Raises TrainingError if there are none of the same pairs and seed."""
    found = best_ingredients(run.ingredients, run.trials, run.trials.trials())
    if not found:
        raise TrainingError(
            f"No mixtures of '{run.collection}' are kept that were learned from these pairs with this seed.",
            remedy="Search mixtures of it first, with the same pairs and seed.",
        )
    return found


def _finish(
    run: _Run, members: Sequence[Ingredient], started: float, trials: Sequence[Tried] = (), *, resumed: int = 0
) -> Mixed:
    """Average the ingredients, choose among them and their soups, prove, and make a model if it passes."""
    run.on_progress(Progress("Averaging", 0, None, ""))
    singles = [run.validation.blend(each.name, [each]) for each in members]
    made = soups(members, singles, run.validation)
    chosen, blends = _chosen(run, [*made, *singles])
    trained = monotonic()
    run.on_progress(Progress("Proving", 0, None, ""))
    best = chosen or max(blends, key=lambda blend: blend.measured.score)
    data, options = run.ingredients.data, run.options
    proof = prove_matrix(data, best.matrix, run.prefixes, seed=options.seed)
    verdict = proof.verdict if chosen else Verdict(False, _none_chosen(best))
    test = known_items(data.parts[Split.TEST], data.corpus, seed=options.seed)
    card = base_card(run.library, run.embedder)
    is_made = verdict.passed or options.is_forced
    report = MixtureReport(
        collection=run.collection,
        base=card.name,
        model=run.name if is_made else "",
        licence=card.licence,
        counts=data.counts,
        sources=dict(zip(run.ingredients.names, run.ingredients.sizes, strict=True)),
        remarks=data.remarks,
        seed=options.seed,
        judged=run.judged,
        trials=tuple(trials),
        resumed=resumed,
        blends=tuple(_row(blend, held_out_gains(blend, test, run.prefixes)) for blend in blends),
        chosen=best.name if chosen or is_made else "",
        differences={soup.name: tuple(differences(soup, singles, test, run.prefixes)) for soup in made},
        targets=proof.targets,
        general=proof.general,
        effort=proof.effort,
        verdict=verdict,
        forced=options.is_forced,
        embedded=data.embedded,
        embed_seconds=run.embed_seconds,
        train_seconds=trained - started,
        prove_seconds=monotonic() - trained,
    )
    return _installed_model(run, report, best.matrix)


def _installed_model(run: _Run, report: MixtureReport, matrix: Matrix) -> Mixed:
    """Make the model, if one is to be made, and write the report."""
    if report.model:
        adaptation = adaptation_of(run.collection, matrix, run.ingredients.data, run.embedder, markdown(report))
        with writing_to(run.library.home.models, f"The model {run.name}"):
            run.library.models.add_adapted(report.base, run.name, adaptation)
    folder = run.options.out or own_reports(run.library, run.collection) / (report.model or "rejected")
    write_report(folder, report)
    return Mixed(report.model, report, folder)


def _chosen(run: _Run, blends: Sequence[Blend]) -> tuple[Blend | None, list[Blend]]:
    """The best blend that loses nothing in general, None if each is rejected; and all of them, with the reasons. Soups win ties."""
    found = list(blends)
    for number in sorted(range(len(found)), key=lambda number: -found[number].measured.score):
        blend = found[number]
        if blend.measured.rejection_reason:
            break
        reason = regression_of(run.ingredients.data.general, blend.matrix, run.prefixes)
        if not reason:
            return blend, found
        found[number] = replace(blend, measured=replace(blend.measured, rejection_reason=reason))
    return None, found


def _row(blend: Blend, held_out: tuple[float, float]) -> BlendRow:
    return BlendRow(blend.name, blend.members, blend.mix, blend.measured, held_out)


def _none_chosen(best: Blend) -> str:
    return f"none of them made the validation pairs' answers likelier without harm (the best: {best.measured.rejection_reason})"
