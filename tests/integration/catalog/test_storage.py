"""The forms of stored vectors: chosen for a collection, changed later, and what each part takes."""

from pathlib import Path

import numpy as np
import pytest

from searchkit.catalog.checksums import vector_checksum
from searchkit.catalog.connection import open_for_writing, writing
from searchkit.catalog.meta import STORAGE, set_meta
from searchkit.catalog.storage import bytes_by_part, change_storage
from searchkit.catalog.vector_codes import as_stored, bytes_of
from searchkit.catalog.vectors import put_vectors, storage_of, vectors_of_hashes
from searchkit.errors import ConfigError
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from searchkit.reports import Damage, RunOptions
from searchkit.types import Passage, Storage
from searchkit_indexes import Vectors
from tests.support.errors import refused
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

COUNT = 30


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    for number in range(COUNT):
        write(
            folder / f"{number}.md", f"# Note {number}\n\nOn the {number} gauges of boiler {number % 7}, and water.\n"
        )
    return folder


def lengths(library: Library) -> set[int]:
    """The lengths of stored vectors, each of which matches its checksum."""
    with library.collection("notes").reading() as catalog:
        fingerprint = catalog.dialect.fingerprint.format(model="model")
        rows = catalog.execute(f"SELECT content_hash, {fingerprint}, vector, seal FROM vectors").fetchall()
    assert all(seal == vector_checksum(*values) for *values, seal in rows)
    assert len(rows) == COUNT
    return {len(row[2]) for row in rows}


def stored(library: Library) -> tuple[Vectors, Vectors]:
    """(COUNT, 64) vectors as they are stored, and as the model makes them."""
    with library.collection("notes").reading() as catalog:
        rows = catalog.execute("SELECT content_hash, title, text FROM chunks ORDER BY id").fetchall()
        found = vectors_of_hashes(catalog, HashEmbedder().info.fingerprint, [row[0] for row in rows])
    made = HashEmbedder().embed_documents([Passage(title, text) for _, title, text in rows])
    return np.stack([found[row[0]] for row in rows]), made


@pytest.mark.parametrize("storage", [None, *Storage])
def test_a_collection_has_the_form_that_was_chosen(library: Library, notes: Path, storage: Storage | None) -> None:
    library.index(notes, options=RunOptions(storage=storage))
    form = storage or Storage.STANDARD
    assert lengths(library) == {bytes_of(form, 64)}
    found, made = stored(library)
    np.testing.assert_array_equal(found, as_stored(made, form))
    write(notes / "0.md", "# Note 0\n\nAnother text, about steam.\n")
    library.index(notes)
    assert lengths(library) == {bytes_of(form, 64)}, "it stays so"
    assert library.search("steam", mode="semantic")[0].path.name == "0.md"
    assert verify_collection(library.collection("notes")) == []


def test_a_shorter_form_is_made_of_what_is_there_and_a_longer_one_of_what_comes(library: Library, notes: Path) -> None:
    library.index(notes, options=RunOptions(storage=Storage.EXACT))
    for form in (Storage.STANDARD, Storage.COMPACT):
        report = library.index(notes, options=RunOptions(storage=form))
        assert report.embedded == 0
        assert lengths(library) == {bytes_of(form, 64)}
        assert verify_collection(library.collection("notes")) == []
    library.index(notes, options=RunOptions(storage=Storage.EXACT))
    assert lengths(library) == {bytes_of(Storage.COMPACT, 64)}
    write(notes / "0.md", "# Note 0\n\nAnother text, about steam.\n")
    library.index(notes)
    assert lengths(library) == {bytes_of(Storage.COMPACT, 64), bytes_of(Storage.EXACT, 64)}
    assert library.search("steam", mode="semantic")[0].path.name == "0.md"
    assert library.search("note 17", mode="semantic")[0].path.name == "17.md"
    rebuild_collection(library.collection("notes"), [], lambda _: None)
    assert lengths(library) == {bytes_of(Storage.COMPACT, 64), bytes_of(Storage.EXACT, 64)}
    with library.collection("notes").reading() as catalog:
        assert storage_of(catalog) is Storage.EXACT, "what was chosen outlives a rebuild"


def test_the_file_gets_smaller(library: Library, tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "catalog.db") as catalog:
        with catalog.transaction():
            set_meta(catalog, STORAGE, Storage.EXACT)
            vectors = np.random.default_rng(0).normal(size=(1000, 768)).astype(np.float32)
            put_vectors(catalog, "model", [b"%16d" % row for row in range(1000)], vectors)
        sizes = [bytes_by_part(catalog)["vectors"]]
        for form in (Storage.STANDARD, Storage.COMPACT):
            change_storage(catalog, form)
            sizes.append(bytes_by_part(catalog)["vectors"])
            assert catalog.execute("PRAGMA freelist_count").fetchone() == (0,)
    assert [round(size / 1000) for size in sizes] == [pytest.approx(of, rel=0.1) for of in (2110, 870, 510)]


def test_a_damaged_vector_is_not_made_sound_by_another_form(library: Library, notes: Path) -> None:
    library.index(notes)
    with writing(library.collection("notes").folder) as catalog:
        with catalog.transaction():
            catalog.change("UPDATE vectors SET vector = zeroblob(64) WHERE id = 7")
        assert change_storage(catalog, Storage.COMPACT) == COUNT - 1
    assert verify_collection(library.collection("notes")) == [Damage("vectors", "1 do not match their checksum")]


def test_new_collections_have_the_form_of_the_settings(
    library: Library, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCHKIT_STORAGE", "compact")
    library.index(notes)
    assert lengths(library) == {bytes_of(Storage.COMPACT, 64)}
    monkeypatch.setenv("SEARCHKIT_STORAGE", "exact")
    write(notes / "0.md", "# Note 0\n\nAnother text, about steam.\n")
    library.index(notes)
    assert lengths(library) == {bytes_of(Storage.COMPACT, 64)}, "this one is not new"
    monkeypatch.setenv("SEARCHKIT_STORAGE", "tiny")
    with refused(ConfigError, "exact, standard, compact"):
        library.index(notes)
