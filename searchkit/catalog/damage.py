"""Looks through a catalog for damage: in the file, in every table, and between them. Nothing is changed."""

import sqlite3
from collections.abc import Iterator
from itertools import islice

from searchkit.catalog import checksums, fulltext, messages
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import memory_catalog, open_as_it_is, reading
from searchkit.catalog.meta import COVERED
from searchkit.files import file_path
from searchkit.home import CollectionFolder
from searchkit.reports import Damage

_NAMED = 20  # documents named one by one


def find_damage(folder: CollectionFolder) -> list[Damage]:
    """Find the damage in a collection's catalog; an empty list if there is none.

    In PostgreSQL, files and ids are the server's own to check.
    """
    if folder.url is not None:
        with reading(folder) as catalog, catalog.one_state():
            return list(_rows(catalog))
    try:
        with open_as_it_is(folder.catalog) as catalog, catalog.one_state():
            return list(_file(catalog)) or [*_reused(catalog), *_rows(catalog)]
    except sqlite3.DatabaseError as error:
        return [Damage("catalog file", f"SQLite cannot read it: {error}")]


def _file(catalog: CatalogReader) -> Iterator[Damage]:
    for (line,) in catalog.execute("PRAGMA integrity_check(10)"):
        if line != "ok":
            yield Damage("catalog file", str(line))
    for table, row, *_ in islice(catalog.execute("PRAGMA foreign_key_check"), _NAMED):
        yield Damage(str(table), f"row {row} refers to a missing row")
    with memory_catalog() as intact:
        schema = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name"
        for kind, name, _ in set(intact.execute(schema)) ^ set(catalog.execute(schema)):
            yield Damage("schema", f"the {kind} {name} is missing or has changed")
            return
        applied = "SELECT migration_set, name FROM _sqlite_migrations ORDER BY name"
        if intact.execute(applied).fetchall() != catalog.execute(applied).fetchall():
            yield Damage("schema", "its version is recorded wrongly")


def _reused(catalog: CatalogReader) -> Iterator[Damage]:
    """Ids are never reused; the counter that ensures it must be at least the largest id."""
    for table in ("roots", "documents", "chunks", "vectors", "provisional"):
        largest = catalog.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        row = catalog.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        if largest > (row[0] if row else 0):
            yield Damage(table, "ids could be reused")


def _rows(catalog: CatalogReader) -> Iterator[Damage]:
    if not checksums.settings_match_checksum(catalog):
        yield Damage("settings", "meta, roots or exclusions do not match their checksum")
    yield from _documents(catalog)
    yield from _models(catalog)
    yield from _vectors(catalog)
    yield from _provisional(catalog)
    yield from _messages(catalog)
    if not _fulltext_is_sound(catalog):
        yield Damage("full text", "it does not match the chunks")


def _fulltext_is_sound(catalog: CatalogReader) -> bool:
    try:
        return fulltext.is_sound(catalog)
    except ValueError:  # a document's metadata are no JSON any more
        return False


def _documents(catalog: CatalogReader) -> Iterator[Damage]:
    rows = catalog.each(
        "SELECT f.id, f.root, f.name, d.seal FROM files f JOIN documents d ON d.id = f.id ORDER BY f.id"
    )
    bad = 0
    for document_id, root, name, checksum in rows:
        if checksum is not None and not checksums.document_matches(catalog, document_id, checksum):
            bad += 1
            if bad <= _NAMED:
                yield Damage("documents", f"{file_path(root, name)}: its row or chunks do not match their checksum")
    if bad > _NAMED:
        yield Damage("documents", f"and {bad - _NAMED:,} more")
    if not checksums.documents_match_total(catalog):
        yield Damage("documents", "some are missing or were added")


def _models(catalog: CatalogReader) -> Iterator[Damage]:
    if not catalog.dialect.new_model:  # fingerprints stand beside the vectors
        return
    rows = catalog.execute("SELECT fingerprint, dimension, seal FROM models").fetchall()
    if any(seal != checksums.model_checksum(fingerprint, dimension) for fingerprint, dimension, seal in rows):
        yield Damage("vectors", "their models do not match their checksums")


def _vectors(catalog: CatalogReader) -> Iterator[Damage]:
    rows = catalog.each(
        f"SELECT content_hash, {catalog.dialect.fingerprint.format(model='model')}, vector, seal FROM vectors"
    )
    bad = sum(1 for h, f, vector, seal in rows if seal is not None and seal != checksums.vector_checksum(h, f, vector))
    if bad:
        yield Damage("vectors", f"{bad:,} do not match their checksum")
    fingerprint = catalog.meta(COVERED)
    if not fingerprint:
        return
    orphans = (
        "SELECT count(*) FROM vectors v WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.content_hash = v.content_hash)"
    )
    missing = f"SELECT count(DISTINCT content_hash) FROM chunks c WHERE NOT {catalog.dialect.has_vector}"
    if lost := catalog.execute(missing, (fingerprint,)).fetchone()[0]:
        yield Damage("vectors", f"{lost:,} passages have no vector any more")
    if extra := catalog.execute(orphans).fetchone()[0]:
        yield Damage("vectors", f"{extra:,} belong to no passage")


def _provisional(catalog: CatalogReader) -> Iterator[Damage]:
    """Provisional vectors have no checksums: they only choose what the model reads."""
    if catalog.execute("SELECT count(DISTINCT length(code)) FROM provisional").fetchone()[0] > 1:
        yield Damage("provisional vectors", "they are of different lengths")
    orphans = "SELECT count(*) FROM provisional p WHERE NOT EXISTS (SELECT 1 FROM chunks c WHERE c.content_hash = p.content_hash)"
    if extra := catalog.execute(orphans).fetchone()[0]:
        yield Damage("provisional vectors", f"{extra:,} belong to no passage")


def _messages(catalog: CatalogReader) -> Iterator[Damage]:
    """Compare the table of messages with what the passages say."""
    stored = messages.stored(catalog)
    for (document_id,) in catalog.execute("SELECT id FROM documents ORDER BY id"):
        if stored.pop(document_id, []) != messages.messages_in(catalog, document_id):
            yield Damage("messages", "they do not match the passages")
            return
    if stored:
        yield Damage("messages", "some belong to no document")
