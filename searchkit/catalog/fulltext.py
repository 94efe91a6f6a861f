"""The full-text table: how chunks are indexed, searched and removed; and the words of queries and texts as it sees them.

Texts are folded (see text.py), and their numbers and dates are named (see values.py). In scripts without blanks between words
they are indexed as overlapping pairs of characters, so that any word can be found.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from operator import itemgetter
from pathlib import PurePosixPath
from typing import NamedTuple

from searchkit.catalog.catalog import CatalogReader, CatalogWriter, SqliteDatabase
from searchkit.catalog.values import values
from searchkit.text import Word, is_in_unspaced_script, word_texts, words

# Texts are folded before they reach SQLite, which only stems them: English endings go, and a mark within a word is part of it.
TOKENIZER = "porter unicode61 remove_diacritics 0 categories 'L* N* Co M*'"
_MOST_WORDS = 64  # words of a query that count; beyond it is a pasted page, and meaning decides
_MOST_REPEATED = 256  # the same with repetitions
_SHADOWS = ("SELECT id, sz FROM fulltext_docsize ORDER BY id", "SELECT block FROM fulltext_data WHERE id = 1")


class Fts5:
    """The full-text table of SQLite; see FullText."""

    def insert(self, catalog: CatalogWriter, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """See FullText."""
        catalog.change_many("INSERT INTO fulltext (rowid, name, title, text) VALUES (?, ?, ?, ?)", rows)

    def remove(self, catalog: CatalogWriter, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """See FullText."""
        catalog.change_many(
            "INSERT INTO fulltext (fulltext, rowid, name, title, text) VALUES ('delete', ?, ?, ?, ?)", rows
        )

    def clear(self, catalog: CatalogWriter) -> None:
        """See FullText."""
        catalog.change("INSERT INTO fulltext (fulltext) VALUES ('delete-all')")

    def is_sound(self, catalog: CatalogReader, rows: Iterator[tuple[int, str, str, str]]) -> bool:
        """Compare the table with a new one, word by word as searches look them up; see FullText.

        Reading it from end to end would pass over the pages that say where a word is, and where within its page.
        """
        with CatalogWriter(SqliteDatabase(sqlite3.connect("", isolation_level=None), self)) as fresh:
            create(fresh)
            with fresh.transaction():
                self.insert(fresh, rows)
            for each in (catalog, fresh):
                each.execute("CREATE VIRTUAL TABLE temp.words USING fts5vocab(main, fulltext, instance)")
                each.execute("CREATE VIRTUAL TABLE temp.counted USING fts5vocab(main, fulltext, row)")
            queries = ("SELECT term, doc, cnt FROM temp.counted", *_SHADOWS)
            return not any(
                a != b for query in queries for a, b in zip_longest(catalog.execute(query), fresh.execute(query))
            ) and all(
                catalog.execute("SELECT term, doc, col, offset FROM temp.words WHERE term = ?", (term,)).fetchall()
                == list(places)
                for term, places in groupby(
                    fresh.execute("SELECT term, doc, col, offset FROM temp.words"), itemgetter(0)
                )
            )

    def matching(self, catalog: CatalogReader, match: str, limit: int, allowed: bytes | None) -> list[int]:
        """See FullText."""
        condition, mask = _among(catalog, allowed)
        rows = catalog.execute(
            f"SELECT rowid FROM fulltext WHERE fulltext MATCH ?{condition} LIMIT ?", (match, *mask, limit)
        )
        return [int(chunk) for (chunk,) in rows]

    def best(
        self,
        catalog: CatalogReader,
        match: str,
        weights: tuple[float, float, float],
        limit: int,
        allowed: bytes | None,
    ) -> dict[int, float]:
        """See FullText."""
        condition, mask = _among(catalog, allowed)
        rows = catalog.execute(
            "SELECT rowid, bm25(fulltext, ?, ?, ?) AS cost FROM fulltext"
            f" WHERE fulltext MATCH ?{condition} ORDER BY cost, rowid LIMIT ?",
            (*weights, match, *mask, limit),
        )
        return {int(chunk): -float(cost) for chunk, cost in rows}

    def counts(self, catalog: CatalogReader, terms: Collection[str]) -> dict[str, int]:
        """See FullText."""
        return dict(catalog.execute_among("SELECT term, doc FROM fulltext_terms WHERE term IN ({items})", tuple(terms)))

    def beginning(
        self, catalog: CatalogReader, beginnings: Sequence[str], limit: int, lengths: tuple[int, int]
    ) -> dict[str, int]:
        """See FullText."""
        query = (
            "SELECT term, doc FROM fulltext_terms WHERE term >= ? AND term < ? AND length(term) BETWEEN ? AND ? LIMIT ?"
        )
        found: dict[str, int] = {}
        for each in beginnings:
            found.update(catalog.execute(query, (each, f"{each}\U0010ffff", *lengths, limit)).fetchall())
        return found


FTS5 = Fts5()


def _among(catalog: CatalogReader, allowed: bytes | None) -> tuple[str, tuple[bytes, ...]]:
    """A condition on the table's rows, and its parameter."""
    if allowed is None:
        return "", ()
    return f" AND {catalog.dialect.is_allowed.format(id='rowid')}", (allowed,)


def lexical_form(text: str) -> str:
    """Prepare a text for the full-text table: its words, folded, and after them the names of its numbers, dates and references."""
    named = (name for value in values(text) for name in (*value.names, *value.wider))
    return " ".join((*word_texts(text), *named))


def create(catalog: CatalogWriter) -> None:
    """Create the table in a database."""
    catalog.execute(
        f"CREATE VIRTUAL TABLE fulltext USING fts5(name, title, text, content='', tokenize=\"{TOKENIZER}\")"
    )


def is_sound(catalog: CatalogReader) -> bool:
    """True if the table has what follows from the documents and their chunks."""
    documents = catalog.each("SELECT id FROM documents ORDER BY id")
    return catalog.fulltext.is_sound(catalog, (row for (each,) in documents for row in _rows(catalog, each)))


def insert_chunks(catalog: CatalogWriter, document_id: int) -> None:
    """Index all chunks of a document."""
    catalog.fulltext.insert(catalog, _rows(catalog, document_id))


def refill(catalog: CatalogWriter, on_document: Callable[[int, int], None] = lambda *_: None) -> None:
    """Fill the table again after the preparation of texts has changed. `on_document`: called with how many are done, and of all."""
    catalog.fulltext.clear(catalog)
    documents = catalog.execute("SELECT id FROM documents ORDER BY id").fetchall()
    for done, (document_id,) in enumerate(documents, 1):
        insert_chunks(catalog, document_id)
        on_document(done, len(documents))


def remove_chunks(catalog: CatalogWriter, document_id: int) -> None:
    """Remove all chunks of a document from the table; chunks and path must be the same as when they were indexed."""
    catalog.fulltext.remove(catalog, _rows(catalog, document_id))


def _rows(catalog: CatalogReader, document_id: int) -> Iterator[tuple[int, str, str, str]]:
    document = catalog.execute("SELECT path, metadata FROM documents WHERE id = ?", (document_id,)).fetchone()
    if document is None:
        return
    rows = catalog.execute("SELECT id, ordinal, title, text FROM chunks WHERE document_id = ?", (document_id,))
    yield from prepared(document[0], document[1], rows)


def prepared(
    path: str, metadata: str, chunks: Iterable[tuple[int, int, str, str]]
) -> Iterator[tuple[int, str, str, str]]:
    """The rows of the table for chunks of one document: id, name, title and text. `chunks`: id, ordinal, title and text."""
    name, said = _name(path), lexical_form(metadata_text(metadata))
    for chunk, ordinal, title, text in chunks:
        yield chunk, name if ordinal or not said else f"{name} {said}", lexical_form(title), lexical_form(text)


def phrase_expression(text: str) -> str:
    """The expression for a text as a phrase, "" if it has no word that the table indexes. Its values are found by any name."""
    parts, at = [], 0
    for value in values(text):
        parts += [_phrase(text[at : value.start]), f"({' OR '.join(map(_quoted, value.names))})"]
        at = value.end
    as_written = _phrase(text)
    if not parts:
        return as_written
    named = " AND ".join(part for part in (*parts, _phrase(text[at:])) if part)
    return f"({as_written} OR ({named}))" if as_written else named


def _phrase(text: str) -> str:
    return _quoted(" ".join(word.text for word in words(text)))


def _quoted(phrase: str) -> str:
    return f'"{phrase}"' if phrase else ""


def chunks_matching(catalog: CatalogReader, match: str, limit: int = -1, allowed: bytes | None = None) -> list[int]:
    """Ids of the first chunks that a match expression finds, ascending; of all if the limit is -1. `allowed`: see below."""
    return catalog.fulltext.matching(catalog, match, limit, allowed)


def best_matching(
    catalog: CatalogReader, match: str, weights: tuple[float, float, float], limit: int, allowed: bytes | None = None
) -> dict[int, float]:
    """BM25 (larger is better) by chunk id, of the best `limit` chunks that a match expression finds, best first.

    `weights`: of name, title and text. `allowed`: one byte per chunk id from 0 on, 1 for those to search; None for all.
    """
    return catalog.fulltext.best(catalog, match, weights, limit, allowed)


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
    return catalog.fulltext.counts(catalog, terms) if terms else {}


def terms_beginning(
    catalog: CatalogReader, beginnings: Sequence[str], limit: int, lengths: tuple[int, int] = (1, 1_000_000)
) -> dict[str, int]:
    """The first terms with each of some beginnings, in alphabetical order, and the number of chunks with each.

    `limit`: of each beginning. `lengths`: the least and the most letters of a term.
    """
    return catalog.fulltext.beginning(catalog, beginnings, limit, lengths)


class Span(NamedTuple):
    """A word's position in a text and its stem; for a number, a date or a reference, one of its names (see values.py)."""

    start: int
    end: int
    stem: str


_KNOWN: dict[str, str] = {}  # stems, of all searches; "" for words that the tokenizer ignores
_MOST_KNOWN, _LONGEST_KNOWN = 50_000, 40  # words, and letters of one: some ten megabytes


class Stemmer:
    """Finds stems, and the words of texts with their stems, by SQLite's own tokenizer; each text is read once.

    Keeps a small database in memory: open one per search.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(word, content='', tokenize=\"{TOKENIZER}\")")
        self._connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, instance)")
        self._read: dict[str, list[Span]] = {}

    def stems(self, words: Collection[str]) -> dict[str, str]:
        """The stem of each word; words that the tokenizer ignores are left out."""
        stems = {word: _KNOWN.get(word) for word in words}
        new = [word for word, stem in stems.items() if stem is None]
        if new:
            self._connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
            self._connection.execute("BEGIN")
            rows = ((number, lexical_form(word)) for number, word in enumerate(new))
            self._connection.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
            found = self._connection.execute("SELECT doc, term FROM stems ORDER BY doc, offset DESC")
            read = dict.fromkeys(new, "") | {new[row]: str(term) for row, term in found}
            stems |= read
            if len(_KNOWN) + len(read) > _MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN.update((word, stem) for word, stem in read.items() if len(word) <= _LONGEST_KNOWN)
        return {word: stem for word, stem in stems.items() if stem}

    def spans(self, text: str) -> list[Span]:
        """Every word of a text, every pair of characters where words have no blanks between them, and every value."""
        if text not in self._read:
            found = [*words(text), *_names(text)]
            stems = self.stems({word.text for word in found})
            spans = (Span(word.start, word.end, stems[word.text]) for word in found if word.text in stems)
            self._read[text] = sorted(spans, key=lambda span: (span.start, span.end))
        return self._read[text]

    def close(self) -> None:
        """Free the database."""
        self._connection.close()


def _names(text: str) -> Iterator[Word]:
    for value in values(text):
        for name in (*value.names, *value.wider):
            yield Word(value.start, value.end, name)


def query_words(query: str) -> list[str]:
    """The query's words in lower case, and the folded pairs of its unspaced runs, in order and as often as it has them."""
    found = [
        word.text if is_in_unspaced_script(word.text) else query[word.start : word.end].lower() for word in words(query)
    ]
    kept = set(list(dict.fromkeys(found))[:_MOST_WORDS])
    return [word for word in found if word in kept][:_MOST_REPEATED]


def query_phrases(query: str) -> list[str]:
    """The parts between blanks that consist of several words, such as an invoice number or a path, and unspaced runs; folded."""
    found: list[str] = []
    for part in query.split()[:_MOST_WORDS]:
        for _, group in groupby(words(part), key=lambda word: is_in_unspaced_script(word.text)):
            of_it = [word.text for word in group][:_MOST_WORDS]
            if len(of_it) > 1:
                found.append(" ".join(of_it))
    return list(dict.fromkeys(found))[: 2 * _MOST_WORDS]
