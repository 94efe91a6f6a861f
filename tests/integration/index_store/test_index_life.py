"""The index is a cache of the catalog: whatever happens to it, the next search is right and nothing is lost."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from searchkit.catalog.connection import writing
from searchkit.catalog.meta import INDEX, set_meta
from searchkit.display.installation import Installation
from searchkit.errors import ExtraMissingError, UsageError
from searchkit.home import CollectionFolder
from searchkit.index_store.build import build_from_catalog
from searchkit.index_store.trials import cheapest
from searchkit.library import Library
from searchkit.maintenance.tune_index import TuneOptions, measure_indexes, set_index
from searchkit_indexes import IndexSpec
from tests.support.errors import refused
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

QUESTIONS = ("prune the roses", "knead the dough", "zeppelin", "passage 17")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`docs`, whose passages are enough for codes to learn from, and `home`, where they are indexed: to be copied."""
    place = tmp_path_factory.mktemp("place")
    write(place / "docs" / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    write(place / "docs" / "garden" / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    for number in range(300):
        text = f"# Note {number}\n\nThis is passage {number} of group {number % 7}.\n"
        write(place / "docs" / "many" / f"note{number}.md", text)
    with Library(place / "home", embedder=HashEmbedder()) as library:
        library.index(place / "docs")
    for name in ("docs", "home"):
        (place / name).rename(place / f"{name}.pristine")
    return place


@pytest.fixture
def many(place: Path) -> Path:
    """The folder, in the place where it was indexed."""
    shutil.rmtree(place / "docs", ignore_errors=True)
    shutil.copytree(place / "docs.pristine", place / "docs")
    return place / "docs"


@pytest.fixture
def library(place: Path, many: Path, embedder: HashEmbedder) -> Iterator[Library]:
    """A library in which the folder is indexed."""
    shutil.rmtree(place / "home", ignore_errors=True)
    shutil.copytree(place / "home.pristine", place / "home")
    with Library(place / "home", embedder=embedder) as opened:
        yield opened


@pytest.fixture(params=["rabitq-1bit-64", "ivf-int8-64", "hnsw-int8-64", "flat-int8-32"])
def collection(request: pytest.FixtureRequest, library: Library) -> Path:
    """The files of a collection with an index of some kind."""
    set_index(library.collection("docs"), IndexSpec.parse(request.param))
    library.close()
    return library.home.path / "collections" / "docs"


def hits(library: Library) -> list[tuple[str, str]]:
    found = [(str(hit.path), hit.text) for query in QUESTIONS for hit in library.search(query, mode="semantic")]
    library.close()
    return found


def newest(collection: Path) -> Path:
    return max((path for path in (collection / "index").iterdir() if path.name.isdigit()), key=lambda p: int(p.name))


def largest_file(collection: Path) -> Path:
    return max(newest(collection).glob("*.npy"), key=lambda path: path.stat().st_size)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped byte": lambda folder: flip(largest_file(folder)),
    "a truncated file": lambda folder: largest_file(folder).write_bytes(largest_file(folder).read_bytes()[:-100]),
    "a missing file": lambda folder: largest_file(folder).unlink(),
    "a flipped manifest": lambda folder: flip(newest(folder) / "manifest.json"),
    "no manifest, as after a kill": lambda folder: (newest(folder) / "manifest.json").unlink(),
    "no index": lambda folder: shutil.rmtree(folder / "index"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_is_made_anew_and_kept_aside(library: Library, collection: Path, damage: str) -> None:
    before, spec = hits(library), library.status("docs").index
    DAMAGE[damage](collection)

    assert hits(library) == before
    assert library.status("docs").index == spec
    aside = [path.name for path in (collection / "index").glob("damaged-*")]
    assert len(aside) == (damage != "no index")


def test_an_index_catches_up_with_what_came_and_went(library: Library, collection: Path, many: Path) -> None:
    generation = newest(collection)
    write(many / "zeppelin.md", "The zeppelin leaves at noon.\n")
    (many / "many" / "note17.md").unlink()
    library.index(many)

    assert newest(collection) == generation  # too little for a new one
    assert library.search("zeppelin leaves at noon", mode="semantic")[0].path.name == "zeppelin.md"
    names = [hit.path.name for hit in library.search("passage 17", k=50, mode="semantic")]
    assert len(names) == 50
    assert "note17.md" not in names


def test_many_changes_make_a_new_generation(library: Library, collection: Path, many: Path) -> None:
    generation = newest(collection)
    shutil.rmtree(many / "many")
    write(many / "zeppelin.md", "The zeppelin leaves at noon.\n")
    library.index(many)

    assert newest(collection) != generation
    assert library.search("zeppelin leaves at noon", mode="semantic")[0].path.name == "zeppelin.md"
    assert library.status("docs").index is not None


def test_an_index_of_a_later_catalog_is_not_believed(
    library: Library, collection: Path, many: Path, tmp_path: Path
) -> None:
    """A catalog that was restored from a backup meets the index of what it was later."""
    before = hits(library)
    shutil.copy(collection / "catalog.db", tmp_path / "backup.db")
    for number in range(50):
        write(many / f"later{number}.md", f"Later words, number {number}, of the zeppelin.\n")
    library.index(many)
    set_index(library.collection("docs"), IndexSpec.parse("rabitq-1bit-64"))
    library.close()
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (collection / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", collection / "catalog.db")

    assert hits(library) == before


def test_an_index_of_a_catalog_that_went_on_from_a_backup_is_not_believed(
    library: Library, collection: Path, many: Path, tmp_path: Path
) -> None:
    """Ids that were given twice: an index knows other vectors under them."""
    shutil.copy(collection / "catalog.db", tmp_path / "backup.db")
    for number in range(150):
        write(many / f"later{number}.md", f"Later words, number {number}, of the zeppelin.\n")
    library.index(many)
    library.close()
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (collection / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", collection / "catalog.db")
    for number in range(150):
        write(many / f"later{number}.md", f"Other words, number {number}, of the harbour.\n")
    library.index(many)

    assert newest(collection).name != "1"
    found = {hit.path.name for hit in library.search("words of the harbour", k=200, mode="semantic")}
    assert {f"later{number}.md" for number in range(150)} <= found


def test_another_goal_makes_the_index_anew(library: Library, many: Path) -> None:
    set_index(library.collection("docs"), IndexSpec.parse("ivf-int8-64"), recall=0.5)
    generation = newest(library.home.path / "collections" / "docs")
    set_index(library.collection("docs"), IndexSpec.parse("ivf-int8-64"), recall=1.0, queries=QUESTIONS)

    status = library.status("docs").index
    assert newest(library.home.path / "collections" / "docs") != generation
    assert status is not None and status.queries == len(QUESTIONS)


def test_without_the_library_of_the_chosen_index_another_is_used(
    library: Library, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.index_store.build.is_installed", lambda _: False)
    with writing(CollectionFolder(library.home.path / "collections" / "docs")) as connection, connection.transaction():
        set_meta(connection, INDEX, "hnswlib-float32-64")

    assert library.search("prune the roses", mode="semantic")[0].path.name == "roses.md"
    library.index(many)
    status = library.status("docs").index
    assert status is not None and status.name == "flat-float32-64"


def test_an_index_whose_library_is_missing_is_refused_with_the_extra_that_has_it(
    library: Library, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(many)
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    monkeypatch.delitem(sys.modules, "searchkit_indexes.hnswlib_codes", raising=False)
    collection = library.collection("docs")
    with (
        collection.reading() as catalog,
        refused(
            ExtraMissingError,
            rf"hnswlib is not installed\. .*C\+\+ compiler: {re.escape(Installation.here().adding('hnsw'))}",
        ),
    ):
        build_from_catalog(catalog, collection.embedder(), IndexSpec.parse("hnswlib-float32-64"))


@pytest.mark.slow
def test_tuning_measures_and_sets_the_cheapest(library: Library) -> None:
    report = measure_indexes(library.collection("docs"), TuneOptions(recall=0.9))

    assert report.trials and report.queries > 50
    assert report.chosen is not None and report.chosen.recall >= 0.9
    fitting = [trial for trial in report.trials if trial.recall >= 0.9]
    assert report.chosen.cost == min(trial.cost for trial in fitting)
    set_index(library.collection("docs"), report.chosen.spec, recall=0.9)
    status = library.status("docs").index
    assert status is not None and status.name == str(report.chosen.spec)
    assert cheapest(report.trials, 0.9, max_megabytes=0.000001) is None


def test_a_recall_that_cannot_be_is_refused(library: Library) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        measure_indexes(library.collection("docs"), TuneOptions(recall=99))


def test_going_back_to_auto(library: Library, collection: Path) -> None:
    set_index(library.collection(collection.name), None)

    status = library.status("docs").index
    assert status is not None and status.name == "flat-float32-64" and status.recall == 1.0
    assert not (collection / "index").exists()


def test_vectors_that_are_compared_one_by_one_are_on_the_disk_once(library: Library, many: Path) -> None:
    """They are read from the catalog, and followed there while another process writes."""
    assert not (library.home.path / "collections" / "docs" / "index").exists()
    assert library.search("passage 17", mode="semantic")[0].path.name == "note17.md"
    with Library(library.home.path, embedder=HashEmbedder()) as other:
        write(many / "zeppelin.md", "The zeppelin leaves at noon.\n")
        (many / "many" / "note17.md").unlink()
        other.index(many)
        assert library.search("zeppelin leaves at noon", mode="semantic")[0].path.name == "zeppelin.md"
        assert "note17.md" not in [hit.path.name for hit in library.search("passage 17", k=400, mode="semantic")]
        found = [(hit.path, hit.score) for hit in library.search("passage 3", k=400, mode="semantic")]
        assert found == [(hit.path, hit.score) for hit in other.search("passage 3", k=400, mode="semantic")]
    status = library.status("docs").index
    assert status is not None and (status.vectors, status.bytes_per_vector, status.recall) == (302, 64, 1.0)


@pytest.mark.parametrize(
    ("spec", "way"),
    [
        ("rabitq-1bit-64", "kill"),
        ("rabitq-1bit-64", "full"),
        ("flat-float32-64", "kill"),
        ("flat-float32-64", "full"),
    ],
)
def test_stopped_between_any_two_writes_an_index_is_right(library: Library, many: Path, spec: str, way: str) -> None:
    """Killed, or told that the disk is full, before each step in turn: searches are right all the while."""
    set_index(library.collection("docs"), IndexSpec.parse(spec))
    for number in range(200):
        (many / "many" / f"note{number}.md").unlink()
    write(many / "zeppelin.md", "The zeppelin leaves at noon.\n")
    library.close()
    found, steps = [], 0
    while True:
        steps += 1
        arguments = [str(library.home), str(many), str(steps), way]
        run = subprocess.run(
            [sys.executable, "-m", "tests.support.index_and_stop", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found.append(hits(library))
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL if way == "kill" else "No space left" in run.stderr
    assert steps > (5 if spec != "flat-float32-64" else 1)
    assert all(each == found[-1] for each in found)
    assert any(text == "The zeppelin leaves at noon." for _, text in found[-1])
    index = library.home.path / "collections" / "docs" / "index"
    names = sorted(path.name for path in index.iterdir()) if index.exists() else []
    assert len(names) == (spec != "flat-float32-64") and all(name.isdigit() for name in names)
