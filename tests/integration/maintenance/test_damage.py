"""Planted damage is found in every table and file, and a rebuild mends it from what is true; nothing is deleted for it."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from searchkit.catalog import fulltext
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from searchkit.maintenance.tune_index import set_index
from searchkit.reports import RunOptions
from searchkit.types import Storage
from searchkit_indexes import IndexSpec
from tests.support.errors import refused
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

QUESTIONS = ("prune the roses", "knead the dough", "boiler pressure", "zeppelin")


@pytest.fixture
def folder(library: Library, docs: Path) -> Path:
    """The files of a sound collection, which has been forgetting, moving and changing."""
    write(docs / "note.md", "---\nauthor: Ada\n---\n\n# Note\n\nThe zeppelin leaves at noon.\n")
    write(docs / "secret.txt", "to be forgotten")
    write(docs / "empty.txt", "")
    library.index(docs)
    library.forget(docs / "secret.txt")
    (docs / "bread.txt").rename(docs / "loaf.txt")
    write(docs / "boiler.md", "# Boiler\n\nThe boiler pressure is two bar.\n")
    library.index(docs)
    library.close()
    return library.home.path / "collections" / "docs"


def execute(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "catalog.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        fulltext_row = "SELECT id FROM chunks ORDER BY id LIMIT 1"
        connection.execute(statement.replace("FIRST_CHUNK", f"({fulltext_row})"))


def hits(library: Library) -> list[tuple[str, float, str]]:
    return [(str(hit.path), round(hit.score, 6), hit.text) for query in QUESTIONS for hit in library.search(query)]


def test_a_sound_collection_is_found_sound(library: Library, folder: Path) -> None:
    assert verify_collection(library.collection(folder.name)) == []


PLANTED = {
    "a chunk's text": ("UPDATE chunks SET text = replace(text, 'o', 'a') WHERE id = FIRST_CHUNK", "documents"),
    "a chunk's title": ("UPDATE chunks SET title = 'other' WHERE id = FIRST_CHUNK", "documents"),
    "a chunk's line": ("UPDATE chunks SET line = 77 WHERE id = FIRST_CHUNK", "documents"),
    "a chunk's hash": ("UPDATE chunks SET content_hash = x'00' WHERE id = FIRST_CHUNK", "documents"),
    "a chunk that is gone": ("DELETE FROM chunks WHERE id = FIRST_CHUNK", "documents"),
    "a chunk of nothing": ("UPDATE chunks SET document_id = 999 WHERE id = FIRST_CHUNK", "chunks"),
    "a document's path": ("UPDATE documents SET path = 'x' || path WHERE format = 'text'", "documents"),
    "a document's time": ("UPDATE documents SET mtime_ns = 5 WHERE format = 'text'", "documents"),
    "a document's status": ("UPDATE documents SET status = 'skipped' WHERE format = 'text'", "documents"),
    "a document's metadata": ("UPDATE documents SET metadata = '' WHERE metadata != ''", "documents"),
    "a document that is gone": ("DELETE FROM documents WHERE format = 'text'", "chunks"),
    "a skipped document that is gone": ("DELETE FROM documents WHERE status = 'skipped'", "documents"),
    "a chunk's lines": ("UPDATE chunks SET lines = '0:7' WHERE id = FIRST_CHUNK", "documents"),
    "a document's name in its file": ("UPDATE documents SET inside = 'x' WHERE format = 'text'", "documents"),
    "what was left out of a document": ("UPDATE documents SET left_out = '{}' WHERE format = 'text'", "documents"),
    "metadata that are no JSON": ("UPDATE documents SET metadata = 'x' WHERE metadata != ''", "full text"),
    "the name of the versions": ("UPDATE _sqlite_migrations SET migration_set = 'x' WHERE id = 3", "schema"),
    "the version": ("DELETE FROM _sqlite_migrations", "schema"),
    "a vector": (
        "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE id = (SELECT max(id) FROM vectors)",
        "vectors",
    ),
    "a vector's owner": (
        "UPDATE vectors SET content_hash = x'0102' WHERE id = (SELECT max(id) FROM vectors)",
        "vectors",
    ),
    "a vector that is gone": ("DELETE FROM vectors WHERE id = (SELECT max(id) FROM vectors)", "vectors"),
    "the model": ("UPDATE meta SET value = 'other' WHERE key = 'model'", "settings"),
    "a root": ("UPDATE roots SET path = '/nowhere'", "settings"),
    "an exclusion that is gone": ("DELETE FROM exclusions", "settings"),
    "the counter of ids": ("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'vectors'", "vectors"),
    "the full text": ("DELETE FROM fulltext_data WHERE id > 10", "catalog file"),
    "the lengths in the full text": ("UPDATE fulltext_docsize SET sz = x'010101' WHERE id = FIRST_CHUNK", "full text"),
    "an index of the catalog": ("DROP INDEX chunks_by_content", "schema"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_damage_in_every_table_is_found_and_mended(library: Library, docs: Path, folder: Path, what: str) -> None:
    before = hits(library)
    library.close()
    statement, part = PLANTED[what]
    execute(folder, statement)
    found = verify_collection(library.collection("docs"))
    assert part in {damage.part for damage in found}
    damaged = (folder / "catalog.db").read_bytes()
    report = rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert verify_collection(library.collection("docs")) == []
    assert hits(library) == before
    assert report.set_aside
    assert (report.set_aside / "catalog.db").read_bytes() == damaged
    assert library.index(docs).unchanged == 5
    assert library.status("docs").model == "hash"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for position in range(len(content) // 3, len(content), max(1, len(content) // 50)):
        content[position] ^= 0x55
    path.write_bytes(bytes(content))


FILES: dict[str, Callable[[Path], object]] = {
    "catalog flipped": lambda folder: flip(folder / "catalog.db"),
    "catalog cut": lambda folder: (folder / "catalog.db").write_bytes((folder / "catalog.db").read_bytes()[:9000]),
    "catalog overwritten": lambda folder: (folder / "catalog.db").write_bytes(b"nonsense" * 2000),
    "codes of the index flipped": lambda folder: flip(
        max(folder.glob("index/*/*"), key=lambda path: path.stat().st_size * (path.suffix != ".json"))
    ),
    "ids of the index flipped": lambda folder: flip(next(folder.glob("index/*/ids.npy"))),
    "a file of the index gone": lambda folder: next(folder.glob("index/*/ids.npy")).unlink(),
    "manifest flipped": lambda folder: flip(next(folder.glob("index/*/manifest.json"))),
    "keepsake flipped": lambda folder: flip(folder / "collection.json"),
    "keepsake gone": lambda folder: (folder / "collection.json").unlink(),
}


@pytest.mark.parametrize("what", FILES)
def test_damage_in_every_file_is_found_and_mended(library: Library, folder: Path, what: str) -> None:
    set_index(library.collection("docs"), IndexSpec.parse("rabitq-1bit-64"))  # one that has files
    before = hits(library)
    library.close()
    FILES[what](folder)
    assert verify_collection(library.collection("docs")) != []
    rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert verify_collection(library.collection("docs")) == []
    assert hits(library) == before


def test_sound_parts_are_not_made_again(library: Library, folder: Path, embedder: HashEmbedder) -> None:
    execute(folder, "UPDATE chunks SET text = 'x' WHERE id = FIRST_CHUNK")
    embedder.embedded.clear()
    report = rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert (report.documents_kept, report.documents_lost, report.run.added) == (4, 1, 1)
    assert embedder.embedded == []


def test_what_is_sound_outlives_files_that_are_away(library: Library, docs: Path, folder: Path) -> None:
    before = hits(library)
    library.close()
    (folder / "collection.json").unlink()
    docs.rename(docs.with_name("unplugged"))
    report = rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert report.documents_kept == 5
    assert "cannot be read" in report.run.problems[0].reason
    assert hits(library) == before


def test_without_catalog_and_keepsake_the_folders_must_be_named(library: Library, docs: Path, folder: Path) -> None:
    (folder / "catalog.db").write_bytes(b"nonsense" * 2000)
    (folder / "collection.json").unlink()
    with refused(UsageError, "Name its folders: searchkit rebuild -c docs FOLDER"):
        rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert rebuild_collection(library.collection("docs", must_exist=False), [docs], lambda _: None).run.added == 5
    assert verify_collection(library.collection("docs")) == []


def test_a_rebuild_that_was_killed_leaves_the_old_catalog_and_is_repeated(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hits(library)
    library.close()

    def killed(path: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert hits(library) == before
    library.close()
    rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert hits(library) == before
    assert not list(folder.glob("rebuilt.db*"))


def test_the_keepsake_says_what_the_catalog_says(library: Library, docs: Path, folder: Path) -> None:
    content = json.loads((folder / "collection.json").read_text("utf-8"))
    assert content == {"model": "hash", "folders": [str(docs)], "excluded": [str(docs / "secret.txt")]}


def test_a_catalog_of_the_first_version_is_migrated_and_stays_searchable(
    library: Library, docs: Path, embedder: HashEmbedder, tmp_path: Path
) -> None:
    from sqlite_utils import Database

    from searchkit.catalog.schema import migrations

    library.index(docs, options=RunOptions(storage=Storage.EXACT))  # as the first version stored them
    before = hits(library)
    library.close()
    current = library.home.path / "collections" / "docs" / "catalog.db"
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        migrations.apply(Database(connection), stop_before="m002_places_and_seals")
        connection.execute("ATTACH ? AS current", (str(current),))
        named = "(SELECT v.id, content_hash, fingerprint, vector FROM current.vectors v JOIN current.models m ON m.id = v.model)"
        for table in ("meta", "roots", "exclusions", "documents", "chunks", "vectors"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            source = named if table == "vectors" else f"current.{table}"
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM {source}")
        rows = connection.execute(
            "SELECT c.id, d.path, c.title, c.text FROM main.chunks c JOIN main.documents d ON d.id = c.document_id"
        )
        connection.executemany(
            "INSERT INTO main.fulltext (rowid, name, title, text) VALUES (?, ?, ?, ?)",
            [
                (i, fulltext._name(p), fulltext.lexical_form(t), fulltext.lexical_form(x))
                for i, p, t, x in rows.fetchall()
            ],
        )
    shutil.move(old, current)
    for leftover in current.parent.glob("catalog.db-*"):
        leftover.unlink()
    embedder.embedded.clear()
    assert library.index(docs).unchanged == 3
    assert embedder.embedded == []
    after = hits(library)  # of vectors in 8 bits
    assert [(path, text) for path, _, text in after] == [(path, text) for path, _, text in before]
    assert [score for _, score, _ in after] == pytest.approx([score for _, score, _ in before], abs=5e-3)


def test_words_that_only_look_ups_miss_are_damage(library: Library, docs: Path) -> None:
    write(docs / "words.txt", " ".join(f"{chr(97 + n % 26)}{n:05}" for n in range(4000)))
    library.index(docs)
    library.close()
    folder = library.home.path / "collections" / "docs"
    with closing(sqlite3.connect(folder / "catalog.db", isolation_level=None)) as connection:
        pages = connection.execute("SELECT segid, term FROM fulltext_idx ORDER BY segid, term").fetchall()
        segment, first = next((segment, term) for segment, term in pages if len(term) > 2)
        flipped = bytes([*first[:-1], first[-1] | 0x40])
        connection.execute("UPDATE fulltext_idx SET term = ? WHERE segid = ? AND term = ?", (flipped, segment, first))
    assert [damage.part for damage in verify_collection(library.collection("docs"))] == ["full text"]
    rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert verify_collection(library.collection("docs")) == []


def test_documents_with_checksums_of_earlier_versions_are_sound_and_kept(
    library: Library, folder: Path, embedder: HashEmbedder
) -> None:
    from searchkit.catalog import checksums

    before = hits(library)
    with library.collection("docs").writing() as catalog, catalog.transaction():
        for (document,) in catalog.execute("SELECT id FROM documents").fetchall():
            earlier = checksums._stored_checksum(catalog, document, checksums._COVERED_EARLIER)
            catalog.change("UPDATE documents SET seal = ? WHERE id = ?", (earlier, document))
        checksums.renew_totals(catalog)
    assert verify_collection(library.collection("docs")) == []
    embedder.embedded.clear()
    report = rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
    assert (report.documents_kept, embedder.embedded) == (5, [])
    assert hits(library) == before


def test_on_a_disk_that_cannot_be_written_a_sound_collection_is_found_sound(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.close()
    before = sorted(folder.iterdir())
    monkeypatch.setattr("searchkit.catalog.connection.os.access", lambda *_: False)
    with Library(library.home.path, embedder=HashEmbedder()) as reader:
        assert verify_collection(reader.collection("docs")) == []
    assert sorted(folder.iterdir()) == before  # SQLite's journal cannot be made there
