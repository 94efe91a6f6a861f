"""The full-text table: how chunks are indexed, searched and removed.

Text in scripts without blanks between words is indexed as overlapping pairs of characters, so that any word of it can
be found; everything else is left to SQLite's tokenizer.
"""

import json
import re
import sqlite3
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.text import normalize_letters

# Han, kana, Hangul, Thai, Lao, Khmer, Burmese: written without blanks, or (Hangul) with endings glued to the words.
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f]+"
)
# The accents that SQLite's tokenizer treats as part of a word when they follow a letter as characters of their own.
ACCENTS = "\u0300-\u0304\u0306-\u030c\u030f\u0311\u031b\u0323-\u0328\u032d\u032e\u0330\u0331"
TOKENIZER = "porter unicode61 remove_diacritics 2"
_INSERT = "INSERT INTO fulltext (rowid, name, title, text) VALUES (?, ?, ?, ?)"
# SQLite treats characters newer than its tables, such as most emoji, as letters: they would become part of words.
_SIGN = re.compile(rf"[^\w\s{ACCENTS}]")


def lexical_form(text: str) -> str:
    """Prepare a text for the full-text table."""
    spelled = normalize_letters(unicodedata.normalize("NFC", text))
    paired = _UNSPACED.sub(lambda run: f" {' '.join(bigrams(run.group()))} ", spelled)
    return _SIGN.sub(" ", paired)


def bigrams(run: str) -> list[str]:
    """Overlapping pairs of characters; a single character by itself."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def has_unspaced_runs(text: str) -> bool:
    """True if any part of a text is indexed as pairs."""
    return _UNSPACED.search(text) is not None


def unspaced_runs(text: str) -> list[str]:
    """The runs of a text that are indexed as pairs."""
    return _UNSPACED.findall(text)


def without_unspaced_runs(text: str) -> str:
    """Replace each such run by a blank."""
    return _UNSPACED.sub(" ", text)


def create(catalog: CatalogWriter) -> None:
    """Create the table in a database."""
    catalog.execute(
        f"CREATE VIRTUAL TABLE fulltext USING fts5(name, title, text, content='', tokenize=\"{TOKENIZER}\")"
    )


def copy_all(source: CatalogReader, target: CatalogWriter) -> None:
    """Fill the table of one database from the documents and chunks of another."""
    with target.transaction():
        for (document_id,) in source.execute("SELECT id FROM documents ORDER BY id"):
            target.change_many(_INSERT, _rows(source, document_id))


def insert_chunks(catalog: CatalogWriter, document_id: int) -> None:
    """Index all chunks of a document."""
    catalog.change_many(_INSERT, _rows(catalog, document_id))


def refill(catalog: CatalogWriter) -> None:
    """Fill the table again after the preparation of texts has changed."""
    catalog.change("INSERT INTO fulltext (fulltext) VALUES ('delete-all')")
    for (document_id,) in catalog.execute("SELECT id FROM documents ORDER BY id").fetchall():
        insert_chunks(catalog, document_id)


def remove_chunks(catalog: CatalogWriter, document_id: int) -> None:
    """Remove all chunks of a document from the table; chunks and path must be the same as when they were indexed."""
    catalog.change_many(
        "INSERT INTO fulltext (fulltext, rowid, name, title, text) VALUES ('delete', ?, ?, ?, ?)",
        _rows(catalog, document_id),
    )


def _rows(catalog: CatalogReader, document_id: int) -> Iterator[tuple[int, str, str, str]]:
    document = catalog.execute("SELECT path, metadata FROM documents WHERE id = ?", (document_id,)).fetchone()
    if document is None:
        return
    name, said = _name(document[0]), lexical_form(metadata_text(document[1]))
    rows = catalog.execute("SELECT id, ordinal, title, text FROM chunks WHERE document_id = ?", (document_id,))
    for chunk, ordinal, title, text in rows:
        yield chunk, name if ordinal or not said else f"{name} {said}", lexical_form(title), lexical_form(text)


def phrase_expression(text: str) -> str:
    """The expression for a text as a phrase, "" if it has no word that the table indexes."""
    words = " ".join(word for word in lexical_form(text).split() if any(c.isalnum() for c in word))
    return '"' + words.replace('"', '""') + '"' if words else ""


def chunks_matching(catalog: CatalogReader, match: str, limit: int = -1) -> list[int]:
    """Ids of the first chunks that a match expression finds, ascending; of all if the limit is -1."""
    rows = catalog.execute("SELECT rowid FROM fulltext WHERE fulltext MATCH ? LIMIT ?", (match, limit))
    return [int(chunk) for (chunk,) in rows]


def best_matching(
    catalog: CatalogReader, match: str, weights: tuple[float, float, float], limit: int, allowed: bytes | None = None
) -> dict[int, float]:
    """BM25 (larger is better) by chunk id, of the best `limit` chunks that a match expression finds, best first.

    `weights`: of name, title and text. `allowed`: one byte per chunk id from 0 on, 1 for those to search; None for all.
    """
    condition = "" if allowed is None else " AND substr(?, rowid + 1, 1) = x'01'"
    rows = catalog.execute(
        "SELECT rowid, bm25(fulltext, ?, ?, ?) AS cost FROM fulltext"
        f" WHERE fulltext MATCH ?{condition} ORDER BY cost, rowid LIMIT ?",
        (*weights, match, *(() if allowed is None else (allowed,)), limit),
    )
    return {int(chunk): -float(cost) for chunk, cost in rows}


def metadata_text(metadata: str) -> str:
    """A document's stored metadata in one line; it is found with the document's first passage."""
    return " ".join(json.loads(metadata).values()) if metadata else ""


def _name(path: str) -> str:
    """The file's name and its folders as words: underscores and camelCase are split, the whole is kept too."""
    stem = PurePosixPath(path).stem
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem).replace("_", " ")
    return lexical_form(f"{path} {parts}")


def term_counts(catalog: CatalogReader, terms: Collection[str]) -> dict[str, int]:
    """The number of chunks with each of the terms; terms in none are left out."""
    return dict(catalog.execute_among("SELECT term, doc FROM fulltext_terms WHERE term IN ({items})", tuple(terms)))


def terms_beginning(catalog: CatalogReader, beginning: str, limit: int) -> dict[str, int]:
    """The first terms with a beginning, in alphabetical order, and the number of chunks with each."""
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
        """The stem of each word; words that the tokenizer ignores are left out."""
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
