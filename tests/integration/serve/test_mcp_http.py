"""`searchkit mcp --http` as a process: the official client over Streamable HTTP, and who is not let in."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from searchkit.library import Library
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

SEARCH = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "roses"}},
}  # fmt: skip
HEADERS = {"accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Served:
    """A server that runs: where, and the token that it wants."""

    url: str
    token: str
    home: Path
    process: "subprocess.Popen[str]"

    @property
    def authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def post(self, content: object = SEARCH, **headers: str) -> httpx2.Response:
        return httpx2.post(self.url, json=content, headers={**HEADERS, **self.authorization, **headers}, timeout=60)


@contextmanager
def serving(home: Path, *options: str) -> Iterator[Served]:
    command = [sys.executable, "-m", "searchkit", "mcp", "--http", "--port", "0", *options]
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[3].rstrip(".")
        token = home / "serve-token"
        try:
            yield Served(url, token.read_text().strip() if token.exists() else "", home, process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mcp")
    write(folder / "docs" / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(folder / "docs")
    return folder / "home"


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    with serving(home) as server:
        yield server


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_client_searches_and_fetches(served: Served, mode: Any) -> None:
    async def session() -> None:
        async with httpx2.AsyncClient(headers=served.authorization) as http:
            transport = streamable_http_client(served.url, http_client=http)
            async with Client(transport, mode=mode, read_timeout_seconds=60) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == ["search", "fetch", "status"]
                found = await client.call_tool("search", {"query": "when to prune roses"})
                best = found.structured_content["results"][0]
                assert json.loads(found.content[0].text) == found.structured_content  # type: ignore[union-attr]
                fetched = await client.call_tool("fetch", {"id": best["id"]})
                assert "Prune the roses in March" in fetched.structured_content["text"]
                assert (await client.call_tool("fetch", {"id": "../../etc/passwd"})).is_error

    asyncio.run(session())


def test_each_request_stands_for_itself(served: Served) -> None:
    answer = served.post()
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in answer.headers
    assert "roses.md" in answer.json()["result"]["content"][0]["text"]


def test_the_token_lies_in_a_file_for_the_user_alone(served: Served) -> None:
    assert stat.S_IMODE((served.home / "serve-token").stat().st_mode) == 0o600
    assert len(served.token) >= 32


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer \u00fc"])
def test_without_the_token_nobody_is_let_in(served: Served, header: str) -> None:
    headers = [(b"accept", HEADERS["accept"].encode()), (b"authorization", header.encode())]
    answer = httpx2.post(served.url, json=SEARCH, headers=headers)
    assert answer.status_code == 401
    assert "roses" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7750", "127.0.0.1.evil.example", "169.254.169.254"])
def test_a_foreign_host_is_refused(served: Served, host: str) -> None:
    answer = served.post(host=host)
    assert answer.status_code == 421
    assert "roses" not in answer.text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"])
def test_a_web_page_elsewhere_is_refused(served: Served, origin: str) -> None:
    assert served.post(origin=origin).status_code == 403


def test_pages_of_this_machine_are_let_in_with_the_token(served: Served) -> None:
    assert served.post(origin="http://localhost:3000").status_code == 200


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b"[]", 400),
        (b'{"jsonrpc":"2.0"}', 400),
        (b"\xff\xfe", 400),
        (b"0" * 2_000_000, 413),
    ],
)
def test_what_is_no_request_is_refused(served: Served, content: bytes, status: int) -> None:
    headers = {**HEADERS, **served.authorization, "content-type": "application/json"}
    answer = httpx2.post(served.url, content=content, headers=headers, timeout=60)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_there_is_nothing_to_listen_to_or_to_end(served: Served, method: str) -> None:
    answer = httpx2.request(method, served.url, headers={**HEADERS, **served.authorization})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_nothing_is_served_at_other_paths(served: Served) -> None:
    for path in ("/", "/mcp/../etc/passwd", "/health"):
        url = served.url.removesuffix("/mcp") + path
        assert httpx2.post(url, json=SEARCH, headers={**HEADERS, **served.authorization}).status_code == 404


def test_it_leaves_when_it_is_told_to_and_needs_no_token_if_that_is_asked_for(home: Path) -> None:
    with serving(home, "--no-token") as server:
        assert httpx2.post(server.url, json=SEARCH, headers=HEADERS, timeout=60).status_code == 200
        taken = subprocess.run(
            [sys.executable, "-m", "searchkit", "mcp", "--http", "--port", server.url.split(":")[2].split("/")[0]],
            env={**os.environ, "SEARCHKIT_HOME": str(home)}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        server.process.send_signal(signal.SIGTERM)
        _, err = server.process.communicate(timeout=30)
        assert (server.process.returncode, err) == (0, "")
    assert taken.returncode == 1
    assert "cannot be used: Address already in use. Choose another: --port 0" in taken.stderr
