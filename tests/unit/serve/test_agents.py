"""Entries in the configuration of other programs: what is there already stays, and what was put there can be taken out."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from searchkit.errors import ConfigError
from searchkit.serve.mcp.agents import NAME, Agent, agents, setting_up, taking_out

PROGRAMS = sorted(agents(Path("/home/me"), {}))
COMMAND = ["/opt/with blanks/bin/searchkit", "mcp", "-c", 'my "notes"']
ENVIRONMENT = {"SEARCHKIT_HOME": "/srv/daten größer"}
TOML = """# my settings
model = "o4"   # the good one

[mcp_servers.other]
command = "npx"  # by hand
args = ["-y", "other"]

[profiles.fast]
model = "o4-mini"
"""


def agent_at(home: Path, name: str) -> Agent:
    return agents(home, {}, platform="linux")[name]


def parsed(agent: Agent) -> Any:
    text = agent.config.read_text("utf-8")
    return tomllib.loads(text) if agent.is_toml else json.loads(text)


def entries(agent: Agent) -> dict[str, Any]:
    found = parsed(agent)
    for key in agent.keys:
        found = found.get(key, {})
    return dict(found)


def existing(agent: Agent) -> str:
    if agent.is_toml:
        return TOML
    servers: dict[str, Any] = {"other": {"command": "npx", "args": ["-y", "other"]}}
    for key in reversed(agent.keys):
        servers = {key: servers}
    return json.dumps({"theme": "größer", "last": 1e-7, **servers, "big": 12345678901234567890}, indent=4)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("environment", [{}, ENVIRONMENT])
def test_an_entry_is_made_and_taken_out(tmp_path: Path, name: str, environment: dict[str, str]) -> None:
    agent = agent_at(tmp_path, name)
    entry = agent.entry(COMMAND, environment)
    for change in setting_up(agent, entry):
        change.write()
    assert entries(agent) == {NAME: entry}
    said = json.dumps(entry, ensure_ascii=False)
    assert all(json.dumps(part, ensure_ascii=False) in said for part in (*COMMAND, *environment.values()))
    assert all(change.is_none for change in setting_up(agent, entry)), "it is set up already"
    for change in taking_out(agent):
        change.write()
    assert entries(agent) == {}
    assert not taking_out(agent)
    assert agent.skills is None or not (agent.skills / NAME).exists()


@pytest.mark.parametrize("name", PROGRAMS)
def test_everything_else_in_the_file_stays(tmp_path: Path, name: str) -> None:
    agent = agent_at(tmp_path, name)
    agent.config.parent.mkdir(parents=True, exist_ok=True)
    agent.config.write_text(existing(agent), "utf-8")
    agent.config.chmod(0o640)
    before = parsed(agent)
    first, second = agent.entry(COMMAND, {}), agent.entry(["searchkit", "mcp"], ENVIRONMENT)
    for entry in (first, second):  # the second replaces the first
        setting_up(agent, entry)[0].write()
        assert entries(agent)[NAME] == entry
        assert entries(agent)["other"] == {"command": "npx", "args": ["-y", "other"]}
    assert agent.config.stat().st_mode & 0o777 == 0o640
    taking_out(agent)[0].write()
    assert parsed(agent) == before
    if agent.is_toml:
        assert agent.config.read_text("utf-8") == existing(agent), "with its comments"
    else:
        assert '\n    "theme"' in agent.config.read_text("utf-8"), "indented as it was"


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(
    "content",
    [
        b'{"a": 1, // a comment\n "b": 2}',
        b'{"a": 1, "a": 2}',
        b"[1, 2]",
        b"\xff\xfe{}",
        b"{",
        b'{"mcpServers": [], "servers": 3, "mcp": "x"}',
        b"a = 1\na = 2",
        b"mcp_servers = {searchkit = {command = 'x'}}",
    ],
)
def test_a_file_that_would_lose_something_is_left_alone(tmp_path: Path, name: str, content: bytes) -> None:
    agent = agent_at(tmp_path, name)
    agent.config.parent.mkdir(parents=True, exist_ok=True)
    agent.config.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be changed without losing something"):
        setting_up(agent, agent.entry(COMMAND, {}))
    with pytest.raises(ConfigError, match="cannot be changed without losing something"):
        taking_out(agent)
    assert agent.config.read_bytes() == content


def test_a_link_stays_one(tmp_path: Path) -> None:
    agent = agent_at(tmp_path, "cursor")
    kept = tmp_path / "dotfiles" / "mcp.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    agent.config.parent.mkdir()
    agent.config.symlink_to(kept)
    setting_up(agent, agent.entry(COMMAND, {}))[0].write()
    assert agent.config.is_symlink()
    assert NAME in kept.read_text()


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    agent = agent_at(tmp_path, "claude")
    (change, _) = setting_up(agent, agent.entry(COMMAND, {}))
    agent.config.write_text('{"new": 1}')
    with pytest.raises(ConfigError, match="changed meanwhile"):
        change.write()
    assert agent.config.read_text() == '{"new": 1}'


def test_a_skill_that_the_user_has_changed_stays(tmp_path: Path) -> None:
    agent = agent_at(tmp_path, "codex")
    for change in setting_up(agent, agent.entry(COMMAND, {})):
        change.write()
    assert agent.skills is not None
    skill = agent.skills / NAME / "SKILL.md"
    skill.write_text(skill.read_text() + "\nMine.\n")
    for change in taking_out(agent):
        change.write()
    assert "Mine." in skill.read_text()


def test_each_system_keeps_its_files_elsewhere() -> None:
    home = Path("/home/me")
    at = {each: agents(home, {"APPDATA": "/appdata"}, each)["claude-desktop"].config for each in ("darwin", "win32")}
    assert at["darwin"] == home / "Library/Application Support/Claude/claude_desktop_config.json"
    assert at["win32"] == Path("/appdata/Claude/claude_desktop_config.json")
    moved = agents(home, {"CODEX_HOME": "/c", "XDG_CONFIG_HOME": "/x", "CLAUDE_CONFIG_DIR": "/k"}, "linux")
    assert moved["codex"].config == Path("/c/config.toml")
    assert moved["opencode"].config == Path("/x/opencode/opencode.json")
    assert moved["claude"].config == Path("/k/.claude.json")
