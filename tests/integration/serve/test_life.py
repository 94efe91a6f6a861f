"""A server's life: many clients at once, slow ones, ones that go away, indexing meanwhile, and its end."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from searchkit.library import Library
from tests.support.fake_llm import FakeLlm, Script, fake_llm
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server, serving

pytestmark = pytest.mark.slow

ASKED = [{"role": "user", "content": "until the gauge shows two bar"}]
CHAT = {"model": "docs", "messages": ASKED, "stream": True}


class Paused(list[str]):
    """Pieces of a reply, with a pause behind the first that lasts until `go_on` is set."""

    def __init__(self, pieces: list[str]) -> None:
        super().__init__(pieces)
        self.is_paused = threading.Event()
        self.go_on = threading.Event()

    def __iter__(self) -> Iterator[str]:
        yield self[0]
        self.is_paused.set()
        assert self.go_on.wait(30)
        yield from self[1:]


@pytest.fixture
def llm() -> Iterator[FakeLlm]:
    with fake_llm() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, docs: Path) -> Path:
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(docs)
    return tmp_path / "home"


def paused(llm: FakeLlm) -> Paused:
    pieces = Paused(["The gauge shows ", "two bar [1]."])
    llm.scripts = [Script(pieces)]
    return pieces


def test_a_server_that_is_told_to_stop_finishes_what_it_has_begun(home: Path, llm: FakeLlm) -> None:
    pieces = paused(llm)
    with serving(home, llm=llm.base) as server, server.client() as client, ThreadPoolExecutor(8) as pool:
        with client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
            events = answer.iter_lines()
            next(events)
            assert pieces.is_paused.wait(30)
            searches = [pool.submit(search_until_refused, server) for _ in range(6)]
            answered_before = server.get("/search", q="roses").status_code
            server.process.terminate()
            for search in searches:  # each ends when the server takes no more
                search.result(60)
            pieces.go_on.set()
            text = "\n".join(events)
        assert answered_before == 200
        assert "two bar" in text
        assert text.rstrip().endswith("data: [DONE]")
        assert server.process.wait(30) == 0


def search_until_refused(server: Server) -> None:
    """Search until no connection is taken any more. Every search that is answered is answered whole."""
    with server.client() as client:
        while True:
            try:
                answer = client.get("/search?q=roses&k=2")
            except (httpx2.ConnectError, httpx2.ReadError):  # refused, or reset before the server had taken it
                return
            assert answer.status_code == 200
            assert json.loads(answer.content)["hits"]


def test_a_second_signal_ends_it_at_once_and_quietly(home: Path, llm: FakeLlm) -> None:
    pieces = paused(llm)
    with serving(home, llm=llm.base) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.post, "/v1/chat/completions", {**CHAT, "stream": False})  # no status yet
        assert pieces.is_paused.wait(30)
        server.process.terminate()
        search_until_refused(server)
        server.process.terminate()
        assert server.process.wait(30) == 1
        logged = server.log.read_text("utf-8")
        assert "Traceback" not in logged
        assert "Exception" not in logged
        pieces.go_on.set()


def test_slow_clients_hold_up_nobody(home: Path, llm: FakeLlm) -> None:
    pieces = paused(llm)
    with (
        serving(home, llm=llm.base) as server,
        server.client() as client,
        client.stream("POST", "/v1/chat/completions", json=CHAT) as answer,
    ):
        events = answer.iter_lines()  # kept: when it goes, the connection does
        next(events)
        assert pieces.is_paused.wait(30)
        with deaf(server, "/documents/x"), deaf(server, "/openapi.json"), ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: server.get("/search", q="roses").status_code, range(40)))
        assert found == [200] * 40
        pieces.go_on.set()
        assert "data: [DONE]" in list(events)


def deaf(server: Server, path: str) -> socket.socket:
    """A client that asks and never reads."""
    line = socket.create_connection(("127.0.0.1", server.port), 30)
    line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n\r\n".encode())
    return line


def test_an_answer_that_nobody_waits_for_is_stopped(home: Path, llm: FakeLlm) -> None:
    pieces = paused(llm)
    with serving(home, llm=llm.base) as server:
        for stream in (True, False):
            with socket.create_connection(("127.0.0.1", server.port), 30) as line:
                body = json.dumps({**CHAT, "stream": stream}).encode()
                head = (
                    f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
                )
                line.sendall(
                    f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
                )
                assert pieces.is_paused.wait(30)
            pieces.is_paused.clear()
        # Were the two threads that write answers still at it, nobody else could be answered while the model hangs.
        llm.answers("The gauge shows two bar [1].")
        assert "two bar" in server.post("/v1/chat/completions", {**CHAT, "stream": False}).text
        pieces.go_on.set()


def test_more_than_can_be_answered_is_refused_and_told_when_to_come_again(home: Path, llm: FakeLlm) -> None:
    pieces = paused(llm)
    with serving(home, {"requests": 1}, llm=llm.base) as server, server.client() as client:
        with client.stream("POST", "/v1/chat/completions", json=CHAT) as answer:
            events = answer.iter_lines()
            next(events)
            assert pieces.is_paused.wait(30)
            refused = server.get("/search", q="roses")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            pieces.go_on.set()
            assert "data: [DONE]" in list(events)
        assert server.get("/search", q="roses").status_code == 200


def test_a_collection_is_brought_up_to_date_where_that_is_allowed(home: Path, docs: Path) -> None:
    write(docs / "tulips.md", "# Tulips\n\nPlant the tulip bulbs in October.\n")
    with serving(home, allows_indexing=True) as server:
        assert server.get("/index").json()["state"] == "idle"
        assert server.post("/index", {"collection": "nope"}).status_code == 404
        assert server.post("/index", {"collection": "docs", "folder": "/etc"}).status_code == 400
        assert server.post("/index", {"collection": "docs"}).status_code == 202
        while (status := server.get("/index").json())["state"] == "running":
            pass
        assert status["state"] == "done"
        assert status["report"]["added"] == 1
        assert server.get("/search", q="tulip bulbs").json()["hits"][0]["title"].startswith("tulips.md")


def test_a_server_over_nothing_says_what_to_do(tmp_path: Path) -> None:
    with serving(tmp_path / "empty") as server:
        assert server.get("/health").status_code == 200
        refused = server.get("/search", q="anything")
        assert refused.status_code == 404
        assert refused.json()["error"]["message"] == "Nothing is indexed yet. Where the server runs: index a folder."
        assert server.get("/v1/vector_stores").json()["data"] == []
        assert server.stop() == 0


def test_without_a_language_model_a_chat_quotes_and_says_how_to_get_one(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
        with serving(home, llm=nobody) as server:
            whole = {**CHAT, "stream": False}
            said = server.post("/v1/chat/completions", whole).json()["choices"][0]["message"]["content"]
            assert said.startswith("“Top up the water until the gauge shows two bar.” [1]")
            assert "No model server answers" in said and "Sources:\n[1] " in said
            turns = [*ASKED, {"role": "assistant", "content": said}, {"role": "user", "content": "go on"}]
            more = server.post("/v1/chat/completions", {**whole, "messages": turns}).json()
            assert "two bar" not in more["choices"][0]["message"]["content"]
            title = {
                "role": "user",
                "content": '### Task:\nGenerate a title.\nJSON format: { "title": "…" }\nUSER: when is it',
            }
            named = server.post("/v1/chat/completions", {**whole, "messages": [title]}).json()
            assert named["choices"][0]["message"]["content"] == '{"title": "when is it"}'
