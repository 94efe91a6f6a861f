"""What the full-text table is asked, and what it answers, for queries of common words."""

import sqlite3

import pytest

from searchkit.catalog import fulltext
from searchkit.search.lexical import bm25
from searchkit.search.lexical.bm25 import lexical_candidates, read_query
from searchkit.search.lexical.tokens import Stemmer


@pytest.fixture
def connection() -> sqlite3.Connection:
    """A full-text table of 60 passages; "water" is in half of them, "stone" in a third, "lantern" in three."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    fulltext.create(db)
    db.execute("CREATE VIRTUAL TABLE fulltext_terms USING fts5vocab(fulltext, row)")
    db.execute("CREATE TABLE chunks (id INTEGER PRIMARY KEY, text TEXT)")
    for number in range(60):
        words = ["sand"] * (number % 7 + 1)
        words += ["water"] * (number % 2) + ["stone"] * (number % 3 == 0) + ["lantern"] * (number % 20 == 0)
        db.execute("INSERT INTO chunks VALUES (?, ?)", (number, " ".join(words)))
        db.execute("INSERT INTO fulltext (rowid, name, title, text) VALUES (?, '', '', ?)", (number, " ".join(words)))
    return db


def test_passing_over_chunks_of_common_words_changes_no_score(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    stemmer = Stemmer()
    everything = read_query(connection, "stone lantern pebble", stemmer)
    scores = lexical_candidates(connection, everything, 60)
    monkeypatch.setattr(bm25, "_MOST_SCORED", 10)
    rare = read_query(connection, "stone lantern pebble", stemmer)
    found = lexical_candidates(connection, rare, 60)
    stemmer.close()

    assert (everything.repeats, rare.repeats) == (1, 2)
    assert sorted(found) == [0, 20, 40]  # those with a lantern
    assert found == pytest.approx({chunk: scores[chunk] for chunk in found})
