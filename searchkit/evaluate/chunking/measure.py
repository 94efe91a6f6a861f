"""Measures how well chunkers serve retrieval: how much of an answer the best chunks contain, and how much else.

Recall, precision and intersection over union as in Chroma's report on chunking (Smith and Troynikov 2024), counted in
characters: those of a query's relevant spans against those of the k chunks nearest to the query. A character in two of
the chunks counts once.
"""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from searchkit.display import plural
from searchkit.embedding.embedder import Embedder
from searchkit.evaluate.chunking.chunkers import Chunker, LocatedChunk, chunk_all
from searchkit.evaluate.chunking.data import ChunkingData, Question, covered, merged, shared
from searchkit.evaluate.retrieval.report import rounded_for_json
from searchkit.evaluate.statistics import paired_interval
from searchkit.reports import Progress, ProgressListener
from searchkit_indexes import Vectors

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over the queries, its difference from the reference's mean, and the difference's 95 % interval.

    The last three are None for the reference itself.
    """

    mean: float
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class ChunkerRow:
    """The results of a chunker, named `cutting`, with its number of chunks, `chunks`. `tokens`: mean length of a bare chunk.

    `located`: the share of the documents' characters, without white space, that lie in a chunk; the rest is in titles, or was
    not found in the text.
    """

    cutting: str
    pieces: int
    tokens: float
    located: float
    recall: Score
    precision: Score
    iou: Score


@dataclass(frozen=True, slots=True)
class ChunkingReport:
    """The rows in the requested order; differences are relative to the chunker named `reference`."""

    collection: str
    model: str
    documents: int
    queries: int
    k: int
    reference: str
    rows: tuple[ChunkerRow, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A chunker's three values for each query."""

    chunker: Chunker
    chunks: Sequence[LocatedChunk]
    recalls: list[float]
    precisions: list[float]
    ious: list[float]


class ChunkingEvaluation:
    """Measures chunkers with one model on one set of documents. Raises ModelError if the model cannot be run."""

    def __init__(self, data: ChunkingData, embedder: Embedder, k: int, on_progress: ProgressListener) -> None:
        self._data = data
        self._embedder = embedder
        self._k = k
        self._on_progress = on_progress

    def run(self, chunkers: Sequence[Chunker], reference: Chunker) -> ChunkingReport:
        """Measure each chunker; the reference must be one of them."""
        queries = self._embedder.embed_queries([question.text for question in self._data.questions])
        outcomes = [self._measure(chunker, queries) for chunker in chunkers]
        right = next(outcome for outcome in outcomes if outcome.chunker == reference)
        return ChunkingReport(
            collection=self._data.name,
            model=self._embedder.info.name,
            documents=len(self._data.documents),
            queries=len(self._data.questions),
            k=self._k,
            reference=reference.name,
            rows=tuple(self._row(outcome, right) for outcome in outcomes),
        )

    def _measure(self, chunker: Chunker, queries: Vectors) -> _Outcome:
        chunks = chunk_all(self._data.documents, chunker, self._embedder)
        vectors = self._vectors(chunks, chunker.name)
        outcome = _Outcome(chunker, chunks, [], [], [])
        for question, query in zip(self._data.questions, queries, strict=True):
            nearest = np.argsort(-(vectors @ query), kind="stable")[: self._k]
            recall, precision, iou = overlap_scores(question, [chunks[row] for row in nearest])
            outcome.recalls.append(recall)
            outcome.precisions.append(precision)
            outcome.ious.append(iou)
        return outcome

    def _vectors(self, chunks: Sequence[LocatedChunk], name: str) -> Vectors:
        parts = []
        for start in range(0, len(chunks), _BATCH):
            self._on_progress(Progress(name, start, len(chunks), "chunks"))
            parts.append(self._embedder.embed_documents([chunk.passage for chunk in chunks[start : start + _BATCH]]))
        self._on_progress(Progress(name, len(chunks), len(chunks), "chunks"))
        return np.concatenate(parts) if parts else self._embedder.embed_documents([])

    def _row(self, outcome: _Outcome, right: _Outcome) -> ChunkerRow:
        count = self._embedder.count_tokens
        return ChunkerRow(
            cutting=outcome.chunker.name,
            pieces=len(outcome.chunks),
            tokens=statistics.mean([count(chunk.passage.text) for chunk in outcome.chunks] or [0]),
            located=_located(self._data, outcome.chunks),
            recall=_score(outcome.recalls, None if outcome is right else right.recalls),
            precision=_score(outcome.precisions, None if outcome is right else right.precisions),
            iou=_score(outcome.ious, None if outcome is right else right.ious),
        )


def overlap_scores(question: Question, retrieved: Sequence[LocatedChunk]) -> tuple[float, float, float]:
    """Compute recall, precision and intersection over union of the retrieved characters, 0 to 1, higher is better."""
    by_document = {
        chunk.document: [span for p in retrieved if p.document == chunk.document for span in p.spans]
        for chunk in retrieved
    }
    found = sum(covered(spans) for spans in by_document.values())
    relevant = covered(question.spans)
    both = shared(question.spans, by_document.get(question.document, ()))
    return both / relevant, both / found if found else 0.0, both / (relevant + found - both)


def _score(values: Sequence[float], reference: Sequence[float] | None) -> Score:
    if reference is None:
        return Score(statistics.mean(values), None, None, None)
    low, high = paired_interval(values, reference)
    return Score(statistics.mean(values), statistics.mean(values) - statistics.mean(reference), low, high)


def _located(data: ChunkingData, chunks: Sequence[LocatedChunk]) -> float:
    there = found = 0
    for name, document in data.documents.items():
        there += len("".join(document.text.split()))
        spans = merged(span for chunk in chunks if chunk.document == name for span in chunk.spans)
        found += sum(len("".join(document.text[start:end].split())) for start, end in spans)
    return found / there if there else 0.0


_HEADER = ("", "chunks", "tokens", "recall", "precision", "IoU")


def report_as_json(report: ChunkingReport) -> dict[str, Any]:
    """Convert the report to JSON values: the fields of ChunkingReport, numbers rounded to six decimals."""
    rounded: dict[str, Any] = rounded_for_json(asdict(report))
    return rounded


def report_as_text(report: ChunkingReport) -> str:
    """Render a table with a row for each chunker, and explain its columns."""
    cells = [_HEADER, *(_cells(row) for row in report.rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADER))]
    lines = ["  ".join([f"{row[0]:<{widths[0]}}", *_set(row, widths)]).rstrip() for row in cells]
    queries = "1 query" if report.queries == 1 else f"{report.queries:,} queries"
    return "\n".join(
        [
            f"{report.collection}: {plural(report.documents, 'document')}, {queries},"
            f" {report.model}, the best {report.k} chunks by exact search",
            *(f"  {line}" for line in lines),
            f"Counted in characters. In brackets: the difference from {report.reference}, and its 95 % interval"
            " (paired bootstrap).",
            *(
                f"Note: {1 - row.located:.1%} of the text is in no chunk of {row.cutting}, or was not found in it."
                for row in report.rows
                if row.located < 0.95
            ),
        ]
    )


def _cells(row: ChunkerRow) -> tuple[str, ...]:
    scores = (row.recall, row.precision, row.iou)
    return (row.cutting, f"{row.pieces:,}", f"{row.tokens:.0f}", *map(_score_text, scores))


def _set(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Align numbers to the right, and scores to the left, since some have no differences."""
    numbers = [f"{cell:>{width}}" for cell, width in zip(row[1:3], widths[1:3], strict=True)]
    return numbers + [f"{cell:<{width}}" for cell, width in zip(row[3:], widths[3:], strict=True)]


def _score_text(score: Score) -> str:
    if score.difference is None:
        return f"{score.mean:.4f}"
    return f"{score.mean:.4f} ({score.difference:+.4f}: {score.low:+.4f} to {score.high:+.4f})"
