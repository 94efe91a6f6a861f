"""Moving a collection between this machine and PostgreSQL: nothing lost, nothing changed, whatever happens meanwhile."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("psycopg", reason="psycopg is not installed (extra [postgres])")

import psycopg

from searchkit.catalog import checksums, messages, provisional, vectors
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import memory_catalog, reading, writing
from searchkit.catalog.copying import KEYS, LEFT_BEHIND
from searchkit.catalog.documents import content_hash
from searchkit.catalog.meta import COVERED, INDEX, RECALL_GOAL, set_meta
from searchkit.catalog.roots import exclude
from searchkit.catalog.vector_codes import decoded, encoded
from searchkit.cli.main import cli
from searchkit.errors import CatalogError, CollectionBusyError, SearchkitError, UsageError
from searchkit.home import CollectionFolder, DatabaseUrl, all_collections
from searchkit.library import Library
from searchkit.maintenance.move import HERE, MoveReport, move_collection
from searchkit.maintenance.rebuild import verify_collection
from searchkit.reports import RunOptions
from searchkit.search.on_demand import keep
from searchkit.types import SearchMode, Storage
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.postgres import empty_database
from tests.support.stored_files import chunk, put_file

pytestmark = pytest.mark.postgres
SECRET = "s3cret"
MAIL = (
    "From: Anna <anna@example.org>\nTo: Ben <ben@example.org>\nSubject: The gauge\nDate: Mon, 6 Jan 2025 10:00:00 +0000\n"
    'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nSee the plan.\n'
    '--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename="plan.txt"\n\nThe plan of the water pipes.\n--b--\n'
)
Rows = list[tuple[Any, ...]]


@pytest.fixture
def url() -> Iterator[str]:
    """The address of an empty database."""
    with empty_database() as address:
        yield address


@pytest.fixture
def full(library: Library, docs: Path) -> Library:
    """A library with a collection that has something in every table."""
    write(docs / "mail.eml", MAIL)
    write(docs / "gone.txt", "This goes again.\n")
    library.index(docs, options=RunOptions(storage=Storage.EXACT))  # in which both homes have the same numbers
    (docs / "gone.txt").unlink()
    library.forget(docs / "garden")
    library.index(docs)
    with writing(library.collection("docs").folder) as catalog, catalog.transaction():
        exclude(catalog, docs / "not there")
        set_meta(catalog, INDEX, "flat-float32-64")
        set_meta(catalog, RECALL_GOAL, "0.97")
        hashes = [row[0] for row in catalog.execute("SELECT content_hash FROM chunks ORDER BY id").fetchall()]
        vectors.put_vectors(catalog, "older", hashes[:1], HashEmbedder(8).embed_queries(["one"]))
        catalog.change("INSERT INTO asked SELECT max(id) FROM documents")
        correction = HashEmbedder(4).embed_queries([*"abcde"])
        provisional.start_version(catalog, provisional.Version("guessing", 7), correction)
        provisional.put_provisional(catalog, hashes, HashEmbedder(4).embed_queries(["x"] * len(hashes)))
    folder = library.collection("docs").folder
    write(folder.training / "vectors.bin", "cached\n")
    write(folder.evaluation, "{}\n")
    return library


def dump(catalog: CatalogReader) -> dict[str, Rows]:
    """Every row of every table, but for what is of one home: indexes on this machine, and the checksum that covers them.

    Vectors are compared as they are kept here; `verify` looks at their checksums.
    """
    found = {}
    for table, key in KEYS.items():
        columns = sorted(column[0] for column in catalog.execute(f"SELECT * FROM {table} LIMIT 0").description)
        found[table] = catalog.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key}").fetchall()
    fingerprint = catalog.dialect.fingerprint.format(model="model")
    query = f"SELECT id, content_hash, {fingerprint}, vector FROM vectors ORDER BY id"
    sizes = {"older": 8}
    found["vectors"] = [
        (*row, *encoded(decoded([vector], sizes.get(row[2], 64)), Storage.STANDARD))
        for *row, vector in catalog.execute(query).fetchall()
    ]
    found["meta"] = [row for row in found["meta"] if row[0] not in LEFT_BEHIND | {"seal"}]
    return found


def dumped(library: Library) -> dict[str, Rows]:
    """Every row of the collection, in the home that it is in."""
    with reading(library.collection("docs").folder) as catalog:
        return dump(catalog)


def moved(library: Library, to: str) -> MoveReport:
    """Move the collection."""
    return move_collection(library, "docs", to, lambda _: None)


def found(library: Library) -> list[Any]:
    """What searches find, in every mode, and why; scores are the same in both homes to the sixth digit."""
    queries = ("gauge water", '"top up"', "from:anna plan", "kneed", "type:md boiler")
    hits = [library.search(query, mode=mode) for query in queries for mode in SearchMode]
    return [
        [(hit.path, hit.heading, hit.text, hit.place, hit.sender, round(hit.score, 5)) for hit in of] for of in hits
    ]


def run(library: Library, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, list(arguments), env={"SEARCHKIT_HOME": str(library.home.path)})


def schemas(url: str) -> list[str]:
    """The collections in the database."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'searchkit_')")
        return [name for (name,) in rows.fetchall()]


def check_whole(library: Library, before: dict[str, Rows], hits: list[Any]) -> None:
    """Check that the collection is the one it was."""
    assert dumped(library) == before
    assert verify_collection(library.collection("docs")) == []
    assert found(library) == hits


def test_a_collection_that_was_moved_there_and_back_is_the_same(
    full: Library, docs: Path, url: str, embedder: HashEmbedder
) -> None:
    before, hits = dumped(full), found(full)
    assert all(before.values()), {table: len(rows) for table, rows in before.items()}
    folder = full.collection("docs").folder
    embedder.embedded.clear()
    report = moved(full, url)
    assert (report.source, report.target, report.documents) == (HERE, "postgresql://postgres@/postgres", 4)
    assert report.vectors == len(before["vectors"])
    assert full.collection("docs").folder == CollectionFolder(folder.path, DatabaseUrl(url))
    assert sorted(path.name for path in folder.path.iterdir() if not path.name.startswith("lock")) == [
        "collection.json",
        "evaluation.json",
        "training",
    ]
    check_whole(full, before, hits)
    unchanged = full.index(docs)
    assert (unchanged.unchanged, unchanged.added, unchanged.changed, unchanged.embedded) == (3, 0, 0, 0)
    there = dumped(full)
    report = moved(full, HERE)
    assert (report.source, report.target) == ("postgresql://postgres@/postgres", HERE)
    assert schemas(url) == []
    assert full.collection("docs").folder == folder
    check_whole(full, there, hits)
    unchanged = full.index(docs)
    assert (unchanged.unchanged, unchanged.added, unchanged.changed, unchanged.embedded) == (3, 0, 0, 0)
    assert embedder.embedded == []
    assert folder.training.joinpath("vectors.bin").read_text() == "cached\n"


def test_a_schema_that_was_moved_there_has_what_one_that_was_made_there_has(
    full: Library, docs: Path, url: str
) -> None:
    moved(full, url)
    with Library(full.home.path.parent / "other", embedder=HashEmbedder()) as other:
        other.index(docs, collection="made", to=url)
    queries = (
        "SELECT indexdef FROM pg_indexes WHERE schemaname = '{}' ORDER BY indexname",
        "SELECT pg_get_triggerdef(t.oid), tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
        " WHERE relnamespace = '{}'::regnamespace AND NOT tgisinternal ORDER BY tgname",
        "SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE connamespace = '{}'::regnamespace ORDER BY 1",
    )
    with psycopg.connect(url) as connection:
        for query in queries:
            here, there = (
                str(connection.execute(query.format(name).encode()).fetchall()).replace(name, "")
                for name in ("searchkit_docs", "searchkit_made")
            )
            assert here == there
            assert len(here) > 100


def test_every_table_is_moved() -> None:
    with memory_catalog() as catalog:
        rows = catalog.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    tables = {name for (name,) in rows if not name.startswith(("sqlite_", "_sqlite", "fulltext"))}
    assert tables == {*KEYS, "models", "removed_vectors"}, (
        "there, fingerprints stand beside vectors, and indexes are the database's"
    )


def test_ids_are_never_used_again_in_the_other_home_either(full: Library, docs: Path, url: str) -> None:
    for to in (url, HERE):
        used = {row[2] for row in dumped(full)["chunks"]} | {row[4] for row in dumped(full)["documents"]}
        assert used
        write(docs / "last.txt", f"The last of all, before {to[:5]}.\n")
        full.index(docs)
        with reading(full.collection("docs").folder) as catalog:
            last = catalog.execute("SELECT max(id) FROM documents").fetchone()[0]
        (docs / "last.txt").unlink()
        full.index(docs)
        moved(full, to)
        write(docs / "last.txt", "Another.\n")
        full.index(docs)
        with reading(full.collection("docs").folder) as catalog:
            assert catalog.execute("SELECT max(id) FROM documents").fetchone()[0] > last
        assert verify_collection(full.collection("docs")) == []


def test_a_text_with_a_character_0_is_whole_in_both_homes(library: Library, docs: Path, url: str) -> None:
    library.index(docs)
    folder = library.collection("docs").folder
    with writing(folder) as catalog, catalog.transaction():
        text = "From: An\0na <a@example.org>\nSubject: one\0two\n\nzebra three"
        set_meta(catalog, COVERED, "")
        put_file(catalog, "a.eml", [chunk(text, "A\0B")], folder=docs, format="mail", metadata={"title": "x\0y"})
    assert verify_collection(library.collection("docs")) == []
    for to in (url, HERE):
        moved(library, to)
        assert verify_collection(library.collection("docs")) == []
        assert [hit.path.name for hit in library.search("zebra", mode=SearchMode.LEXICAL)] == ["a.eml"]


def test_a_file_s_document_may_come_after_what_is_in_it(full: Library, url: str) -> None:
    folder = full.collection("docs").folder
    with writing(folder) as catalog, catalog.transaction():
        catalog.execute("PRAGMA defer_foreign_keys = 1")
        (inner,) = catalog.execute("SELECT id FROM documents WHERE container_id IS NOT NULL").fetchone()
        (outer,) = catalog.execute("SELECT container_id FROM documents WHERE id = ?", (inner,)).fetchone()
        for table, column in (
            ("chunks", "document_id"),
            ("messages", "document_id"),
            ("asked", "document_id"),
            ("documents", "container_id"),
        ):
            catalog.change(f"UPDATE {table} SET {column} = 999 WHERE {column} = ?", (outer,))
        catalog.change("UPDATE documents SET id = 999 WHERE id = ?", (outer,))
        catalog.change("UPDATE sqlite_sequence SET seq = 999 WHERE name = 'documents'")
        messages.refill(catalog)
        for changed in (inner, 999):
            checksums.update_checksum(catalog, changed)
        checksums.renew_totals(catalog)
    assert verify_collection(full.collection("docs")) == []
    before, hits = dumped(full), found(full)
    for to in (url, HERE):
        moved(full, to)
        check_whole(full, before, hits)


POINTS = [
    *(f"before fill {number}" for number in (1, 4, 8)),
    "after copy 1",
    "before journal 1",
    "after journal 1",
    "after publish 1",
    "after switch 1",
    "before remove 1",
    "after remove 1",
    "after settle 1",
]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("direction", ["there", "back"])
def test_whenever_it_is_killed_nothing_is_lost_and_the_next_move_finishes_it(
    full: Library, docs: Path, url: str, direction: str, point: str, embedder: HashEmbedder
) -> None:
    if direction == "back":
        moved(full, url)
    to = url if direction == "there" else HERE
    before, hits = dumped(full), found(full)
    old = full.collection("docs").folder
    embedder.embedded.clear()
    killed(full, to, point)
    is_switched = full.collection("docs").folder != old
    assert is_switched == (point.split()[1] in ("switch", "remove", "settle"))
    check_whole(full, before, hits)
    again = moved(full, to)
    assert again.was_finished == is_switched
    assert full.collection("docs").folder != old
    check_whole(full, before, hits)
    assert full.index(docs).unchanged == 3
    assert embedder.embedded == []
    assert schemas(url) == (["searchkit_docs"] if direction == "there" else [])
    assert full.collection("docs").folder.catalog.exists() == (direction == "back")
    assert not list(old.path.glob("mov*"))
    with pytest.raises(UsageError, match="already"):
        moved(full, to)


@pytest.mark.parametrize(
    "point", ["before files 1", "after journal 1", "after publish 1", "after switch 1", "before remove 1"]
)
def test_after_a_killed_move_it_can_be_moved_the_other_way(full: Library, url: str, point: str) -> None:
    before, hits = dumped(full), found(full)
    killed(full, url, point)
    if full.collection("docs").folder.url is None:
        moved(full, url)
    moved(full, HERE)
    check_whole(full, before, hits)
    killed(full, url, "after settle 1")
    moved(full, HERE)
    moved(full, url)
    check_whole(full, before, hits)


def killed(library: Library, to: str, point: str) -> None:
    """Move in a process of its own, which is killed at a point."""
    library.close()
    command = [sys.executable, "-m", "tests.support.move_and_die", str(library.home.path), to, *point.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == (0 if point.startswith("never") else -9), done.stderr


def test_what_was_changed_after_a_killed_move_stays(full: Library, docs: Path, url: str) -> None:
    local = full.collection("docs").folder
    killed(full, url, "before remove 1")
    with writing(local) as catalog, catalog.transaction():
        set_meta(catalog, INDEX, "changed by somebody")
    report = moved(full, url)
    assert (report.was_finished, report.left) == (True, True)
    assert local.catalog.exists()
    with pytest.raises(UsageError, match="another catalog of 'docs' on this machine"):
        moved(full, HERE)
    assert schemas(url) == ["searchkit_docs"]


def test_an_unfinished_collection_that_somebody_has_changed_is_not_made_anew(
    full: Library, docs: Path, url: str
) -> None:
    killed(full, url, "after publish 1")
    write(full.home.path.parent / "other" / "config.toml", f'[collections.docs]\nurl = "{url}"\n')
    with Library(full.home.path.parent / "other", embedder=HashEmbedder()) as other:
        write(docs / "new.txt", "Zebras are new.\n")
        other.index(docs)
    before = dumped(full)
    with pytest.raises(UsageError, match="already, in postgresql://"):
        moved(full, url)
    assert dumped(full) == before
    assert full.collection("docs").folder.url is None


def test_a_collection_that_is_being_written_is_not_moved(full: Library, url: str) -> None:
    with writing(full.collection("docs").folder), pytest.raises(CollectionBusyError):
        moved(full, url)
    assert schemas(url) == []
    moved(full, url)
    with writing(full.collection("docs").folder, beside_others=True), pytest.raises(CollectionBusyError):
        moved(full, HERE)
    assert full.collection("docs").folder.url is not None


@pytest.mark.parametrize("direction", ["there", "back"])
def test_whoever_writes_without_the_lock_waits_and_is_told_and_nothing_goes_astray(
    full: Library, docs: Path, url: str, direction: str
) -> None:
    if direction == "back":
        moved(full, url)
    old = full.collection("docs").folder
    errors: list[SearchkitError] = []

    def forget() -> None:
        with Library(full.home.path, embedder=HashEmbedder()) as other:
            try:
                other.collection("docs").forget(docs / "bread.txt")
            except SearchkitError as error:
                errors.append(error)

    thread = threading.Thread(target=forget)

    def on_progress(progress: Any) -> None:
        if progress.stage == "Moving documents" and not thread.ident:
            thread.start()
            thread.join(timeout=0.5)

    move_collection(full, "docs", url if direction == "there" else HERE, on_progress)
    thread.join()
    is_forgotten = not full.search("dough", mode=SearchMode.LEXICAL)
    assert is_forgotten != bool(errors), errors
    assert full.collection("docs").folder != old
    assert verify_collection(full.collection("docs")) == []


def test_a_place_with_a_collection_of_that_name_is_refused_and_nothing_changed(
    full: Library, docs: Path, url: str
) -> None:
    with Library(full.home.path.parent / "other", embedder=HashEmbedder()) as other:
        other.index(write(docs.parent / "more" / "wasps.txt", "Wasps sting.\n").parent, collection="docs", to=url)
        theirs, before = dumped(other), dumped(full)
        with pytest.raises(UsageError, match=r"There is a collection 'docs' already, in postgresql://"):
            moved(full, url)
        assert (dumped(other), dumped(full)) == (theirs, before)
    assert not full.home.config.exists()


def test_a_collection_that_lives_there_already_is_not_moved(full: Library, url: str) -> None:
    with pytest.raises(UsageError, match="lives on this machine already"):
        moved(full, HERE)
    moved(full, url)
    with pytest.raises(UsageError, match="lives in postgresql://postgres@/postgres already"):
        moved(full, url)
    with pytest.raises(UsageError, match="by way of this machine"):
        moved(full, "postgresql://db.example.org/other")
    with pytest.raises(SearchkitError, match="No collection named 'none'"):
        move_collection(full, "none", url, lambda _: None)


@pytest.mark.parametrize("direction", ["there", "back"])
def test_what_a_search_would_store_meanwhile_does_not_hold_it_up(full: Library, url: str, direction: str) -> None:
    if direction == "back":
        moved(full, url)
    folder = full.collection("docs").folder
    vector = HashEmbedder().embed_queries(["x"])
    seen: list[float] = []

    def on_progress(progress: Any) -> None:
        if progress.stage == "Moving documents" and not seen:
            begun = time.monotonic()
            keep(folder, "new", {content_hash("", "x"): vector[0]})
            seen.append(time.monotonic() - begun)

    move_collection(full, "docs", url if direction == "there" else HERE, on_progress)
    assert max(seen) < 20, "it would have waited for itself"
    keep(folder, "new", {content_hash("", "x"): vector[0]})
    assert schemas(url) == (["searchkit_docs"] if direction == "there" else []), "no home is made again"
    assert folder.catalog.exists() == (direction == "back")


DAMAGES = {
    "bread.txt does not match": "UPDATE chunks SET text = text || ' and more' WHERE text LIKE 'Knead%'",
    "vector .* does not match": "UPDATE vectors SET vector = zeroblob(length(vector)) WHERE id = (SELECT min(id) FROM vectors)",
    "documents or settings": "UPDATE roots SET device = 77",
    "documents or settings do not": "UPDATE documents SET seal = x'00'",
}


@pytest.mark.parametrize("words", DAMAGES)
def test_a_damaged_collection_is_not_moved(full: Library, url: str, words: str) -> None:
    with writing(full.collection("docs").folder) as catalog, catalog.transaction():
        catalog.change(DAMAGES[words])
    with pytest.raises(CatalogError, match=words) as error:
        moved(full, url)
    assert "Nothing was changed" in str(error.value)
    assert schemas(url) == []


@pytest.mark.parametrize("direction", ["there", "back"])
@pytest.mark.parametrize("stage", ["Moving documents", "Moving vectors", "Comparing both sides"])
def test_a_server_that_goes_in_the_middle_changes_nothing(full: Library, url: str, stage: str, direction: str) -> None:
    if direction == "back":
        moved(full, url)
    before, hits, old = dumped(full), found(full), full.collection("docs").folder
    broken: list[str] = []

    def on_progress(progress: Any) -> None:
        if progress.stage == stage and not broken:
            broken.append(stage)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'searchkit%'"
                )

    full.close()
    with pytest.raises(CatalogError, match="has broken off"):
        move_collection(full, "docs", url if direction == "there" else HERE, on_progress)
    assert full.collection("docs").folder == old
    check_whole(full, before, hits)
    assert schemas(url) == ([] if direction == "there" else ["searchkit_docs"])


def test_a_place_that_cannot_be_written_changes_nothing(
    full: Library, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dumped(full)
    with pytest.raises(CatalogError, match="read-only transaction"):
        moved(full, f"{url}&options=-c%20default_transaction_read_only%3Don")
    assert (dumped(full), full.home.config.exists()) == (before, False)
    moved(full, url)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device", str(full.home.config))

    monkeypatch.setattr("searchkit.maintenance.move.save_settings", no_room)
    for to in (HERE,):
        with pytest.raises(SearchkitError, match="No space left on device"):
            moved(full, to)
        assert full.collection("docs").folder.url is not None
        assert dumped(full) == before
    monkeypatch.undo()
    moved(full, HERE)
    assert dumped(full) == before


def test_whoever_does_not_own_the_schema_cannot_move_it(full: Library, url: str) -> None:
    moved(full, url)
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'writer'").fetchone():
            connection.execute("DROP OWNED BY writer")
            connection.execute("DROP ROLE writer")
        connection.execute("CREATE ROLE writer LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA searchkit_docs TO writer")
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA searchkit_docs TO writer")
    write(full.home.config, f'[collections.docs]\nurl = "{url.replace("postgres:@", "writer@")}"\n')
    with pytest.raises(CatalogError, match="belongs to postgres, who alone can move it"):
        moved(full, HERE)
    assert schemas(url) == ["searchkit_docs"]
    assert [folder.name for folder in all_collections(full.home)] == ["docs"]


def test_the_command_says_what_was_moved_and_no_password(full: Library, docs: Path, url: str) -> None:
    own = url.replace("postgres:@", f"postgres:{SECRET}@")  # which this server does not ask for
    full.close()
    refused = run(full, "index", str(docs), "--to", own)
    assert isinstance(refused.exception, UsageError)
    assert refused.exception.remedy is not None
    assert refused.exception.remedy.action == "move"
    done = run(full, "move", "-c", "docs", "--to", own)
    assert done.exit_code == 0, done.output
    assert "docs: it lives in postgresql://postgres@/postgres now, and no longer on this machine" in done.stderr
    assert "counts and checksums are the same on both sides" in done.stderr
    back = run(full, "move", "-c", "docs", "--to", "local", "--json")
    assert back.exit_code == 0, back.output
    assert '"target": "local"' in back.stdout
    bad = run(full, "--debug", "move", "-c", "docs", "--to", f"mysql://{SECRET}")
    away = run(full, "--debug", "move", "-c", "docs", "--to", f"postgresql://a:{SECRET}@127.0.0.1:1/x")
    assert bad.exit_code == away.exit_code == 1
    for each in (refused, done, back, bad, away):
        assert SECRET not in each.output + str(each.exception)
    assert full.collection("docs").folder == replace(full.collection("docs").folder, url=None)


def test_other_libraries_follow_a_collection_that_has_moved(full: Library, url: str) -> None:
    with Library(full.home.path, embedder=HashEmbedder()) as other:
        hits = found(other)
        for to in (url, HERE):
            moved(full, to)
            assert found(other) == hits
