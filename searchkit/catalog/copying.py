"""Copies a whole catalog into another database, with its ids and checksums, and compares what arrived with what was sent.

A table is read once, in the order of its key, in batches. Only what follows from the place is left behind: the names of indexes
that are kept beside a catalog. How a catalog is opened to be left, or to be filled, is in moving.py, and for PostgreSQL in
postgres/moving.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from searchkit.catalog import checksums, fulltext, messages
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.checksums import RunningChecksum, document_checksum_of, vector_checksum
from searchkit.catalog.meta import CURRENT_INDEX, GUESS_INDEX, STORAGE
from searchkit.catalog.vector_codes import bytes_of, decoded, encoded
from searchkit.catalog.vectors import dimension_of, note_model
from searchkit.errors import CatalogError
from searchkit.reports import Progress, ProgressListener
from searchkit.types import Storage

# The key by which each table is read, in the order in which they are filled: provisional vectors go when true ones come.
KEYS = {
    "roots": "id",
    "exclusions": "path",
    "documents": "id",
    "chunks": "document_id, ordinal",
    "asked": "document_id",
    "messages": "id",
    "vectors": "id",
    "provisional": "id",
    "provisional_correction": "matrix",
    "meta": "key",
}
LEFT_BEHIND = {CURRENT_INDEX, GUESS_INDEX}  # of meta: indexes on this machine, which are built anew
NUMBERED = ("roots", "documents", "chunks", "vectors", "provisional")  # tables whose ids are never used again
_STAGES = {"vectors": "Moving vectors", "provisional": "Moving provisional vectors"}
_ROWS_AT_A_TIME = 2000
_NO_ZERO = "\ufffd"  # for the character 0, which PostgreSQL's texts do not have
_SEAL, _SEAL_OF_DOCUMENTS = "seal", "seal_of_documents"  # keys in meta


class Source(Protocol):
    """A catalog that is to be left. Nobody can write to it; whoever searches goes on."""

    @property
    def catalog(self) -> CatalogReader:
        """The catalog."""
        ...

    def last_id(self, table: str) -> int:
        """The highest id that a table has ever had."""
        ...

    def remove(self) -> None:
        """Remove it for good. Whoever waited to write to it gets an error."""
        ...


class Target(Protocol):
    """A catalog that is to be filled. Nobody else can write to it."""

    takes_zeros: bool  # True if its texts may have the character 0

    @property
    def catalog(self) -> CatalogWriter:
        """The catalog, within `filling`."""
        ...

    def filling(self) -> AbstractContextManager[None]:
        """A transaction that makes it, and is all that it consists of. References may be filled before what they refer to."""
        ...

    def fill(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add rows to a table, in the transaction."""
        ...

    def continue_ids(self, table: str, last: int) -> None:
        """Number new rows of a table from the next one on."""
        ...

    def publish(self) -> None:
        """Put it in its place, once it is filled; an unfinished one is made anew by the next move."""
        ...

    def settle(self) -> None:
        """Take it for finished: it is in use."""
        ...


@dataclass(frozen=True, slots=True)
class Moved:
    """The numbers of rows that were copied, and are the same on both sides. `state`: of the new catalog, see `state_of`."""

    documents: int
    chunks: int
    vectors: int
    provisional: int
    state: str


def copy_catalog(source: Source, target: Target, on_progress: ProgressListener) -> Moved:
    """Fill a catalog with all of another one, and compare them; within `Target.filling`.

    Raises CatalogError if the source is damaged, or what arrived is not what was sent.
    """
    copy = _Copy(source, target, on_progress)
    copy.send()
    copy.compare()
    copy.renew_messages()
    for table in NUMBERED:
        target.continue_ids(table, source.last_id(table))
    rows = {table: checksum.rows for table, checksum in copy.sent.items()}
    return Moved(
        rows["documents"], rows["chunks"], rows["vectors"], rows["provisional"], checksums.state_of(target.catalog)
    )


class _Copy:
    """One copying. `sent`: a checksum of all rows that were sent, by table."""

    def __init__(self, source: Source, target: Target, on_progress: ProgressListener) -> None:
        self._source, self._target, self._on_progress = source, target, on_progress
        self._columns = {table: sorted(_columns(source.catalog, table)) for table in KEYS}
        self.sent = {table: RunningChecksum() for table in KEYS}
        self._altered: list[int] = []  # ids of documents that had a character 0 where none can be
        self._seals_changed = 0

    def send(self) -> None:
        """Send all tables."""
        catalog = self._source.catalog
        if not checksums.documents_match_total(catalog) or (
            catalog.meta(_SEAL) is not None and not checksums.settings_match_checksum(catalog)
        ):
            raise _damaged("its documents or settings do not match their checksums")
        for table in KEYS:
            if table == "documents":
                self._send_documents()
            elif table == "meta":
                self._send_meta()
            elif table != "chunks":
                self._send_table(table)

    def compare(self) -> None:
        """Read everything back. Raises CatalogError if it is not what was sent."""
        done, total = 0, sum(checksum.rows for checksum in self.sent.values())
        for table, sent in self.sent.items():
            arrived = RunningChecksum()
            for row in self._rows(self._target.catalog, table):
                if table != "meta" or row[self._columns["meta"].index("key")] != _SEAL:
                    arrived.add(row)
                    done += 1
                if done % _ROWS_AT_A_TIME == 0:
                    self._on_progress(Progress("Comparing both sides", done, total, "rows"))
            if (arrived.rows, arrived.value) != (sent.rows, sent.value):
                raise CatalogError(
                    f"What arrived is not what was sent: {arrived.rows:,} of {sent.rows:,} rows of the table {table}, with"
                    " another checksum. Nothing was changed.",
                    remedy="Try again; if it stays so, look for damage in the disk or the memory.",
                )
        self._on_progress(Progress("Comparing both sides", total, total, "rows"))

    def renew_messages(self) -> None:
        """Read the people and subjects of altered documents again, and of what came with them: they follow from the passages."""
        catalog = self._target.catalog
        query = "SELECT id FROM documents WHERE container_id IN ({items})"
        inside = [each for (each,) in catalog.execute_among(query, self._altered)]
        for document_id in dict.fromkeys((*self._altered, *inside)):
            catalog.change("DELETE FROM messages WHERE document_id = ?", (document_id,))
            messages.insert_messages(catalog, document_id)

    def _rows(self, catalog: CatalogReader, table: str) -> Iterator[tuple[Any, ...]]:
        """All rows; a model by its fingerprint."""
        names = self._columns[table]
        columns = [catalog.dialect.fingerprint.format(model="model") if name == "model" else name for name in names]
        return catalog.each(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {KEYS[table]}")

    def _fill(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for row in rows:
            self.sent[table].add(row)
        if rows:
            self._target.fill(table, self._columns[table], rows)

    def _send_table(self, table: str) -> None:
        catalog = self._source.catalog
        total, done = catalog.count_rows(table), 0
        names = self._columns[table]
        for rows in _batches(self._rows(catalog, table), _ROWS_AT_A_TIME):
            if table == "vectors":
                rows = self._vectors([dict(zip(names, row, strict=True)) for row in rows])  # noqa: PLW2901
            self._fill(table, [self._as_stored(row) for row in rows])
            done += len(rows)
            if table in _STAGES:
                self._on_progress(Progress(_STAGES[table], done, total, "vectors"))

    def _vectors(self, rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        """Rows of vectors, checked, in a form that the target has."""
        for row in rows:
            seal = row["seal"]
            if seal is not None and seal != vector_checksum(row["content_hash"], row["model"], row["vector"]):
                raise _damaged(f"vector {row['id']} does not match its checksum")
        target = self._target.catalog
        is_here = target.database.vectors is None  # a database with vectors of its own has them in half precision
        wanted = Storage(self._source.catalog.meta(STORAGE) or Storage.STANDARD) if is_here else Storage.EXACT
        for fingerprint in {row["model"] for row in rows}:
            of_model = [row for row in rows if row["model"] == fingerprint]
            stored = [row["vector"] for row in of_model]
            dimension = dimension_of(self._source.catalog, fingerprint, stored)
            note_model(target, fingerprint, dimension)
            for row in of_model:
                if len(row["vector"]) != bytes_of(wanted, dimension):
                    (row["vector"],) = encoded(decoded([row["vector"]], dimension), wanted)
                    row["seal"] = row["seal"] and vector_checksum(row["content_hash"], fingerprint, row["vector"])
        return [tuple(row.values()) for row in rows]

    def _send_documents(self) -> None:
        """Send documents with their chunks and their words, so that every text is read once."""
        catalog = self._source.catalog
        documents, chunks = catalog.count_rows("documents"), catalog.count_rows("chunks")
        batch: list[_Document] = []
        waiting = 0
        for document in self._documents():
            batch.append(document)
            waiting += 1 + len(document.chunks)
            if waiting >= _ROWS_AT_A_TIME:
                self._send_batch(batch, documents, chunks)
                batch, waiting = [], 0
        self._send_batch(batch, documents, chunks)

    def _documents(self) -> Iterator["_Document"]:
        """Every document with its chunks, as the target stores them, and checked."""
        catalog = self._source.catalog
        names, chunk_names = self._columns["documents"], self._columns["chunks"]
        chunks = self._rows(catalog, "chunks")
        number = chunk_names.index("document_id")
        chunk = next(chunks, None)
        for row in self._rows(catalog, "documents"):
            document = dict(zip(names, row, strict=True))
            own = []
            while chunk is not None and chunk[number] == document["id"]:
                own.append(dict(zip(chunk_names, chunk, strict=True)))
                chunk = next(chunks, None)
            yield self._checked(document, own)
        if chunk is not None:
            raise _damaged("there are passages without a document")

    def _checked(self, document: dict[str, Any], chunks: list[dict[str, Any]]) -> "_Document":
        """A document whose checksum is right. Where a text has to be altered, it gets the checksum of what it is now."""
        seal = document["seal"]
        if seal is not None and not checksums.matches(seal, document, chunks):
            raise _damaged(f"{document['path']} does not match its checksum")
        values = self._as_stored(tuple(document.values()))
        stored = [self._as_stored(tuple(chunk.values())) for chunk in chunks]
        if values != tuple(document.values()) or any(
            new != tuple(old.values()) for new, old in zip(stored, chunks, strict=True)
        ):
            self._altered.append(document["id"])
            document = dict(zip(document, values, strict=True))
            chunks = [dict(zip(old, new, strict=True)) for old, new in zip(chunks, stored, strict=True)]
            if seal is not None:
                document["seal"] = document_checksum_of(document, chunks)
                self._seals_changed ^= int.from_bytes(seal) ^ int.from_bytes(document["seal"])
        return _Document(document, chunks)

    def _send_batch(self, batch: Sequence["_Document"], documents: int, chunks: int) -> None:
        self._fill("documents", [tuple(each.row.values()) for each in batch])
        self._fill("chunks", [tuple(chunk.values()) for each in batch for chunk in each.chunks])
        words = (row for each in batch for row in each.words())
        self._target.catalog.fulltext.insert(self._target.catalog, words)
        done = self.sent["documents"].rows
        self._on_progress(
            Progress(
                "Moving documents", done, documents, "documents", self.sent["chunks"].rows + done, chunks + documents
            )
        )

    def _send_meta(self) -> None:
        names = self._columns["meta"]
        key, value = names.index("key"), names.index("value")
        rows = []
        for row in self._rows(self._source.catalog, "meta"):
            stored = list(self._as_stored(row))
            if stored[key] == _SEAL_OF_DOCUMENTS:
                stored[value] = f"{int(stored[value], 16) ^ self._seals_changed:016x}"
            if stored[key] not in LEFT_BEHIND | {_SEAL}:
                rows.append(tuple(stored))
        self._fill("meta", rows)
        checksums.update_settings_checksum(self._target.catalog)

    def _as_stored(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row as the target has it."""
        if self._target.takes_zeros or not any(isinstance(value, str) and "\0" in value for value in row):
            return row
        return tuple(value.replace("\0", _NO_ZERO) if isinstance(value, str) else value for value in row)


@dataclass(frozen=True, slots=True)
class _Document:
    """A document's row and those of its chunks, in their order."""

    row: dict[str, Any]
    chunks: list[dict[str, Any]]

    def words(self) -> Iterator[tuple[int, str, str, str]]:
        """Its rows of the full-text table."""
        chunks = [(each["id"], each["ordinal"], each["title"], each["text"]) for each in self.chunks]
        return fulltext.prepared(self.row["path"], self.row["metadata"], chunks) if chunks else iter(())


def _damaged(what: str) -> CatalogError:
    return CatalogError(f"The collection is damaged: {what}. Nothing was changed.", remedy="Rebuild it, then move it.")


def _columns(catalog: CatalogReader, table: str) -> list[str]:
    return [str(column[0]) for column in catalog.execute(f"SELECT * FROM {table} LIMIT 0").description]


def _batches(rows: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(rows, size)):
        yield batch
