"""A collection that is renamed is the same under its new name, with all that refers to it; whatever happens meanwhile."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("psycopg", reason="psycopg is not installed (extra [postgres])")

from searchkit import rename_collection
from searchkit.catalog.connection import writing
from searchkit.catalog.postgres.connection import exists
from searchkit.cli.main import cli
from searchkit.config import save_settings, saved_settings
from searchkit.errors import CatalogError, CollectionBusyError, CollectionNotFoundError, UsageError
from searchkit.home import CollectionFolder, databases
from searchkit.library import Library
from searchkit.maintenance.callers import make_caller, read_callers
from searchkit.maintenance.move import move_collection
from searchkit.maintenance.rebuild import verify_collection
from searchkit.search.click_log import note_opened, read_opened
from searchkit.types import Hit, SearchMode
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.postgres import LibraryInDatabase

both_homes = pytest.mark.both_homes
STEPS = ("_write", "_switch", "_follow", "_merge", "_rename_aliases", "rename_seen", "rename_opened")


@pytest.fixture
def full(library: Library, docs: Path) -> Library:
    """A library with a collection that everything refers to that can."""
    library.index(docs)
    settings = saved_settings(library.home)
    aliases = {"gpt-4o": "docs", "gpt-4": "searchkit/docs", "ada": "other"}
    save_settings(library.home, replace(settings, keep_opened=True, serve=replace(settings.serve, aliases=aliases)))
    [hit, *_] = found(library)
    assert note_opened(library.home, "water", hit)
    if "docs" in databases(library.home):
        make_caller(library.home, "sales", [("docs", str(docs))])
    folder = library.collection("docs").folder
    write(folder.training / "vectors.bin", "cached\n")
    write(folder.evaluation, "{}\n")
    write(library.home.earlier_evaluation("docs"), "{}\n")
    write(library.home.earlier_training("docs")[0], "old\n")
    return library


def found(library: Library) -> list[Hit]:
    """What is found, by words and by meaning."""
    return library.search("gauge water") + library.search("dough", mode=SearchMode.LEXICAL)


def under(name: str, hits: list[Hit]) -> list[Hit]:
    """The same hits of a collection of another name."""
    return [replace(hit, collection=name) for hit in hits]


def check_renamed(library: Library, hits: list[Hit]) -> None:
    """Check that `docs` is `papers`, and that nothing refers to it by its old name."""
    home = library.home
    assert library.collections() == ["papers"]
    assert found(library) == under("papers", hits)
    assert verify_collection(library.collection("papers")) == []
    folder = library.collection("papers").folder
    assert (folder.training / "vectors.bin").read_text() == "cached\n"
    assert folder.evaluation.exists()
    assert not (home.collections / "docs").exists()
    assert home.earlier_evaluation("papers").exists()
    assert home.earlier_training("papers")[0].exists()
    assert not home.earlier_evaluation("docs").exists()
    assert not home.earlier_training("docs")[0].parent.exists()
    assert dict(saved_settings(home).serve.aliases) == {"gpt-4o": "papers", "gpt-4": "searchkit/papers", "ada": "other"}
    assert [one.collection for one in read_opened(home)] == ["papers"]
    assert all([name for name, _ in caller.view.roots] == ["papers"] for caller in read_callers(home))
    assert not list(home.path.glob("*renaming.json*"))
    with pytest.raises(CollectionNotFoundError, match=r"No collection named 'docs'. Choose from: papers"):
        library.search("water", collections=["docs"])


def run(library: Library, *arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(cli, list(arguments), env={"SEARCHKIT_HOME": str(library.home.path)})


@both_homes
def test_a_collection_that_was_renamed_is_the_same(full: Library, docs: Path, embedder: HashEmbedder) -> None:
    hits = found(full)
    embedder.embedded.clear()
    is_remote = full.collection("docs").folder.url is not None
    report = rename_collection(full, "docs", "papers")
    assert (report.collection, report.previous, report.opened, report.was_finished) == ("papers", "docs", 1, False)
    assert report.aliases == ("gpt-4o", "gpt-4")
    assert report.tokens == (("sales",) if is_remote else ())
    assert report.name_in_database == ("docs" if is_remote else "")
    check_renamed(full, hits)
    again = full.index(docs)
    assert (again.collection, again.unchanged, again.embedded, embedder.embedded) == ("papers", 3, 0, [])
    assert not list((full.home.collections / "papers").glob("lock.holder"))
    rename_collection(full, "papers", "docs")
    assert found(full) == hits
    if is_remote:
        assert databases(full.home)["docs"].collection == ""


@both_homes
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_whenever_it_is_killed_the_collection_has_one_name_and_the_next_renaming_finishes_it(
    full: Library, step: str, when: str
) -> None:
    is_remote = full.collection("docs").folder.url is not None
    if step == "_merge" and not is_remote:
        return  # there is no such step
    hits = found(full)
    full.close()
    killed(full, when, step)
    is_switched = step not in ("_write", "_switch") or (step, when) == ("_switch", "after")
    name = "papers" if is_switched else "docs"
    assert full.collections() == [name]
    assert found(full) == under(name, hits)
    assert verify_collection(full.collection(name)) == []
    if (step, when) != ("_follow", "after"):  # then all is done
        assert rename_collection(full, "docs", "papers").was_finished == is_switched
    check_renamed(full, hits)


def killed(library: Library, when: str, step: str) -> None:
    """Rename in a process of its own, which is killed at a step."""
    command = [sys.executable, "-m", "tests.support.rename_and_die", str(library.home.path), when, step]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == -9, done.stderr


@both_homes
def test_what_was_left_is_done_by_a_renaming_to_another_name_too(full: Library, docs: Path) -> None:
    hits = found(full)
    killed(full, "before", "_rename_aliases")
    full.index(docs)
    assert rename_collection(full, "papers", "letters").previous == "papers"
    assert rename_collection(full, "letters", "papers").aliases == ("gpt-4o", "gpt-4")
    check_renamed(full, hits)


@pytest.mark.postgres
@pytest.mark.parametrize("library", ["postgres"], indirect=True)
def test_what_was_indexed_after_a_killed_renaming_is_kept(full: Library, docs: Path) -> None:
    hits = found(full)
    killed(full, "before", "_merge")
    full.index(docs)  # which makes its folder
    assert {path.name for path in full.home.collections.iterdir()} == {"docs", "papers"}
    rename_collection(full, "docs", "papers")
    check_renamed(full, hits)


def test_a_renaming_that_was_killed_before_it_began_is_none(full: Library, docs: Path) -> None:
    killed(full, "after", "_write")
    full.index(write(docs.parent / "more" / "wasps.txt", "Wasps sting.\n").parent, collection="papers")
    with pytest.raises(UsageError, match="There is a collection 'papers' already"):
        rename_collection(full, "docs", "papers")
    assert saved_settings(full.home).serve.aliases["gpt-4o"] == "docs"


@both_homes
@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", " docs", "docs ", "n" * 101, "a\nb"])
def test_a_name_that_cannot_be_is_refused(full: Library, name: str) -> None:
    hits = found(full)
    with pytest.raises(UsageError, match="cannot be a collection's name"):
        rename_collection(full, "docs", name)
    assert found(full) == hits


@both_homes
def test_names_that_are_taken_or_unknown_are_refused(full: Library, docs: Path) -> None:
    full.index(write(docs.parent / "more" / "wasps.txt", "Wasps sting.\n").parent, collection="taken")
    hits = found(full)
    for old, new, error, words in (
        ("docs", "taken", UsageError, "There is a collection 'taken' already"),
        ("docs", "docs", UsageError, "called 'docs' already"),
        ("none", "docs", CollectionNotFoundError, "No collection named 'none'"),
        ("none", "papers", CollectionNotFoundError, "No collection named 'none'. Choose from: docs, taken"),
    ):
        with pytest.raises(error, match=words):
            rename_collection(full, old, new)
    assert full.collections() == ["docs", "taken"]
    assert found(full) == hits


def test_a_folder_that_is_no_collection_is_not_replaced(full: Library) -> None:
    write(full.home.collections / "papers" / "lock", "")  # of a run that was killed before it created anything
    left = write(full.home.collections / "letters" / "catalog.db.before", "what somebody has kept")
    with pytest.raises(UsageError, match=r"letters is no collection, but has catalog.db.before. Nothing was changed"):
        rename_collection(full, "docs", "letters")
    assert left.exists()
    rename_collection(full, "docs", "papers")
    assert full.collections() == ["papers"]


@both_homes
@pytest.mark.parametrize("held", ["docs", "renaming"])
def test_a_collection_that_is_being_written_is_not_renamed(full: Library, held: str) -> None:
    import filelock

    hits = found(full)
    holds: dict[str, Callable[[], AbstractContextManager[object]]] = {
        "docs": lambda: writing(full.collection("docs").folder, beside_others=True),
        "renaming": lambda: filelock.FileLock(full.home.path / "renaming.lock"),
    }
    with holds[held](), pytest.raises(CollectionBusyError):
        rename_collection(full, "docs", "papers")
    assert found(full) == hits
    rename_collection(full, "docs", "papers")
    check_renamed(full, hits)


@both_homes
def test_whoever_has_it_open_finds_it_under_its_new_name(full: Library, docs: Path) -> None:
    hits = found(full)
    with Library(full.home.path, embedder=HashEmbedder()) as other:
        assert found(other) == hits
        rename_collection(full, "docs", "papers")
        check_renamed(other, hits)
        if not isinstance(full, LibraryInDatabase):
            write(docs.parent / "docs2" / "wasps.txt", "Wasps sting.\n")
            full.index(docs.parent / "docs2", collection="docs")
            [wasps] = other.search("wasps", collections=["docs"], mode=SearchMode.LEXICAL)
            assert (wasps.collection, wasps.path.name) == ("docs", "wasps.txt")
            assert other.search("water", collections=["papers"], mode=SearchMode.LEXICAL)[0].collection == "papers"
    assert verify_collection(full.collection("papers")) == []


def test_what_cannot_be_written_changes_nothing(full: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = found(full)

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device", str(full.home.path))

    monkeypatch.setattr("searchkit.maintenance.rename.write_atomically", no_room)
    with pytest.raises(CatalogError, match="No space left on device"):
        rename_collection(full, "docs", "papers")
    monkeypatch.undo()
    assert found(full) == hits


@pytest.mark.postgres
@pytest.mark.parametrize("library", ["postgres"], indirect=True)
def test_in_the_database_the_collection_keeps_its_name(full: Library, docs: Path, embedder: HashEmbedder) -> None:
    hits = found(full)
    url = databases(full.home)["docs"].full
    write(full.home.path.parent / "other" / "config.toml", f'[collections.docs]\nurl = "{url}"\n')
    rename_collection(full, "docs", "papers")
    assert f'[collections.papers]\nurl = "{url}"\nname = "docs"\n' in full.home.config.read_text()
    with Library(full.home.path.parent / "other", embedder=embedder) as other:
        assert found(other) == hits
    with pytest.raises(UsageError, match=r"The collection 'docs' in postgresql://.* is called 'papers' here"):
        full.index(docs, collection="docs")
    move_collection(full, "papers", "local", lambda _: None)
    assert [(hit.collection, hit.path) for hit in found(full)] == [("papers", hit.path) for hit in hits]
    assert "collections" not in full.home.config.read_text()


@pytest.mark.postgres
@pytest.mark.parametrize("library", ["postgres"], indirect=True)
def test_a_killed_move_of_a_renamed_collection_leaves_nothing_in_the_database(library: Library, docs: Path) -> None:
    library.index(docs, collection="first")
    rename_collection(library, "first", "docs")
    url = databases(library.home)["docs"]
    library.close()
    command = [
        sys.executable,
        "-m",
        "tests.support.move_and_die",
        str(library.home.path),
        "local",
        "before",
        "remove",
        "1",
    ]
    assert subprocess.run(command, cwd=ROOT, timeout=120, check=False).returncode == -9
    with pytest.raises(UsageError, match="A move of 'docs' was interrupted"):
        rename_collection(library, "docs", "papers")
    assert move_collection(library, "docs", "local", lambda _: None).was_finished
    assert not exists(CollectionFolder(library.collection("docs").folder.path, url))
    assert rename_collection(library, "docs", "papers").name_in_database == ""


@pytest.mark.postgres
def test_a_collection_is_not_renamed_in_the_middle_of_a_move(full: Library) -> None:
    write(full.collection("docs").folder.path / "moving.json", "{}")
    with pytest.raises(UsageError, match="A move of 'docs' was interrupted"):
        rename_collection(full, "docs", "papers")
    assert full.collections() == ["docs"]


@both_homes
def test_the_command_says_what_else_was_changed(full: Library) -> None:
    full.close()
    done = run(full, "collections", "rename", "docs", "papers")
    assert done.exit_code == 0, done.output
    assert "papers: that is the name of 'docs' now." in done.stderr
    assert "Aliases of the server that mean it: gpt-4o, gpt-4" in done.stderr
    assert ("In the database it is called 'docs' as before" in done.stderr) == isinstance(full, LibraryInDatabase)
    assert ("Tokens of the server that see it: sales." in done.stderr) == isinstance(full, LibraryInDatabase)
    assert "1 opened hit" in done.stderr
    back = run(full, "collections", "rename", "papers", "docs", "--json")
    assert json.loads(back.stdout)["previous"] == "papers"
    listed = run(full, "collections", "--json")
    assert json.loads(listed.stdout)["collection"] == "docs"
    mistyped = run(full, "collections", "renam", "docs", "papers")
    assert mistyped.exit_code == 2
    assert "Did you mean 'rename'?" in mistyped.output
