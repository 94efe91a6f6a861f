"""What is PostgreSQL's own: many writers and readers of one collection, rights, restarts, addresses; its words and its index."""

import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient

pytest.importorskip("psycopg", reason="psycopg is not installed (extra [postgres])")

import psycopg

from searchkit.catalog import fulltext, pending, vectors
from searchkit.catalog.connection import memory_catalog, reading, writing
from searchkit.catalog.damage import find_damage
from searchkit.catalog.documents import content_hash
from searchkit.catalog.passages import passages_of_document
from searchkit.catalog.postgres.connection import schema_of
from searchkit.catalog.postgres.vectors import EXACT_UP_TO
from searchkit.cli.main import cli
from searchkit.errors import CatalogError, CollectionBusyError, CollectionNotFoundError, SearchkitError, UsageError
from searchkit.home import CollectionFolder, DatabaseUrl, Home
from searchkit.index_store.in_database import DatabaseIndex
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection
from searchkit.reports import RunOptions
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.mcp.answers import status_answer
from searchkit.types import SearchMode
from searchkit_indexes import search_rescored
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.postgres import LibraryInDatabase, empty_database
from tests.support.stored_files import chunk, put_file

pytestmark = pytest.mark.postgres
SECRET = "s3cret"


@pytest.fixture
def url() -> Iterator[str]:
    """The address of an empty database."""
    with empty_database() as address:
        yield address


@pytest.fixture
def team(url: str, tmp_path: Path, embedder: HashEmbedder) -> Iterator[Library]:
    """A library whose collections live in the database."""
    with LibraryInDatabase(tmp_path / "home", url, embedder=embedder) as opened:
        yield opened


@pytest.fixture
def folder(url: str, tmp_path: Path) -> CollectionFolder:
    """A collection in the database, before anybody has written to it."""
    return CollectionFolder(tmp_path / "collections" / "docs", DatabaseUrl(url))


def run(home: Home, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, list(arguments), env={"SEARCHKIT_HOME": str(home.path)})


def said(done: Result) -> str:
    """All that a command said, with the whole traceback of its error."""
    return done.output + "".join(traceback.format_exception(done.exception) if done.exception else [])


def names(library: Library, query: str) -> list[str]:
    """Names of the files with the query's words, in alphabetical order."""
    return sorted(hit.path.name for hit in library.search(query, mode=SearchMode.LEXICAL))


def test_a_collection_is_found_by_everybody_who_names_its_database(
    team: Library, docs: Path, url: str, tmp_path: Path, embedder: HashEmbedder
) -> None:
    team.index(docs)
    write(tmp_path / "other" / "config.toml", f'[collections.docs]\nurl = "{url}"\n')
    with Library(tmp_path / "other", embedder=embedder) as other:
        assert other.collections() == ["docs"]
        assert other.search("gauge water") == team.search("gauge water")
        assert not (tmp_path / "other" / "collections").exists(), "whoever reads keeps nothing"


def test_a_collection_that_lives_elsewhere_is_not_taken_for_the_one_in_a_database(
    library: Library, docs: Path, url: str
) -> None:
    library.index(docs)
    with pytest.raises(UsageError, match="already, on this machine"):
        library.index(docs, to=url)
    write(library.home.config, f'[collections.team]\nurl = "{url}"\n')
    with pytest.raises(UsageError, match=r"already, in postgresql://"):
        library.index(docs, collection="team", to="postgresql://db.example.org/other")


def test_what_cannot_be_created_is_not_written_down(library: Library, docs: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be reached"):
        library.index(docs, to=f"postgresql://anna:{SECRET}@127.0.0.1:1/none")
    assert not library.home.config.exists()
    assert library.collections() == []


def test_no_message_contains_a_password(team: Library, docs: Path, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS anna")
        connection.execute(f"CREATE ROLE anna LOGIN PASSWORD '{SECRET}'")
    own = url.replace("postgres:@", f"anna:{SECRET}@")
    addresses = (
        own,
        f"postgresql://anna:{SECRET}@127.0.0.1:1/none",
        f"postgresql://anna:{SECRET}%zz@db/x",
        f"mysql://{SECRET}",
    )
    for address in addresses:
        for options in ((), ("--debug",)):
            done = run(team.home, *options, "index", str(docs), "-c", "secret", "--to", address)
            assert isinstance(done.exception, SearchkitError), said(done)
            assert SECRET not in said(done)
    write(team.home.config, f'[collections.team]\nurl = "{addresses[1]}"\n')
    commands = [
        "search water",
        "search water --json",
        "status",
        "status --json",
        "collections",
        "collections --json",
        "verify",
    ]
    commands += ["verify --json", "status -c team", "status -c team --json", "index", "index --json", f"forget {docs}"]
    for command in map(str.split, [*commands, "rebuild -c team", f"similar {docs / 'bread.txt'}"]):
        assert SECRET not in said(run(team.home, "--debug", *command))


@pytest.mark.parametrize("address", ["wrong", "none", "right"])
def test_whoever_is_refused_is_told_what_to_check(
    library: Library, docs: Path, url: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", str(docs / "none"))
    with psycopg.connect(url, autocommit=True) as connection:
        if _has_role(connection, "bruno"):
            connection.execute("DROP OWNED BY bruno")
        connection.execute("DROP ROLE IF EXISTS bruno")
        connection.execute(f"CREATE ROLE bruno LOGIN PASSWORD '{SECRET}'")
        connection.execute("GRANT CREATE ON DATABASE postgres TO bruno")
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        rules = Path(str(connection.execute("SHOW hba_file").fetchone()[0]))  # type: ignore[index]
        before = rules.read_text()
        rules.write_text(f"local all bruno scram-sha-256\n{before}")
        try:
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("SELECT pg_sleep(.2)")
            password = {"wrong": f":{SECRET}no", "none": "", "right": f":{SECRET}"}[address]
            done = run(
                library.home, "index", str(docs), "--to", url.replace("postgres:@", f"bruno{password}@"), "--lazy"
            )
        finally:
            rules.write_text(before)
            connection.execute("SELECT pg_reload_conf()")
    assert SECRET not in said(done)
    assert (done.exit_code == 0) == (address == "right"), said(done)
    if address != "right":
        assert isinstance(done.exception, CatalogError)
        assert "refuses the connection" in str(done.exception)
        assert "password" in str(done.exception.remedy)
        assert not library.home.config.exists()


def test_a_collection_of_config_toml_is_made_by_the_first_run(
    library: Library, docs: Path, url: str, embedder: HashEmbedder
) -> None:
    write(library.home.config, f'[collections.docs]\nurl = "{url}"\n')
    assert library.index(docs).collection == "docs", (
        "a collection that nobody has made yet is no reason for another name"
    )
    assert names(library, "dough") == ["bread.txt"]
    assert schema_of("docs") == "searchkit_docs"
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM searchkit_docs.documents").fetchone() == (3,)


def test_the_status_says_where_a_collection_lives(team: Library, docs: Path, url: str) -> None:
    team.index(docs)
    with_password = url.replace("postgres:@", f"postgres:{SECRET}@")  # which this server does not ask for
    write(team.home.config, f'[collections.docs]\nurl = "{with_password}"\n')
    done = run(team.home, "status")
    assert "  lives in  postgresql://postgres@/postgres\n" in done.stdout
    assert SECRET not in said(done) + said(run(team.home, "status", "--json"))


def test_options_of_tls_are_passed_on(team: Library, docs: Path, url: str) -> None:
    without_tls = url.replace("?host=/", "?sslmode=bogus&host=/")
    with pytest.raises(CatalogError, match='invalid sslmode value: "bogus"'):
        team.index(docs, collection="safe", to=without_tls)
    assert run(team.home, "index", str(docs), "-c", "safe", "--to", f"{url}&sslmode=prefer").exit_code == 0


def test_the_command_says_which_collection_was_not_asked(library: Library, docs: Path) -> None:
    library.index(docs)
    write(library.home.config, '[collections.team]\nurl = "postgresql://127.0.0.1:1/none"\n')
    for command in (["status"], ["collections"]):
        done = run(library.home, *command)
        assert done.exit_code == 0
        assert "docs" in done.stdout
        assert "team is not shown: postgresql://127.0.0.1:1/none cannot be reached" in done.stderr
    done = run(library.home, "status", "-c", "team")
    assert done.exit_code == 1
    assert library.search("dough")[0].path.name == "bread.txt"
    with pytest.raises(CatalogError, match="cannot be reached"):
        library.search("dough", collections=["team"])


def test_http_and_mcp_say_which_collection_was_not_reached(library: Library, docs: Path) -> None:
    library.index(docs)
    write(library.home.config, f'[collections.team]\nurl = "postgresql://anna:{SECRET}@127.0.0.1:1/none"\n')
    state = open_state(library, ServeOptions(workers=1))
    try:
        with TestClient(make_api(state)) as client:
            answer = client.get("/collections").json()
    finally:
        close_state(state, 10)
    of_mcp: dict[str, Any] = dict(status_answer(library, ()))
    for told in (answer, of_mcp):
        assert [each["collection"] for each in told["collections"]] == ["docs"]
        assert "cannot be reached" in told["not_reached"]["team"]
        assert SECRET not in str(told)


def test_a_collection_that_nobody_has_indexed_yet_is_missing(library: Library, url: str) -> None:
    write(library.home.config, f'[collections.team]\nurl = "{url}"\n')
    with pytest.raises(CollectionNotFoundError, match="has no collection 'team' yet"):
        library.search("dough")


def test_forgetting_the_last_folder_removes_the_collection_from_the_database(
    team: Library, docs: Path, url: str
) -> None:
    team.index(docs)
    assert team.forget(docs) == {"docs": 3}
    assert team.collections() == []
    with psycopg.connect(url) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'searchkit_')")
        assert schemas.fetchall() == []


@pytest.mark.parametrize(
    "name", ["a b", "x" * 100, "ü" * 60, "Team", "a.b+c@d-e", "select", "1 - drop table documents"]
)
def test_any_name_of_a_collection_is_a_schema_of_its_own(team: Library, docs: Path, name: str) -> None:
    team.index(docs, collection=name)
    other = write(docs.with_name("more") / "wasps.txt", "Wasps sting.\n").parent
    team.index(other, collection=f"{name[:-1]}z")
    assert team.collections() == sorted([name, f"{name[:-1]}z"])
    assert names(team, "dough") == ["bread.txt"]
    assert len(schema_of(name).encode()) <= 63


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE documents; --", "\\'; --", "$1 ?1 %s ?", "{items}", '"a" OR (b', "\\", "':*", "a & b | !c"],
)
def test_hostile_text_is_text(team: Library, docs: Path, text: str) -> None:
    file = write(docs / f"{text.replace('/', '_').replace(chr(0), '_')}.txt", f"Some text: {text} zebra\n")
    team.index(docs)
    assert names(team, "zebra") == [file.name]
    for mode in SearchMode:
        team.search(text, mode=mode)
        team.search(f'"{text}" zebra -{text}', mode=mode)
    team.search("zebra", collections=["docs"])
    assert find_damage(team.collection("docs").folder) == []


def test_two_write_to_different_folders_of_a_collection_at_a_time(
    team: Library, tmp_path: Path, url: str, embedder: HashEmbedder
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        for number in range(20):
            write(folder / f"{folder.name}{number}.txt", f"The {folder.name} number {number} is about water.\n")
    team.index(write(tmp_path / "zero" / "zero.txt", "nothing\n").parent, collection="all")
    errors = index_at_once(folders, "all", tmp_path, url)
    assert errors == []
    status = team.status("all")
    assert (status.files, status.vectors, status.passages) == (41, 41, 41)
    assert find_damage(team.collection("all").folder) == []
    assert len(team.search("water", k=50, mode=SearchMode.LEXICAL)) == 40


def test_of_overlapping_folders_that_are_indexed_at_a_time_one_is_taken(
    team: Library, tmp_path: Path, url: str
) -> None:
    outer = tmp_path / "outer"
    inner = [outer / f"part{number}" for number in range(4)]
    for folder in inner:
        for number in range(5):
            write(folder / f"{number}.txt", f"Number {number} of {folder.name} is about water.\n")
    for name in ("one", "two", "three"):
        errors = index_at_once((outer, *inner), name, tmp_path, url)
        write(team.home.config, "".join(f'[collections.{each}]\nurl = "{url}"\n' for each in ("one", "two", "three")))
        assert {type(error) for error in errors} == {UsageError}, errors
        assert all("is already in" in str(error) for error in errors), errors
        status = team.status(name)
        assert status.folders in ((outer,), tuple(folder for folder in status.folders if folder in inner))
        assert (status.passages, status.vectors) == (status.files, status.files)
        assert find_damage(team.collection(name).folder) == []


def index_at_once(folders: Sequence[Path], collection: str, place: Path, url: str) -> list[SearchkitError]:
    """Index folders into one collection, each from a data directory of its own; returns what was refused."""
    errors: list[SearchkitError] = []
    begin = threading.Barrier(len(folders))

    def index(folder: Path) -> None:
        with LibraryInDatabase(place / f"home of {folder.name}", url, embedder=HashEmbedder()) as own:
            begin.wait()
            try:
                own.index(folder, collection=collection)
            except SearchkitError as error:
                errors.append(error)

    threads = [threading.Thread(target=index, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_of_two_that_index_one_is_killed_and_nothing_is_lost_or_twice(
    team: Library, tmp_path: Path, url: str, embedder: HashEmbedder
) -> None:
    folders = [tmp_path / "docs", tmp_path / "others" / "docs"]
    for folder in folders:
        for number in range(12):
            text = "\n\n".join(f"Part {part} of {folder.parent.name} {number}." * 20 for part in range(4))
            write(folder / f"{number}.md", f"{text}\nThe same in both.\n")
    homes = [tmp_path / "first", tmp_path / "second"]
    for home in homes:
        write(home / "config.toml", f'[collections.docs]\nurl = "{url}"\n')
    team.index(write(tmp_path / "zero" / "zero.txt", "nothing\n").parent, collection="docs")
    ends = []
    for delay in (0.0, 0.1, 0.3, 0.8):
        killed = start_indexing(homes[0], folders[0])
        other = start_indexing(homes[1], folders[1])
        with suppress(subprocess.TimeoutExpired):
            killed.wait(timeout=delay)
        killed.kill()
        killed.communicate()
        output, _ = other.communicate(timeout=120)
        ends.append((other.returncode, output.splitlines()[-1:]))
    assert ends == [(0, ["done"])] * 4
    for home, folder in zip(homes, folders, strict=True):
        last = start_indexing(home, folder)
        output, _ = last.communicate(timeout=120)
        assert (last.returncode, output.splitlines()[-1:]) == (0, ["done"])
    status = team.status("docs")
    assert status.files == 25
    assert status.vectors == status.passages
    assert find_damage(team.collection("docs").folder) == []
    with psycopg.connect(url) as connection:
        twice = "SELECT root_id, path FROM searchkit_docs.documents GROUP BY 1, 2 HAVING count(*) > 1"
        assert connection.execute(twice).fetchall() == []


def start_indexing(home: Path, folder: Path) -> "subprocess.Popen[str]":
    """Index a folder of the collection `docs` slowly, in a process of its own."""
    command = [sys.executable, "-m", "tests.support.index_slowly", str(home), str(folder), "0.01", "docs"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_whoever_has_just_written_holds_nobody_up(folder: CollectionFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[psycopg.Connection[Any]] = []

    def close(connection: psycopg.Connection[Any]) -> None:
        left.append(connection)  # as it is for a moment: closed, which the server has not noticed yet

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(psycopg.Connection, "close", close)
        for _ in range(2):
            with writing(folder):
                pass
    assert left
    for each in left:
        each.close()


def test_the_same_folder_has_one_writer_at_a_time(team: Library, docs: Path) -> None:
    team.index(docs)
    folder = team.collection("docs").folder
    with writing(folder, beside_others=True) as catalog, catalog.database.locked([str(docs)], None):
        with pytest.raises(CollectionBusyError, match="is being written by process"):
            team.index(docs)
        assert names(team, "dough") == ["bread.txt"], "readers do not wait"
    with writing(folder), pytest.raises(CollectionBusyError):
        team.index(docs)
    assert team.index(docs).unchanged == 3


def test_whoever_may_only_read_can_search(team: Library, docs: Path, url: str, tmp_path: Path) -> None:
    team.index(docs)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY reader") if _has_role(connection, "reader") else None
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA searchkit_docs TO reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA searchkit_docs TO reader")
    own = url.replace("postgres:@", "reader@")
    write(tmp_path / "reader" / "config.toml", f'[collections.docs]\nurl = "{own}"\n')
    with Library(tmp_path / "reader", embedder=HashEmbedder()) as reader:
        for mode in SearchMode:
            assert reader.search("gauge water", mode=mode) == team.search("gauge water", mode=mode)
        assert reader.status("docs").files == 3
        with pytest.raises(CatalogError, match="does not allow that: permission denied"):
            reader.index(docs)


def _has_role(connection: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None


def test_a_search_after_the_server_broke_off_connects_anew(team: Library, docs: Path, url: str) -> None:
    team.index(docs)
    before = team.search("gauge water")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'searchkit%'"
        )
    assert team.search("gauge water") == before


def test_a_run_whose_connection_breaks_loses_nothing(
    team: Library, docs: Path, url: str, embedder: HashEmbedder
) -> None:
    for number in range(30):
        write(docs / f"more{number}.txt", f"Number {number} of many.\n")

    def break_off() -> bool:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'searchkit%'"
            )
        return False

    with pytest.raises(CatalogError, match=r"has broken off.*What was committed is kept"):
        team.index(docs, options=RunOptions(is_interrupted=break_off))
    report = team.index(docs)
    assert report.unchanged == 33, "every file was stored before"
    status = team.status("docs")
    assert (status.passages, status.vectors) == (33, 33)
    assert find_damage(team.collection("docs").folder) == []


def test_damage_is_found_where_somebody_else_has_changed_rows(team: Library, docs: Path, url: str) -> None:
    team.index(docs)
    folder = team.collection("docs").folder
    changes = {
        "documents": "UPDATE chunks SET text = text || ' and more' WHERE id = 1",
        "vectors": "UPDATE vectors SET model = 'other' WHERE id = 1",
        "full text": "UPDATE terms SET chunks = chunks + 1 WHERE term = 'dough'",
        "settings": "UPDATE meta SET value = 'other' WHERE key = 'model'",
    }
    for part, statement in changes.items():
        with psycopg.connect(url, options="-c search_path=searchkit_docs,public") as connection:
            connection.execute(statement.encode())
            connection.commit()
            assert part in {damage.part for damage in find_damage(folder)}


def test_what_is_damaged_is_read_and_embedded_again(
    team: Library, docs: Path, url: str, embedder: HashEmbedder
) -> None:
    team.index(docs)
    before = team.search("gauge water")
    collection = team.collection("docs")
    with psycopg.connect(url, options="-c search_path=searchkit_docs,public", autocommit=True) as connection:
        connection.execute("UPDATE chunks SET text = text || ' and more' WHERE id = 1")
        connection.execute("UPDATE vectors SET seal = 'x' WHERE id = 2")
        connection.execute("DELETE FROM terms")
        connection.execute("UPDATE messages SET place = 'x'")
    assert find_damage(collection.folder)
    embedder.embedded.clear()
    report = rebuild_collection(collection, [], lambda _: None)
    assert (report.documents_kept, report.documents_lost, report.vectors_lost) == (2, 1, 1)
    assert report.run.added == 1
    assert find_damage(collection.folder) == []
    found = team.search("gauge water")  # the rows may have another order now, and so sums another last digit
    assert [(hit.path, hit.text, round(hit.score, 5)) for hit in found] == [
        (hit.path, hit.text, round(hit.score, 5)) for hit in before
    ]


def test_two_that_embed_share_the_work(team: Library, docs: Path, embedder: HashEmbedder) -> None:
    team.index(docs, options=RunOptions(lazy=True))
    folder = team.collection("docs").folder
    fingerprint = embedder.info.fingerprint
    with writing(folder, beside_others=True) as one, writing(folder, beside_others=True) as other:
        first = pending.pending_pages(one, fingerprint, 1)
        mine = next(first)
        others = list(pending.pending_pages(other, fingerprint, 1))
        assert len(mine) == 1
        assert len(others) == 2
        assert mine[0] not in [item for page in others for item in page]
        first.close()  # as if it was killed
        assert len(list(pending.pending_pages(other, fingerprint, 10))) == 1, "what nobody stored comes again"


def test_both_databases_have_the_same_words_with_the_same_weights(folder: CollectionFolder) -> None:
    texts = (
        "Running water runs",
        "the runner's K-54 and K 54",
        "2.8.2025 or 2 August 2025",
        "1.234,56 €",
        "日本語の文 週末",
        "Müller müller O'Brien back\\slash",
        "المدرسة الكبيرة",
        "הספר והכלב",
        "water water water stone",
        "привет мир",
    )
    expressions = (
        '"water"',
        '"wat"*',
        '"water" OR "stone"',
        '("water" OR "run") AND ("stone" OR "run" OR "run")',
        '"run water"',
        '"muller"',
        '"o brien"',
        '"日本" OR "週末"',
        '"مدرس"',
        '"k54"*',
        '"20250802"',
        '"water water"',
        '""',
        '"" OR "run"',
        '"back\\slash" OR "\'"',
        '"a""b"',
    )
    with memory_catalog() as here, writing(folder) as there:
        for catalog in (here, there):
            for number, text in enumerate(texts):
                with catalog.transaction():
                    put_file(
                        catalog, f"dir/{number}.txt", [chunk(text, "Water" if number % 3 else ""), chunk(text * 2)]
                    )
        for match in expressions:
            for limit in (-1, 3):
                found = fulltext.chunks_matching(there, match, limit)
                assert found == fulltext.chunks_matching(here, match, limit), match
            best = fulltext.best_matching(there, match, (1.0, 2.0, 1.0), 50)
            wanted = fulltext.best_matching(here, match, (1.0, 2.0, 1.0), 50)
            assert list(best) == list(wanted), match
            assert list(best.values()) == pytest.approx(list(wanted.values()), rel=1e-6)
        for beginnings in (["w", "ru"], ["м", "日"], ["nothing"], []):
            assert fulltext.terms_beginning(there, beginnings, 3) == fulltext.terms_beginning(here, beginnings, 3)
        assert fulltext.term_counts(there, ["water", "run", "no"]) == fulltext.term_counts(here, ["water", "run", "no"])


def test_both_databases_have_the_same_columns(folder: CollectionFolder) -> None:
    """A migration of SQLite's catalog needs one of PostgreSQL's."""
    own_alone = {"fulltext", "terms", "totals", "removed_vectors", "models"}
    tables = ("meta", "roots", "exclusions", "documents", "chunks", "vectors", "provisional", "asked", "messages")
    with memory_catalog() as here, writing(folder) as there:
        of_here = here.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        known = {name for (name,) in of_here if not name.startswith(("sqlite_", "_sqlite", "fulltext"))} - own_alone
        assert known == {*tables, "provisional_correction"}
        for table in (*tables, "files", "passages"):
            columns = [
                sorted(column[0] for column in each.execute(f"SELECT * FROM {table} LIMIT 0").description)
                for each in (here, there)
            ]
            assert columns[0] == columns[1], table


def test_many_vectors_are_found_by_their_bits(folder: CollectionFolder) -> None:
    random = np.random.default_rng(7)
    centres = random.standard_normal((200, 64))
    made = centres[random.integers(0, 200, EXACT_UP_TO + 1000)] + 0.6 * random.standard_normal((EXACT_UP_TO + 1000, 64))
    made = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)
    with writing(folder) as catalog:
        with catalog.transaction():
            vectors.put_vectors(catalog, "m'odel", [content_hash("", str(n)) for n in range(len(made))], made)
        search = catalog.database.vectors
        assert search is not None
        index = DatabaseIndex(catalog, search, "m'odel", 64)
        queries = made[:40] + 0.05 * random.standard_normal((40, 64)).astype(np.float32)
        exact = [search.nearest(catalog, "m'odel", query.astype(np.float16).tobytes(), 10, None) for query in queries]
        assert search.graph_bytes(catalog, "m'odel") is None
        search.refresh(catalog, "m'odel", 64)
        assert search.graph_bytes(catalog, "m'odel")
        few = np.arange(1, 5001, 2)

    def fetch(
        ids: "np.typing.NDArray[np.int64]",
    ) -> "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.float32]]":
        found, _, full = vectors.fetch_vectors(reader, ids, 64)
        return found, full

    with reading(folder) as reader:
        index = DatabaseIndex(reader, search, "m'odel", 64)
        found = [search_rescored(index, query, 10, fetch).ids[0] for query in queries]
        recall = np.mean(
            [np.isin([each for each, _ in true], of).mean() for true, of in zip(exact, found, strict=True)]
        )
        assert recall >= 0.99
        for query in queries[:5]:
            assert set(search_rescored(index, query, 10, fetch, allowed_ids=few).ids[0].tolist()) <= set(few.tolist())


def test_a_text_with_a_character_0_is_stored_with_another_in_its_place(folder: CollectionFolder) -> None:
    with writing(folder) as catalog:
        with catalog.transaction():
            put_file(catalog, "a.txt", [chunk("one\0two three")], metadata={"title": "x\0y", "date": "2030-05"})
        (stored,) = passages_of_document(catalog, 1)
        assert (stored.text, stored.moment) == ("one\ufffdtwo three", "2030-05")
        assert fulltext.chunks_matching(catalog, '"three"') == [1]
    assert find_damage(folder) == []
