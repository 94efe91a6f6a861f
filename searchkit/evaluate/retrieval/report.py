"""Reports on retrieval: as tables for people, as JSON, and read back from what `searchkit eval retrieval --out` wrote."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from searchkit.display import on_one_line, plural
from searchkit.errors import Action, Remedy, UsageError
from searchkit.evaluate.metrics import Metric
from searchkit.evaluate.retrieval.results import (
    Change,
    Changes,
    Difference,
    Estimate,
    Latency,
    RetrievalReport,
    SetReport,
    WayRow,
)
from searchkit.files import make_private_folder, write_atomically

REPORT_FILE = "report.json"
_NAMES = {
    Metric.NDCG_10: "nDCG@10",
    Metric.RECALL_10: "recall@10",
    Metric.RECALL_100: "recall@100",
    Metric.MRR_10: "MRR@10",
}
_LATENCY = ("p50 ms", "p95 ms", "model ms")
_QUERY_SHOWN = 100  # characters


def report_as_json(report: RetrievalReport) -> dict[str, Any]:
    """Convert the report to JSON values: the fields of RetrievalReport, numbers rounded to six decimals."""
    rounded: dict[str, Any] = rounded_for_json(asdict(report))
    return rounded


def report_as_text(report: RetrievalReport) -> str:
    """Render a table for each set, the means of several sets, and a legend."""
    parts = [set_as_text(one) for one in report.sets]
    if report.means:
        rows = [[way, *(f"{means[metric]:.4f}" for metric in Metric)] for way, means in report.means.items()]
        heading = f"Mean of {len(report.sets)} sets"
        parts.append("\n".join([heading, *_table([["", *_NAMES.values()], *rows])]))
    parts.append(_legend(report))
    return "\n\n".join(parts)


def set_as_text(report: SetReport) -> str:
    """Render the results of one set."""
    timed = any(row.latency for row in report.rows)
    header = ["", *_NAMES.values(), *(_LATENCY if timed else ())]
    indexes = list(dict.fromkeys(row.index for row in report.rows if row.index))
    heading = (
        f"{report.name}: {plural(report.documents, 'document')} in {plural(report.passages, 'passage')},"
        f" {_queries(report.queries)}, {report.model}" + (f", {indexes[0]}" if len(indexes) == 1 else "")
    )
    shown = [difference for difference in report.differences if difference.metric is Metric.NDCG_10]
    return "\n".join(
        [
            heading,
            *_table([header, *([row.way, *_scores(row), *_times(row, timed=timed)] for row in report.rows)]),
            *(f"  {line}" for line in differences_as_text(shown)),
            *(changes_as_text(report.changes) if report.changes else ()),
        ]
    )


def differences_as_text(differences: Sequence[Difference]) -> list[str]:
    """Render one line per difference."""
    return [
        f"{one.way} − {one.other}: {_NAMES[one.metric]} {one.mean:+.4f} ({one.low:+.4f} to {one.high:+.4f}), p = {one.p:.4f}"
        for one in differences
    ]


def changes_as_text(changes: Changes) -> list[str]:
    """List the queries that a way answers better, then those that it answers worse."""
    lines = []
    for what, found in (("better", changes.winners), ("worse", changes.losers)):
        if found:
            lines.append(f"  {changes.way} {what} than {changes.other}, nDCG@10:")
            lines += [f"    {change.other:.2f} → {change.value:.2f}  {_query(change)}" for change in found]
    return lines


def rounded_for_json(value: Any) -> Any:
    """Convert to JSON values, numbers rounded to six decimals."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {str(key): rounded_for_json(item) for key, item in value.items()}
    return [rounded_for_json(item) for item in value] if isinstance(value, list | tuple) else value


def _legend(report: RetrievalReport) -> str:
    depths = sorted({one.k for one in report.sets})
    lines = [
        "In brackets: 95 % intervals (bootstrap over queries). p: paired randomization test, two-sided.",
        f"A document's rank is that of its best passage, down to rank {' or '.join(map(str, depths))}.",
    ]
    if any(row.latency for one in report.sets for row in one.rows):
        lines.append(
            "Milliseconds: a warm search for ten hits with snippets, median and 95th percentile; model: median time in the model."
        )
    return "\n".join(lines)


def _scores(row: WayRow) -> list[str]:
    cells = []
    for metric in Metric:
        score = row.scores[metric]
        interval = f" ({score.low:.4f}–{score.high:.4f})" if metric is Metric.NDCG_10 else ""
        cells.append(f"{score.mean:.4f}{interval}")
    return cells


def _times(row: WayRow, *, timed: bool) -> list[str]:
    if row.latency is None:
        return ["", "", ""] if timed else []
    times = (row.latency.median_ms, row.latency.percentile_95_ms, row.latency.embedding_ms)
    return [f"{time:.0f}" for time in times]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        numbers = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        lines.append("  ".join(["", f"{name:<{widths[0]}}", *numbers]).rstrip())
    return lines


def _query(change: Change) -> str:
    text = on_one_line(" ".join(change.text.split()))
    text = text if len(text) <= _QUERY_SHOWN else f"{text[: _QUERY_SHOWN - 1].rstrip()}…"
    identity = on_one_line(change.query_id)
    return f"{text} [{identity}]" if text else identity


def _queries(count: int) -> str:
    return "1 query" if count == 1 else f"{count:,} queries"


def read_report(path: Path) -> RetrievalReport:
    """Read a report from a file, or from the folder given by `--out`.

    Raises UsageError if there is no report.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        content = json.loads(file.read_text("utf-8"))
        return _report(content)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", remedy=Remedy(Action.EVALUATE)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # not JSON, or another structure
        raise UsageError(
            f"{file} is not a report of an evaluation.",
            remedy=Remedy(sentence=f"Choose a {REPORT_FILE} that an evaluation has written") | Remedy(Action.EVALUATE),
        ) from error


def write_report(report: RetrievalReport, file: Path) -> None:
    """Write a report for `read_report`. Raises OSError."""
    content = json.dumps(report_as_json(report), indent=2)
    write_atomically(make_private_folder(file.parent) / file.name, content.encode())


def _report(content: Mapping[str, Any]) -> RetrievalReport:
    means = {way: {Metric(name): float(value) for name, value in row.items()} for way, row in content["means"].items()}
    return RetrievalReport(tuple(_set(one) for one in content["sets"]), means)


def _set(one: Mapping[str, Any]) -> SetReport:
    return SetReport(
        name=str(one["name"]),
        model=str(one["model"]),
        documents=int(one["documents"]),
        passages=int(one["passages"]),
        queries=int(one["queries"]),
        k=int(one["k"]),
        rows=tuple(_row(row) for row in one["rows"]),
        differences=tuple(Difference(**{**each, "metric": Metric(each["metric"])}) for each in one["differences"]),
        changes=_changes(one["changes"]) if one["changes"] else None,
    )


def _row(row: Mapping[str, Any]) -> WayRow:
    scores = {
        Metric(name): Estimate(**{part: float(value) for part, value in each.items()})
        for name, each in row["scores"].items()
    }
    latency = Latency(**row["latency"]) if row["latency"] else None
    return WayRow(str(row["way"]), str(row["mode"]), str(row["index"]), scores, latency)


def _changes(changes: Mapping[str, Any]) -> Changes:
    winners, losers = (tuple(Change(**each) for each in changes[side]) for side in ("winners", "losers"))
    return Changes(str(changes["way"]), str(changes["other"]), winners, losers)
