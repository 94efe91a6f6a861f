"""Measures the latency of the terminal UI: its start, from a key to new hits, and typing while files are indexed.

    python -m benchmarks.tui --home DIR --collection NAME

The collection should have some 10,000 passages and be embedded. `--files 0` leaves the indexing out.
"""

import argparse
import asyncio
import contextlib
import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from textual import events
from textual.widgets import Input

from searchkit.library import Library
from searchkit_tui.app import SearchApp
from searchkit_tui.jobs.work import index_folder
from searchkit_tui.search.background import PAUSE_SECONDS
from searchkit_tui.search.status_line import StatusLine
from searchkit_tui.widgets.query_box import QueryBox

_STARTS = 7
_QUERIES = 30
_WORDS = 6
_SIZE = (120, 40)
_TICK_SECONDS = 0.005
_INDEXING_SECONDS = 40.0
_KEY_EVERY_SECONDS = 0.1
_PATIENCE_SECONDS = 60.0


def measure_start(home: Path) -> float:
    """Seconds from starting the command until its query box accepts keys: until a typed key appears in it."""
    parent, child = pty.openpty()
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "searchkit", "tui"], stdin=child, stdout=child, stderr=child, env=environment
    )
    os.close(child)
    try:
        _read_until(parent, b"earch your files")  # the cursor, which blinks, is on the first letter
        os.write(parent, b"q")
        _read_until(parent, b"q")
        return time.perf_counter() - started
    finally:
        os.write(parent, b"\x11")  # ctrl+q
        with contextlib.suppress(OSError):
            while os.read(parent, 65536):
                pass
        process.wait(_PATIENCE_SECONDS)
        os.close(parent)


def _read_until(descriptor: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], _PATIENCE_SECONDS)
        if not ready:
            raise TimeoutError(f"{wanted!r} was not shown within {_PATIENCE_SECONDS:.0f} s")
        seen += os.read(descriptor, 65536)


def some_queries(library: Library, collection: str, count: int) -> list[str]:
    """Queries of a few words from the middle of passages."""
    queries = []
    for passage in library.collection(collection).sample_passages(count):
        words = [word.strip(".,:;()\"'`-") for word in passage.text.split() if word[:1].isalpha()]
        middle = len(words) // 2
        queries.append(" ".join(words[middle : middle + _WORDS]) or "nothing")
    return queries


async def measure_answers(library: Library, collection: str) -> list[tuple[float, float, float]]:
    """(milliseconds from the key to fresh hits on the screen, of these the engine's, milliseconds to the first hits)."""
    measured = []
    app = SearchApp(library, collections=[collection])
    async with app.run_test(size=_SIZE):
        box, status = app.screen.query_one(QueryBox), app.screen.query_one(StatusLine)
        while not status.coverages:
            await asyncio.sleep(0.05)
        for query in some_queries(library, collection, _QUERIES):
            while any(worker.group in ("search", "marks") and worker.is_running for worker in app.workers):
                await asyncio.sleep(0.05)  # nobody types the next question at once
            box.set_query(query[:-1])
            await asyncio.sleep(0.02)
            started, first = time.perf_counter(), 0.0
            app.post_message(
                events.Key("a", query[-1])
            )  # the pilot's own press waits until nothing is computed any more
            while (answer := status.answer) is None or answer.request.query != box.value.strip() or answer.is_partial:
                if not first and answer is not None and answer.request.query == box.value.strip():
                    first = time.perf_counter() - started
                await asyncio.sleep(0.001)
            shown = asyncio.Event()
            app.screen.call_after_refresh(shown.set)
            await shown.wait()
            whole = time.perf_counter() - started
            measured.append((whole * 1000, answer.elapsed_ms, (first or whole) * 1000))
    return measured


async def measure_typing(home: Path, folder: Path, *, by_another: bool) -> tuple[list[float], list[float]]:
    """Measure while a folder is indexed, by the UI or by another process: (seconds that the event loop was late, seconds from keys
    to the box).
    """
    gaps: list[float] = []
    keys: list[float] = []
    with Library(home) as library:
        app = SearchApp(library)
        async with app.run_test(size=_SIZE):
            with _indexed_by_another(home, folder) if by_another else _indexed_by(app, folder) as is_active:
                ticker = asyncio.create_task(_note_gaps(gaps))
                ends = time.perf_counter() + _INDEXING_SECONDS
                box = app.screen.query_one(Input)
                while time.perf_counter() < ends and is_active():
                    before, started = box.value, time.perf_counter()
                    app.post_message(events.Key("e", "e") if len(before) < _WORDS else events.Key("backspace", None))
                    while box.value == before:
                        await asyncio.sleep(0.001)
                    keys.append(time.perf_counter() - started)
                    await asyncio.sleep(_KEY_EVERY_SECONDS)
                ticker.cancel()
    return gaps, keys


@contextlib.contextmanager
def _indexed_by(app: SearchApp, folder: Path) -> Iterator[Callable[[], bool]]:
    job = app.jobs.submit(index_folder(folder, "files"))
    yield lambda: job.is_active
    job.cancel()


@contextlib.contextmanager
def _indexed_by_another(home: Path, folder: Path) -> Iterator[Callable[[], bool]]:
    command = [sys.executable, "-m", "searchkit", "index", str(folder), "-c", "files"]
    environment = {**os.environ, "SEARCHKIT_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield lambda: process.poll() is None
    process.terminate()
    process.wait()


async def _note_gaps(gaps: list[float]) -> None:
    while True:
        started = time.perf_counter()
        await asyncio.sleep(_TICK_SECONDS)
        gaps.append(time.perf_counter() - started - _TICK_SECONDS)


def write_corpus(folder: Path, passages: Sequence[str], count: int) -> Path:
    """Write `count` Markdown files of a few passages each."""
    folder.mkdir()
    for number in range(count):
        texts = [passages[(number + step) % len(passages)] for step in range(3)]
        (folder / f"{number:04}.md").write_text(f"# Note {number}\n\n" + "\n\n".join(texts), "utf-8", "replace")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="a data directory")
    parser.add_argument("--collection", required=True)
    parser.add_argument("--files", type=int, default=1000, help="to index while typing")
    options = parser.parse_args()
    os.environ["SEARCHKIT_HISTORY"] = "0"  # these are not a user's queries
    starts = [measure_start(options.home) for _ in range(_STARTS)][1:]  # the first one warms the disk's cache
    print(f"start to a box that accepts keys: median {median(starts):.2f} s ({min(starts):.2f}-{max(starts):.2f})")
    with Library(options.home) as library:
        answers = asyncio.run(measure_answers(library, options.collection))
        passages = [passage.text for passage in library.collection(options.collection).sample_passages(500)]
    pause = PAUSE_SECONDS * 1000
    print(f"key to fresh hits, without the pause of {pause:.0f} ms:")
    print(f"  the whole answer: median {median(whole - pause for whole, _, _ in answers):.0f} ms")
    print(f"  of this the engine: median {median(engine for _, engine, _ in answers):.0f} ms")
    print(f"  of this the UI: median {median(whole - engine - pause for whole, engine, _ in answers):.0f} ms")
    print(
        f"  first hits, by words where these come sooner: median {median(first - pause for *_, first in answers):.0f} ms"
    )
    for by_another in (False, True) if options.files else ():
        with tempfile.TemporaryDirectory() as place:
            home = Path(place) / "home"
            home.mkdir()
            (home / "models").symlink_to((options.home / "models").absolute())
            folder = write_corpus(Path(place) / "files", passages, options.files)
            gaps, keys = asyncio.run(measure_typing(home, folder, by_another=by_another))
        gaps.sort()
        whose = "another process indexes" if by_another else "the UI indexes"
        print(f"while {whose} {options.files:,} files, {len(keys)} keys:")
        print(
            f"  event loop late: largest {gaps[-1] * 1000:.0f} ms, 99 % below {gaps[len(gaps) * 99 // 100] * 1000:.0f} ms"
        )
        print(f"  key to box: median {median(keys) * 1000:.0f} ms, largest {max(keys) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
