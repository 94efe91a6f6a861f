"""Renders a report on chunking as JSON and as a table."""

from dataclasses import asdict
from typing import Any

from searchkit.display import plural
from searchkit.evaluate.chunking.measure import ChunkerRow, ChunkingReport, Score
from searchkit.evaluate.retrieval.report import rounded_for_json

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
    return (row.cutting, f"{row.pieces:,}", f"{row.tokens:.0f}", *map(_score, scores))


def _set(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Align numbers to the right, and scores to the left, since some have no differences."""
    numbers = [f"{cell:>{width}}" for cell, width in zip(row[1:3], widths[1:3], strict=True)]
    return numbers + [f"{cell:<{width}}" for cell, width in zip(row[3:], widths[3:], strict=True)]


def _score(score: Score) -> str:
    if score.difference is None:
        return f"{score.mean:.4f}"
    return f"{score.mean:.4f} ({score.difference:+.4f}: {score.low:+.4f} to {score.high:+.4f})"
