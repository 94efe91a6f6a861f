"""Measures latencies: of a query's vector from a warm engine, and of starting an engine."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from searchkit.evaluate.speed.engine import Engine
from searchkit.evaluate.speed.engine_process import EngineProcess, Loaded, Memory
from searchkit.evaluate.speed.interleaving import OnStep, Spread, paired_ratio, pause, rotated


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """An engine's latency for single queries. `subject_ratio`: the subject's speed divided by the engine's, per round."""

    engine: str
    median_ms: float
    percentile_95_ms: float
    subject_ratio: Spread


@dataclass(frozen=True, slots=True)
class Latency:
    """The latencies of warm engines for queries of one length."""

    what: str
    rounds: int
    queries_per_round: int
    rows: tuple[LatencyRow, ...]


@dataclass(frozen=True, slots=True)
class LoadRow:
    """The starts of an engine with its files in the page cache: from a new process to the first embedded query.

    `load_seconds`: the part for libraries, tokenizer, weights and that query; the rest is the start of the interpreter.
    `memory`: of the process after that.
    """

    engine: str
    version: str
    size_bytes: int
    starts: int
    ready_seconds: Spread
    load_seconds: Spread
    memory: Memory


def measure_latency(
    what: str, processes: Sequence[EngineProcess], rounds: Sequence[Sequence[str]], on_step: OnStep
) -> Latency:
    """Embed queries one by one, alternating engines. The first process is the subject."""
    times: list[list[list[float]]] = [[] for _ in processes]
    for process in processes:
        process.seconds_for_each(process.engine.inputs.of_queries(rounds[0]))  # to warm up
    for number, queries in enumerate(rounds):
        on_step(f"{what}: round {number + 1} of {len(rounds)}")
        for process, own in rotated(list(zip(processes, times, strict=True)), number):
            pause()
            own.append(process.seconds_for_each(process.engine.inputs.of_queries(queries)))
    rows = tuple(_latency_row(process, own, times[0]) for process, own in zip(processes, times, strict=True))
    return Latency(what, len(rounds), len(rounds[0]), rows)


def measure_loads(engines: Sequence[Engine], starts: int, query: str, on_step: OnStep) -> tuple[LoadRow, ...]:
    """Start each engine several times, alternating, after one start that fills the page cache."""
    found: list[list[Loaded]] = [[] for _ in engines]
    for number in range(starts + 1):
        on_step(f"start {number} of {starts}" if number else "start to warm up")
        for engine, own in rotated(list(zip(engines, found, strict=True)), number):
            with EngineProcess(engine, engine.inputs.of_queries([query])) as process:
                own.append(process.loaded)
    return tuple(_load_row(engine, own[1:]) for engine, own in zip(engines, found, strict=True))


def _latency_row(
    process: EngineProcess, rounds: Sequence[Sequence[float]], subject: Sequence[Sequence[float]]
) -> LatencyRow:
    milliseconds = [seconds * 1000 for times in rounds for seconds in times]
    return LatencyRow(
        engine=process.engine.name,
        median_ms=statistics.median(milliseconds),
        percentile_95_ms=float(np.percentile(milliseconds, 95)),
        subject_ratio=paired_ratio([statistics.median(r) for r in rounds], [statistics.median(r) for r in subject]),
    )


def _load_row(engine: Engine, starts: Sequence[Loaded]) -> LoadRow:
    return LoadRow(
        engine=engine.name,
        version=starts[-1].version,
        size_bytes=engine.size_bytes,
        starts=len(starts),
        ready_seconds=Spread.of([loaded.ready_seconds for loaded in starts]),
        load_seconds=Spread.of([loaded.load_seconds for loaded in starts]),
        memory=starts[-1].memory,
    )
