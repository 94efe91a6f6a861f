"""HTTP, MCP, the command and the terminal UI give the same notes for the same request."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient

from searchkit.cli.main import cli
from searchkit.daemon.server import DaemonSocket
from searchkit.display import note_text
from searchkit.embedding.model_info import Scale
from searchkit.library import Library
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from searchkit.types import WEAK_BELOW, Note, NoteKind, SearchMode
from tests.support.driving import Session, drive
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.mcp_tool import search_by_mcp

FrontEnd = Callable[[Library, str], str]
K = 20  # hits; the terminal UI always asks for so many
REQUESTS = {
    NoteKind.PHRASES_NOT_FOUND: 'when are the roses to be pruned "purple walrus"',
    NoteKind.ALL_WEAK: "zebra crossing regulations",
    NoteKind.CORRECTED: "rosse",
    NoteKind.FILTER_MISREAD: "roses tpye:pdf",
    NoteKind.QUERY_CUT: " ".join(["roses"] * 20),
    NoteKind.NOTHING_FOUND: "roses type:pdf since:2001",
    NoteKind.PARTLY_READ: "roses",
    NoteKind.PARTLY_EMBEDDED: "dough",  # asked for the wasps, the model would read them
    NoteKind.WORDS_ONLY: "roses",
    NoteKind.UNREACHABLE: "roses",
}


@pytest.fixture(autouse=True)
def _short_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query is long that keys can type."""
    monkeypatch.setattr("searchkit.search.searcher.QUERY_TOKENS", 15)


def command(library: Library, query: str) -> str:
    """Return what `searchkit search` prints on stderr."""
    return searched(library, query).stderr


def searched(library: Library, query: str, *options: str) -> Result:
    """Run `searchkit search`; a daemon searches, since no model is installed."""

    async def find(request: SearchRequest) -> SearchResponse:
        return library.find(request)

    socket = DaemonSocket(library.home, find)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(socket.open(), loop).result(10)
        environment = {"SEARCHKIT_HOME": str(library.home.path)}
        done = CliRunner().invoke(cli, ["search", "-k", str(K), *options, query], env=environment)
        asyncio.run_coroutine_threadsafe(socket.close(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert done.exit_code == 0, done.output
    return done


def http(library: Library, query: str) -> str:
    """The message of POST /search."""
    return " ".join(posted(library, query)["notes"])


def posted(library: Library, query: str) -> dict[str, Any]:
    """The answer to POST /search."""
    state = open_state(library, ServeOptions(workers=1))
    try:
        with TestClient(make_api(state)) as client:
            answer = client.post("/search", json={"query": query, "k": K}).json()
    finally:
        close_state(state, 10)
    return dict(answer)


def mcp(library: Library, query: str) -> str:
    """The note of the tool `search`."""
    return " ".join(tool(library, query)["notes"])


def tool(library: Library, query: str) -> dict[str, Any]:
    """The answer of the tool `search`."""
    return dict(search_by_mcp(library, query, K))


def tui(library: Library, query: str) -> str:
    """All that is on the search screen; how much is embedded is in its status line, for all collections together."""
    seen = ""

    async def scenario(session: Session) -> None:
        nonlocal seen
        await session.search(query)
        seen = session.seen

    drive(library, scenario, columns=240)
    return seen.replace("75 % by meaning, the rest by words", note_text(PARTLY_EMBEDDED))


PARTLY_EMBEDDED = Note(NoteKind.PARTLY_EMBEDDED, (), "docs", vectors=3, passages=4)


@pytest.fixture
def indexed(library: Library, docs: Path) -> Library:
    library.index(docs, collection="docs")
    return library


@pytest.fixture
def without_meaning(docs: Path, tmp_path: Path) -> Iterator[Library]:
    """A collection of a model that does not distinguish texts."""
    embedder = HashEmbedder()
    embedder.info = replace(embedder.info, scale=Scale(languages=()))
    with Library(tmp_path / "without-meaning", embedder=embedder) as library:
        library.index(docs, collection="docs")
        yield library


@pytest.fixture
def partly_read(indexed: Library, docs: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A file more was found, and reading it was interrupted."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    write(docs / "wasps.md", "Wasps sting.\n")
    with monkeypatch.context() as during:
        during.setattr("searchkit.catalog.documents.put_document", interrupted)
        with pytest.raises(KeyboardInterrupt):
            indexed.index(docs, collection="docs")
    return indexed


@pytest.fixture
def partly_embedded(indexed: Library, docs: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Three of four passages have a vector: indexing was interrupted."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    write(docs / "wasps.md", "Wasps sting.\n")
    with monkeypatch.context() as during:
        during.setattr(HashEmbedder, "embed_documents", interrupted)
        with pytest.raises(KeyboardInterrupt):
            indexed.index(docs, collection="docs")
    return indexed


@pytest.fixture
def partly_away(indexed: Library) -> Library:
    """One more collection lives in a database that is not there."""
    write(indexed.home.config, '[collections.team]\nurl = "postgresql://anna:secret@127.0.0.1:1/none"\n')
    return indexed


@pytest.mark.parametrize("front_end", [command, http, mcp, tui], ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.name.lower())
def test_every_front_end_gives_the_notes_of_the_library(
    kind: NoteKind, front_end: FrontEnd, request: pytest.FixtureRequest
) -> None:
    fixtures = {
        NoteKind.PARTLY_READ: "partly_read",
        NoteKind.PARTLY_EMBEDDED: "partly_embedded",
        NoteKind.WORDS_ONLY: "without_meaning",
        NoteKind.UNREACHABLE: "partly_away",
    }
    library: Library = request.getfixturevalue(fixtures.get(kind, "indexed"))
    notes = library.find(SearchRequest(REQUESTS[kind], K)).notes
    assert kind in {note.kind for note in notes}
    shown = front_end(library, REQUESTS[kind])
    assert [note_text(note) for note in notes if note_text(note) not in shown] == []


def test_each_kind_of_note_that_a_library_gives_has_a_request() -> None:
    on_demand = {NoteKind.MEANINGLESS, NoteKind.MORE_TO_COME}  # where meaning alone, or an answer at once is asked for
    of_the_ui = {NoteKind.RECENT_FILES, NoteKind.FILES_BY_NAME}  # which alone lists files where nothing is asked
    assert set(REQUESTS) | on_demand | of_the_ui == set(NoteKind)


def test_a_model_that_distinguishes_nothing_is_used_where_it_is_asked_for_and_that_is_said(
    without_meaning: Library,
) -> None:
    found = without_meaning.find(SearchRequest("roses", mode=SearchMode.SEMANTIC))
    assert found.hits and all(hit.evidence.similarity is not None for hit in found.hits)
    assert NoteKind.MEANINGLESS in {note.kind for note in found.notes}
    hybrid = without_meaning.find(SearchRequest("roses"))
    assert hybrid.hits and all(hit.evidence.similarity is None for hit in hybrid.hits)


EVERY_WORD = "gasket tulip ledger"


def by_text(library: Library) -> list[bool]:
    """Whether the command says of each hit that it is weak."""
    headings = [line for line in searched(library, EVERY_WORD).stdout.splitlines() if "long.md" in line]
    return ["weak match" in line for line in headings]


def by_json(library: Library) -> list[bool]:
    """The same of its --json."""
    rows = map(json.loads, searched(library, EVERY_WORD, "--json").stdout.splitlines())
    return [row["weak"] for row in rows if row["path"].endswith("long.md")]


def by_http(library: Library) -> list[bool]:
    """The same over HTTP."""
    return [hit["weak"] for hit in posted(library, EVERY_WORD)["hits"] if hit["path"].endswith("long.md")]


def by_mcp(library: Library) -> list[bool]:
    """The same over MCP."""
    return [hit["weak"] for hit in tool(library, EVERY_WORD)["results"] if "long.md" in hit["title"] + hit["url"]]


def by_rows(library: Library) -> list[bool]:
    """The same in the rows of the terminal UI."""
    seen = tui(library, EVERY_WORD).splitlines()
    return ["weak" in line for line in seen if "long.md" in line]


@pytest.mark.parametrize("front_end", [by_text, by_json, by_http, by_mcp, by_rows], ids=lambda each: each.__name__)
def test_a_hit_with_every_word_is_weak_in_no_front_end(
    front_end: Callable[[Library], list[bool]], library: Library, docs: Path
) -> None:
    others = " ".join(f"word{number} thing{number % 7}" for number in range(40))
    write(docs / "long.md", f"A gasket. {others} A tulip. {others} The ledger.\n")
    library.index(docs, collection="docs")
    (hit,) = (hit for hit in library.find(SearchRequest(EVERY_WORD, K)).hits if hit.path.name == "long.md")
    assert hit.score < WEAK_BELOW and hit.evidence.has_every_word
    found = front_end(library)
    assert found and not any(found)
