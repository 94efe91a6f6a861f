"""Reads passages: their texts, their places, and their documents."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import metadata_text
from searchkit.catalog.meta import PROVISIONAL
from searchkit.files import file_path
from searchkit.types import Passage

_COLUMNS = (
    "id, document_id, ordinal, content_hash, root, name, title, text, page, line, line_end, place, metadata, moment,"
    " sender, lines"
)
_SELECT = f"SELECT {_COLUMNS} FROM passages"
_BEGINNING = 400  # characters


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage at one of its places.

    `root`, `name`: an indexed folder and the file's path below it, in catalog form. `metadata`: the document's own, as
    JSON; "" for all but its first passage. `moment`: of the document, or of the message in a mailbox, in ISO 8601,
    as far as it is known: its own date, else its file's last change. `sender`: of the mail, or the mail that the file came
    with, as written; "" for everything else. `lines`: see Hit.
    """

    id: int
    document_id: int
    ordinal: int
    content_hash: bytes
    root: str
    name: str
    title: str
    text: str
    page: int | None
    line: int | None
    line_end: int | None
    place: str
    metadata: str
    moment: str
    sender: str = ""
    lines: str = ""

    @property
    def path(self) -> Path:
        """The file, by its absolute path."""
        return file_path(self.root, self.name)

    @property
    def date(self) -> str:
        """The day of `moment`, perhaps a year or a month alone."""
        return self.moment[:10]

    @property
    def words_outside(self) -> str:
        """Words of the path and the metadata, by which it is found although they are not in its headings or text."""
        return f"{self.name} {metadata_text(self.metadata)}".rstrip()


@dataclass(frozen=True, slots=True)
class PassageStart:
    """A passage's place, and the first 400 characters of its text."""

    path: Path
    root: Path
    title: str
    text: str
    page: int | None
    line: int | None


def passages_of_hashes(catalog: CatalogReader, hashes: Sequence[bytes]) -> dict[bytes, list[StoredPassage]]:
    """All places of passages, by content hash, in the order of root, path and number; those that are gone are left out."""
    found: dict[bytes, list[StoredPassage]] = {}
    for row in catalog.execute_among(
        f"{_SELECT} WHERE content_hash IN ({{items}}) ORDER BY root, name, ordinal", hashes
    ):
        passage = StoredPassage(*row)
        found.setdefault(passage.content_hash, []).append(passage)
    return found


def passages_of_document(catalog: CatalogReader, document_id: int, *, start: int = 0) -> Iterator[StoredPassage]:
    """The passages of a document in order, from one on."""
    query = f"{_SELECT} WHERE document_id = ? AND ordinal >= ? ORDER BY ordinal"
    return (StoredPassage(*row) for row in catalog.execute(query, (document_id, start)))


def passage_at(catalog: CatalogReader, document_id: int, ordinal: int) -> StoredPassage | None:
    """The passage of a document with a number, None if there is none."""
    row = catalog.execute(f"{_SELECT} WHERE document_id = ? AND ordinal = ?", (document_id, ordinal)).fetchone()
    return StoredPassage(*row) if row else None


def all_passages(catalog: CatalogReader) -> Iterator[StoredPassage]:
    """Every passage at every place, document by document, in order."""
    return (StoredPassage(*row) for row in catalog.each(f"{_SELECT} ORDER BY document_id, ordinal"))


def newest_passages(catalog: CatalogReader, allowed: bytes, count: int) -> list[StoredPassage]:
    """The first allowed passage of each document, and of each message in a mailbox, the newest first. `allowed`: one byte per
    chunk id, 1 for yes.
    """
    is_allowed = catalog.dialect.is_allowed.format(id="c.id")  # chunks of a document have ids in their order
    rows = catalog.execute(
        "SELECT p.id FROM (SELECT min(c.id) AS id FROM chunks c LEFT JOIN messages m ON m.document_id = c.document_id"
        f" AND c.ordinal BETWEEN m.first AND m.last WHERE {is_allowed} GROUP BY c.document_id, m.id) f"
        " JOIN passages p ON p.id = f.id ORDER BY p.moment DESC, p.name LIMIT ?",
        (allowed, count),
    )
    ids = [int(row[0]) for row in rows]
    found = {row[0]: StoredPassage(*row) for row in catalog.execute_among(f"{_SELECT} WHERE id IN ({{items}})", ids)}
    return [found[each] for each in ids]


def first_passages(catalog: CatalogReader, documents: Sequence[int], allowed: bytes | None) -> dict[int, StoredPassage]:
    """The first passage of each document with text, by the document's id. `allowed`: as for `newest_passages`; None for all."""
    condition = "" if allowed is None else f"{catalog.dialect.is_allowed.format(id='id')} AND "
    values = () if allowed is None else (allowed,)
    first = f"SELECT min(id) FROM chunks WHERE {condition}document_id IN ({{items}}) GROUP BY document_id"
    ids = [int(row[0]) for row in catalog.execute_among(first, documents, *values)]
    found = (StoredPassage(*row) for row in catalog.execute_among(f"{_SELECT} WHERE id IN ({{items}})", ids))
    return {passage.document_id: passage for passage in found}


def nearest_passage(
    catalog: CatalogReader, first: bytes, last: bytes, *, document_id: int, ordinal: int
) -> StoredPassage | None:
    """Find a passage with a content hash between two: the one in a document nearest to a number, else any."""
    row = catalog.execute(
        f"{_SELECT} WHERE content_hash BETWEEN ? AND ? ORDER BY document_id != ?, abs(ordinal - ?), name, id LIMIT 1",
        (first, last, document_id, ordinal),
    ).fetchone()
    return StoredPassage(*row) if row else None


def sample_passages(catalog: CatalogReader, count: int, *, least_characters: int = 0) -> list[StoredPassage]:
    """A sample of the collection's distinct passages, always the same: those whose hashes come first."""
    rows = catalog.execute(
        f"{_SELECT} WHERE id IN (SELECT min(id) FROM chunks WHERE length(text) >= ? GROUP BY content_hash"
        " ORDER BY content_hash LIMIT ?) ORDER BY content_hash",
        (least_characters, count),
    )
    return [StoredPassage(*row) for row in rows]


def passage_starts(catalog: CatalogReader) -> Iterator[PassageStart]:
    """The beginnings of all passages that have a heading or are their document's first, in an order independent of the files."""
    rows = catalog.each(
        f"SELECT root, name, title, substr(text, 1, {_BEGINNING}), page, line FROM passages"
        " WHERE title != '' OR ordinal = 0 ORDER BY content_hash, id"
    )
    for root, name, title, text, page, line in rows:
        yield PassageStart(file_path(root, name), file_path(root, ""), title, text, page, line)


def sample_starts(catalog: CatalogReader, count: int) -> list[tuple[str, str]]:
    """Heading and first 400 characters of a sample of the collection's passages, always the same."""
    rows = catalog.execute(
        f"SELECT title, substr(text, 1, {_BEGINNING}) FROM chunks WHERE id IN"
        " (SELECT id FROM chunks ORDER BY content_hash LIMIT ?) ORDER BY content_hash",
        (count,),
    )
    return [(str(title), str(text)) for title, text in rows]


def places_of_passages(catalog: CatalogReader) -> Iterator[tuple[bytes, str, str]]:
    """Content hash, root and path below that of every passage at every place, in the order of their ids."""
    rows = catalog.each("SELECT content_hash, root, name FROM passages ORDER BY id")
    return ((bytes(content_hash), str(root), str(name)) for content_hash, root, name in rows)


@dataclass(frozen=True, slots=True)
class ChunkWords:
    """The searchable parts of a chunk. `name`: the path below the root. `metadata`: the document's, in one line, for its first
    chunk; else "".
    """

    id: int
    document_id: int
    content_hash: bytes
    name: str
    metadata: str
    title: str
    text: str


def count_chunks(catalog: CatalogReader) -> int:
    """Count the chunks of all documents."""
    return catalog.count_rows("chunks")


def has_mail(catalog: CatalogReader) -> bool:
    """True if any document is mail, or came with it."""
    return catalog.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is not None


def count_passages(catalog: CatalogReader, fingerprint: str) -> tuple[int, int]:
    """Count the distinct passages, and those of them that have a vector of a model."""
    return count_distinct(catalog), count_covered(catalog, fingerprint)


def chunks_as_they_are(catalog: CatalogReader) -> tuple[int, int]:
    """The number of chunks and the largest id: whenever chunks are added or removed, one of the two changes."""
    largest = catalog.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[
        0
    ]  # together they would read the table
    return count_chunks(catalog), int(largest)


def count_distinct(catalog: CatalogReader) -> int:
    """Count the distinct passages."""
    return int(catalog.execute("SELECT count(*) FROM (SELECT DISTINCT content_hash FROM chunks) AS each").fetchone()[0])


def count_covered(catalog: CatalogReader, fingerprint: str) -> int:
    """Count the distinct passages with a vector of a model."""
    query = (
        f"SELECT count(*) FROM vectors v WHERE model = {catalog.dialect.model}"
        " AND EXISTS (SELECT 1 FROM chunks c WHERE c.content_hash = v.content_hash)"
    )
    return int(catalog.execute(query, (fingerprint,)).fetchone()[0])


def count_vectors(catalog: CatalogReader, fingerprint: str) -> int:
    """Count the vectors of a model."""
    query = f"SELECT count(*) FROM vectors WHERE model = {catalog.dialect.model}"
    return int(catalog.execute(query, (fingerprint,)).fetchone()[0])


def count_provisional(catalog: CatalogReader, fingerprint: str) -> int:
    """Count the passages with a provisional vector for a model."""
    if not (catalog.meta(PROVISIONAL) or "").startswith(f"{fingerprint} "):
        return 0
    return catalog.count_rows("provisional")


def all_chunks(catalog: CatalogReader) -> set[int]:
    """Ids of all chunks."""
    return {int(chunk) for (chunk,) in catalog.execute("SELECT id FROM chunks")}


def chunks_of_documents(catalog: CatalogReader, document_ids: Collection[int]) -> set[int]:
    """Ids of the chunks of some documents."""
    query = f"SELECT id FROM chunks WHERE document_id IN {catalog.dialect.listed}"
    return {int(chunk) for (chunk,) in catalog.execute(query, (json.dumps(list(document_ids)),))}


def chunks_of_hashes(catalog: CatalogReader, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """(content hash, chunk id) of every place of some passages."""
    yield from catalog.execute_among("SELECT content_hash, id FROM chunks WHERE content_hash IN ({items})", hashes)


def hashes_of_chunks(catalog: CatalogReader, chunk_ids: Sequence[int]) -> dict[int, bytes]:
    """Content hash by chunk id."""
    return dict(catalog.execute_among("SELECT id, content_hash FROM chunks WHERE id IN ({items})", chunk_ids))


def hashes_in_file(catalog: CatalogReader, name: str, limit: int) -> set[bytes]:
    """Content hashes of passages in files whose path ends with a name, with or without folders before it."""
    rows = catalog.execute(
        f"SELECT c.content_hash FROM files f {catalog.dialect.first} chunks c ON c.document_id = f.id"
        f" WHERE f.root || '/' || f.name {catalog.dialect.like} '%/' || ? ESCAPE '\\' LIMIT ?",
        ("".join(f"\\{c}" if c in "%_\\" else c for c in name), limit),
    )
    return {content_hash for (content_hash,) in rows}


def texts_of_hashes(catalog: CatalogReader, hashes: Sequence[bytes]) -> dict[bytes, str]:
    """Text by content hash; passages that are gone are left out."""
    one_of_each = "SELECT min(id) FROM chunks WHERE content_hash IN ({items}) GROUP BY content_hash"
    return dict(catalog.execute_among(f"SELECT content_hash, text FROM chunks WHERE id IN ({one_of_each})", hashes))


def seen_by_model(catalog: CatalogReader, hashes: Sequence[bytes]) -> dict[bytes, Passage]:
    """What a model sees of passages, by content hash; passages that are gone are left out."""
    query = "SELECT content_hash, title, text FROM chunks WHERE content_hash IN ({items})"
    return {row[0]: Passage(row[1], row[2]) for row in catalog.execute_among(query, hashes)}


def sample_texts(catalog: CatalogReader, count: int) -> list[str]:
    """Texts of a sample of the collection's chunks, evenly spread by id; perhaps fewer than `count`."""
    last = int(catalog.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[0])
    rows = (
        catalog.execute(
            "SELECT text FROM chunks WHERE id >= ? ORDER BY id LIMIT 1", (1 + last * i // count,)
        ).fetchone()
        for i in range(count)
    )
    return [str(row[0]) for row in rows if row]


def chunks_containing(catalog: CatalogReader, part: str) -> set[int]:
    """Ids of the chunks that contain a string anywhere, found by reading all of them."""
    places = ("text", "title", "name", "metadata")
    condition = " OR ".join(catalog.dialect.contains.format(text=place) for place in places)
    rows = catalog.execute(f"SELECT id FROM passages WHERE {condition}", [part] * len(places))
    return {int(chunk) for (chunk,) in rows}


def words_of_chunks(catalog: CatalogReader, chunk_ids: Iterable[int]) -> Iterator[ChunkWords]:
    """The searchable parts of chunks, in the order of their ids."""
    query = "SELECT id, document_id, content_hash, name, metadata, title, text FROM passages WHERE id IN ({items}) ORDER BY id"
    for chunk, document, content_hash, name, metadata, title, text in catalog.execute_among(query, sorted(chunk_ids)):
        yield ChunkWords(chunk, document, content_hash, name, metadata_text(metadata), title, text)


def names_without_text(catalog: CatalogReader, parts: Sequence[str], limit: int) -> list[tuple[str, str, str]]:
    """(root, path below it, moment) of files of kinds that are not read whose paths contain all of the parts, the newest first."""
    like = " AND ".join(f"name {catalog.dialect.like} ? ESCAPE '\\'" for _ in parts)
    values = ["%" + "".join(f"\\{c}" if c in "%_\\" else c for c in part) + "%" for part in parts]
    query = (
        f"SELECT root, name, moment FROM files WHERE status = 'unsupported' AND (reason = '' OR reason LIKE '.%') AND {like}"
        " ORDER BY moment DESC LIMIT ?"
    )
    return catalog.execute(query, (*values, limit)).fetchall()
