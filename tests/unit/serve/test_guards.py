"""The guards around the application, without a network: what they pass on, and what leaves when something breaks inside."""

import asyncio
import json
import logging
import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from searchkit.errors import ConfigError
from searchkit.serve.http.app import Guarded, make_api
from searchkit.serve.http.lifespan import AppState
from searchkit.serve.http.middleware.asgi import Message, Receive, Scope, Send
from searchkit.serve.http.middleware.rate_limits import BodyLimit, RequestLimit
from searchkit.serve.http.options import Limits, ServeOptions
from searchkit.serve.http.protocol import limited_protocol

TOKEN = "a-token-of-the-tests"
LOOPBACK = ServeOptions()


async def ask(
    app: Any, path: str = "/search?q=x", pieces: tuple[bytes, ...] = (), **headers: str
) -> tuple[int, dict[str, str], str]:
    """Status, headers and body of what an ASGI application answers; a GET without pieces of a body."""
    shown = {
        "host": "localhost",
        "authorization": f"Bearer {TOKEN}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    path, _, query = path.partition("?")
    scope: Scope = {
        "type": "http", "method": "POST" if pieces else "GET", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "headers": [(name.lower().encode(), value.encode()) for name, value in shown.items() if value], "http_version": "1.1",
    }  # fmt: skip
    coming = [
        {"type": "http.request", "body": piece, "more_body": i < len(pieces)}
        for i, piece in enumerate(pieces or (b"",), 1)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if coming:
            return coming.pop(0)
        await asyncio.Event().wait()  # the client stays
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:]).decode()


def guarded(error: Exception, options: ServeOptions = LOOPBACK) -> Guarded:
    """The application over a pool in which everything fails."""

    async def run(_: object) -> None:
        raise error

    pool = SimpleNamespace(run=run)
    state = SimpleNamespace(pool=pool, list_pool=pool, options=options)
    return Guarded(make_api(cast("AppState", state)), options, TOKEN)


@pytest.mark.parametrize("path", ["/search?q=x", "/v1/models", "/api/tags"])
def test_what_breaks_inside_leaves_as_a_sentence_and_is_logged_without_its_text(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    status, headers, body = asyncio.run(ask(guarded(ValueError("text of a diary")), path))
    assert (status, headers["content-type"]) == (500, "application/json")
    assert "Something went wrong here" in body
    assert "diary" not in body + caplog.text
    assert "Traceback" not in body + caplog.text
    assert "ValueError at test_guards.py" in caplog.text


def test_an_error_of_ours_keeps_its_message() -> None:
    status, _, body = asyncio.run(ask(guarded(ConfigError("config.toml is not valid TOML."))))
    assert (status, json.loads(body)["error"]["message"]) == (500, "config.toml is not valid TOML.")


@pytest.mark.parametrize(
    ("host", "taken"),
    [("127.0.0.1", False), ("192.168.1.5", True), ("0.0.0.0", True)],
)
def test_addresses_are_names_of_a_server_that_others_can_reach(host: str, taken: bool) -> None:
    options = ServeOptions(host=host)
    status, _, _ = asyncio.run(ask(guarded(ValueError(), options), "/health", host="10.1.2.3:7749"))
    assert (status == 200) is taken
    status, _, _ = asyncio.run(ask(guarded(ValueError(), options), "/health", host="evil.example"))
    assert status == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://10.9.9.9", 403),
        ("http://10.1.2.3:8080", 403),
        ("http://10.1.2.3:7749", 200),
        ("http://127.0.0.1:3000", 200),
        ("HTTP://LOCALHOST:3000", 200),
    ],
)
def test_a_page_is_not_known_by_having_an_address(origin: str, status: int) -> None:
    app = guarded(ValueError(), ServeOptions(host="0.0.0.0"))
    assert asyncio.run(ask(app, "/health", host="10.1.2.3:7749", origin=origin))[0] == status


def test_every_origin_and_any_case_of_a_cross_site_request_is_looked_at() -> None:
    app = guarded(ValueError())
    assert asyncio.run(ask(app, "/health", sec_fetch_site="Cross-Site"))[0] == 403
    assert asyncio.run(ask(app, "/health", origin="http://localhost", ORIGIN="http://evil.example"))[0] == 403


def test_open_paths_wait_for_no_body_and_take_no_other_method() -> None:
    async def main(method: str) -> tuple[int, int]:
        sent: list[Message] = []
        read: list[int] = []

        async def receive() -> Message:
            read.append(1)
            return {"type": "http.request", "body": b"x", "more_body": True}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "http", "method": method, "path": "/health", "raw_path": b"/health", "root_path": "", "query_string": b"",
            "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "http_version": "1.1",
            "headers": [(b"host", b"localhost"), (b"content-length", b"1000000000")],
        }  # fmt: skip
        await guarded(ValueError())(scope, receive, send)
        return sent[0]["status"], len(read) if method in ("GET", "HEAD") else 0

    assert [asyncio.run(main(method)) for method in ("GET", "HEAD", "POST")] == [(200, 0), (200, 0), (401, 0)]


def test_what_is_sent_in_another_form_than_json_is_refused_with_what_to_do() -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    status, _, body = asyncio.run(ask(guarded(ValueError()), "/search", (b"query=x",), **form))
    assert (status, "Content-Type: application/json" in body) == (400, True)


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d" % len(body)})


@pytest.mark.parametrize(
    ("pieces", "status", "says"),
    [
        ((b"12345", b"67890"), 200, "10"),
        ((b"12345", b"678901"), 413, "longer than 10 B"),
        ((b"1" * 50,), 413, "longer than 10 B"),
    ],
)
def test_a_body_is_at_hand_whole_or_refused(pieces: tuple[bytes, ...], status: int, says: str) -> None:
    app = BodyLimit(_echo, Limits(body_bytes=10))
    got, _, body = asyncio.run(ask(app, "/x", pieces))
    assert got == status
    assert says in body


def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    read: list[int] = []

    async def main() -> int:
        async def receive() -> Message:
            read.append(1)
            return {"type": "http.disconnect"}

        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(dict(message) | {"read": len(read)})

        scope: Scope = {"type": "http", "path": "/x", "headers": [(b"content-length", b"11")]}
        await BodyLimit(_echo, Limits(body_bytes=10))(scope, receive, send)
        assert sent[1]["read"] == 0
        return int(sent[0]["status"])

    assert asyncio.run(main()) == 413


def test_more_than_so_many_requests_at_once_are_refused() -> None:
    async def main() -> tuple[int, int]:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            begun.set()
            await go_on.wait()
            await _echo(scope, receive, send)

        cap = RequestLimit(slow, 1)
        first = asyncio.ensure_future(ask(cap, "/x"))
        await begun.wait()
        refused, headers, _ = await ask(cap, "/x")
        assert headers["retry-after"] == "1"
        go_on.set()
        answered, _, _ = await first
        assert cap.running == 0
        return refused, answered

    assert asyncio.run(main()) == (503, 200)


def test_a_client_that_takes_nothing_of_its_answer_is_dropped() -> None:
    async def main() -> int:
        sent = 0
        is_over = asyncio.Event()

        async def endless(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal sent
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while (await is_gone(receive)) is False:
                await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
                sent += 100_000
            is_over.set()

        config = Config(endless, ws="none", lifespan="off", log_config=None, access_log=False)
        config.load()
        protocol, loop = limited_protocol(Limits(send_seconds=0.05)), asyncio.get_running_loop()
        server = await loop.create_server(lambda: protocol(config, ServerState(), {}), "127.0.0.1", 0)
        async with server:
            with socket.create_connection(server.sockets[0].getsockname()) as deaf:
                deaf.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await asyncio.wait_for(is_over.wait(), 30)
        return sent

    assert asyncio.run(main()) < 100_000_000


async def is_gone(receive: Receive) -> bool:
    """True if the client has gone, without waiting for it."""
    try:
        async with asyncio.timeout(0):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
