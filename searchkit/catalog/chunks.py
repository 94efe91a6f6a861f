"""Chunks by id: how many, of which passages and documents, and what of them a literal search looks through."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import metadata_text


@dataclass(frozen=True, slots=True)
class ChunkWords:
    """All that is searched of a chunk. `name`: the path below the root. `metadata`: with a document's first chunk, its own
    words, in one line; else "".
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
    return int(catalog.execute("SELECT count(*) FROM chunks").fetchone()[0])


def count_passages(catalog: CatalogReader, fingerprint: str) -> tuple[int, int]:
    """Count the distinct passages, and those of them that have a vector of a model."""
    row = catalog.execute(
        """
        SELECT count(*), count(v.id) FROM (SELECT DISTINCT content_hash FROM chunks) c
        LEFT JOIN vectors v ON v.content_hash = c.content_hash AND v.fingerprint = ?
        """,
        (fingerprint,),
    ).fetchone()
    return int(row[0]), int(row[1])


def all_chunks(catalog: CatalogReader) -> set[int]:
    """Ids of all chunks."""
    return {int(chunk) for (chunk,) in catalog.execute("SELECT id FROM chunks")}


def chunks_of_documents(catalog: CatalogReader, document_ids: Collection[int]) -> set[int]:
    """Ids of the chunks of some documents."""
    query = "SELECT id FROM chunks WHERE document_id IN (SELECT value FROM json_each(?))"
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
        "SELECT c.content_hash FROM files f JOIN chunks c ON c.document_id = f.id"
        " WHERE f.root || '/' || f.name LIKE '%/' || ?1 ESCAPE '\\' LIMIT ?2",
        ("".join(f"\\{c}" if c in "%_\\" else c for c in name), limit),
    )
    return {content_hash for (content_hash,) in rows}


def texts_of_hashes(catalog: CatalogReader, hashes: Sequence[bytes]) -> dict[bytes, str]:
    """Text by content hash; passages that are gone are left out."""
    one_of_each = "SELECT min(id) FROM chunks WHERE content_hash IN ({items}) GROUP BY content_hash"
    return dict(catalog.execute_among(f"SELECT content_hash, text FROM chunks WHERE id IN ({one_of_each})", hashes))


def sample_texts(catalog: CatalogReader, count: int) -> list[str]:
    """Texts of chunks from all over the collection, evenly spread by id; perhaps fewer than `count`."""
    last = int(catalog.execute("SELECT coalesce(max(id), 0) FROM chunks").fetchone()[0])
    rows = (
        catalog.execute("SELECT text FROM chunks WHERE id >= ? LIMIT 1", (1 + last * i // count,)).fetchone()
        for i in range(count)
    )
    return [str(row[0]) for row in rows if row]


def chunks_containing(catalog: CatalogReader, part: str) -> set[int]:
    """Ids of the chunks that hold a part of a text anywhere, found by reading all of them."""
    rows = catalog.execute(
        "SELECT id FROM passages WHERE instr(text, ?1) OR instr(title, ?1) OR instr(name, ?1) OR instr(metadata, ?1)",
        (part,),
    )
    return {int(chunk) for (chunk,) in rows}


def words_of_chunks(catalog: CatalogReader, chunk_ids: Iterable[int]) -> Iterator[ChunkWords]:
    """All that is searched of chunks, in the order of their ids."""
    query = "SELECT id, document_id, content_hash, name, metadata, title, text FROM passages WHERE id IN ({items}) ORDER BY id"
    for chunk, document, content_hash, name, metadata, title, text in catalog.execute_among(query, sorted(chunk_ids)):
        yield ChunkWords(chunk, document, content_hash, name, metadata_text(metadata), title, text)
