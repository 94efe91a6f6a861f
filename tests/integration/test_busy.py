"""While another process writes to a collection, people are told who does, what becomes of it, and how long that takes."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from searchkit import rename_collection, set_index
from searchkit.catalog.connection import writing
from searchkit.cli.main import cli
from searchkit.display import note_remedy, note_text
from searchkit.errors import Action, CollectionBusyError
from searchkit.library import Library
from searchkit.maintenance.move import move_collection
from searchkit.maintenance.rebuild import rebuild_collection
from searchkit.reports import Progress, RunOptions, Work
from searchkit.search.request import SearchRequest
from searchkit.types import Note, NoteKind
from tests.support.files import ROOT, write

pytestmark = pytest.mark.both_homes


@pytest.fixture
def indexing(library: Library, docs: Path) -> "Iterator[subprocess.Popen[str]]":
    """A process that indexes a hundred new passages, and has embedded some of them."""
    library.index(docs)
    for number in range(100):
        write(docs / f"{number}.txt", f"Passage number{number} of many.")
    command = [sys.executable, "-m", "tests.support.index_slowly", str(library.home.path), str(docs), "0.3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        deadline = time.monotonic() + 90
        while not library.collection("docs").coverage().embedding_rate:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
        process.kill()


ACTIONS: dict[str, Callable[[Library], object]] = {
    "delete": lambda library: library.collection("docs").delete(),
    "tune": lambda library: set_index(library.collection("docs"), None),
    "rename": lambda library: rename_collection(library, "docs", "papers"),
    "move": lambda library: move_collection(
        library, "docs", "local" if _is_remote(library) else "postgresql://x/y", print
    ),
    "rebuild": lambda library: rebuild_collection(library.collection("docs"), [], print),
    "the same folder": lambda library: library.index(library.collection("docs").roots()[0]),
}


def _is_remote(library: Library) -> bool:
    return library.collection("docs").folder.url is not None


def test_a_refusal_says_who_writes_and_how_far_that_is(library: Library, indexing: "subprocess.Popen[str]") -> None:
    words = (
        rf"Collection 'docs' is being indexed by process {indexing.pid}.* since \d\d:\d\d, (about|less than) .* left\."
    )
    for name, action in ACTIONS.items():
        if name in ("the same folder", "tune") and _is_remote(library):
            continue  # there a folder has a lock of its own, and an index is not chosen
        with pytest.raises(CollectionBusyError, match=words):
            action(library)
    with pytest.raises(CollectionBusyError, match=words) as refusal:
        library.collection("docs").forget(library.collection("docs").roots()[0])
    assert refusal.value.remedy is not None
    assert "Stop that" in refusal.value.remedy.sentence


def test_status_and_collections_show_it(library: Library, indexing: "subprocess.Popen[str]") -> None:
    status = library.status("docs")
    assert status.writer is not None
    assert status.writer.work == Work.INDEX
    assert f"process {indexing.pid}" in status.writer.process

    def said(*arguments: str) -> str:
        return CliRunner().invoke(cli, list(arguments), env={"SEARCHKIT_HOME": str(library.home.path)}).stdout

    assert "  now       being indexed, " in said("status")
    assert "(being indexed, " in said("collections")
    for command in ("status", "collections"):
        [one] = [json.loads(line) for line in said(command, "--json").splitlines()]
        assert one["writer"]["work"] == "indexed"
        assert one["seconds_left"] > 0


def test_a_search_says_that_it_is_being_indexed_rather_than_how_to_begin(
    library: Library, indexing: "subprocess.Popen[str]"
) -> None:
    def partly() -> Note:
        notes = library.find(SearchRequest("number50", wait=False)).notes
        return next(note for note in notes if note.kind is NoteKind.PARTLY_EMBEDDED)

    assert re.search(r"so far; it is being indexed, (about|less than) .* left\.$", note_text(partly()))
    assert note_remedy(partly()) is None
    indexing.kill()
    indexing.wait()
    _until(lambda: not partly().reason)
    remedy = note_remedy(partly())
    assert remedy is not None
    assert remedy.action is Action.RESUME_INDEXING


def test_a_writer_that_was_killed_is_none(library: Library, indexing: "subprocess.Popen[str]") -> None:
    indexing.kill()
    indexing.wait()
    _until(lambda: library.status("docs").writer is None)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20  # a server notices a little later that a process has gone
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("work", Work)
def test_every_kind_of_work_is_named(library: Library, docs: Path, work: Work) -> None:
    library.index(docs)
    with writing(library.collection("docs").folder, work=work):
        status = library.status("docs")
        assert status.writer is not None
        assert (status.writer.work, f"process {os.getpid()}" in status.writer.process) == (work, True)
        with pytest.raises(CollectionBusyError, match=f"is being {work} by process {os.getpid()}"):
            library.collection("docs").delete()
    assert library.status("docs").writer is None


def test_whoever_waits_is_told_for_whom(library: Library, docs: Path, indexing: "subprocess.Popen[str]") -> None:
    stages: list[str] = []

    def listen(progress: Progress) -> None:
        if not stages:
            stages.append(progress.stage)
            indexing.kill()

    library.index(docs, on_progress=listen, options=RunOptions(wait=True))
    assert stages[0].startswith(f"Waiting for process {indexing.pid}")
