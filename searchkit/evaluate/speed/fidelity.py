"""Measures how close an engine's vectors are to a reference's, and the effect on judged rankings."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.evaluate.beir import RetrievalData
from searchkit.evaluate.metrics import ndcg_at, rank_exactly
from searchkit.evaluate.speed.engine_process import EngineProcess
from searchkit.evaluate.speed.throughput import OnStep
from searchkit.types import Passage

_DEPTH = 10


@dataclass(frozen=True, slots=True)
class CosineRow:
    """The cosines of an engine's vectors to the reference's for the same passages."""

    engine: str
    reference: str
    passages: int
    mean: float
    worst: float


@dataclass(frozen=True, slots=True)
class RetrievalRow:
    """An engine's mean nDCG@10 on one collection, by exact search over its vectors alone.

    `difference`: its gain over the reference; None without a reference, which is then "".
    """

    collection: str
    documents: int
    queries: int
    engine: str
    ndcg_at_10: float
    reference: str
    difference: float | None


def measure_cosines(
    reference: EngineProcess, processes: Sequence[EngineProcess], passages: Sequence[Passage], on_step: OnStep
) -> tuple[CosineRow, ...]:
    """Compare the engines that have the reference's inputs; vectors of other models are not comparable."""
    comparable = [process for process in processes if process.engine.inputs.is_like(reference.engine.inputs)]
    on_step(f"cosines: {len(passages)} passages, {reference.engine.name}")
    wanted = reference.vectors(reference.engine.inputs.of_passages(passages))
    rows = []
    for process in comparable:
        on_step(f"cosines: {len(passages)} passages, {process.engine.name}")
        cosines = (process.vectors(process.engine.inputs.of_passages(passages)) * wanted).sum(axis=1)
        name = process.engine.name
        rows.append(CosineRow(name, reference.engine.name, len(passages), float(cosines.mean()), float(cosines.min())))
    return tuple(rows)


def measure_retrieval(
    data: RetrievalData, reference: EngineProcess | None, processes: Sequence[EngineProcess], on_step: OnStep
) -> tuple[RetrievalRow, ...]:
    """Rank a collection's documents for its judged queries by each engine's vectors, the reference's last."""
    documents, queries = len(data.documents), len(data.queries)
    values = {}
    for process in [*processes, *([reference] if reference else [])]:
        if process.engine.name not in values:
            on_step(f"{data.name}: {documents:,} documents, {queries:,} queries, {process.engine.name}")
            values[process.engine.name] = _ndcg(data, process)
    right = values[reference.engine.name] if reference else None
    name = reference.engine.name if reference else ""
    return tuple(
        RetrievalRow(data.name, documents, queries, engine, value, name, None if right is None else value - right)
        for engine, value in values.items()
    )


def _ndcg(data: RetrievalData, process: EngineProcess) -> float:
    inputs = process.engine.inputs
    documents = process.vectors(inputs.of_passages(list(data.documents.values())))
    queries = process.vectors(inputs.of_queries(list(data.queries.values())))
    rankings = rank_exactly(queries, documents, list(data.documents), _DEPTH)
    return statistics.mean(
        ndcg_at(_DEPTH, ranking, data.qrels[query]) for query, ranking in zip(data.queries, rankings, strict=True)
    )
