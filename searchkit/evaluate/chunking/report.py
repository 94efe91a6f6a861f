"""A report on chunking as JSON and as a table for people."""

from dataclasses import asdict
from typing import Any

from searchkit.display import plural
from searchkit.evaluate.chunking.measure import ChunkingReport, CuttingRow, Score

_HEADER = ("", "pieces", "tokens", "recall", "precision", "IoU")


def report_as_json(report: ChunkingReport) -> dict[str, Any]:
    """All of it, for `json.dumps`: the fields are those of ChunkingReport, numbers rounded to six decimals."""
    rounded: dict[str, Any] = _rounded(asdict(report))
    return rounded


def report_as_text(report: ChunkingReport) -> str:
    """A table with a row for each way, and what its columns mean."""
    cells = [_HEADER, *(_cells(row) for row in report.rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADER))]
    lines = ["  ".join([f"{row[0]:<{widths[0]}}", *_set(row, widths)]).rstrip() for row in cells]
    queries = "1 query" if report.queries == 1 else f"{report.queries:,} queries"
    return "\n".join(
        [
            f"{report.collection}: {plural(report.documents, 'document')}, {queries},"
            f" {report.model}, the best {report.k} pieces by exact search",
            *(f"  {line}" for line in lines),
            f"Counted in characters. In brackets: the difference to {report.reference}, and its 95 % interval"
            " (paired bootstrap).",
            *(
                f"Note: {1 - row.located:.1%} of the text is in no piece of {row.cutting} or was not found there again."
                for row in report.rows
                if row.located < 0.95
            ),
        ]
    )


def _cells(row: CuttingRow) -> tuple[str, ...]:
    scores = (row.recall, row.precision, row.iou)
    return (row.cutting, f"{row.pieces:,}", f"{row.tokens:.0f}", *map(_score, scores))


def _set(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Numbers to the right, scores to the left, since their differences are not all there."""
    numbers = [f"{cell:>{width}}" for cell, width in zip(row[1:3], widths[1:3], strict=True)]
    return numbers + [f"{cell:<{width}}" for cell, width in zip(row[3:], widths[3:], strict=True)]


def _score(score: Score) -> str:
    if score.difference is None:
        return f"{score.mean:.4f}"
    return f"{score.mean:.4f} ({score.difference:+.4f}: {score.low:+.4f} to {score.high:+.4f})"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
