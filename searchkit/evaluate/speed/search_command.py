"""Measures the time and memory of `searchkit search` as a shell runs it."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from searchkit.errors import BenchmarkError
from searchkit.evaluate.speed.engine_process import Memory
from searchkit.evaluate.speed.engines.worker import memory_of_process
from searchkit.evaluate.speed.interleaving import OnStep, Spread, rotated
from searchkit.types import SearchMode

_START = "import sys; from searchkit.cli.main import main; sys.exit(main())"  # as the installed command does
_LOOK_EVERY_SECONDS = 0.002


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
