"""`searchkit setup`: what it shows, when it writes, and that the program can start what it wrote."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client

from searchkit.library import Library
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder


def run(home: Path, *arguments: str, said: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command for a user whose home is an empty folder."""
    environment = {**os.environ, "HOME": str(home), "SEARCHKIT_HOME": str(home / "data"), "PYTHONPATH": str(ROOT)}
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "searchkit", "setup", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, input=said or "")


def files_in(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_without_a_terminal_it_shows_and_writes_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "claude")
    assert done.returncode == 0, done.stderr
    assert '"mcpServers"' in done.stdout
    assert "name: searchkit" in done.stdout
    assert "Nothing was written." in done.stderr
    assert files_in(tmp_path) == []


def test_it_writes_and_takes_out_again(tmp_path: Path) -> None:
    write(tmp_path / ".claude.json", '{"numStartups": 7}')
    assert run(tmp_path, "claude", "--yes").returncode == 0
    assert files_in(tmp_path) == [".claude.json", ".claude/skills/searchkit/SKILL.md"]
    assert "is set up already" in run(tmp_path, "claude", "--yes").stderr
    assert run(tmp_path, "claude", "--remove", "--yes").returncode == 0
    assert files_in(tmp_path) == [".claude.json"]
    assert json.loads((tmp_path / ".claude.json").read_text()) == {"numStartups": 7, "mcpServers": {}}
    assert "has no entry" in run(tmp_path, "claude", "--remove").stderr
    assert run(tmp_path, "cursor", "--yes", "--no-skill").returncode == 0
    assert ".cursor/mcp.json" in files_in(tmp_path)
    assert not any("SKILL" in name for name in files_in(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["claud"], "is not one of"),
        (["claude", "-c", "nowhere"], "No collection named 'nowhere'."),
    ],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert files_in(tmp_path) == []


def test_the_program_can_start_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "notes" / "boiler.md", "# Boiler\n\nTop up the water until the gauge shows two bar.\n")
    write(tmp_path / "other" / "secret.md", "# Secret\n\nThe gauge of the safe.\n")
    with Library(tmp_path / "data", embedder=HashEmbedder()) as library:
        library.index(tmp_path / "notes")
        library.index(tmp_path / "other")
    assert run(tmp_path, "cursor", "-c", "notes", "--yes").returncode == 0
    entry = json.loads((tmp_path / ".cursor" / "mcp.json").read_text())["mcpServers"]["searchkit"]
    # The model of the tests is no package, so that it searches by words.
    start = StdioServerParameters(
        command=entry["command"],
        args=entry["args"],
        env={**entry["env"], "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )

    async def asked() -> str:
        async with Client(stdio_client(start)) as client:
            found = await client.call_tool("search", {"query": "gauge"})
            return str(found)

    answer = asyncio.run(asyncio.wait_for(asked(), 120))
    assert "two bar" in answer
    assert "safe" not in answer
