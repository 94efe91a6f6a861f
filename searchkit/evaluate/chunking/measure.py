"""How well ways of cutting documents serve retrieval: how much of an answer the best passages hold, and how much else.

Recall, precision and intersection over union as in Chroma's report on chunking (Smith and Troynikov 2024), counted in
characters: those of a query's relevant spans against all that are in the k passages nearest to the query. A character
in two of the passages counts once.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.evaluate.bootstrap import paired_interval
from searchkit.evaluate.chunking.chunkers import Cutting, Piece, cut_all
from searchkit.evaluate.chunking.data import ChunkingData, Question
from searchkit.evaluate.chunking.spans import covered, merged, shared
from searchkit.reports import Progress, ProgressListener
from searchkit_indexes import Vectors

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over the queries, and its difference to the reference's: the mean, and a 95 % interval of it.

    The three are None for the reference itself.
    """

    mean: float
    difference: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class CuttingRow:
    """A way of cutting. `tokens`: of a piece's bare text, on average. `located`: the part of the documents' characters,
    white space apart, that stand in a piece; the rest is in titles, or was not found again in the text.
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
    """Rows in the order asked for; differences are to the cutting named `reference`."""

    collection: str
    model: str
    documents: int
    queries: int
    k: int
    reference: str
    rows: tuple[CuttingRow, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a way of cutting came to: three values a query."""

    cutting: Cutting
    pieces: Sequence[Piece]
    recalls: list[float]
    precisions: list[float]
    ious: list[float]


class ChunkingEvaluation:
    """One model's measurements on one collection. Raises ModelError if the model cannot be run."""

    def __init__(self, data: ChunkingData, embedder: Embedder, k: int, on_progress: ProgressListener) -> None:
        self._data = data
        self._embedder = embedder
        self._k = k
        self._on_progress = on_progress

    def run(self, cuttings: Sequence[Cutting], reference: Cutting) -> ChunkingReport:
        """Measure each of the ways, of which the reference is one."""
        queries = self._embedder.embed_queries([question.text for question in self._data.questions])
        outcomes = [self._measure(cutting, queries) for cutting in cuttings]
        right = next(outcome for outcome in outcomes if outcome.cutting == reference)
        return ChunkingReport(
            collection=self._data.name,
            model=self._embedder.info.name,
            documents=len(self._data.documents),
            queries=len(self._data.questions),
            k=self._k,
            reference=reference.name,
            rows=tuple(self._row(outcome, right) for outcome in outcomes),
        )

    def _measure(self, cutting: Cutting, queries: Vectors) -> _Outcome:
        pieces = cut_all(self._data.documents, cutting, self._embedder)
        vectors = self._vectors(pieces, cutting.name)
        outcome = _Outcome(cutting, pieces, [], [], [])
        for question, query in zip(self._data.questions, queries, strict=True):
            nearest = np.argsort(-(vectors @ query), kind="stable")[: self._k]
            recall, precision, iou = overlap_scores(question, [pieces[row] for row in nearest])
            outcome.recalls.append(recall)
            outcome.precisions.append(precision)
            outcome.ious.append(iou)
        return outcome

    def _vectors(self, pieces: Sequence[Piece], name: str) -> Vectors:
        parts = []
        for start in range(0, len(pieces), _BATCH):
            self._on_progress(Progress(name, start, len(pieces), "pieces"))
            parts.append(self._embedder.embed_documents([piece.passage for piece in pieces[start : start + _BATCH]]))
        self._on_progress(Progress(name, len(pieces), len(pieces), "pieces"))
        return np.concatenate(parts) if parts else self._embedder.embed_documents([])

    def _row(self, outcome: _Outcome, right: _Outcome) -> CuttingRow:
        count = self._embedder.count_tokens
        return CuttingRow(
            cutting=outcome.cutting.name,
            pieces=len(outcome.pieces),
            tokens=statistics.mean([count(piece.passage.text) for piece in outcome.pieces] or [0]),
            located=_located(self._data, outcome.pieces),
            recall=_score(outcome.recalls, None if outcome is right else right.recalls),
            precision=_score(outcome.precisions, None if outcome is right else right.precisions),
            iou=_score(outcome.ious, None if outcome is right else right.ious),
        )


def overlap_scores(question: Question, retrieved: Sequence[Piece]) -> tuple[float, float, float]:
    """Recall, precision and intersection over union of the retrieved pieces' characters, 0 to 1, higher is better."""
    by_document = {
        piece.document: [span for p in retrieved if p.document == piece.document for span in p.spans]
        for piece in retrieved
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


def _located(data: ChunkingData, pieces: Sequence[Piece]) -> float:
    there = found = 0
    for name, document in data.documents.items():
        there += len("".join(document.text.split()))
        spans = merged(span for piece in pieces if piece.document == name for span in piece.spans)
        found += sum(len("".join(document.text[start:end].split())) for start, end in spans)
    return found / there if there else 0.0
