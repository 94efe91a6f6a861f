"""A search that the daemon answers is the search as it would be here; without a daemon nothing is different."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from searchkit.daemon import client, server
from searchkit.daemon.client import DaemonLibrary, ask_daemon, find, is_answering
from searchkit.daemon.protocol import (
    LONGEST_REQUEST,
    Address,
    read_address,
    read_answer_line,
    read_request_line,
    request_line,
    response_line,
    write_address,
)
from searchkit.daemon.server import DaemonSocket
from searchkit.errors import CollectionNotFoundError, UsageError
from searchkit.home import Home
from searchkit.library import Library
from searchkit.maintenance.rename import rename_collection
from searchkit.search.query.filters import Filters
from searchkit.search.request import PassageAt, SearchRequest, SearchResponse
from searchkit.types import GroupBy, Hit, Note, NoteKind, SearchMode
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder


class RunningDaemon:
    """The daemon of a library, in a thread with an event loop of its own."""

    def __init__(self, library: Library) -> None:
        self.asked: list[SearchRequest] = []
        self._library = library
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._socket = DaemonSocket(library.home, self._find)

    async def _find(self, request: SearchRequest) -> SearchResponse:
        self.asked.append(request)
        return self._library.find(request)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._socket.open(), self._loop).result(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._socket.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def home(library: Library, docs: Path) -> Home:
    library.index(docs, collection="docs")
    return library.home


@pytest.fixture
def daemon(library: Library, home: Home) -> Iterator[RunningDaemon]:
    running = RunningDaemon(library)
    running.start()
    yield running
    running.stop()


REQUESTS = [
    SearchRequest("prune the roses"),
    SearchRequest("gauge bar", k=1, mode=SearchMode.LEXICAL),
    SearchRequest("dough", mode=SearchMode.SEMANTIC, collections=("docs",)),
    SearchRequest("", filters=Filters(types=("markdown",), since=date(2001, 1, 2)), group_by=GroupBy.FILE),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_an_engine_finds_what_the_library_finds(
    daemon: RunningDaemon, library: Library, home: Home, request_: SearchRequest
) -> None:
    assert ask_daemon(home, request_) == library.find(request_)
    assert daemon.asked == [request_]


def test_hits_of_odd_files_come_over_whole(daemon: RunningDaemon, library: Library, docs: Path, home: Home) -> None:
    write(docs / os.fsdecode(b"na\xefve \xff.md"), "# Odd\n\nA na\u00efve \u202etext with \U0001f41d bees.\n")
    write(docs / "copy of odd.md", "# Odd\n\nA na\u00efve \u202etext with \U0001f41d bees.\n")
    library.index(docs, collection="docs")
    request = SearchRequest("bees")
    found = ask_daemon(home, request)
    assert found is not None
    assert found == library.find(request)
    assert found.hits[0].copies == 1


def test_every_part_of_a_request_and_of_a_hit_survives_the_wire(library: Library, home: Home) -> None:
    filters = Filters(("pdf",), ("*.md",), ("notes",), date(2020, 1, 1), date(2021, 1, 1), ("mail",), ("x",), ("y",))
    request = SearchRequest(
        '"a" \ud800 -b',
        3,
        SearchMode.LEXICAL,
        ("docs", "more"),
        filters,
        GroupBy.FILE,
        0.5,
        PassageAt(Path("/a"), 3),
        True,
    )
    assert read_request_line(request_line(request, "key")) == ("key", request)
    found = library.find(SearchRequest("roses"))
    hit = replace(found.hits[0], copies_at=(Path("/a/b"),), marks=((0, 2), (3, 4)), page=3, more_in_file=2)
    response = SearchResponse((hit,), (Note(NoteKind.FILTER_MISREAD, ("typ:pdf",)),), request.parsed())
    assert read_answer_line(response_line(response)) == response


def test_what_makes_no_sense_is_refused_as_ever(daemon: RunningDaemon, home: Home) -> None:
    with pytest.raises(UsageError, match="query is empty"):
        ask_daemon(home, SearchRequest("  "))
    with pytest.raises(CollectionNotFoundError, match="nowhere"):
        ask_daemon(home, SearchRequest("roses", collections=("nowhere",)))


def test_a_change_of_the_folder_is_found_at_once(
    daemon: RunningDaemon, library: Library, docs: Path, home: Home
) -> None:
    ask_daemon(home, SearchRequest("wasps"))
    write(docs / "wasps.md", "Wasps sting.\n")
    with Library(home, embedder=library.collection("docs").embedder()) as other:
        other.index(docs, collection="docs")
    found = ask_daemon(home, SearchRequest("wasps"))
    assert found is not None
    assert found.hits[0].path.name == "wasps.md"


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_is_not_covered_by_vectors_is_told(
    daemon: RunningDaemon, library: Library, docs: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(docs / "wasps.md", "Wasps sting.\n")
    with monkeypatch.context() as during:
        during.setattr(HashEmbedder, "embed_documents", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            library.index(docs, collection="docs")
    found = ask_daemon(home, SearchRequest("roses"))  # asked for the wasps, the model would read them
    assert found is not None
    assert found.notes == (Note(NoteKind.PARTLY_EMBEDDED, (), "docs", 3, 4),)


def test_only_the_user_can_reach_the_engine(daemon: RunningDaemon, home: Home) -> None:
    address = read_address(home)
    assert address is not None
    files = [home.path / "engine.json", *([Path(address.socket)] if address.socket else [])]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * len(files)
    write_address(home, replace(address, key="guessed"))
    assert ask_daemon(home, SearchRequest("roses")) is None
    assert daemon.asked == []


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"null\n",
        b"\xff\n",
        b'{"key": "\\ud800", "search": {}}\n',
        b"x" * 50,
        b"[" * 200_000 + b"\n",
    ],
    ids=range(8),
)
def test_nonsense_on_the_socket_harms_nobody(daemon: RunningDaemon, home: Home, line: bytes) -> None:
    address = read_address(home)
    assert address is not None
    with client._connected(address) as connection:
        connection.settimeout(20)
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b""
    assert ask_daemon(home, SearchRequest("roses"))


def test_a_line_without_end_is_given_up(daemon: RunningDaemon, home: Home) -> None:
    address = read_address(home)
    assert address is not None
    with client._connected(address) as connection:
        connection.settimeout(20)
        try:
            connection.sendall(b"x" * (2 * LONGEST_REQUEST))
            ended = connection.recv(10) == b""
        except ConnectionError:
            ended = True
    assert ended
    assert ask_daemon(home, SearchRequest("roses"))


def test_who_says_nothing_is_sent_away(daemon: RunningDaemon, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_READ_SECONDS", 0.05)
    address = read_address(home)
    assert address is not None
    with client._connected(address) as connection:
        connection.settimeout(20)
        assert connection.recv(10) == b""


def test_a_collection_that_is_renamed_is_found_under_its_new_name(
    daemon: RunningDaemon, library: Library, home: Home
) -> None:
    before = ask_daemon(home, SearchRequest("roses", collections=("docs",)))
    with Library(home) as another:
        rename_collection(another, "docs", "papers")
    renamed = ask_daemon(home, SearchRequest("roses", collections=("papers",)))
    assert before and renamed
    assert [replace(hit, collection="papers") for hit in before.hits] == list(renamed.hits)
    with pytest.raises(CollectionNotFoundError, match="No collection named 'docs'"):
        ask_daemon(home, SearchRequest("roses", collections=("docs",)))


def test_without_an_engine_the_library_searches(library: Library, home: Home) -> None:
    assert ask_daemon(home, SearchRequest("roses")) is None
    assert not is_answering(home)
    with DaemonLibrary(home, embedder=library.collection("docs").embedder()) as warm:
        warm.warm_up()
        assert warm.search("roses") == library.search("roses")


def test_an_engine_that_was_killed_leaves_nothing_in_the_way(library: Library, home: Home) -> None:
    write_address(home, Address(str(home.path / "engine-gone.sock"), 0, "key"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(home.path / "engine-gone.sock"))
    assert ask_daemon(home, SearchRequest("roses")) is None
    running = RunningDaemon(library)
    running.start()
    try:
        assert not (home.path / "engine-gone.sock").exists()
        assert ask_daemon(home, SearchRequest("roses"))
    finally:
        running.stop()
    assert list(home.path.glob("engine*")) == []


def test_a_second_engine_leaves_the_first_ones_address_alone(
    daemon: RunningDaemon, library: Library, home: Home
) -> None:
    address = read_address(home)
    second = RunningDaemon(library)
    second.start()
    second.stop()
    assert read_address(home) == address
    assert ask_daemon(home, SearchRequest("roses"))
    assert [request.query for request in daemon.asked] == ["roses"]


def test_an_engine_of_another_version_or_a_broken_address_is_not_asked(daemon: RunningDaemon, home: Home) -> None:
    address = read_address(home)
    assert address is not None
    write_address(home, replace(address, version="0.0.1"))
    assert ask_daemon(home, SearchRequest("roses")) is None
    (home.path / "engine.json").write_text('{"socket": 3}')
    assert ask_daemon(home, SearchRequest("roses")) is None


@pytest.mark.parametrize(
    "reply", [b"", b"{\n", b'{"hits": 3}\n', b'{"error": "", "message": ""}\n', b'{"error": "Path", "message": ""}\n']
)
def test_an_engine_that_talks_nonsense_is_not_believed(home: Home, reply: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write_address(home, Address("", listener.getsockname()[1], "key"))

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask_daemon(home, SearchRequest("roses")) is None
        thread.join()


def test_a_daemon_that_fails_is_asked_once(library: Library, home: Home) -> None:
    asked = 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write_address(home, Address("", listener.getsockname()[1], "key"))

        def refuse() -> None:
            nonlocal asked
            with suppress(OSError):
                while True:
                    listener.accept()[0].close()
                    asked += 1

        thread = threading.Thread(target=refuse)
        thread.start()
        with DaemonLibrary(home, embedder=library.collection("docs").embedder()) as alone:
            assert alone.find(SearchRequest("roses")) == library.find(SearchRequest("roses"))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert asked == 1


def test_an_engine_that_hangs_is_not_waited_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write_address(home, Address("", listener.getsockname()[1], "key"))
        assert ask_daemon(home, SearchRequest("roses")) is None


def test_a_data_directory_deep_down_has_an_engine_as_well(library: Library, docs: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with Library(deep, embedder=HashEmbedder()) as other:
        other.index(docs, collection="docs")
        running = RunningDaemon(other)
        running.start()
        try:
            assert ask_daemon(Home(deep), SearchRequest("roses"))
        finally:
            running.stop()


def test_the_command_uses_the_engine_and_needs_no_model_then(daemon: RunningDaemon, home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "searchkit", "search", "prune the roses", "--json", "-k", "1"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SEARCHKIT_HOME": str(home)},
    )
    assert json.loads(done.stdout)["path"].endswith("roses.md")
    assert [request.query for request in daemon.asked] == ["prune the roses"]


def test_a_warm_library_asks_the_engine_and_loads_nothing(daemon: RunningDaemon, home: Home, library: Library) -> None:
    with DaemonLibrary(home) as warm:  # no model is installed
        warm.warm_up()
        hits: list[Hit] = warm.search("roses", k=2, collections=["docs"])
        with pytest.raises(UsageError, match="no mode"):
            warm.search("roses", mode="psychic")
    assert hits == library.search("roses", k=2, collections=["docs"])
    assert find(home, SearchRequest("roses", k=2, collections=("docs",))).hits == tuple(hits)
