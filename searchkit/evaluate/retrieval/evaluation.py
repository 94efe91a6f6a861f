"""Evaluates search modes and indexes on a collection with judged queries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from searchkit.collection import Collection
from searchkit.embedding.embedder import Embedder
from searchkit.evaluate.beir import RetrievalData
from searchkit.evaluate.judged import read_judged
from searchkit.evaluate.metrics import DEPTH, Metric, QueryScores, Ranking, rank_queries, score_rankings
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.evaluate.retrieval.indexes import JudgedCollection, chosen_specs, measurable
from searchkit.evaluate.retrieval.results import (
    Changes,
    Difference,
    Latency,
    RetrievalReport,
    SetReport,
    WayRow,
    differences,
    estimates,
    most_changed,
    report_of,
)
from searchkit.evaluate.retrieval.search import DocumentSearch, RankingEmbedder, TimedEmbedder, measure_searches, sample
from searchkit.home import Home
from searchkit.library import Library
from searchkit.maintenance.tune_index import set_index
from searchkit.reports import CollectionStatus, Progress, ProgressListener
from searchkit.types import SearchMode
from searchkit_indexes import IndexSpec


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options of an evaluation. `indexes` and `dimensions`: see `chosen_specs`.

    `k`: documents per ranking. `limit`: number of sampled queries, None for all. `with_latency`: time searches too.
    """

    modes: tuple[SearchMode, ...] = tuple(SearchMode)
    indexes: tuple[str, ...] = ()
    dimensions: tuple[int, ...] = ()
    k: int = DEPTH
    limit: int | None = None
    with_latency: bool = True


@dataclass(frozen=True, slots=True)
class SetResult:
    """A report and its sources: texts and judgements by query, rankings and scores by way of searching."""

    report: SetReport
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    rankings: Mapping[str, Mapping[str, Ranking]]
    scores: Mapping[str, QueryScores]


@dataclass(frozen=True, slots=True)
class _Outcome:
    mode: SearchMode
    index: str
    rankings: Mapping[str, Ranking]
    latency: Latency | None


def evaluate_set(
    home: Home,
    data: RetrievalData,
    embedder: Embedder,
    options: EvaluationOptions = EvaluationOptions(),
    on_progress: ProgressListener = lambda _: None,
    *,
    label: str = "",
) -> SetResult:
    """Evaluate a corpus with judgements; its collection in `home` is built if necessary.

    `label`: the set's name in the report (default: the data's). Raises UsageError for an unknown index, and
    CollectionBusyError while another process builds or evaluates the same corpus.
    """
    made = corpus_collection(home, Corpus(data.name, data.documents), embedder, on_progress)
    judged = JudgedCollection(
        name=label or data.name,
        home=made.home,
        collection=made.name,
        queries=data.queries,
        qrels=data.qrels,
        ids_of=made.ids_of,
        is_ours=True,
    )
    return evaluate_collection(judged, embedder, options, on_progress)


def evaluate_judged(collection: Collection, file: Path, on_progress: ProgressListener) -> RetrievalReport:
    """Evaluate a collection, in every mode, with the judged queries in a file about it. Raises what `read_judged` raises."""
    judged = read_judged(collection.home, collection.name, file)
    result = evaluate_collection(judged, collection.embedder(), on_progress=on_progress)
    return report_of([result.report])


def evaluate_collection(
    judged: JudgedCollection,
    embedder: Embedder,
    options: EvaluationOptions = EvaluationOptions(),
    on_progress: ProgressListener = lambda _: None,
) -> SetResult:
    """Evaluate a collection whose vectors are from `embedder`.

    Raises UsageError for an unknown index, CollectionBusyError while another process evaluates the same corpus.
    """
    chosen = sample(list(judged.qrels), options.limit or len(judged.qrels))
    part = replace(
        judged,
        queries={key: judged.queries[key] for key in chosen},
        qrels={key: judged.qrels[key] for key in chosen},
    )
    specs = chosen_specs(part, embedder, options.indexes, options.dimensions)
    with (
        measurable(part, embedder, specs) as place,
        Library(place, embedder=RankingEmbedder(embedder)) as library,
    ):
        outcomes = _outcomes(library, part, specs, options, embedder, on_progress)
        status = library.status(part.collection)
    return _result(part, outcomes, status, embedder, options.k)


def _outcomes(
    library: Library,
    judged: JudgedCollection,
    specs: Sequence[IndexSpec],
    options: EvaluationOptions,
    embedder: Embedder,
    on_progress: ProgressListener,
) -> list[_Outcome]:
    found: list[_Outcome] = []
    may_set = judged.is_ours or library.home != judged.home
    try:
        for spec in specs:
            if may_set:
                set_index(library.collection(judged.collection), spec)
            modes = [mode for mode in options.modes if mode is not SearchMode.LEXICAL or spec == specs[0]]
            rankings = {mode: _rank(library, judged, mode, options.k, on_progress) for mode in modes}
            latency = _latency(library.home, judged, modes, embedder, on_progress) if options.with_latency else {}
            for mode in modes:
                index = "" if mode is SearchMode.LEXICAL else str(spec)
                found.append(_Outcome(mode, index, rankings[mode], latency.get(mode)))
    finally:
        if may_set:
            set_index(library.collection(judged.collection), None)
    return found


def _rank(
    library: Library, judged: JudgedCollection, mode: SearchMode, k: int, on_progress: ProgressListener
) -> dict[str, Ranking]:
    search = DocumentSearch(library, judged.collection, mode, judged.ids_of)
    return rank_queries(search, judged.queries, k, stage=f"{judged.name}: {mode}", on_progress=on_progress)


def _latency(
    home: Home,
    judged: JudgedCollection,
    modes: Sequence[SearchMode],
    embedder: Embedder,
    on_progress: ProgressListener,
) -> Mapping[SearchMode, Latency]:
    on_progress(Progress(f"{judged.name}: timing", 0, None, ""))
    timed = TimedEmbedder(embedder)
    with Library(home, embedder=timed) as library:
        return measure_searches(library, judged.collection, timed, modes, list(judged.queries.values()))


def _result(
    judged: JudgedCollection, outcomes: Sequence[_Outcome], status: CollectionStatus, embedder: Embedder, k: int
) -> SetResult:
    several = len({outcome.index for outcome in outcomes if outcome.index}) > 1
    by_way = {f"{o.mode}-{o.index}" if several and o.index else str(o.mode): o for o in outcomes}
    scores = {way: score_rankings(outcome.rankings, judged.qrels) for way, outcome in by_way.items()}
    rows = tuple(
        WayRow(way, outcome.mode.value, outcome.index, estimates(scores[way]), outcome.latency)
        for way, outcome in by_way.items()
    )
    report = SetReport(
        name=judged.name,
        model=embedder.info.name,
        documents=status.files,
        passages=status.passages,
        queries=len(judged.qrels),
        k=k,
        rows=rows,
        differences=tuple(_all_differences(_pairs(rows), scores)),
        changes=_changes(rows, scores, judged.queries),
    )
    return SetResult(
        report, judged.queries, judged.qrels, {way: outcome.rankings for way, outcome in by_way.items()}, scores
    )


def _changes(rows: Sequence[WayRow], scores: Mapping[str, QueryScores], texts: Mapping[str, str]) -> Changes | None:
    """List the queries that differ most between hybrid and semantic search with the first index."""
    first = {row.mode: row.way for row in reversed(rows)}
    if SearchMode.HYBRID not in first or SearchMode.SEMANTIC not in first:
        return None
    hybrid, semantic = first[SearchMode.HYBRID], first[SearchMode.SEMANTIC]
    return most_changed(hybrid, scores[hybrid], semantic, scores[semantic], texts)


def _all_differences(pairs: Sequence[tuple[str, str]], scores: Mapping[str, QueryScores]) -> Iterator[Difference]:
    for way, other in pairs:
        yield from differences(way, scores[way], other, scores[other])


def _pairs(rows: Sequence[WayRow]) -> list[tuple[str, str]]:
    """Choose the comparisons: with each index, hybrid search with its better arm and with semantic search; and each further
    index with the first.
    """
    pairs: list[tuple[str, str]] = []
    first: dict[str, str] = {}
    for row in rows:
        arms = [arm for arm in rows if arm.mode != SearchMode.HYBRID and arm.index in ("", row.index)]
        if row.mode == SearchMode.HYBRID and arms:
            better = max(arms, key=lambda arm: arm.scores[Metric.NDCG_10].mean)
            semantic = [arm for arm in arms if arm.mode == SearchMode.SEMANTIC]
            pairs += dict.fromkeys((row.way, arm.way) for arm in (better, *semantic))
        if first.setdefault(row.mode, row.way) != row.way:
            pairs.append((row.way, first[row.mode]))
    return pairs
