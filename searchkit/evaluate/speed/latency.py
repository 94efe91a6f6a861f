"""Measures latencies: of a query's vector, of starting an engine, and of `searchkit search` as a shell runs it."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from searchkit.errors import BenchmarkError
from searchkit.evaluate.speed.engine import Engine
from searchkit.evaluate.speed.engine_process import EngineProcess, Loaded, Memory
from searchkit.evaluate.speed.engines.worker import memory_of_process
from searchkit.evaluate.speed.throughput import OnStep, Spread, paired_ratio, pause, rotated
from searchkit.types import SearchMode

_START = "import sys; from searchkit.cli.main import main; sys.exit(main())"  # as the installed command does
_LOOK_EVERY_SECONDS = 0.002


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


@dataclass(frozen=True, slots=True)
class SearchRow:
    """Runs of the whole process with files in the page cache. `memory`: the peak, from a run that is not timed."""

    mode: SearchMode
    collection: str
    runs: int
    seconds: Spread
    memory: Memory


def measure_search(collection: str, query: str, runs: int, on_step: OnStep) -> tuple[SearchRow, ...]:
    """Search a collection in all modes, alternating. Raises BenchmarkError."""
    modes = list(SearchMode)
    seconds: dict[SearchMode, list[float]] = {mode: [] for mode in modes}
    on_step(f"searching {collection}, to warm up")
    memory = {mode: _memory_of(_command(collection, query, mode)) for mode in modes}
    for number in range(runs):
        on_step(f"searching {collection}: round {number + 1} of {runs}")
        for mode in rotated(modes, number):
            seconds[mode].append(_seconds_of(_command(collection, query, mode)))
    return tuple(SearchRow(mode, collection, runs, Spread.of(seconds[mode]), memory[mode]) for mode in modes)


def _command(collection: str, query: str, mode: SearchMode) -> list[str]:
    return [sys.executable, "-c", _START, "search", query, "--collection", collection, "--mode", mode.value]


def _seconds_of(command: Sequence[str]) -> float:
    started = time.perf_counter()
    result = subprocess.run(command, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    _check(result.returncode, result.stderr)
    return seconds


def _memory_of(command: Sequence[str]) -> Memory:
    """Poll the memory of the process while it runs."""
    seen: list[Memory] = []
    with tempfile.TemporaryFile() as talk:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=talk)
        while process.poll() is None:
            seen.append(Memory(**memory_of_process(process.pid)))
            time.sleep(_LOOK_EVERY_SECONDS)
        talk.seek(0)
        _check(process.returncode, talk.read())
    highest = max(seen, key=lambda memory: memory.resident or 0)
    return replace(highest, peak=max((memory.peak or 0 for memory in seen), default=0) or None)


def _check(code: int, talk: bytes) -> None:
    if code:
        words = talk.decode("utf-8", "replace").strip().splitlines()
        raise BenchmarkError(words[-1].removeprefix("Error: ") if words else f"The search ended with exit code {code}.")
