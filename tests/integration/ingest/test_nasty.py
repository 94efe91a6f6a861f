"""A folder of everything that has hurt indexers ends as indexed or skipped with a reason, in bounded memory."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from searchkit.ingest.discover import FoundFile, discover
from searchkit.library import Library
from searchkit.maintenance.rebuild import verify_collection
from searchkit.types import SearchMode
from tests.support.files import ROOT
from tests.support.hash_embedder import HashEmbedder
from tests.support.nasty_folder import SECRET, make_nasty_folder

pytestmark = pytest.mark.slow

MOST_MEGABYTES = 700


def main(home: str, folder: str) -> None:
    """Index in a process of its own; prints the peak memory of it and of its largest worker, in megabytes."""
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(folder)
    largest_worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    print(json.dumps([own_peak_megabytes(), largest_worker]))  # noqa: T201


def own_peak_megabytes() -> float:
    """Peak memory of this program; getrusage would count what the process held before it became this program."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1000
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@pytest.fixture(scope="module", params=[20], ids="lines of {} MB".format)
def nasty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[float]]:
    """(home, folder, peaks) of one run over the nasty folder."""
    place = tmp_path_factory.mktemp("nasty")
    home, folder = place / "home", place / "folder"
    make_nasty_folder(folder, longest=request.param)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integration.ingest.test_nasty", str(home), str(folder)],
        cwd=ROOT,
        env={**os.environ, "SEARCHKIT_MAX_FILE_SECONDS": "20"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return home, folder, json.loads(ended.stdout)


def statuses(home: Path) -> dict[str, tuple[str, str]]:
    with closing(sqlite3.connect(home / "collections" / "folder" / "catalog.db")) as connection:
        rows = connection.execute("SELECT path, status, reason FROM documents WHERE container_id IS NULL")
        return {path: (status, reason) for path, status, reason in rows}


def test_every_file_is_indexed_or_has_a_reason(nasty: tuple[Path, Path, list[float]]) -> None:
    home, folder, _ = nasty
    found = statuses(home)
    expected = {entry.relative for entry in discover(folder) if isinstance(entry, FoundFile)}
    assert set(found) == expected
    assert [path for path, (status, reason) in found.items() if status == "skipped" and not reason] == []
    assert found["/".join(["deep"] * 200) + "/bottom.txt"][0] == "indexed"
    assert found["sparse.txt"] == ("skipped", "6,000 MB, more than the limit of 64 MB")
    assert found["pipe.txt"] == ("unsupported", "pipe")
    assert found["loop"] == ("unsupported", "link")
    for name in ("letters.txt", "words.txt", "one.json", "one.html", "text.md", "hard.txt"):
        assert found[name] == ("indexed", ""), name


def test_bombs_and_entities_are_skipped_or_harmless(nasty: tuple[Path, Path, list[float]]) -> None:
    home, folder, _ = nasty
    found = statuses(home)
    assert "unpacks to more than" in found["paragraphs.docx"][1]
    for name in ("bomb.docx", "bomb.xlsx", "bomb.odt", "bomb.pptx", "bomb.epub"):
        assert found[name][0] == "skipped", name
    with Library(home, embedder=HashEmbedder()) as library:
        assert [hit for hit in library.search(SECRET, k=200, mode=SearchMode.LEXICAL) if SECRET in hit.text] == []
        assert verify_collection(library.collection("folder")) == []
        too_deep = [problem for problem in library.status("folder").problems if "name too long" in problem.reason]
        assert len(too_deep) == 1
    assert not Path("/tmp/slipped.txt").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["folder", "home", "secret.txt"]


def test_no_reader_had_to_be_stopped(nasty: tuple[Path, Path, list[float]]) -> None:
    """The limits are for the unforeseen: what is known to be nasty is refused or read by the readers themselves."""
    stopped = {
        path: reason
        for path, (_, reason) in statuses(nasty[0]).items()
        if "took longer" in reason or "crashed" in reason or "reader failed" in reason or "more memory" in reason
    }
    assert stopped == {}


def test_memory_stays_bounded(nasty: tuple[Path, Path, list[float]]) -> None:
    own, largest_worker = nasty[2]
    assert own + largest_worker < MOST_MEGABYTES


if __name__ == "__main__":
    main(*sys.argv[1:])
