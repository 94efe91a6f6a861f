"""Passages to read: what they say, where they stand, and in which document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import metadata_text
from searchkit.catalog.roots import file_path

_COLUMNS = (
    "id, document_id, ordinal, content_hash, root, name, title, text, page, line, line_end, place, metadata, moment"
)
_SELECT = f"SELECT {_COLUMNS} FROM passages"
_BEGINNING = 400  # characters


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage at one of its places.

    `root`, `name`: an indexed folder and the file's path below it, in catalog form. `metadata`: what the document says of
    itself, as JSON; "" for all but its first passage. `moment`: of the document, or of the message in a mailbox, in ISO 8601,
    as far as it is known: its own date, else its file's last change.
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
        """Words by which it is found although they are not in its headings or text: of the path and the metadata."""
        return f"{self.name} {metadata_text(self.metadata)}".rstrip()


@dataclass(frozen=True, slots=True)
class PassageStart:
    """Where a passage stands, and the first 400 characters of its text."""

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
    """The passage of a document with a number, None if it has no such."""
    row = catalog.execute(f"{_SELECT} WHERE document_id = ? AND ordinal = ?", (document_id, ordinal)).fetchone()
    return StoredPassage(*row) if row else None


def all_passages(catalog: CatalogReader) -> Iterator[StoredPassage]:
    """Every passage at every place, document by document, in order."""
    return (StoredPassage(*row) for row in catalog.execute(f"{_SELECT} ORDER BY document_id, ordinal"))


def newest_passages(catalog: CatalogReader, allowed: bytes, count: int) -> list[StoredPassage]:
    """The first allowed passage of each document, the newest documents first. `allowed`: a byte a chunk id, 1 for yes."""
    rows = catalog.execute(
        "SELECT p.id FROM (SELECT id, min(ordinal) FROM chunks WHERE substr(?, id + 1, 1) = x'01' GROUP BY document_id) f"
        " JOIN passages p ON p.id = f.id ORDER BY p.moment DESC, p.name LIMIT ?",
        (allowed, count),
    )
    ids = [int(row[0]) for row in rows]
    found = {row[0]: StoredPassage(*row) for row in catalog.execute_among(f"{_SELECT} WHERE id IN ({{items}})", ids)}
    return [found[each] for each in ids]


def nearest_passage(
    catalog: CatalogReader, first: bytes, last: bytes, *, document_id: int, ordinal: int
) -> StoredPassage | None:
    """Of the passages with a content hash between two, the one in that document and nearest to that number; else any."""
    row = catalog.execute(
        f"{_SELECT} WHERE content_hash BETWEEN ? AND ? ORDER BY document_id != ?, abs(ordinal - ?), name, id LIMIT 1",
        (first, last, document_id, ordinal),
    ).fetchone()
    return StoredPassage(*row) if row else None


def sample_passages(catalog: CatalogReader, count: int, *, least_characters: int = 0) -> list[StoredPassage]:
    """Distinct passages from all over the collection, the same whenever asked: those whose hashes come first."""
    rows = catalog.execute(
        f"{_SELECT} WHERE length(text) >= ? GROUP BY content_hash ORDER BY content_hash LIMIT ?",
        (least_characters, count),
    )
    return [StoredPassage(*row) for row in rows]


def passage_starts(catalog: CatalogReader) -> Iterator[PassageStart]:
    """How every passage begins that has a heading or is its document's first, in an order that has nothing to do with files'."""
    rows = catalog.execute(
        f"SELECT root, name, title, substr(text, 1, {_BEGINNING}), page, line FROM passages"
        " WHERE title != '' OR ordinal = 0 ORDER BY content_hash, id"
    )
    for root, name, title, text, page, line in rows:
        yield PassageStart(file_path(root, name), file_path(root, ""), title, text, page, line)


def sample_starts(catalog: CatalogReader, count: int) -> list[tuple[str, str]]:
    """Heading and first 400 characters of passages from all over the collection, the same whenever asked."""
    rows = catalog.execute(
        f"SELECT title, substr(text, 1, {_BEGINNING}) FROM chunks WHERE id IN"
        " (SELECT id FROM chunks ORDER BY content_hash LIMIT ?) ORDER BY content_hash",
        (count,),
    )
    return [(str(title), str(text)) for title, text in rows]


def places_of_passages(catalog: CatalogReader) -> Iterator[tuple[bytes, str, str]]:
    """Content hash, root and path below that of every passage at every place, in the order of their ids."""
    rows = catalog.execute("SELECT content_hash, root, name FROM passages ORDER BY id")
    return ((bytes(content_hash), str(root), str(name)) for content_hash, root, name in rows)
