"""`searchkit mcp` as a process: the official client over standard input and output, and what a client can do wrong there.

The collection is embedded by a model that the process does not have, so it searches by words, which is quick to start.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from searchkit.library import Library
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

COMMAND = [sys.executable, "-m", "searchkit", "mcp"]
HELLO = {
    "jsonrpc": "2.0", "id": "hello", "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
# Runs the command with a search that also writes to standard output in the ways that libraries do.
NOISY = """
import os, sys
from searchkit.cli.main import main
from searchkit.library import Library
def loud(*_, **__):
    print("printed"); sys.stdout.flush(); os.write(1, b"written by native code\\n"); os.system("echo said by a child")
    return found(*_, **__)
found, Library.search = Library.search, loud
sys.argv = ["searchkit", "mcp"]
main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mcp")
    write(folder / "docs" / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    write(folder / "docs" / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(folder / "docs")
    return folder / "home"


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "SEARCHKIT_HOME": str(home), "PYTHONUNBUFFERED": "1"}


def called(tool: str, number: object = 1, **arguments: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def talk(environment: dict[str, str], *messages: object, command: list[str] = COMMAND) -> tuple[dict[object, Any], str]:
    """Answers by id, and standard error, after the input has ended."""
    lines = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    done = subprocess.run(
        command, input="\n".join(lines) + "\n", env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]  # nothing but JSON
    return {answer["id"]: answer for answer in answers}, done.stderr


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_official_client_searches_and_fetches(environment: dict[str, str], mode: Any) -> None:
    async def session() -> None:
        server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=environment)
        async with Client(server, mode=mode, read_timeout_seconds=60) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert list(tools) == ["search", "fetch", "status"]
            for tool in tools.values():
                assert tool.annotations is not None
                assert tool.annotations.read_only_hint
                assert tool.annotations.open_world_hint is False
            found = await client.call_tool("search", {"query": "when to prune roses"})
            best = found.structured_content["results"][0]
            assert best["title"] == "roses.md: Roses"
            fetched = await client.call_tool("fetch", {"id": best["id"]})
            assert "Prune the roses in March" in fetched.structured_content["text"]
            refused = await client.call_tool("search", {"query": "roses", "top_k": 3})
            assert refused.is_error

    asyncio.run(session())


def test_what_is_asked_before_the_input_ends_is_answered(environment: dict[str, str]) -> None:
    answers, talk_on_stderr = talk(environment, HELLO, READY, *[called("search", n, query="roses") for n in range(5)])
    assert answers["hello"]["result"]["serverInfo"]["name"] == "searchkit"
    assert "own files" in answers["hello"]["result"]["instructions"]
    for number in range(5):
        assert "roses.md" in answers[number]["result"]["content"][0]["text"]
    assert talk_on_stderr == ""


def test_what_is_no_request_does_not_end_the_conversation(environment: dict[str, str]) -> None:
    answers, _ = talk(
        environment,
        HELLO,
        READY,
        "not json",
        "[]",
        '{"jsonrpc": "2.0", "id": 7}',
        called("nope", 1),
        called("search", 2, query="roses \ud83d"),
        {"jsonrpc": "2.0", "id": 3, "method": "resources/list"},
        called("search", "four", query="roses", limit=10**9, extra=1),
        {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "search", "arguments": "roses"}},
        called("fetch", 6, id="../../etc/passwd"),
    )
    assert "There is no tool 'nope'. Tools: search, fetch, status." in answers[1]["error"]["message"]
    assert "roses.md" in answers[2]["result"]["content"][0]["text"]
    assert answers[3]["error"]["code"] == -32601
    assert answers["four"]["result"]["isError"]
    assert answers[5]["error"]["code"] == -32602
    assert "is not an id of a passage or a document" in answers[6]["result"]["content"][0]["text"]


def test_standard_output_carries_the_protocol_alone(environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", NOISY]
    answers, talk_on_stderr = talk(environment, HELLO, READY, called("search", query="roses"), command=command)
    assert set(answers) == {"hello", 1}
    for noise in ("printed", "written by native code", "said by a child"):
        assert noise in talk_on_stderr


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, None])
def test_it_leaves_when_there_is_no_input(environment: dict[str, str], stdin: int | None) -> None:
    command = COMMAND if stdin is not None else ["sh", "-c", f'exec "{sys.executable}" -m searchkit mcp <&-']
    done = subprocess.run(
        command, stdin=stdin, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command, past the handshake."""
    with subprocess.Popen(
        COMMAND, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(HELLO)}\n")
        process.stdin.flush()
        assert "searchkit" in process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_leaves_quietly_when_it_is_told_to(running: subprocess.Popen[str], number: signal.Signals) -> None:
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (0, "", "")


def test_it_leaves_when_nobody_reads_any_more(running: subprocess.Popen[str]) -> None:
    assert running.stdout is not None
    assert running.stdin is not None
    assert running.stderr is not None
    running.stdout.close()
    running.stdin.write("".join(f"{json.dumps(called('search', n, query='roses'))}\n" for n in range(3)))
    running.stdin.close()
    assert running.wait(timeout=30) == 0
    assert running.stderr.read() == ""


def test_a_collection_that_there_is_not_is_said_at_the_start(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*COMMAND, "-c", "nope"], env=environment, input="", capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: No collection named 'nope'. Choose from: docs.\n"


def test_without_the_protocol_it_says_what_to_install(environment: dict[str, str]) -> None:
    code = (
        "import sys; sys.modules['mcp'] = None; sys.argv = ['searchkit', 'mcp']\n"
        "from searchkit.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, input="", capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The MCP server needs the package mcp. Install the extra: ")
    assert done.stderr.endswith("[mcp]'\n")
