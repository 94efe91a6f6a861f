"""One long question stops nobody: lists answer while every search thread is busy, and nobody works for who has gone."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from searchkit.library import Library
from searchkit.serve.http import server as http_server
from searchkit.serve.http.app import Guarded, make_api
from searchkit.serve.http.lifespan import AppState, close_state, open_state
from searchkit.serve.http.middleware.asgi import Message, Scope
from searchkit.serve.http.middleware.callers import caller_of
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.mcp import http as mcp_http


class Busy:
    """A server whose search threads are all at work until `go_on` is set."""

    def __init__(self, state: AppState) -> None:
        self.state = state
        self.app = Guarded(make_api(state), state.options, "")
        self.go_on = threading.Event()
        begun = threading.Semaphore(0)

        def block(_: Library) -> None:
            begun.release()
            self.go_on.wait(60)

        for _ in range(state.options.workers):
            state.pool.submit(block)
        for _ in range(state.options.workers):
            assert begun.acquire(timeout=60)

    async def get(self, path: str, gone: "asyncio.Event | None" = None) -> list[Message]:
        """What is answered to a GET; the client disconnects when `gone` is set."""
        path, _, query = path.partition("?")
        scope: Scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "root_path": "",
            "query_string": query.encode(), "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [(b"host", b"localhost")], "http_version": "1.1",
        }  # fmt: skip
        coming: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        sent: list[Message] = []

        async def receive() -> Message:
            if coming:
                return coming.pop()
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent


@pytest.fixture
def busy(library: Library) -> Iterator[Busy]:
    state = open_state(library, ServeOptions(workers=2, needs_token=False))
    busy = Busy(state)
    try:
        yield busy
    finally:
        busy.go_on.set()
        close_state(state, 30)


@pytest.mark.parametrize("path", ["/v1/models", "/collections", "/v1/vector_stores", "/v1/files", "/api/tags"])
def test_lists_are_answered_while_every_search_thread_is_busy(busy: Busy, path: str) -> None:
    sent = asyncio.run(asyncio.wait_for(busy.get(path), 60))
    assert sent[0]["status"] == 200
    assert not busy.go_on.is_set()


def test_a_search_whose_client_has_gone_is_dropped_before_it_begins(busy: Busy) -> None:
    async def main() -> list[Message]:
        gone = asyncio.Event()
        request = asyncio.ensure_future(busy.get("/search?q=roses", gone))
        while busy.state.pool.waiting == 0:
            await asyncio.sleep(0.01)
        gone.set()
        sent = await request
        while busy.state.pool.waiting:
            await asyncio.sleep(0.01)
        return sent

    assert asyncio.run(asyncio.wait_for(main(), 60)) == []


@pytest.mark.parametrize(
    "listen",
    [lambda: http_server._listen(ServeOptions(port=0)), lambda: mcp_http._listen(0)],
    ids=["serve", "mcp"],
)
def test_a_small_answer_is_sent_at_once(listen: Callable[[], socket.socket]) -> None:
    """Otherwise the body waits until the client has acknowledged the head, which takes 40 ms."""

    async def main() -> int:
        options: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            options.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen() as listener:
            async with await asyncio.start_server(connected, sock=listener):
                _, writer = await asyncio.open_connection(*listener.getsockname())
                found = await options
                writer.close()
        return found

    assert asyncio.run(asyncio.wait_for(main(), 60))


def test_a_caller_is_a_program_on_a_machine_whatever_its_connections() -> None:
    def scope(port: int, agent: str) -> dict[str, Any]:
        return {"client": ("127.0.0.1", port), "headers": [(b"user-agent", agent.encode())]}

    assert caller_of(scope(1, "curl")) == caller_of(scope(2, "curl")) != caller_of(scope(1, "openai"))
