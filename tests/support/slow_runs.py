"""Index runs in processes of their own, slow enough to be interrupted, and what they leave."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from searchkit.library import Library
from tests.support.files import ROOT
from tests.support.hash_embedder import HashEmbedder

QUESTIONS = ("boiler pressure", "number 17 in chapter 3", "copied text", "chapter 8")


def start(home: Path, folder: Path, *, delay_seconds: float = 0.04) -> "subprocess.Popen[str]":
    """Index a folder of a collection `docs`; every passage takes that long to embed."""
    command = [sys.executable, "-m", "tests.support.index_slowly", str(home), str(folder), str(delay_seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def meanwhile(process: "subprocess.Popen[str]", condition: Callable[[], object]) -> None:
    """Wait until a condition holds, which it must before the process ends."""
    while not condition():
        assert process.poll() is None, "The process ended first."
        time.sleep(0.005)


def contents(home: Path) -> list[object]:
    """Everything in the catalog that should not depend on how often the run was interrupted."""
    connection = sqlite3.connect(home / "collections" / "docs" / "catalog.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    queries = (
        "SELECT path, content_hash, size_bytes, mtime_ns, format, status, reason, title FROM documents ORDER BY path",
        "SELECT d.path, c.ordinal, c.text, c.title, c.page, c.line, c.line_end, c.token_count, c.content_hash"
        " FROM chunks c JOIN documents d ON d.id = c.document_id ORDER BY d.path, c.ordinal",
        "SELECT content_hash, fingerprint, vector FROM vectors JOIN models m ON m.id = model ORDER BY content_hash",
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
        return [
            (str(h.path), round(h.score, 5), h.text) for question in QUESTIONS for h in library.search(question, k=5)
        ]
