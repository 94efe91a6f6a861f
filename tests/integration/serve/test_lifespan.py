"""The services beside the HTTP routes: the daemon that answers `searchkit search`, and MCP at /mcp."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from searchkit.daemon.client import ask_daemon
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server, serving


@pytest.fixture
def home(tmp_path: Path, docs: Path) -> Path:
    with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
        library.index(docs)
    return tmp_path / "home"


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    with serving(home) as running:
        yield running


def test_a_running_server_answers_the_command_which_needs_no_model_then(server: Server, home: Path) -> None:
    command = [sys.executable, "-m", "searchkit", "search", "prune the roses", "-k", "1"]
    environment = {**os.environ, "SEARCHKIT_HOME": str(home)}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "roses.md" in found.stdout
    assert server.stop() == 0
    assert not list(home.glob("engine*"))
    alone = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "which is not installed" in alone.stderr  # it searches by itself again


def test_a_server_that_was_killed_is_not_missed(server: Server, home: Path) -> None:
    server.process.kill()
    server.process.wait()
    assert list(home.glob("engine*"))
    assert ask_daemon(Home(home), SearchRequest("roses")) is None
    with serving(home):
        found = ask_daemon(Home(home), SearchRequest("roses"))
        assert found
        assert found.hits[0].path.name == "roses.md"


async def _first_title(server: Server, token: str) -> str:
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http)) as client,
    ):
        answer = await client.call_tool("search", {"query": "prune the roses"})
        assert answer.structured_content
        return str(answer.structured_content["results"][0]["title"])


def test_mcp_is_served_beside_the_routes_behind_the_same_token(server: Server) -> None:
    assert asyncio.run(_first_title(server, server.token)).startswith("roses.md")
    assert server.get("/health").json()["status"] == "ok"
    with server.client(authorization="Bearer wrong") as client:
        assert client.post("/mcp", json={}).status_code == 401
    with server.client(origin="http://evil.example") as client:
        assert client.post("/mcp", json={}).status_code == 403
