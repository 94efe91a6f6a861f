"""Killed at any moment, an index run goes on where it was and ends with what an undisturbed run would have made."""

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.maintenance.rebuild import verify_collection
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder

KILLS = 50
DELAY_SECONDS = 0.04  # a passage: a run outlasts all the interruptions
QUESTIONS = ("boiler pressure", "number 17 in chapter 3", "copied text", "chapter 8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Documents of several formats and lengths, with copies among them."""
    root = tmp_path / "docs"
    for i in range(30):
        sections = "".join(
            f"## Chapter {c}\n\n{' '.join(f'Number {i} in chapter {c} says {w * i}.' for w in range(40))}\n\n"
            for c in range(4)
        )
        write(root / f"part{i % 3}" / f"doc{i}.md", f"# Document {i}\n\n{sections}")
    for i in range(5):
        write(root / f"copy{i}.txt", "A copied text about the boiler pressure.")
    (root / "bad.md").write_bytes(b"\x00\x00")
    return root


def start(home: Path, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.support.index_slowly", str(home), str(folder), str(DELAY_SECONDS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def contents(home: Path) -> list[object]:
    """Everything in the catalog that should not depend on how often the run was interrupted."""
    connection = sqlite3.connect(home / "collections" / "docs" / "catalog.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    queries = (
        "SELECT path, content_hash, size_bytes, mtime_ns, format, status, reason, title FROM documents ORDER BY path",
        "SELECT d.path, c.ordinal, c.text, c.title, c.page, c.line, c.line_end, c.token_count, c.content_hash"
        " FROM chunks c JOIN documents d ON d.id = c.document_id ORDER BY d.path, c.ordinal",
        "SELECT content_hash, fingerprint, vector FROM vectors ORDER BY content_hash",
        "SELECT term, doc, cnt FROM fulltext_terms ORDER BY term",
    )
    rows = [connection.execute(query).fetchall() for query in queries]
    connection.close()
    return list(rows)


def stored_vectors(home: Path) -> int:
    """Vectors that are committed so far."""
    try:
        catalog = (home / "collections" / "docs" / "catalog.db").as_uri()
        with closing(sqlite3.connect(f"{catalog}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])
    except sqlite3.OperationalError:  # there is no catalog yet
        return 0


def hits(home: Path) -> list[tuple[str, float, str]]:
    with Library(home, embedder=HashEmbedder()) as library:
        return [(str(h.path), h.score, h.text) for question in QUESTIONS for h in library.search(question, k=5)]


def test_killed_at_random_moments_a_run_resumes_and_ends_as_an_undisturbed_one(tmp_path: Path, folder: Path) -> None:
    with Library(tmp_path / "calm", embedder=HashEmbedder()) as library:
        wanted = library.index(folder)
    disturbed = tmp_path / "disturbed"
    moments = random.Random(20260101)
    killed = 0
    for _ in range(KILLS):
        process = start(disturbed, folder)
        try:
            process.wait(timeout=moments.uniform(0.0, 0.35))
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
    assert killed == KILLS, "some runs were too short to be interrupted"
    process = start(disturbed, folder)
    output, _ = process.communicate(timeout=120)
    assert (process.returncode, output) == (0, "done\n")
    assert contents(disturbed) == contents(tmp_path / "calm")
    with Library(disturbed, embedder=HashEmbedder()) as library:
        assert verify_collection(library.collection("docs")) == []
    assert hits(disturbed) == hits(tmp_path / "calm")
    with Library(disturbed, embedder=HashEmbedder()) as library:
        assert library.status("docs").chunks == wanted.chunks
        leftovers = [path.name for path in (disturbed / "collections" / "docs" / "index").iterdir()]
    assert len([name for name in leftovers if name.isdigit()]) == 1
    assert [name for name in leftovers if name.startswith(".")] == []


def test_an_interrupt_keeps_what_was_embedded(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    process = start(home, folder)
    while not stored_vectors(home):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    with Library(home, embedder=HashEmbedder()) as library:
        status = library.status("docs")
        assert 0 < status.vectors < status.passages
        assert not library.collection("docs").is_covered()
        embedder = HashEmbedder()
        with Library(home, embedder=embedder) as again:
            assert again.index(folder).embedded == status.passages - status.vectors
        assert library.collection("docs").is_covered()
