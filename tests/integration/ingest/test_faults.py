"""Failures around an index run: a full disk, a folder without write permission, a second run, searches, the clock."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from searchkit.errors import CollectionBusyError
from searchkit.library import Library
from searchkit.maintenance.rebuild import verify_collection
from searchkit.reports import RunOptions
from searchkit.types import Passage, SearchMode
from searchkit_indexes import Vectors
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.slow_runs import contents, hits, meanwhile, start, stored_vectors

pytestmark = pytest.mark.slow

FULL_AT_BYTES = (0, 60_000, 400_000)
FULL_AT_BYTES_TOO = (20_000, 150_000, 1_000_000)


@pytest.mark.parametrize(
    "limit_bytes", [*FULL_AT_BYTES, *(pytest.param(limit, marks=pytest.mark.slow) for limit in FULL_AT_BYTES_TOO)]
)
def test_a_full_disk_loses_nothing_and_the_next_run_goes_on(
    tmp_path: Path, folder: Path, calm: Path, limit_bytes: int
) -> None:
    """No file may grow beyond the limit, which fails every kind of write at some time, as a full disk does."""
    home = tmp_path / "full"
    command = [sys.executable, "-m", "tests.support.index_slowly", str(home), str(folder), "0"]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )
    assert ended.returncode == 1
    assert "CatalogError" in ended.stderr, ended.stderr
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(folder)
        assert verify_collection(library.collection("docs")) == []
    assert contents(home) == contents(calm)
    assert hits(home) == hits(calm)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may look into."""
    path = Path(tempfile.mkdtemp(prefix="searchkit-test-"))
    path.chmod(0o755)
    yield path
    subprocess.run(["chmod", "-R", "u+w", str(path)], check=False)
    shutil.rmtree(path)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_data_directory_that_may_not_be_written_can_be_searched(public_folder: Path, *, lazy: bool) -> None:
    docs, home, warm_up = public_folder / "docs", public_folder / "home", public_folder / "warm"
    write(docs / "roses.md", "Prune the roses in March.")
    write(docs / "bread.md", "Knead the dough.")
    for place in (home, warm_up):
        with Library(place, embedder=HashEmbedder()) as library:
            library.index(docs, options=RunOptions(lazy=lazy))
    for path in (home, *home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    write(docs / "new.md", "Something new.")
    command = [sys.executable, "-m", "tests.support.search_as_nobody", str(warm_up), str(home), str(docs), "roses"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[0] == "roses.md", ended.stderr
    assert "CatalogError" in ended.stdout
    assert "Permission denied" in ended.stdout


def test_a_second_run_leaves_or_waits_as_it_is_told(tmp_path: Path, folder: Path) -> None:
    process = start(tmp_path / "home", folder)
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        meanwhile(process, (tmp_path / "home" / "collections" / "docs" / "lock.holder").exists)
        with pytest.raises(CollectionBusyError, match=f"being indexed by process {process.pid} since \\d\\d:\\d\\d"):
            library.index(folder)
        stages = []
        report = library.index(
            folder, options=RunOptions(wait=True), on_progress=lambda progress: stages.append(progress.stage)
        )
        assert f"Waiting for process {process.pid}" in stages[0]
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert (report.added, report.embedded) == (0, 0)
        assert verify_collection(library.collection("docs")) == []


def test_searching_while_indexing_sees_whole_documents_and_no_lock(tmp_path: Path, folder: Path, calm: Path) -> None:
    sizes = dict(document_sizes(calm))
    process = start(tmp_path / "home", folder, delay_seconds=0.01)
    meanwhile(process, (tmp_path / "home" / "collections" / "docs" / "catalog.db").exists)
    searches = 0
    seen: set[int] = set()
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        while process.poll() is None:
            for mode in (SearchMode.LEXICAL, SearchMode.HYBRID):
                library.search("number 17 in chapter 3", k=5, mode=mode)
                searches += 1
            found = dict(document_sizes(tmp_path / "home"))
            assert found.items() <= sizes.items()
            seen.add(len(found))
    process.communicate()
    assert searches > 10
    assert process.returncode == 0
    assert hits(tmp_path / "home") == hits(calm)


def document_sizes(home: Path) -> list[tuple[str, int]]:
    """Chunks by document, as another program sees them."""
    with closing(sqlite3.connect(home / "collections" / "docs" / "catalog.db")) as connection:
        return connection.execute(
            "SELECT d.path, count(*) FROM documents d JOIN chunks c ON c.document_id = d.id GROUP BY d.path"
        ).fetchall()


def test_text_is_found_by_its_words_before_anything_is_embedded(tmp_path: Path, folder: Path) -> None:
    reached: list[str] = []

    class Checking(HashEmbedder):
        """Searches from another library when the first passage comes to be embedded."""

        def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
            if not reached:
                with Library(tmp_path / "home", embedder=HashEmbedder()) as other:
                    reached.extend(hit.path.name for hit in other.search("boiler", mode=SearchMode.LEXICAL))
                    status = other.status("docs")
                    assert (status.vectors, status.files_to_read) == (0, 0)
                    assert status.passages > 0
            return super().embed_documents(passages)

    with Library(tmp_path / "home", embedder=Checking()) as library:
        library.index(folder)
    assert reached[0].startswith("copy")


def test_the_most_recent_files_are_embedded_first(tmp_path: Path, library: Library, embedder: HashEmbedder) -> None:
    for age in range(40):
        path = write(tmp_path / "docs" / f"{age * 7 % 40}.txt", f"Text of age number {age}.")
        os.utime(path, (2_000_000_000 - age, 2_000_000_000 - age))
    library.index(tmp_path / "docs")
    assert embedder.embedded == [f"Text of age number {age}." for age in range(40)]


def test_a_clock_that_was_set_back_hides_no_change(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(docs)
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 86_400 * 10**9)
    monkeypatch.setattr(time, "time", lambda: now / 1e9 - 86_400)
    path = write(docs / "bread.txt", "A zeppelin on an earlier day.")
    os.utime(path, ns=(now - 86_400 * 10**9, now - 86_400 * 10**9))
    assert library.index(docs).changed == 1
    assert [hit.path.name for hit in library.search("zeppelin", mode=SearchMode.LEXICAL)] == ["bread.txt"]
    assert library.index(docs).unchanged == 3


def test_a_file_that_changes_all_the_time_ends_as_it_is_in_the_end(library: Library, docs: Path) -> None:
    log = write(docs / "log.txt", "first line\n")
    stopped = threading.Event()

    def append() -> None:
        number = 0
        while not stopped.wait(0.002):
            number += 1
            with log.open("a", encoding="utf-8") as file:
                file.write(f"event{number} happened\n")

    writer = threading.Thread(target=append)
    writer.start()
    try:
        for _ in range(3):
            library.index(docs)
    finally:
        stopped.set()
        writer.join()
    with log.open("a", encoding="utf-8") as file:
        file.write("the very last line: zeppelin\n")
    library.index(docs)
    assert [hit.path.name for hit in library.search("zeppelin", mode=SearchMode.LEXICAL)] == ["log.txt"]
    text = "\n".join(text for (text,) in chunk_texts(library.home.path))
    assert text.count("event1 ") == 1
    assert verify_collection(library.collection("docs")) == []


def chunk_texts(home: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(home / "collections" / "docs" / "catalog.db")) as connection:
        return connection.execute(
            "SELECT c.text FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.path = 'log.txt' ORDER BY c.ordinal"
        ).fetchall()


def test_killing_a_run_leaves_no_worker_behind(tmp_path: Path, folder: Path) -> None:
    process = start(tmp_path / "home", folder)
    children: list[str] = []
    listed = Path(f"/proc/{process.pid}/task")
    if not listed.is_dir():
        pytest.skip("needs /proc to see child processes")

    def has_children() -> bool:
        children[:] = [child for task in listed.iterdir() for child in (task / "children").read_text("ascii").split()]
        return bool(children)

    meanwhile(process, has_children)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() and not _is_zombie(child) for child in children):
        assert time.monotonic() < deadline, "a worker outlived its run"
        time.sleep(0.01)


def _is_zombie(process_id: str) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_forgetting_takes_effect_at_once_while_another_process_indexes(tmp_path: Path, folder: Path) -> None:
    process = start(tmp_path / "home", folder)
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        meanwhile(process, lambda: stored_vectors(tmp_path / "home"))  # everything is read, and embedding has begun
        with pytest.raises(CollectionBusyError, match="is being indexed"):
            library.forget(folder)
        assert library.forget(folder / "part1") == {"docs": 10}
        assert process.poll() is None
        assert library.status("docs").files == 25
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert library.status("docs").files == 25
        assert verify_collection(library.collection("docs")) == []
        assert library.index(folder).unchanged == 26
