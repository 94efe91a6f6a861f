"""The worker processes of an index run: read files and return readings as they finish, even if a file kills its worker."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from threading import Condition, Event, Lock, Thread
from typing import Any

from searchkit.ingest.extract.readers import LONGER
from searchkit.ingest.sandbox.messages import MOST_LIMITS, ChunkSpool, Job, Part, Reading, Setup, from_line, to_line

_MOST_WORKERS = 4
_JOBS_A_WORKER = 4  # another worker is worth starting if there is this much for each
_LARGE_BYTES = 4_000_000  # such files are read one at a time,
_HUGE_BYTES = 16_000_000  # and such ones alone, so that memory stays bounded
_TIRED_BYTES = 160_000_000  # a worker that has grown to this size is replaced
_LOOK_SECONDS = 0.2
_START_SECONDS = 30  # that a worker may take to start while much else is running
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from searchkit.ingest.sandbox.worker import main; main()"
)
_FIELDS = {each.name for each in fields(Reading)}


def worker_count() -> int:
    """The number of workers for this machine: one per core, up to a few."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_WORKERS)


def read_files(jobs: Sequence[Job], setup: Setup) -> Iterator[Reading]:
    """Yield one reading per job, in order of completion; its chunks are valid until the next one is requested.

    Ending the iteration early ends the workers.
    """
    if not jobs:
        return
    with tempfile.TemporaryDirectory(prefix="searchkit-") as folder:
        run = _Run(jobs, setup.encode(), setup.limits.seconds, folder)
        run.start()
        try:
            for _ in jobs:
                reading = run.done.get()
                if isinstance(reading, BaseException):
                    raise reading
                yield reading
                if isinstance(reading.chunks, ChunkSpool):
                    reading.chunks.close()
        finally:
            run.stop()


@dataclass
class _Worker:
    """A process with its current job; `deadline` is None while it waits for one."""

    process: "subprocess.Popen[bytes]"
    deadline: float | None = None
    overdue: bool = False

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()

    def kill(self) -> None:
        """Kill the process, and the programs that it has started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it leads a group, also after its own end
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


@dataclass
class _Run:
    """Threads that control one worker each, and one that enforces deadlines."""

    jobs: Sequence[Job]
    setup: str
    seconds: int
    folder: str
    done: "queue.Queue[Reading | BaseException]" = field(default_factory=lambda: queue.Queue(maxsize=2 * _MOST_WORKERS))

    def __post_init__(self) -> None:
        self._waiting = iter(self.jobs)
        self._taking = Lock()
        self._one_large = Lock()
        self._gate = Condition()
        self._reading = 0  # files that are being read, except huge ones
        self._is_alone = False  # True if a huge one is being read, or waits for the others to finish
        self._stopped = Event()
        self._workers: dict[int, _Worker] = {}
        count = max(1, min(worker_count(), len(self.jobs) // _JOBS_A_WORKER))
        self._threads = [Thread(target=self._lead, args=(number,), daemon=True) for number in range(count)]
        self._threads.append(Thread(target=self._watch_clock, daemon=True))

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all workers and wait for the threads."""
        self._stopped.set()
        while any(thread.is_alive() for thread in self._threads):
            for worker in list(self._workers.values()):
                worker.kill()
            with contextlib.suppress(queue.Empty):
                self.done.get(timeout=0.01)  # somebody may wait for room
        for worker in self._workers.values():
            worker.end()

    def _lead(self, number: int) -> None:
        try:
            while (job := self._next_job()) is not None:
                with self._turn(number, job.size_bytes):
                    if self._stopped.is_set():
                        return
                    reading = self._read(number, job)
                if self._stopped.is_set():
                    return
                self.done.put(reading)
        except BaseException as error:  # noqa: BLE001 (the one who iterates gets it)
            self.done.put(error)

    @contextlib.contextmanager
    def _turn(self, number: int, size_bytes: int) -> Iterator[None]:
        """Wait until a file of this size may be read. A huge one is read alone, while no other worker uses memory."""
        if size_bytes <= _HUGE_BYTES:
            with self._gate:
                self._gate.wait_for(lambda: not self._is_alone)
                self._reading += 1
            try:
                with self._one_large if size_bytes > _LARGE_BYTES else contextlib.nullcontext():
                    yield
            finally:
                with self._gate:
                    self._reading -= 1
                    self._gate.notify_all()
            return
        with self._gate:
            self._gate.wait_for(lambda: not self._is_alone)
            self._is_alone = True
            self._gate.wait_for(lambda: self._reading == 0)
        for other in [key for key in self._workers if key != number]:
            self._workers.pop(other).end()
        try:
            yield
        finally:
            with self._gate:
                self._is_alone = False
                self._gate.notify_all()

    def _next_job(self) -> Job | None:
        with self._taking:
            return None if self._stopped.is_set() else next(self._waiting, None)

    def _watch_clock(self) -> None:
        while any(thread.is_alive() for thread in self._threads[:-1]):
            if self._stopped.wait(_LOOK_SECONDS):
                return
            now = time.monotonic()
            for worker in list(self._workers.values()):
                if worker.deadline is not None and now > worker.deadline:
                    worker.overdue = True
                    worker.kill()

    def _read(self, number: int, job: Job) -> Reading:
        is_new = number not in self._workers
        worker = self._start_worker(number) if is_new else self._workers[number]
        started = time.monotonic()

        def on_message() -> None:  # a worker that sends text is slow, not stuck
            worker.deadline = min(time.monotonic(), started + MOST_LIMITS * self.seconds) + self.seconds

        on_message()
        if is_new:  # until it says that it is ready
            worker.deadline = started + _START_SECONDS + self.seconds
        try:
            reading = _exchange(worker.process, job, on_message)
        except (OSError, EOFError, json.JSONDecodeError):
            worker.end()
            del self._workers[number]
            return replace(_why(worker, self.seconds), job=job)
        worker.deadline = None
        if _resident_bytes(worker.process.pid) > _TIRED_BYTES:
            worker.end()
            del self._workers[number]
        return reading

    def _start_worker(self, number: int) -> _Worker:
        path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 ("" is the current folder)
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("SEARCHKIT_DEBUG_READERS") else subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": self.folder, "OMP_THREAD_LIMIT": "1"},
            start_new_session=True,  # Ctrl-C is for the run, which ends its own workers
        )
        worker = self._workers[number] = _Worker(process)
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it died at once: reading from it will fail
            process.stdin.write(self.setup.encode() + b"\n")
            process.stdin.flush()
        return worker


def _exchange(process: "subprocess.Popen[bytes]", job: Job, on_message: Callable[[], None]) -> Reading:
    """Send a job and collect the answer. Raises OSError or EOFError if the worker dies of it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(to_line(asdict(job)))
    process.stdin.flush()
    chunks = ChunkSpool()
    for line in process.stdout:
        message = from_line(line)
        if "done" in message:
            return _reading(job, message["done"], chunks)
        chunks.add(line, len(message["chunks"]))
        on_message()
    chunks.close()
    raise EOFError


def _reading(job: Job, values: dict[str, Any], chunks: ChunkSpool) -> Reading:
    hashed = values.pop("content_hash", None)
    parts = tuple(Part(**part) for part in values.pop("parts", ()))
    known = {name: value for name, value in values.items() if name in _FIELDS}
    if known.get("reason") or known.get("unchanged"):
        chunks.close()
    return Reading(job, content_hash=bytes.fromhex(hashed) if hashed else None, chunks=chunks, parts=parts, **known)


def _why(worker: _Worker, seconds: int) -> Reading:
    """Explain why a worker ended in the middle of a file. The caller fills in the job."""
    code = worker.process.returncode
    remedy = ""
    if worker.overdue or code == -getattr(signal, "SIGALRM", 14):
        reason = f"reading it took longer than {seconds} s"
        remedy = LONGER
    elif code is not None and code < 0:
        reason = f"its reader crashed ({signal.Signals(-code).name})"
    else:
        reason = "its reader crashed"
    return Reading(Job("", "", 0), reason=reason, remedy=remedy)


def _resident_bytes(process_id: int) -> int:
    """The memory that a process uses, 0 if the system does not say."""
    try:
        with open(f"/proc/{process_id}/statm", encoding="ascii") as file:  # noqa: PTH123 (once a file)
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
