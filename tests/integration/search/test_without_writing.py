"""Reading never depends on writing: on a full disk, a read-only medium, or beside a killed writer, everything stored is found."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from searchkit.catalog import connection
from searchkit.catalog.connection import open_as_it_is
from searchkit.cli.main import cli
from searchkit.library import Library
from searchkit.maintenance.rebuild import verify_collection
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from tests.support.driving import Session, drive
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder

KILLED_WRITER = """
import os, sys
from searchkit.catalog.roots import all_roots
from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder
with Library(sys.argv[1], embedder=HashEmbedder()) as library:
    collection = library.collection("docs")
    with collection.writing() as catalog:
        collection.run(catalog, all_roots(catalog), HashEmbedder())
        os._exit(0)
"""


@pytest.fixture
def killed(library: Library, docs: Path) -> Path:
    """A data directory whose last writer was killed: what it wrote last, about tapirs, is in the journal alone."""
    library.index(docs)
    library.close()
    write(docs / "tapir.txt", "A tapir sleeps in the archive.")
    kill_a_writer(library.home.path)
    return library.home.path


def kill_a_writer(home: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_WRITER, str(home)], cwd=ROOT, check=True)
    assert (home / "collections" / "docs" / "catalog.db-wal").stat().st_size


def in_the_library(home: Path) -> str:
    with Library(home, embedder=HashEmbedder()) as library:
        return library.search("tapir")[0].path.name


def in_the_command(home: Path) -> str:
    found = CliRunner().invoke(cli, ["search", "tapir", "--mode", "lexical"], env={"SEARCHKIT_HOME": str(home)})
    assert found.exit_code == 0, found.output
    return "tapir.txt" if "tapir.txt" in found.stdout else found.output


def over_http(home: Path) -> str:
    with Library(home, embedder=HashEmbedder()) as library:
        state = open_state(library, ServeOptions(workers=1))
        try:
            with TestClient(make_api(state)) as client:
                answer = client.post("/search", json={"query": "tapir"})
        finally:
            close_state(state, 10)
    assert answer.status_code == 200, answer.text
    return Path(answer.json()["hits"][0]["path"]).name


def in_the_ui(home: Path) -> str:
    names = []

    async def scenario(session: Session) -> None:
        await session.search("tapir")
        names.extend(session.names)

    with Library(home, embedder=HashEmbedder()) as library:
        drive(library, scenario)
    return names[0]


def is_sound(home: Path) -> bool:
    with Library(home, embedder=HashEmbedder()) as library:
        return verify_collection(library.collection("docs")) == []


FRONT_ENDS = [in_the_library, in_the_command, over_http, in_the_ui]


@pytest.fixture(params=["full", "read-only"])
def unwritable(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The catalog believes that nothing can be written."""
    if request.param == "full":
        monkeypatch.setattr(connection, "is_disk_full", lambda _: True)
    else:
        access = os.access
        monkeypatch.setattr(
            "searchkit.catalog.connection.os.access", lambda path, mode: mode != os.W_OK and access(path, mode)
        )
    return str(request.param)


@pytest.mark.parametrize("has_index", [True, False], ids=["its journal's index is there", "the journal alone"])
def test_what_a_killed_writer_left_in_its_journal_is_found(killed: Path, unwritable: str, *, has_index: bool) -> None:
    if not has_index:
        (killed / "collections" / "docs" / "catalog.db-shm").unlink()
    assert in_the_library(killed) == "tapir.txt"
    assert is_sound(killed)


def test_a_live_writer_is_followed(library: Library, docs: Path, unwritable: str) -> None:
    library.index(docs)
    with Library(library.home.path, embedder=HashEmbedder()) as reader, library.collection("docs").writing() as catalog:
        assert reader.search("dough")[0].path.name == "bread.txt"
        with catalog.transaction():
            catalog.change("UPDATE documents SET status = 'gone' WHERE path = 'bread.txt'")
        reader.close()
        row = (
            reader.collection("docs")
            .searcher()
            .catalog.execute("SELECT status FROM documents WHERE path = 'bread.txt'")
        )
        assert row.fetchone() == ("gone",)


def test_a_search_that_was_opened_on_a_full_disk_follows_the_catalog_once_there_is_space(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(docs)
    library.close()
    with Library(library.home.path, embedder=HashEmbedder()) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(connection, "is_disk_full", lambda _: True)
            assert reader.search("dough")[0].path.name == "bread.txt"
            searcher = reader.collection("docs").searcher()
            assert reader.collection("docs").searcher() is searcher
        write(docs / "tapir.txt", "A tapir sleeps.")
        library.index(docs)
        assert reader.search("tapir")[0].path.name == "tapir.txt"


def test_a_large_catalog_is_read_where_it_is(killed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_COPIED_BYTES", 0)
    monkeypatch.setattr(connection, "is_disk_full", lambda _: True)
    monkeypatch.setattr(connection, "_empty_journal", lambda _: None)
    (killed / "collections" / "docs" / "catalog.db-shm").unlink()
    monkeypatch.setattr(connection, "_ways_without_writing", lambda _: iter(["mode=rw&vfs=unix-excl"]))
    assert in_the_library(killed) == "tapir.txt"


def test_damage_is_still_damage(killed: Path, unwritable: str) -> None:
    catalog = killed / "collections" / "docs" / "catalog.db"
    catalog.write_bytes(b"nonsense" * 2000)
    catalog.with_name("catalog.db-wal").unlink()
    assert not is_sound(killed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes, which may be filled and made read-only."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    with (place / "ballast").open("wb", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                continue
    assert shutil.disk_usage(place).free == 0


def make_read_only(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    assert not os.access(place, os.W_OK)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system")
@pytest.mark.parametrize("has_index", [True, False], ids=["its journal's index is there", "the journal alone"])
@pytest.mark.parametrize("spoil", [fill, make_read_only])
def test_every_front_end_searches_a_disk_that_takes_nothing(
    spoil: Callable[[Path], None], small_disk: Path, docs: Path, *, has_index: bool
) -> None:
    home = small_disk / "home"
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(docs)
    write(docs / "tapir.txt", "A tapir sleeps in the archive.")
    kill_a_writer(home)
    if not has_index:
        (home / "collections" / "docs" / "catalog.db-shm").unlink()
    spoil(small_disk)
    assert [find(home) for find in FRONT_ENDS] == ["tapir.txt"] * len(FRONT_ENDS)
    assert is_sound(home)
    with open_as_it_is(home / "collections" / "docs" / "catalog.db") as catalog:
        assert catalog.execute("SELECT count(*) FROM documents").fetchone() == (4,)
