"""Pictures of collections, problems and tuning, over made-up collections.

To renew them: pytest tests/integration/tui --snapshot-update.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from searchkit.errors import ExtraMissingError
from searchkit.index_store.trials import Trial
from searchkit.library import Library
from searchkit.maintenance.tune_index import TuneOptions, TuneReport
from searchkit.reports import CollectionStatus, FormatCount, IndexStatus, Problem, Progress
from searchkit_indexes import Code, IndexSpec, Structure
from searchkit_tui.collections.screen import CollectionsScreen
from searchkit_tui.collections.status_text import CollectionRow
from searchkit_tui.jobs.job import Job, JobKind, JobState
from searchkit_tui.jobs.meter import Meter
from searchkit_tui.jobs.work import TuneJob
from tests.support.small_app import Driver, SmallApp

Compare = Callable[..., bool]
HOME = Path("/home/ada")
PROBLEMS = (
    Problem(HOME / "papers" / "scan.pdf", "encrypted PDF", "open it in a PDF viewer and save it without a password"),
    Problem(
        HOME / "papers" / "old" / "[bold]minutes.pdf",
        "encrypted PDF",
        "open it in a PDF viewer and save it without a password",
    ),
    Problem(HOME / "papers" / "日本語 דוח.docx", "damaged archive", "get the file again"),
    Problem(HOME / "papers" / "line\nbreak\x1b[31m.txt", "no text in it"),
)


def status(name: str, chunks: int, vectors: int, problems: tuple[Problem, ...] = ()) -> CollectionStatus:
    return CollectionStatus(
        collection=name,
        folders=(HOME / name,),
        model="embeddinggemma-300m",
        files=chunks // 4,
        files_skipped=len(problems),
        files_unsupported=2,
        chunks=chunks,
        passages=chunks,
        vectors=vectors,
        files_to_read=0,
        scanned_pages=0,
        formats=(FormatCount("markdown", chunks // 8, chunks // 2), FormatCount("pdf", chunks // 8, chunks // 2)),
        size_bytes=chunks * 12_800,
        updated_at="2026-03-01T09:30:00+0100",
        problems=problems,
        unsupported_types=((".png", 2),),
        index=IndexStatus("rabitq-1bit-768", vectors, 104, 0.998, 200) if vectors else None,
    )


ROWS = [
    CollectionRow("notes", status("notes", 1_204, 1_204)),
    CollectionRow("papers", status("papers", 48_310, 12_077, PROBLEMS)),
    CollectionRow("wiki", None, "The catalog cannot be opened."),
]


class Steps:
    """A clock that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def running_job() -> Job:
    """An index run, a quarter done."""
    job = Job(JobKind.INDEX, "papers", lambda _library, _job: "")
    clock = Steps()
    job.meter = Meter(clock)
    for seconds, done in ((0.0, 0), (10.0, 280)):
        clock.now = seconds
        job.meter.note(Progress("Embedding", 11_797 + done, 48_310, "passages", 11_797.0 + done, 48_310.0))
    job.state = JobState.RUNNING
    return job


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are shown as they are there."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def app(tmp_path: Path, berlin: None, monkeypatch: pytest.MonkeyPatch) -> SmallApp:
    """Shows the made-up collections."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("searchkit_tui.collections.screen.read_rows", lambda _: ROWS)
    library = Library(tmp_path)
    made = SmallApp(lambda app: CollectionsScreen(library, app.jobs), library)
    made.animation_level = "none"
    return made


def with_rows(*keys: str, sees: str, work: Job | None = None) -> Callable[[Pilot[None]], Any]:
    """Waits for the collections, presses keys, and waits for what they bring."""

    async def run(pilot: Pilot[None]) -> None:
        if work is not None:
            assert isinstance(pilot.app, SmallApp)
            pilot.app.jobs._jobs.append(work)
        user = Driver(pilot.app, pilot)
        await user.until(lambda: "rabitq" in str(pilot.app.screen.query_one("#detail-text", Static).content))
        await user.press(*keys)
        await user.settle(sees)

    return run


def indexing() -> Callable[[Pilot[None]], Any]:
    return with_rows("down", sees="28 passages/s", work=running_job())


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light"])
def test_collections_while_one_is_indexed(app: SmallApp, snap_compare: Compare, theme: str) -> None:
    app.theme = theme
    assert snap_compare(app, terminal_size=(120, 30), run_before=indexing())


def test_collections_on_a_narrow_terminal(app: SmallApp, snap_compare: Compare) -> None:
    assert snap_compare(app, terminal_size=(80, 24), run_before=indexing())


def test_problems(app: SmallApp, snap_compare: Compare) -> None:
    assert snap_compare(app, terminal_size=(100, 26), run_before=with_rows("down", "p", sees="no text in it (1 file)"))


def test_forget_dialog(app: SmallApp, snap_compare: Compare) -> None:
    assert snap_compare(app, terminal_size=(80, 24), run_before=with_rows("x", sees="can be indexed again"))


def test_tune(app: SmallApp, snap_compare: Compare) -> None:
    trials = (
        Trial(IndexSpec(Structure.FLAT, Code.FLOAT32, 768), 1.0, 2.1, 3.0, 37_000_000, 0.1),
        Trial(IndexSpec(Structure.FLAT, Code.INT8, 768), 1.0, 1.2, 2.0, 9_400_000, 0.3),
        Trial(IndexSpec(Structure.RABITQ, Code.BIT1, 768), 0.998, 0.35, 0.6, 1_300_000, 1.4),
        Trial(IndexSpec(Structure.RABITQ, Code.BIT1, 256), 0.951, 0.2, 0.4, 500_000, 0.9),
    )
    job = TuneJob("notes", TuneOptions())
    job.trials = list(trials)
    missing = ExtraMissingError("hnswlib is not installed.")
    job.report = TuneReport(trials, (("hnswlib-float32-768", missing),), trials[2], 200)
    job.outcome = "the cheapest is rabitq-1bit-768: recall 0.998, 0.35 ms"
    job.state = JobState.DONE

    tuned = with_rows("t", sees="2.6 ms", work=job)
    assert snap_compare(app, terminal_size=(100, 30), run_before=tuned)
