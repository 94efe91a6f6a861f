"""Full text in PostgreSQL: the same terms as SQLite's table has, and the same BM25, from the server's own statistics.

The terms of a text come from SQLite's tokenizer, in memory, so that folding, stems and pairs of characters are those of every
collection. They are stored as a `tsvector`, whose positions say how often each term occurs and where: the name's have the weight
A, the headings' B, the text's C. `ts_rank_cd` of a single word or phrase is the sum of the weights of its places, which is the
frequency that BM25 needs; idf and lengths come from two ledgers of counts, to which every transaction only adds.
"""

import math
import re
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.fulltext import TOKENIZER

_K1, _B = 1.2, 0.75  # as FTS5 has them
_LEAST_IDF = 1e-6
_LONGEST_TERM = 1000  # bytes; a tsvector takes 2046, and the vocabulary's index as many
_LAST_POSITION = 16_383
_LABELS = "ABC"  # of name, headings and text
_MOST_COUNTED = 100_000  # counts of terms, some 400 documents, between two mergers
_COUNTED_SECONDS = 60.0  # after which chunks are counted anew, which takes a second for a million
_GAP = 2  # between two of them, so that no phrase goes from one into the next
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(AND|OR|[*()])|\s+')


class Sight(StrEnum):
    """How much of a collection a connection sees. `READER`: all, by the leave of policies, under which no index finds words."""

    ALL = "all"
    READER = "reader"
    SOME_ROOTS = "some roots"


class Terms:
    """Finds the terms of texts by SQLite's tokenizer, in a small database in memory."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.execute(
            f"CREATE VIRTUAL TABLE texts USING fts5(name, title, text, content='', tokenize=\"{TOKENIZER}\")"
        )
        self._connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(texts, instance)")

    def of(self, rows: Iterable[tuple[int, str, str, str]]) -> dict[int, list[tuple[str, str, int]]]:
        """The terms of the name, title and text of each id: (term, column, number of the word in it from 0 on)."""
        self._connection.execute("INSERT INTO texts (texts) VALUES ('delete-all')")
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO texts (rowid, name, title, text) VALUES (?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")
        found: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
        for term, row, column, offset in self._connection.execute("SELECT term, doc, col, offset FROM terms"):
            found[row].append((_cut(str(term)), str(column), int(offset)))
        return found


def _cut(term: str) -> str:
    if len(encoded := term.encode("utf-8", "replace")) <= _LONGEST_TERM:
        return term
    return encoded[:_LONGEST_TERM].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Terms that follow one another; of the last one perhaps only the beginning. None match nothing."""

    terms: tuple[str, ...]
    is_beginning: bool = False

    def __str__(self) -> str:
        return " <-> ".join(map(_quoted, self.terms)) + (":*" if self.is_beginning else "")


def _quoted(term: str) -> str:
    escaped = term.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


class TsVectors:
    """The full-text table of a schema in PostgreSQL; see FullText."""

    def __init__(self, sight: Sight = Sight.ALL) -> None:
        self._counted: Counter[str] = Counter()  # since `merge_new`
        self._sees_all = sight is not Sight.SOME_ROOTS
        self._matching = (
            "fulltext WHERE terms @@ ?::tsquery" if sight is Sight.ALL else "matching_fulltext(?::tsquery) WHERE true"
        )
        self._seen: tuple[float, tuple[int, int]] | None = None  # when what is seen was counted, and its totals

    @cached_property
    def _terms(self) -> Terms:
        return Terms()

    def insert(self, catalog: CatalogWriter, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """See FullText."""
        of_chunks = {row[0]: row for row in rows}  # read whole: the connection does one thing at a time
        if not of_chunks:
            return
        terms = self._terms.of(of_chunks.values())
        catalog.change_many(
            "INSERT INTO fulltext (chunk_id, terms, length) VALUES (?, ?::tsvector, ?)",
            [(chunk, _vector(terms.get(chunk, [])), len(terms.get(chunk, []))) for chunk in of_chunks],
        )
        counts = Counter(term for of in terms.values() for term in {term for term, *_ in of})
        _count(catalog, counts, len(of_chunks), sum(map(len, terms.values())))
        self._counted.update(counts.keys())

    def merge_new(self, catalog: CatalogReader) -> None:
        """Merge the counts of what this connection has added, once that is much, so that the ledgers stay short."""
        if self._counted.total() > _MOST_COUNTED:
            merge_counts(catalog, [term for term, times in self._counted.items() if times > 1])
            self._counted.clear()

    def remove(self, catalog: CatalogWriter, rows: Iterable[tuple[int, str, str, str]]) -> None:
        """See FullText."""
        chunks = [row[0] for row in rows]
        if not chunks:
            return
        removed = catalog.change(
            "WITH gone AS (DELETE FROM fulltext WHERE chunk_id = ANY(?) RETURNING terms, length), told AS (INSERT INTO terms"
            " SELECT t.lexeme, -count(*) FROM gone, unnest(gone.terms) t GROUP BY t.lexeme)"
            " SELECT count(*), coalesce(sum(length), 0) FROM gone",
            (chunks,),
        ).fetchone()
        _count(catalog, {}, -int(removed[0]), -int(removed[1]))

    def matching(self, catalog: CatalogReader, match: str, limit: int, allowed: bytes | None) -> list[int]:
        """See FullText."""
        query = _Parser(match, self._terms).either()
        if not query:
            return []
        condition, mask = _among(catalog, allowed)
        found = catalog.execute(  # all that match are found before they are sorted: else the server may read every row in order
            f"WITH found AS MATERIALIZED (SELECT chunk_id FROM {self._matching}{condition})"
            " SELECT chunk_id FROM found ORDER BY chunk_id LIMIT ?",
            (query, *mask, None if limit < 0 else limit),
        )
        return [int(chunk) for (chunk,) in found]

    def best(
        self,
        catalog: CatalogReader,
        match: str,
        weights: tuple[float, float, float],
        limit: int,
        allowed: bytes | None,
    ) -> dict[int, float]:
        """See FullText. The score is that of FTS5: idf by phrase, and its weighted frequency by the chunk's length."""
        parser = _Parser(match, self._terms)
        if not (query := parser.either()):
            return {}
        times = Counter(parser.phrases)
        chunks, length = self._totals(catalog)
        counts = self._phrase_counts(catalog, list(times))
        largest = max(weights)
        array = (
            "{0," + ",".join(str(weight / largest) for weight in reversed(weights)) + "}"
        )  # of D, C, B and A, at most 1
        parts, values = [], []
        for phrase, count in times.items():
            idf = math.log((chunks - counts[phrase] + 0.5) / (counts[phrase] + 0.5)) if chunks > counts[phrase] else 0.0
            weight = count * (idf if idf > 0 else _LEAST_IDF) * (_K1 + 1)
            parts.append(f"?::float8 * (1 - k / (k + {largest} * ts_rank_cd(?::float4[], terms, ?::tsquery)))")
            values += [weight, array, str(phrase)]
        condition, mask = _among(catalog, allowed)
        rows = catalog.execute(
            f"SELECT chunk_id, {' + '.join(parts)} AS score FROM (SELECT chunk_id, terms,"
            f" ?::float8 * (?::float8 + ?::float8 * length) AS k FROM {self._matching}{condition}) AS found"
            " ORDER BY score DESC, chunk_id LIMIT ?",
            (*values, _K1, 1 - _B, _B * chunks / max(1, length), query, *mask, limit),
        )
        return {int(chunk): float(score) for chunk, score in rows}

    def counts(self, catalog: CatalogReader, terms: Collection[str]) -> dict[str, int]:
        """See FullText."""
        by_term = {_cut(term): term for term in terms}
        if not self._sees_all:
            found = self._counts_of(catalog, [_quoted(term) for term in by_term])
            return {term: count for term, count in zip(by_term.values(), found, strict=True) if count}
        rows = catalog.execute(
            "SELECT term, sum(chunks) FROM terms WHERE term = ANY(?) GROUP BY term HAVING sum(chunks) > 0",
            (list(by_term),),
        )
        return {by_term[term]: int(count) for term, count in rows}

    def beginning(
        self, catalog: CatalogReader, beginnings: Sequence[str], limit: int, lengths: tuple[int, int]
    ) -> dict[str, int]:
        """See FullText. Whoever sees some roots alone is shown no words: they would be those of all."""
        if not self._sees_all:
            return {}
        rows = catalog.execute(
            "SELECT found.term, found.chunks FROM unnest(?::text[]) WITH ORDINALITY AS asked(beginning, number)"
            ' CROSS JOIN LATERAL (SELECT term, sum(chunks) AS chunks FROM terms WHERE term >= asked.beginning COLLATE "C"'
            ' AND term < asked.beginning || chr(1114111) COLLATE "C" AND length(term) BETWEEN ? AND ?'
            " GROUP BY term HAVING sum(chunks) > 0 ORDER BY term LIMIT ?) AS found ORDER BY asked.number, found.term",
            (list(beginnings), *lengths, limit),
        )
        return {term: int(count) for term, count in rows}

    def clear(self, catalog: CatalogWriter) -> None:
        """See FullText."""
        for table in ("fulltext", "terms", "totals"):
            catalog.change(f"DELETE FROM {table}")

    def is_sound(self, catalog: CatalogReader, rows: Iterator[tuple[int, str, str, str]]) -> bool:
        """See FullText."""
        chunks = length = 0
        counted: Counter[str] = Counter()
        for row in rows:
            terms = self._terms.of([row]).get(row[0], [])
            is_same = catalog.execute(
                "SELECT terms = ?::tsvector AND length = ? FROM fulltext WHERE chunk_id = ?",
                (_vector(terms), len(terms), row[0]),
            ).fetchone()
            if is_same is None or not is_same[0]:
                return False
            chunks, length = chunks + 1, length + len(terms)
            counted.update({term for term, *_ in terms})
        stored = catalog.execute("SELECT term, sum(chunks) FROM terms GROUP BY term HAVING sum(chunks) <> 0")
        in_table = catalog.execute("SELECT count(*) FROM fulltext").fetchone()[0]
        return (
            (chunks, length) == _totals(catalog)
            and chunks == in_table
            and {term: int(count) for term, count in stored} == counted
        )

    def _phrase_counts(self, catalog: CatalogReader, phrases: Sequence[Phrase]) -> dict[Phrase, int]:
        """The number of chunks with each phrase: of single terms from the vocabulary, of others by a search for them."""
        single = {phrase.terms[0]: phrase for phrase in phrases if len(phrase.terms) == 1 and not phrase.is_beginning}
        others = [phrase for phrase in phrases if single.get(phrase.terms[0]) != phrase]
        known = self.counts(catalog, single) if single else {}
        found = {phrase: known.get(term, 0) for term, phrase in single.items()}
        if others:
            found.update(zip(others, self._counts_of(catalog, list(map(str, others))), strict=True))
        return found

    def _counts_of(self, catalog: CatalogReader, queries: Sequence[str]) -> list[int]:
        """The number of chunks that each query matches."""
        if not queries:
            return []
        counts = ", ".join([f"(SELECT count(*) FROM {self._matching})"] * len(queries))
        return [int(count) for count in catalog.execute(f"SELECT {counts}", queries).fetchone()]

    def _totals(self, catalog: CatalogReader) -> tuple[int, int]:
        """The number of chunks that are seen, and of all their terms; for some roots counted now and then."""
        if self._sees_all:
            return _totals(catalog)
        if self._seen is None or time.monotonic() - self._seen[0] > _COUNTED_SECONDS:
            row = catalog.execute("SELECT count(*), coalesce(sum(length), 0) FROM fulltext").fetchone()
            self._seen = time.monotonic(), (int(row[0]), int(row[1]))
        return self._seen[1]


def merge_counts(catalog: CatalogReader, terms: Sequence[str] | None = None) -> None:
    """Make one row of all counts of a term, and of each total: what several transactions have added. `terms`: None for all."""
    of_terms = ("terms", "term", "chunks", "WHERE term = ANY(?)" if terms is not None else "")
    for table, key, amount, which in (of_terms, ("totals", "name", "amount", "")):
        catalog.execute(
            f"WITH many AS (SELECT {key} FROM {table} {which} GROUP BY {key} HAVING count(*) > 1 OR sum({amount}) = 0),"
            f" old AS (DELETE FROM {table} t USING many WHERE t.{key} = many.{key} RETURNING t.{key}, t.{amount})"
            f" INSERT INTO {table} SELECT {key}, sum({amount}) FROM old GROUP BY {key} HAVING sum({amount}) <> 0",
            (list(terms),) if which and terms is not None else (),
        )


def _count(catalog: CatalogWriter, terms: dict[str, int], chunks: int, length: int) -> None:
    """Add to the counts of chunks with each term, and to the totals."""
    if terms:
        catalog.change(
            "INSERT INTO terms SELECT * FROM unnest(?::text[], ?::bigint[])", (list(terms), list(terms.values()))
        )
    if chunks:
        catalog.change("INSERT INTO totals VALUES ('chunks', ?), ('length', ?)", (chunks, length))


def _totals(catalog: CatalogReader) -> tuple[int, int]:
    """The number of chunks, and of all their terms."""
    rows = catalog.execute("SELECT name, sum(amount) FROM totals GROUP BY name")
    totals = {name: int(amount) for name, amount in rows}
    return totals.get("chunks", 0), totals.get("length", 0)


def _vector(terms: Sequence[tuple[str, str, int]]) -> str:
    """Terms with their places as PostgreSQL reads a tsvector."""
    lengths: Counter[str] = Counter()
    for _, column, offset in terms:
        lengths[column] = max(lengths[column], offset + 1)
    starts = {"name": 1, "title": 1 + lengths["name"] + _GAP}
    starts["text"] = starts["title"] + lengths["title"] + _GAP
    labels = dict(zip(starts, _LABELS, strict=True))
    places: dict[str, list[str]] = defaultdict(list)
    for term, column, offset in sorted(terms, key=lambda each: (starts[each[1]], each[2])):
        places[term].append(f"{min(_LAST_POSITION, starts[column] + offset)}{labels[column]}")
    return " ".join(f"{_quoted(term)}:{','.join(of)}" for term, of in places.items())


def _among(catalog: CatalogReader, allowed: bytes | None) -> tuple[str, tuple[bytes, ...]]:
    if allowed is None:
        return "", ()
    return f" AND {catalog.dialect.is_allowed.format(id='chunk_id')}", (allowed,)


class _Parser:
    """Reads a match expression: quoted phrases, perhaps with a star, joined by AND, which binds tighter, and OR, in parentheses."""

    def __init__(self, match: str, terms: Terms) -> None:
        found = [token for token in _TOKEN.finditer(match) if not token.group().isspace()]
        self._tokens = [token[2] or "" for token in found]  # "" for a phrase
        texts = [token[1].replace('""', '"') for token in found if token[1] is not None]
        of_texts = terms.of((number, "", "", text) for number, text in enumerate(texts))
        self._terms = iter(
            tuple(term for term, *_ in sorted(of_texts.get(number, []), key=lambda each: each[2]))
            for number in range(len(texts))
        )
        self.phrases: list[Phrase] = []

    def either(self) -> str:
        """Read alternatives, of which those that match nothing do not count."""
        parts = [self._all()]
        while self._tokens[:1] == ["OR"]:
            self._tokens.pop(0)
            parts.append(self._all())
        return " | ".join(part for part in parts if part)

    def _all(self) -> str:
        parts = [self._one()]
        while self._tokens[:1] == ["AND"]:
            self._tokens.pop(0)
            parts.append(self._one())
        return " & ".join(f"({part})" for part in parts) if all(parts) else ""

    def _one(self) -> str:
        if self._tokens.pop(0) == "(":
            inside = self.either()
            self._tokens.pop(0)
            return inside
        is_beginning = self._tokens[:1] == ["*"]
        if is_beginning:
            self._tokens.pop(0)
        phrase = Phrase(next(self._terms), is_beginning)
        if not phrase.terms:
            return ""
        self.phrases.append(phrase)
        return str(phrase)
