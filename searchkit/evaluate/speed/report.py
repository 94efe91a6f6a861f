"""Renders a report as JSON and as tables."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from searchkit.display import plural
from searchkit.evaluate.speed.bench import Report
from searchkit.evaluate.speed.fidelity import CosineRow, RetrievalRow
from searchkit.evaluate.speed.latency import Latency, LatencyRow, LoadRow, SearchRow
from searchkit.evaluate.speed.machine import Machine
from searchkit.evaluate.speed.throughput import Speed, SpeedRow

_DIGITS = 6


def report_as_json(report: Report) -> dict[str, Any]:
    """Convert the report to JSON values: the fields of Report, numbers rounded to six digits."""
    rounded: dict[str, Any] = _rounded(asdict(report))
    return rounded


def report_as_text(report: Report) -> str:
    """Render tables of the sections that are not empty."""
    parts = [_head(report)]
    parts += [_load(report.load)] if report.load else []
    parts += [_speed(speed, report.subject) for speed in report.speed]
    parts += [_latency(latency, report.subject) for latency in report.latency]
    parts += [_search(report.search)] if report.search else []
    parts += [_cosines(report.cosines)] if report.cosines else []
    parts += [_retrieval(report.retrieval)] if report.retrieval else []
    parts += ["\n".join(f"Note: {note}" for note in report.notes)] if report.notes else []
    return "\n\n".join(parts)


def _head(report: Report) -> str:
    machine = report.machine
    return "\n".join(
        [
            report.command,
            f"searchkit {report.searchkit}, {report.date}, {plural(report.threads, 'thread')}",
            f"{machine.processor}, {machine.usable_cores} of {machine.cores} cores usable, {' '.join(machine.features)}",
            _system(machine),
        ]
    )


def _system(machine: Machine) -> str:
    memory = f"{machine.memory_gb:.0f} GB memory, " if machine.memory_gb else ""
    load = f"; load before: {machine.load}" if machine.load is not None else ""
    versions = f"Python {machine.python}, ONNX Runtime {machine.onnxruntime}"
    return f"{memory}{machine.system} {machine.architecture}, {versions}{load}"


def _load(rows: Sequence[LoadRow]) -> str:
    cells = [
        [
            row.engine,
            f"{row.ready_seconds.median:.2f}",
            f"{row.load_seconds.median:.2f}",
            _whole(row.memory.resident),
            _whole(row.memory.anonymous),
            _whole(row.memory.file),
            _whole(row.size_bytes / 1e6),
            row.version,
        ]
        for row in rows
    ]
    header = ["", "ready s", "load s", "resident MB", "anonymous", "of files", "model MB", ""]
    title = f"Load: from a new process to the first embedded query, files cached; medians of {rows[0].starts} starts"
    return _table(title, header, cells)


def _speed(speed: Speed, subject: str) -> str:
    cells = [
        [
            f"{row.engine}{_way(row)}",
            f"{row.chunks_per_second.median:.1f}",
            f"{row.tokens_per_second:,.0f}",
            _whole(row.peak_megabytes),
            *([_ratio(row, subject)] if len(speed.rows) > 1 else []),
        ]
        for row in speed.rows
        if row.counted
    ]
    title = (
        f"Speed, {speed.what}: medians of {speed.rounds} alternating rounds of {speed.texts_per_round} texts,"
        f" {speed.mean_tokens:.0f} tokens on average"
    )
    return _table(title, ["", "chunks/s", "tokens/s", "peak MB", *_compared_with(subject, speed.rows)], cells)


def _latency(latency: Latency, subject: str) -> str:
    cells = [
        [
            row.engine,
            f"{row.median_ms:.1f}",
            f"{row.percentile_95_ms:.1f}",
            *([_ratio(row, subject)] if len(latency.rows) > 1 else []),
        ]
        for row in latency.rows
    ]
    title = (
        f"Latency, {latency.what}, one by one, warm: {latency.rounds} alternating rounds of {latency.queries_per_round}"
    )
    return _table(title, ["", "median ms", "95 % ms", *_compared_with(subject, latency.rows)], cells)


def _search(rows: Sequence[SearchRow]) -> str:
    cells = [
        [
            row.mode.value,
            f"{row.seconds.median:.3f}",
            f"{row.seconds.low:.3f}",
            f"{row.seconds.high:.3f}",
            _whole(row.memory.resident),
            _whole(row.memory.anonymous),
            _whole(row.memory.file),
        ]
        for row in rows
    ]
    title = f"searchkit search -c {rows[0].collection}, the whole process, files cached: {rows[0].runs} alternating runs per mode"
    return _table(title, ["", "median s", "lowest", "highest", "resident MB", "anonymous", "of files"], cells)


def _cosines(rows: Sequence[CosineRow]) -> str:
    cells = [[row.engine, f"{row.mean:.4f}", f"{row.worst:.4f}"] for row in rows]
    return _table(f"Cosine to {rows[0].reference} over {rows[0].passages:,} passages", ["", "mean", "worst"], cells)


def _retrieval(rows: Sequence[RetrievalRow]) -> str:
    cells = [
        [
            row.collection,
            f"{row.documents:,}",
            f"{row.queries:,}",
            row.engine,
            f"{row.ndcg_at_10:.4f}",
            _difference(row),
        ]
        for row in rows
    ]
    header = ["", "documents", "queries", "engine", "nDCG@10", f"to {rows[0].reference}" if rows[0].reference else ""]
    return _table("Retrieval by vectors alone, exact search", header, cells)


def _way(row: SpeedRow) -> str:
    return {0: "", 1: ", one by one"}.get(row.batch_size, f", batches of {row.batch_size}")


def _difference(row: RetrievalRow) -> str:
    return "" if row.difference is None or row.engine == row.reference else f"{row.difference:+.4f}"


def _compared_with(subject: str, rows: Sequence[SpeedRow | LatencyRow]) -> list[str]:
    """Return the header of the ratios, if there is something to compare."""
    return [f"speed-up of {subject}"] if len(rows) > 1 else []


def _ratio(row: SpeedRow | LatencyRow, subject: str) -> str:
    spread = row.subject_ratio
    return "" if row.engine == subject else f"{spread.median:.2f} ({spread.low:.2f}–{spread.high:.2f})"


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: numbers to the right, words to the left."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    numeric = [all(cell[:1] in set("0123456789+-") for cell in column if cell) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            f"{cell:>{width}}" if right else f"{cell:<{width}}"
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
