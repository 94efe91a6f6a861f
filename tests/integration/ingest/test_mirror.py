"""A folder and its collection: after every run they say the same, and nothing is embedded twice."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import open_collection
from searchkit.catalog.damage import find_damage
from searchkit.catalog.fulltext import TOKENIZER, lexical_form
from searchkit.display import note_remedy
from searchkit.errors import Action, CatalogError, CollectionBusyError, ModelNotFoundError, UsageError
from searchkit.ingest import sync
from searchkit.ingest.extract import readers
from searchkit.ingest.sandbox.messages import Job, Reading, Setup
from searchkit.ingest.sandbox.pool import read_files
from searchkit.library import Library
from searchkit.maintenance.tune_index import set_index
from searchkit.reports import Progress, RunOptions
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, SearchMode
from searchkit_indexes import IndexSpec
from tests.support.errors import refused
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.both_homes


def found(library: Library, query: str) -> list[str]:
    """Names of the files that hold the query's words."""
    return [hit.path.name for hit in library.search(query, mode=SearchMode.LEXICAL)]


def assert_consistent(library: Library, name: str = "docs") -> None:
    """No orphans, every chunk in the full text exactly once, every passage with a vector."""
    folder = library.collection(name).folder
    assert find_damage(folder) == []
    with open_collection(folder) as catalog:
        assert_indexed_once(catalog, is_in_file=folder.url is None)
    status = library.status(name)
    assert status.vectors == status.passages


def assert_indexed_once(connection: CatalogReader, *, is_in_file: bool) -> None:
    """What `verify` finds is not all: SQLite's table is made once more by another way, and vectors are counted."""
    orphans = connection.execute(
        "SELECT count(*) FROM vectors WHERE content_hash NOT IN (SELECT content_hash FROM chunks)"
    )
    assert orphans.fetchone() == (0,)
    if not is_in_file:
        return
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    chunks = connection.execute(
        "SELECT c.id, d.path, c.title, c.text FROM chunks c JOIN documents d ON d.id = c.document_id"
    ).fetchall()
    fresh = sqlite3.connect(":memory:")
    fresh.execute(f"CREATE VIRTUAL TABLE f USING fts5(title, text, content='', tokenize=\"{TOKENIZER}\")")
    fresh.executemany(
        "INSERT INTO f (rowid, title, text) VALUES (?, ?, ?)",
        [(c, lexical_form(t), lexical_form(x)) for c, _, t, x in chunks],
    )
    fresh.execute("CREATE VIRTUAL TABLE v USING fts5vocab(f, col)")
    wanted = fresh.execute("SELECT term, col, doc, cnt FROM v ORDER BY 1, 2").fetchall()
    connection.execute("PRAGMA query_only = 0")
    connection.execute("CREATE VIRTUAL TABLE temp.v USING fts5vocab(main, fulltext, col)")
    kept = connection.execute("SELECT term, col, doc, cnt FROM temp.v WHERE col != 'name' ORDER BY 1, 2").fetchall()
    assert kept == wanted


def test_an_unchanged_folder_embeds_nothing(library: Library, docs: Path, embedder: HashEmbedder) -> None:
    first = library.index(docs)
    assert (first.added, first.embedded) == (3, 3)
    embedder.embedded.clear()
    second = library.index(docs)
    assert (second.added, second.changed, second.deleted, second.unchanged, second.embedded) == (0, 0, 0, 3, 0)
    assert embedder.embedded == []
    assert_consistent(library)


def test_code_is_read_again_once_its_grammar_has_come_and_not_when_that_goes(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(docs / "boiler.py", "def pressure():\n    return 2\n")
    write(docs / "boiler.sql", "CREATE TABLE boiler (bar REAL);\n")  # which has no grammar
    monkeypatch.setattr("searchkit.formats.has_grammars", lambda: False)
    assert library.index(docs).added == 5
    assert library.index(docs).unchanged == 5
    monkeypatch.setattr("searchkit.formats.has_grammars", lambda: True)
    report = library.index(docs)
    assert (report.changed, report.unchanged) == (1, 4)
    monkeypatch.setattr("searchkit.formats.has_grammars", lambda: False)
    assert library.index(docs).unchanged == 5
    assert_consistent(library)


def test_documents_of_a_changed_reader_are_read_again_and_no_others(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(docs)
    notes = sum(path.suffix == ".md" for path in docs.rglob("*"))
    monkeypatch.setitem(readers._VERSIONS, "markdown", readers.version("markdown") + 1)
    assert library.index(docs).changed == notes > 0
    assert library.index(docs).changed == 0
    assert_consistent(library)


def test_a_changed_file_is_found_by_its_new_words_only(library: Library, docs: Path) -> None:
    library.index(docs)
    write(docs / "bread.txt", "Fold the batter gently and steam it.\n")
    report = library.index(docs)
    assert (report.changed, report.unchanged, report.embedded) == (1, 2, 1)
    assert found(library, "batter") == ["bread.txt"]
    assert found(library, "dough") == []
    assert_consistent(library)


def test_a_touched_file_is_not_read_as_changed(library: Library, docs: Path, embedder: HashEmbedder) -> None:
    library.index(docs)
    embedder.embedded.clear()
    os.utime(docs / "bread.txt", (1, 1))
    assert library.index(docs).unchanged == 3
    assert embedder.embedded == []


def test_a_deleted_document_is_not_found(library: Library, docs: Path) -> None:
    library.index(docs)
    (docs / "garden" / "roses.md").unlink()
    assert library.index(docs).deleted == 1
    assert found(library, "prune roses") == []
    assert [hit.path.name for hit in library.search("prune roses")] != []  # others remain, by meaning
    assert_consistent(library)


def test_a_moved_file_is_not_embedded_again(library: Library, docs: Path, embedder: HashEmbedder) -> None:
    library.index(docs)
    embedder.embedded.clear()
    (docs / "garden").rename(docs / "outside")
    (docs / "bread.txt").rename(docs / "loaf.txt")
    report = library.index(docs)
    assert (report.moved, report.added, report.deleted) == (2, 0, 0)
    assert embedder.embedded == []
    assert library.search("prune roses")[0].path == docs / "outside" / "roses.md"
    assert found(library, "loaf") == ["loaf.txt"]
    assert_consistent(library)


def test_a_duplicated_file_is_not_embedded_again_and_counts_as_a_copy(
    library: Library, docs: Path, embedder: HashEmbedder
) -> None:
    library.index(docs)
    embedder.embedded.clear()
    shutil.copy(docs / "bread.txt", docs / "bread again.txt")
    report = library.index(docs)
    assert (report.added, report.embedded) == (1, 0)
    assert embedder.embedded == []
    hits = library.search("knead the dough")
    assert hits[0].copies == 1
    assert [hit.text for hit in hits].count(hits[0].text) == 1
    (docs / "bread.txt").unlink()
    library.index(docs)
    assert library.search("knead the dough")[0].path.name == "bread again.txt"
    assert_consistent(library)


def test_two_files_that_swap_names_swap_contents(library: Library, docs: Path) -> None:
    library.index(docs)
    (docs / "bread.txt").rename(docs / "x")
    write(docs / "other.txt", "Something else entirely, about ships.")
    library.index(docs)
    (docs / "other.txt").rename(docs / "bread.txt")
    (docs / "x").rename(docs / "other.txt")
    library.index(docs)
    assert found(library, "ships") == ["bread.txt"]
    assert found(library, "dough") == ["other.txt"]
    assert_consistent(library)


def test_bad_files_are_skipped_with_their_reasons_and_the_rest_is_indexed(library: Library, docs: Path) -> None:
    (docs / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    (docs / "binary.md").write_bytes(b"\x00\x01\x02" * 50)
    (docs / "latin.txt").write_bytes(b"caf\xe9 au lait")
    (docs / "film.mkv").write_bytes(b"\x1aE\xdf\xa3")
    write(docs / "empty.txt", "")
    report = library.index(docs)
    assert (report.added, report.files_skipped, report.files_unsupported) == (4, 3, 1), "what is not read is not added"
    reasons = {problem.path.name: problem.reason for problem in library.status("docs").problems}
    assert set(reasons) == {"cut.pdf", "binary.md", "empty.txt"}
    assert "PDF" in reasons["cut.pdf"]
    assert "binary content" in reasons["binary.md"]
    assert library.status("docs").unsupported_types == ((".mkv", 1),)
    assert found(library, "dough") == ["bread.txt"]
    again = library.index(docs)
    assert again.unchanged == 8
    assert found(library, "café") == ["latin.txt"]
    write(docs / "binary.md", "words at last")
    assert library.index(docs).changed == 1
    assert found(library, "words") == ["binary.md"]


@contextmanager
def unreadable(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Opening a file of that name is refused in the workers, as its permissions would do for anyone but root."""

    def refuse(jobs: Sequence[Job], setup: Setup) -> Iterator[Reading]:
        refused = [job for job in jobs if Path(job.path).name == name]
        yield from (Reading(job, reason="cannot be read (Permission denied)", is_lasting=False) for job in refused)
        yield from read_files([job for job in jobs if job not in refused], setup)

    with monkeypatch.context() as patched:
        patched.setattr(sync, "read_files", refuse)
        yield


def test_an_unreadable_file_is_skipped_until_it_can_be_read(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unreadable("bread.txt", monkeypatch):
        report = library.index(docs)
        assert (report.added, report.files_skipped) == (2, 1)
        assert report.problems[0].reason == "cannot be read (Permission denied)"
        assert library.index(docs).unchanged == 3
    assert library.index(docs).changed == 1
    assert found(library, "dough") == ["bread.txt"]


def test_a_file_that_became_unreadable_keeps_its_last_text(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(docs)
    write(docs / "bread.txt", "New words nobody may read yet: zeppelin.")
    with unreadable("bread.txt", monkeypatch):
        report = library.index(docs)
    assert "cannot be read (Permission denied); its previous text is kept" in report.problems[0].reason
    assert len(library.status("docs").problems) == 1
    assert found(library, "dough") == ["bread.txt"]
    assert library.index(docs).changed == 1
    assert found(library, "zeppelin") == ["bread.txt"]
    assert library.status("docs").problems == ()


def test_a_root_that_is_gone_loses_nothing(library: Library, docs: Path) -> None:
    library.index(docs)
    docs.rename(docs.with_name("unplugged"))
    report = library.collection("docs").refresh()
    assert report.deleted == 0
    assert "cannot be read" in report.problems[0].reason
    assert found(library, "dough") == ["bread.txt"]
    with pytest.raises(UsageError, match="There is no folder"):
        library.index(docs)


def test_a_folder_that_may_not_be_listed_is_named(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.library.os.access", lambda path, _: path != docs)
    with pytest.raises(UsageError, match=f"{docs} cannot be read"):
        library.index(docs)


def test_a_file_above_the_size_limit_is_skipped_without_being_read(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCHKIT_MAX_FILE_MEGABYTES", "1")
    with (docs / "huge.txt").open("wb") as file:
        file.write(b"words\n")
        file.truncate(6_000_000_000)
    report = library.index(docs)
    assert "6,000 MB, more than the limit of 1 MB" in report.problems[0].reason


def test_forgetting_takes_effect_at_once_and_lasts(library: Library, docs: Path) -> None:
    library.index(docs)
    assert library.forget(docs / "garden") == {"docs": 1}
    assert found(library, "roses") == []
    assert library.index(docs).unchanged == 2
    assert found(library, "roses") == []
    assert_consistent(library)


def test_forgetting_a_root_removes_its_collection_and_no_file(library: Library, docs: Path) -> None:
    library.index(docs)
    library.search("bread")
    assert library.forget(docs) == {"docs": 3}
    assert library.collections() == []
    assert (docs / "bread.txt").is_file()
    with pytest.raises(UsageError, match="Nothing at"):
        library.forget(docs)


def test_what_was_forgotten_comes_back_when_it_is_indexed_by_name(library: Library, docs: Path) -> None:
    library.index(docs)
    library.forget(docs / "garden")
    library.forget(docs / "bread.txt")
    report = library.index(docs / "garden")
    assert (report.collection, report.added) == ("docs", 1)
    assert found(library, "roses") == ["roses.md"]
    assert found(library, "dough") == []
    assert library.index(docs / "bread.txt").added == 1
    assert found(library, "dough") == ["bread.txt"]


def test_a_folder_inside_a_root_is_not_indexed_twice_in_one_collection(library: Library, docs: Path) -> None:
    library.index(docs)
    with pytest.raises(UsageError, match="is inside"):
        library.index(docs / "garden", collection="docs")
    with pytest.raises(UsageError, match="contains"):
        library.index(docs.parent, collection="docs")
    assert library.index(docs / "garden").collection == "garden"


def test_collections_are_named_after_their_folders_and_kept_apart(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "a" / "notes" / "one.txt", "alpha")
    write(tmp_path / "b" / "notes" / "two.txt", "beta")
    assert library.index(tmp_path / "a" / "notes").collection == "notes"
    assert library.index(tmp_path / "b" / "notes").collection == "notes-2"
    assert library.index(tmp_path / "a" / "notes").collection == "notes"
    assert {hit.collection for hit in library.search("alpha beta")} == {"notes", "notes-2"}


def test_two_folders_share_a_collection(library: Library, tmp_path: Path, docs: Path) -> None:
    write(tmp_path / "more" / "ships.txt", "Ships sail at dawn.")
    library.index(docs, collection="all")
    library.index(tmp_path / "more", collection="all")
    assert sorted(found(library, "ships dough")) == ["bread.txt", "ships.txt"]
    assert len(library.status("all").folders) == 2
    assert library.collection("all").refresh().unchanged == 4


@pytest.mark.in_files
def test_a_second_writer_is_told_who_is_writing(library: Library, docs: Path) -> None:
    from searchkit.catalog.writer import writer_lock

    library.index(docs)
    with (
        writer_lock(library.home.path / "collections" / "docs"),
        pytest.raises(CollectionBusyError, match=f"process {os.getpid()}"),
    ):
        Library(library.home, embedder=HashEmbedder()).index(docs)


def test_another_model_embeds_anew_and_the_old_vectors_are_not_mixed_in(library: Library, docs: Path) -> None:
    library.index(docs)
    other = HashEmbedder(32, name="other")
    with Library(library.home, embedder=other) as switched:
        assert switched.status("docs").vectors == 0
        by_meaning = SearchRequest("knead the dough", mode=SearchMode.SEMANTIC, wait=False)
        assert switched.find(by_meaning).hits == ()
        assert switched.find(replace(by_meaning, mode=SearchMode.HYBRID)).hits[0].path.name == "bread.txt"
        assert switched.index(docs).embedded == 3
        assert switched.search("knead the dough", mode=SearchMode.SEMANTIC)[0].path.name == "bread.txt"


@pytest.mark.in_files
def test_a_damaged_or_missing_index_is_rebuilt_from_the_catalog(library: Library, docs: Path) -> None:
    library.index(docs)
    set_index(library.collection("docs"), IndexSpec.parse("rabitq-1bit-64"))  # one that has files
    before = [(hit.path, hit.score) for hit in library.search("prune the roses")]
    index = library.home.path / "collections" / "docs" / "index"
    generation = next(index.iterdir())
    max(generation.glob("*.npy"), key=lambda path: path.stat().st_size).write_bytes(b"damaged")
    with Library(library.home, embedder=HashEmbedder()) as reopened:
        assert [(hit.path, hit.score) for hit in reopened.search("prune the roses")] == before
        reopened.index(docs)
        assert [(hit.path, hit.score) for hit in reopened.search("prune the roses")] == before
    assert sorted(path.name for path in index.iterdir()) == ["2", "damaged-1"]
    shutil.rmtree(index)
    with Library(library.home, embedder=HashEmbedder()) as reopened:
        assert [(hit.path, hit.score) for hit in reopened.search("prune the roses")] == before


def test_a_search_sees_what_another_process_has_indexed_meanwhile(library: Library, docs: Path) -> None:
    library.index(docs)
    library.search("ships")
    write(docs / "ships.txt", "Ships sail at dawn.")
    with Library(library.home, embedder=HashEmbedder()) as other:
        other.index(docs)
    assert library.search("ships sail", mode=SearchMode.SEMANTIC)[0].path.name == "ships.txt"


@pytest.mark.in_files
def test_state_is_readable_by_the_user_alone(library: Library, docs: Path) -> None:
    library.index(docs)
    set_index(library.collection("docs"), IndexSpec.parse("rabitq-1bit-64"))  # one that has files
    folder = library.home.path / "collections" / "docs"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "catalog.db").stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.npy")} == {0o600}


@pytest.mark.in_files
def test_a_damaged_catalog_or_a_missing_model_is_one_clear_error(library: Library, docs: Path) -> None:
    library.index(docs)
    library.close()
    missing = "'docs' was built with the model 'hash', which is not installed"
    with Library(library.home) as real:
        with pytest.raises(ModelNotFoundError, match=missing):
            real.search("dough", mode=SearchMode.SEMANTIC)
        response = real.find(SearchRequest("dough"))
        assert response.hits[0].path.name == "bread.txt", "found by words all the same"
        (note,) = response.notes
        assert note.kind is NoteKind.WORDS_ONLY
        assert missing in note.reason
        remedy = note_remedy(note)
        assert remedy
        assert [each.action for each in remedy.choices()] == [Action.IMPORT_MODEL, Action.USE_MODEL]
    (library.home.path / "collections" / "docs" / "catalog.db").write_bytes(b"no database at all" * 500)
    with pytest.raises(CatalogError, match=r"cannot be (opened|used)"):
        library.search("dough")
    with pytest.raises(CatalogError, match=r"cannot be (opened|used)"):
        library.index(docs)


def test_a_data_directory_that_cannot_be_written_is_one_clear_error(tmp_path: Path, docs: Path) -> None:
    write(tmp_path / "file", "not a folder")
    with refused(CatalogError, "SEARCHKIT_HOME"):
        Library(tmp_path / "file", embedder=HashEmbedder()).index(docs)


def test_names_of_any_bytes_are_mirrored(library: Library, docs: Path) -> None:
    names = [b"caf\xe9.txt", b"two\nlines.txt", b"-dash.txt", "emoji 👩‍🚀 'quoted\".txt".encode(), b"tab\there.txt"]
    for number, name in enumerate(names):
        (docs / os.fsdecode(name)).write_text(f"subject number{number}", encoding="utf-8")
    library.index(docs)
    for number, name in enumerate(names):
        assert os.fsencode(library.search(f"number{number}", mode=SearchMode.LEXICAL)[0].path.name) == name
    assert library.index(docs).unchanged == 8


def test_files_of_one_size_and_time_that_swap_names_are_noticed(library: Library, docs: Path) -> None:
    for name, text in (("a.txt", "walrus one"), ("b.txt", "ferret two")):
        os.utime(write(docs / name, text), (1_000_000_000, 1_000_000_000))
    library.index(docs)
    (docs / "a.txt").rename(docs / "t")
    (docs / "b.txt").rename(docs / "a.txt")
    (docs / "t").rename(docs / "b.txt")
    library.index(docs)
    assert found(library, "walrus") == ["b.txt"]
    assert found(library, "ferret") == ["a.txt"]
    assert_consistent(library)


def test_an_empty_root_loses_nothing_and_says_so(library: Library, docs: Path) -> None:
    library.index(docs)
    shutil.rmtree(docs)
    docs.mkdir()
    report = library.index(docs)
    assert report.deleted == 0
    assert "it is empty now, so nothing was removed" in report.problems[0].reason
    assert found(library, "dough") == ["bread.txt"]


def test_an_empty_path_is_refused(library: Library) -> None:
    with pytest.raises(UsageError, match="The path is empty"):
        library.index("")


def test_of_several_collections_with_a_folder_the_one_named_after_it_is_meant(library: Library, docs: Path) -> None:
    library.index(docs, collection="another")
    library.index(docs, collection="docs")
    assert library.index(docs).collection == "docs"


def test_a_folder_that_cannot_be_read_keeps_its_documents_and_is_reported(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(docs)
    real_scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "garden":
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse)
        report = library.index(docs)
    assert report.deleted == 0
    assert [(p.path, p.reason) for p in library.status("docs").problems] == [
        (docs / "garden", "folder cannot be read (Permission denied)")
    ]
    assert found(library, "roses") == ["roses.md"]
    library.index(docs)
    assert library.status("docs").problems == ()


def test_a_file_that_moves_to_another_root_is_not_embedded_again(
    library: Library, docs: Path, tmp_path: Path, embedder: HashEmbedder
) -> None:
    write(tmp_path / "more" / "ships.txt", "Ships sail at dawn.")
    library.index(docs, collection="all")
    library.index(tmp_path / "more", collection="all")
    embedder.embedded.clear()
    (docs / "bread.txt").rename(tmp_path / "more" / "loaf.txt")
    report = library.collection("all").refresh()
    assert (report.moved, report.added, report.deleted) == (1, 0, 0)
    (tmp_path / "more" / "loaf.txt").rename(docs / "bread.txt")
    report = library.index(docs, collection="all")  # the root that it left is not looked through
    assert (report.moved, report.added, report.deleted) == (1, 0, 0)
    assert embedder.embedded == []
    assert found(library, "dough") == ["bread.txt"]
    assert library.collection("all").refresh().unchanged == 4
    assert_consistent(library, "all")


def test_a_copy_in_another_root_whose_drive_is_away_is_no_move(library: Library, docs: Path, tmp_path: Path) -> None:
    library.index(docs, collection="all")
    write(tmp_path / "more" / "ships.txt", "Ships sail at dawn.")
    shutil.copy(docs / "bread.txt", tmp_path / "more" / "copy.txt")
    docs.rename(docs.with_name("unplugged"))
    report = library.index(tmp_path / "more", collection="all")
    assert (report.moved, report.added) == (0, 2)
    assert library.search("dough", mode=SearchMode.LEXICAL)[0].copies == 1


def test_a_renamed_root_borrows_the_vectors_it_had(library: Library, docs: Path, embedder: HashEmbedder) -> None:
    library.index(docs)
    embedder.embedded.clear()
    report = library.index(docs.rename(docs.with_name("papers")))
    assert (report.collection, report.added, report.embedded) == ("papers", 3, 0)
    assert embedder.embedded == []
    assert library.search("prune roses", collections=["papers"])[0].path.parent.name == "garden"
    assert_consistent(library, "papers")


@pytest.mark.in_files
def test_a_root_on_another_drive_with_other_files_loses_nothing(library: Library, docs: Path) -> None:
    library.index(docs)
    shutil.rmtree(docs)
    write(docs / "README.txt", "The drive is not mounted.")
    connection = sqlite3.connect(library.home.path / "collections" / "docs" / "catalog.db")
    connection.execute("UPDATE roots SET device = device + 1")
    connection.commit()
    connection.close()
    report = library.index(docs)
    assert (report.deleted, report.added) == (0, 0)
    assert "on another drive than before" in report.problems[0].reason
    assert report.problems[0].remedy == "If the files are gone for good, forget the folder."
    assert found(library, "dough") == ["bread.txt"]


def test_a_replaced_folder_on_the_same_drive_is_taken_at_its_word(library: Library, docs: Path) -> None:
    library.index(docs)
    shutil.rmtree(docs)
    write(docs / "new.txt", "Something else.")
    report = library.index(docs)
    assert (report.deleted, report.added) == (3, 1)


def test_what_was_skipped_is_read_again_when_the_limits_change_or_when_asked(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(docs / "large.txt", "a zeppelin " * 150_000)
    write(docs / "empty.txt", "")
    with monkeypatch.context() as patched:
        patched.setenv("SEARCHKIT_MAX_FILE_MEGABYTES", "1")
        assert library.index(docs).files_skipped == 2
        assert library.index(docs).changed == 0
    assert library.index(docs).changed == 1
    assert found(library, "zeppelin") == ["large.txt"]
    report = library.index(docs, options=RunOptions(retry=True))
    assert [problem.path.name for problem in report.problems] == ["empty.txt"]


def test_metadata_is_found_and_not_embedded(library: Library, docs: Path, embedder: HashEmbedder) -> None:
    write(
        docs / "note.md", "---\ntitle: A note\nauthor: Ada Zimmermann\ntags: [zeppelin, sail]\n---\n\nShips at dawn.\n"
    )
    library.index(docs)
    assert found(library, "zimmermann") == ["note.md"]
    assert found(library, "zeppelin") == ["note.md"]
    assert not any("Zimmermann" in text for text in embedder.embedded)
    hit = library.search("zimmermann", mode="lexical")[0]
    assert hit.evidence.terms == ("zimmermann",)
    assert hit.score > 0.9
    write(docs / "note.md", "Ships at dawn.\n")
    library.index(docs)
    assert found(library, "zimmermann") == []


def test_a_hit_says_its_place_in_the_formats_own_terms(library: Library, docs: Path) -> None:
    write(docs / "table.csv", "item,price\nzeppelin,3\n")
    write(docs / "film.srt", "1\n00:01:20,000 --> 00:01:22,000\nThe walrus sings.\n")
    library.index(docs)
    with pytest.raises(UsageError, match="Modes: hybrid, semantic, lexical"):
        library.search("walrus", mode="nonsense")
    places = {hit.path.name: hit.place for word in ("zeppelin", "walrus") for hit in library.search(word, k=1)}
    assert places["film.srt"] == "00:01:20"
    assert "row" in places["table.csv"]


def test_files_indexed_and_still_to_be_read_are_all_files_at_every_moment(library: Library, tmp_path: Path) -> None:
    for number in range(20):
        write(tmp_path / "many" / f"{number}.txt", f"Note {number}.\n")
    sums: set[int] = set()

    def on_progress(progress: Progress) -> None:
        if progress.stage == "Reading":
            with Library(library.home, embedder=HashEmbedder()) as other:
                status = other.status("many")
            sums.add(status.files + status.files_to_read)

    library.index(tmp_path / "many", on_progress=on_progress)
    assert sums == {20}


def test_a_quotation_is_a_copy_of_the_mail_that_it_quotes(library: Library, tmp_path: Path) -> None:
    said = "The kiln needs a new thermocouple of type K before the next firing, else the glaze will run again."
    first = f"From: Lorne <l@x.y>\nTo: Ada <a@x.y>\nSubject: Kiln\nDate: Mon, 3 Mar 2025 09:00:00 +0100\n\n{said}\n"
    quoted = f"On Mon, 3 Mar 2025, Lorne <l@x.y> wrote:\n> {said}\n"
    reply = (
        f"From: Ada <a@x.y>\nSubject: Re: Kiln\nDate: Tue, 4 Mar 2025 09:00:00 +0100\n\nI shall buy one.\n\n{quoted}"
    )
    write(tmp_path / "mail" / "a reply.eml", reply)
    write(tmp_path / "mail" / "the first.eml", first)
    library.index(tmp_path / "mail")
    for query in ("thermocouple", "kiln thermocouple", said):
        hit, *others = library.search(query, mode=SearchMode.LEXICAL)
        assert (hit.path.name, [path.name for path in hit.copies_at]) == ("the first.eml", ["a reply.eml"])
        assert all(said not in other.text for other in others)
    (tmp_path / "mail" / "the first.eml").unlink()
    library.index(tmp_path / "mail")
    (hit,) = library.search("thermocouple", mode=SearchMode.LEXICAL)
    assert (hit.path.name, hit.place) == ("a reply.eml", "quoted")


def test_what_rules_leave_out_is_counted_by_rule(library: Library, docs: Path) -> None:
    write(docs / ".gitignore", "*.pdf\nprivate/\n")
    for name in ("a.pdf", "b.pdf", "private/x.md", ".hidden.md", "id_rsa"):
        write(docs / name, "x")
    report = library.index(docs)
    assert report.left_out == library.status("docs").left_out
    counts = {(each.rule, each.pattern): (each.files, each.folders) for each in report.left_out}
    assert counts == {
        ("ignored", "*.pdf"): (2, 0),
        ("ignored", "private/"): (0, 1),
        ("hidden", ""): (1, 0),
        ("secret", "id_rsa"): (1, 0),
    }
    (docs / ".gitignore").unlink()
    assert [each.rule for each in library.index(docs).left_out] == ["hidden", "secret"]
    assert sorted(each.path.name for each in library.collection("docs").left_out()) == [".hidden.md", "id_rsa"]


def test_a_file_that_went_to_the_cloud_keeps_its_text(library: Library, docs: Path) -> None:
    library.index(docs)
    (docs / "bread.txt").rename(docs / ".bread.txt.icloud")
    report = library.index(docs)
    assert (report.deleted, report.unchanged) == (0, 3)
    assert [(each.rule, each.files) for each in report.left_out] == [("offline", 1)]
    assert found(library, "dough") == ["bread.txt"]
    (docs / ".bread.txt.icloud").rename(docs / "bread.txt")
    assert library.index(docs).unchanged == 3
    (docs / ".new.txt.icloud").write_bytes(b"bplist00")
    assert library.index(docs).added == 0


def test_files_that_are_not_read_are_found_by_their_names(library: Library, docs: Path) -> None:
    for name in ("pictures/Harvest-Festival 2024.jpg", "pictures/IMG_4711.HEIC", "films/boiler_repair.mp4"):
        write(docs / name, "x")
    (docs / "harvest link.jpg").symlink_to(docs / "pictures")
    library.index(docs)
    hit = library.search("harvest festival")[0]
    assert (hit.path, hit.place, hit.text) == (
        docs / "pictures/Harvest-Festival 2024.jpg",
        "name only",
        "Harvest-Festival 2024.jpg",
    )
    assert [hit.text[start:end] for start, end in hit.marks] == ["Harvest", "Festival"]
    assert (hit.score, hit.weak, hit.evidence.found_by) == (0.6, False, ("words",))
    assert library.search("img_4711.heic")[0].score == 1.0
    assert [hit.path.name for hit in library.search("boiler", mode=SearchMode.LEXICAL)] == [
        "boiler.md",
        "boiler_repair.mp4",
    ]
    assert "boiler_repair.mp4" in [hit.path.name for hit in library.search("repair of the boiler")]
    for query in ("harvest tractor", "the", "harvest -festival"):
        assert all(hit.place != "name only" for hit in library.search(query))
    assert all(hit.place != "name only" for hit in library.search("boiler", mode=SearchMode.SEMANTIC))


def test_a_private_key_of_any_name_is_not_read(library: Library, docs: Path) -> None:
    names = ("server.key", "backup", "key.txt", "a.asc", "key.md", "key.py", "key.html")
    kinds = ("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK")
    for kind in kinds:
        for name in names:
            write(docs / kind / name, f"-----BEGIN {kind}-----\nbWlsbA== wheel\n-----END {kind}-----\n")
    count = len(names) * len(kinds)
    assert library.index(docs).files_unsupported == count
    assert found(library, "wheel") == []
    assert library.status("docs").unsupported_types == (("private key", count),)
    assert library.index(docs).unchanged == count + 3
