"""Runs one engine in its own process: `python -m benchmarks.ann.worker build|measure JOB.json`."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ann.engine import CannotError, Engine, TooLongError, VectorFile
from benchmarks.ann.registry import make_engine
from benchmarks.ann.results import Point
from benchmarks.ann.truth import K, Truth, allowed_ids
from searchkit.evaluate.speed.engines.worker import memory
from searchkit_indexes import Ids, Vectors

_BEFORE_ESTIMATE = 0.05
_SEARCHES_FOR_MEMORY = 200
_FILTERED = 100
_LOOKED_FOR = 200  # of the vectors added, and of those removed
CHANGED = 1000  # vectors added, and then as many removed


@dataclass(frozen=True, slots=True)
class Job:
    """The engine and its data. The file of vectors has `count` to build with and CHANGED to add."""

    engine: str
    folder: str
    vectors: str
    count: int
    queries: str
    truth: str
    filtered_truth: str
    max_build_minutes: float

    @property
    def to_build(self) -> VectorFile:
        """The vectors to build the index from."""
        return VectorFile(Path(self.vectors), 0, self.count)

    @property
    def to_add(self) -> VectorFile:
        """The vectors to add later."""
        return VectorFile(Path(self.vectors), self.count, self.count + CHANGED)


@dataclass(frozen=True, slots=True)
class Watched(VectorFile):
    """Vectors whose reading shows how fast an engine builds."""

    max_seconds: float

    def batches(self, size: int = 5000) -> Iterator[tuple[Ids, Vectors]]:
        """Yield batches, and estimate the total time with each one. Raises TooLongError."""
        started = time.perf_counter()
        done = 0
        for ids, batch in VectorFile.batches(self, size):
            yield ids, batch
            done += len(ids)
            estimate = (time.perf_counter() - started) / done * len(self)
            if done >= _BEFORE_ESTIMATE * len(self) and estimate > self.max_seconds:
                raise TooLongError(f"not built: est. {estimate / 60:.0f} min")


def build(job: Job) -> dict[str, Any]:
    """Build, and measure time and memory."""
    engine = make_engine(job.engine)
    vectors = Watched(Path(job.vectors), 0, job.count, job.max_build_minutes * 60)
    started = time.perf_counter()
    try:
        engine.build(Path(job.folder), vectors)
    except TooLongError as error:
        return {"state": str(error)}
    seconds = time.perf_counter() - started
    return {"build_seconds": seconds, "build_peak_mb": memory()["peak"], "version": engine.version()}


def measure(job: Job) -> dict[str, Any]:
    """Open the index, search it in every way, and change it."""
    queries: Vectors = np.load(job.queries)
    begun = resident()
    engine = make_engine(job.engine)
    before = resident()
    started = time.perf_counter()
    engine.open(Path(job.folder))
    opened = time.perf_counter()
    engine.search(queries[0], K)
    searched = time.perf_counter()
    for number in range(_SEARCHES_FOR_MEMORY):
        engine.search(queries[number % len(queries)], K)
    after = resident()
    points = [point_at(engine, setting, queries, job) for setting in engine.settings]
    return {
        "open_seconds": opened - started,
        "first_search_ms": (searched - opened) * 1000,
        "library_mb": before["Rss"] - begun["Rss"],
        "rss_mb": after["Rss"] - before["Rss"],
        "pss_mb": after["Pss"] - before["Pss"],
        "points": [asdict(point) for point in points],
        **changed(engine, job),
    }


def resident() -> dict[str, float]:
    """Megabytes of this process: Rss, and Pss, which counts pages that others have too by share."""
    lines = Path("/proc/self/smaps_rollup").read_text("ascii").splitlines()[1:]
    return {name: int(size.split()[0]) * 1024 / 1e6 for name, _, size in (line.partition(":") for line in lines)}


def point_at(engine: Engine, setting: str, queries: Vectors, job: Job) -> Point:
    """Recall and latency of single queries, one after the other, warm."""
    engine.use(setting)
    recall, milliseconds = asked(engine, queries, Truth.load(Path(job.truth)), None)
    p50, p99 = np.percentile(milliseconds, [50, 99])
    plain = Point(setting, recall, float(p50), float(p99))
    try:
        truth = Truth.load(Path(job.filtered_truth))
        among, slower = asked(engine, queries[:_FILTERED], truth, allowed_ids(job.to_build))
    except CannotError as error:
        return Point(setting, recall, float(p50), float(p99), note=str(error))
    return Point(setting, plain.recall, plain.p50_ms, plain.p99_ms, among, float(np.median(slower)))


def asked(engine: Engine, queries: Vectors, truth: Truth, allowed: Ids | None) -> tuple[float, list[float]]:
    """(recall, milliseconds of each query); all queries run once before, to warm up: some engines read from the disk."""
    for query in queries:
        engine.search(query, K, allowed)
    milliseconds, recalls = [], []
    for row, query in enumerate(queries):
        started = time.perf_counter()
        found = engine.search(query, K, allowed)
        milliseconds.append((time.perf_counter() - started) * 1000)
        recalls.append(truth.recall(row, found))
    return float(np.mean(recalls)), milliseconds


def changed(engine: Engine, job: Job) -> dict[str, Any]:
    """Add and remove vectors, and check that searches notice; `changes` says what is wrong."""
    result: dict[str, Any] = {}
    remarks = []
    engine.use(engine.settings[-1])  # the most thorough one
    added = job.to_add
    gone = np.random.default_rng(3).choice(job.count, CHANGED, replace=False).astype(np.int64)
    changes: dict[str, Callable[[], None]] = {
        "add": lambda: engine.add(added.ids, added.all()),
        "remove": lambda: engine.remove(np.sort(gone)),
    }
    for name, change in changes.items():
        started = time.perf_counter()
        try:
            change()
        except CannotError as error:
            remarks.append(str(error))
            continue
        result[f"{name}_seconds"] = time.perf_counter() - started
    looked_for = added.ids[:_LOOKED_FOR]
    found = [one in engine.search(vector, K) for one, vector in zip(looked_for, added.all_of(looked_for), strict=True)]
    if not all(found):
        remarks.append(f"{np.mean(found):.1%} of what was added is found")
    if "remove_seconds" in result:
        remarks += still_there(engine, gone, job)
    return {**result, "changes": "; ".join(remarks)}


def still_there(engine: Engine, gone: Ids, job: Job) -> list[str]:
    """Check that searches find no removed vectors."""
    vectors = job.to_build.all_of(gone[:_LOOKED_FOR])
    found = {int(one) for vector in vectors for one in engine.search(vector, K)}
    left = found & set(gone.tolist())
    return [f"{len(left)} removed ones are found still"] if left else []


def main() -> None:
    """Do one job; the answer goes to a file, since libraries may print."""
    operation, file = sys.argv[1], Path(sys.argv[2])
    job = Job(**json.loads(file.read_text("utf-8")))
    answer = {"build": build, "measure": measure}[operation](job)
    file.with_suffix(f".{operation}").write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    main()
