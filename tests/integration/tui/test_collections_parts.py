"""The parts of the collections screen, without a screen: meter, completion, plots, and what the engine does for it."""

from pathlib import Path

import pytest

from searchkit.errors import CollectionNotFoundError
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection
from searchkit.maintenance.tune_index import set_index
from searchkit.reports import Problem, Progress
from searchkit.types import SearchMode
from searchkit_indexes import Code, IndexSpec, Structure
from searchkit_tui.collections.status_text import grouped
from searchkit_tui.evaluation.choose_report import Point, interval_bar, scatter
from searchkit_tui.jobs.meter import Meter, amount, bar, duration
from searchkit_tui.widgets.path_picker import Completion, complete, restarted
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder


class Clock:
    """Stands still until it is moved."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_meter_tells_rate_and_time_left_by_the_work() -> None:
    clock = Clock()
    meter = Meter(clock)
    assert amount(meter) == ""
    meter.note(Progress("Reading", 0, 100, "files", 0.0, 1000.0))
    assert amount(meter) == "Reading 0 of 100 files"
    clock.seconds = 10.0
    meter.note(Progress("Reading", 50, 100, "files", 250.0, 1000.0, "120 passages"))
    assert meter.fraction == 0.25
    assert amount(meter) == "Reading 50 of 100 files, 120 passages · 5.0 files/s · 0:30 left"
    meter.note(Progress("Embedding", 1, 10, "passages"))
    assert amount(meter) == "Embedding 1 of 10 passages"


def test_a_rate_is_that_of_the_last_while() -> None:
    clock = Clock()
    meter = Meter(clock)
    for second in range(60):
        clock.seconds = float(second)
        meter.note(Progress("Embedding", 10 * min(second, 30) + max(0, second - 30), 1000, "passages"))
    assert meter.rate == pytest.approx(1.0, abs=0.6)


def test_a_report_grows_stale() -> None:
    clock = Clock()
    meter = Meter(clock)
    seen = [meter.is_fresh]
    meter.note(Progress("Reading", 1, 2, "files"))
    seen.append(meter.is_fresh)
    clock.seconds = 60.0
    seen.append(meter.is_fresh)
    assert seen == [False, True, False]
    meter.clear()
    assert amount(meter) == ""


def test_a_total_that_is_not_known_gives_no_fraction() -> None:
    meter = Meter(Clock())
    meter.note(Progress("Waiting for process 7", 0, None, ""))
    assert meter.fraction is None
    assert amount(meter) == "Waiting for process 7"
    assert bar(None, 4) == "╌╌╌╌   …"
    assert bar(0.5, 4) == "━━╌╌  50%"


def test_durations_read_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.4, 67, 3600 * 3 + 5 * 60)] == ["0:00", "1:07", "3:05:00"]


def test_a_path_is_completed_as_far_as_it_is_certain(tmp_path: Path) -> None:
    for name in ("Reports", "reports-old", ".hidden", "other"):
        (tmp_path / name).mkdir()
    write(tmp_path / "report.json", "{}")
    base = str(tmp_path)
    assert complete(f"{base}/o") == Completion(f"{base}/other/", ("other/",))
    assert complete(f"{base}/reports-") == Completion(f"{base}/reports-old/", ("reports-old/",))
    assert complete(f"{base}/rep").candidates == ("Reports/", "reports-old/")
    assert complete(f"{base}/Rep") == Completion(f"{base}/Reports/", ("Reports/",))
    assert complete(f"{base}/.") == Completion(f"{base}/.hidden/", (".hidden/",))
    assert complete(f"{base}/report.", ".json") == Completion(f"{base}/report.json", ("report.json",))
    assert complete(f"{base}/nothing") == Completion(f"{base}/nothing", ())
    assert complete("~") == Completion("~/", ())


def test_a_plot_shows_every_point_at_its_place() -> None:
    plot = scatter([Point(0.1, 1.0, "a"), Point(10.0, 0.9, "b"), Point(10.0, 0.9, "c")], 60, 14, ("ms", "recall"), 0.95)
    lines = plot.splitlines()
    assert len(lines) == 14
    assert max(map(len, lines)) <= 60
    assert lines[0] == "recall"
    quick, slow = (next(line for line in lines[1:-1] if end in line) for end in ("a", "cb"))
    assert lines.index(quick) < lines.index(slow)
    assert quick.index("a") < slow.index("cb")
    assert [line.split()[0] for line in lines if "┈" in line] == ["0.950"]
    assert lines[-1].endswith("ms")
    assert scatter([], 60, 14, ("ms", "recall")) == ""
    assert scatter([Point(1, 1, "a")], 12, 3, ("ms", "recall")) == ""


def test_a_bar_shows_mean_and_interval() -> None:
    assert interval_bar(0.5, 0.5, 0.5, 10) == "█████     "
    assert interval_bar(0.5, 0.3, 0.8, 10) == "██├────┤  "
    assert interval_bar(1.0, 1.0, 1.0, 4) == "████"


def test_problems_of_one_kind_stand_together() -> None:
    problems = [Problem(Path(f"/docs/{n}"), "too large", "split it") for n in "ab"] + [
        Problem(Path("/x\ny"), "no text")
    ]
    assert grouped(problems) == [
        ("too large", "split it", ["/docs/a", "/docs/b"]),
        ("no text", "", ["/x␊y"]),
    ]


@pytest.fixture
def library(tmp_path: Path, docs: Path) -> Library:
    """Three documents."""
    opened = Library(tmp_path / "home", embedder=HashEmbedder())
    opened.index(docs)
    return opened


def found(library: Library, query: str) -> list[str]:
    return [hit.path.name for hit in library.search(query, mode=SearchMode.LEXICAL)]


def test_one_collection_is_forgotten_and_others_keep_the_folder(library: Library, docs: Path) -> None:
    library.index(docs, collection="again")
    assert found(library, "roses") == ["roses.md", "roses.md"]
    with library.sibling() as other:
        assert other.collection("docs").delete() == 3
    assert library.collections() == ["again"]
    assert found(library, "roses") == ["roses.md"]
    assert (docs / "garden" / "roses.md").exists()
    with pytest.raises(CollectionNotFoundError):
        library.collection("docs").delete()


def test_a_library_notices_what_a_sibling_does(library: Library, docs: Path) -> None:
    assert found(library, "prune") == ["roses.md"]
    with library.sibling() as other:
        other.collection("docs").delete()
        write(docs / "garden" / "roses.md", "# Dahlias\n\nDahlias instead.\n")
        other.index(docs)
    assert found(library, "prune") == []
    assert found(library, "dahlias") == ["roses.md"]
    with library.sibling() as other:
        rebuild_collection(other.collection("docs"), [], lambda _: None)
        set_index(other.collection("docs"), IndexSpec(Structure.FLAT, Code.INT8, 64))
    assert library.search("dahlias")[0].path.name == "roses.md"
    library.close()


@pytest.mark.parametrize(
    ("typed", "what_counts"),
    [
        ("/home/me//tmp/x", "/tmp/x"),
        ("/home/me/~", "~"),
        ("/home/me/~/notes", "~/notes"),
        ("//", "/"),
        ("/home/me/a~b/~c", "/home/me/a~b/~c"),
        ("~/notes", "~/notes"),
        ("notes/2025", "notes/2025"),
    ],
)
def test_a_path_that_is_typed_behind_another_is_the_one_that_counts(typed: str, what_counts: str) -> None:
    assert restarted(typed) == what_counts
