"""The words of the full-text table, and its tokenizer asked in memory, so that marks and counts agree with it."""

import sqlite3
from collections.abc import Collection

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import TOKENIZER
from searchkit.text import normalize_letters


def term_counts(catalog: CatalogReader, terms: Collection[str]) -> dict[str, int]:
    """In how many chunks each of the terms is; those in none are left out."""
    return dict(catalog.execute_among("SELECT term, doc FROM fulltext_terms WHERE term IN ({items})", tuple(terms)))


def terms_beginning(catalog: CatalogReader, beginning: str, limit: int) -> dict[str, int]:
    """The first terms with a beginning, in alphabetical order, and in how many chunks each is."""
    rows = catalog.execute(
        "SELECT term, doc FROM fulltext_terms WHERE term >= ? AND term < ? LIMIT ?",
        (beginning, f"{beginning}\U0010ffff", limit),
    )
    return dict(rows.fetchall())


class StemTable:
    """Stems by SQLite's own tokenizer, in a small database in memory."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(word, content='', tokenize=\"{TOKENIZER}\")")
        self._connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, instance)")
        self._known: dict[str, str] = {}

    def stems(self, words: Collection[str]) -> dict[str, str]:
        """The stem of each word; words that the tokenizer takes for nothing are left out."""
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        if new:
            self._connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
            self._connection.execute("BEGIN")
            rows = ((number, normalize_letters(word)) for number, word in enumerate(new))
            self._connection.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
            found = self._connection.execute("SELECT doc, term FROM stems ORDER BY doc, offset DESC")
            self._known.update({new[row]: str(term) for row, term in found})
        return {word: self._known[word] for word in words if word in self._known}

    def close(self) -> None:
        """Free the database."""
        self._connection.close()
