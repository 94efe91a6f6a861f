"""Keys: what they do, where they can be seen, how they are changed."""

import base64
import io
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from textual import events
from textual.widgets import Input

from searchkit.cli.main import cli
from searchkit.config import load_settings, save_settings
from searchkit.errors import ConfigError
from searchkit.home import Home
from searchkit.library import Library
from searchkit_tui.app import SearchApp
from searchkit_tui.rendering.hit_content import is_weak
from searchkit_tui.search.result_list import ResultList
from searchkit_tui.search.screen import SearchScreen
from searchkit_tui.settings.keys import SEARCH_KEYS
from searchkit_tui.widgets.help_screen import HelpScreen
from tests.support.driving import Session, drive
from tests.support.hash_embedder import HashEmbedder


def test_every_key_has_a_name_to_be_changed_by_and_no_key_is_given_twice() -> None:
    names = [binding.id for binding in SEARCH_KEYS]
    keys = [key for binding in SEARCH_KEYS for key in binding.key.split(",")]
    assert all(names)
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)


def test_the_box_keeps_its_own_editing_keys() -> None:
    of_the_box = {key for binding in Input.BINDINGS for key in binding.key.split(",")}  # type: ignore[union-attr]
    ours = {key for binding in SEARCH_KEYS for key in binding.key.split(",")}
    assert ours & of_the_box == {"enter"}


def test_keys_can_be_changed_in_the_config_and_the_help_says_so(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        await session.press("ctrl+t")
        assert session.status.startswith("hybrid")
        await session.press("f5")
        await session.until(lambda: session.status.startswith("semantic"))
        await session.press("f1")
        await session.until(lambda: isinstance(session.app.screen, HelpScreen))
        await session.until(lambda: "f5" in session.seen)
        assert "^t" not in session.seen

    (library.home.path / "config.toml").write_text('[keys]\nmode = "f5"\nopen = "ctrl+j"\n')
    drive(library, scenario, rows=60)


def test_where_nothing_is_indexed_the_users_own_key_for_it_is_named(tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.press("f2")
        await session.until(lambda: "Press F7 to add a folder" in session.seen)

    with Library(tmp_path / "empty", embedder=HashEmbedder()) as empty:
        empty.home.path.mkdir()
        (empty.home.path / "config.toml").write_text('[keys]\ncollections_add = "f7"\n')
        drive(empty, scenario)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('moed = "f5"', "nothing is named 'moed'. Did you mean 'mode'?"),
        ('mode = "ctl+x"', "mode: there is no key 'ctl+x'"),
        ('mode = ""', "mode: there is no key ''"),
        ('mode = "f5"\ncopy = "f5"', "f5 is given to both mode and copy"),
        ("mode = 5", "keys must be a table of texts"),
    ],
)
def test_a_table_of_keys_that_makes_no_sense_is_refused(library: Library, table: str, complaint: str) -> None:
    (library.home.path / "config.toml").write_text(f"[keys]\n{table}\n")
    with pytest.raises(ConfigError) as refused:
        SearchApp(library)
    assert complaint in str(refused.value)


def test_settings_keep_their_keys_when_they_are_saved(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('model = "m"\nhistory = false\n[keys]\nmode = "f5"\n')
    save_settings(Home(tmp_path), load_settings(Home(tmp_path)))
    settings = load_settings(Home(tmp_path))
    assert (settings.model, settings.history, settings.keys) == ("m", False, {"mode": "f5"})


@pytest.mark.parametrize(("value", "is_on"), [("true", True), ("FALSE", False), ("1", True)])
def test_the_environment_can_switch_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, *, is_on: bool
) -> None:
    monkeypatch.setenv("SEARCHKIT_HISTORY", value)
    assert load_settings(Home(tmp_path)).history is is_on


def test_the_environment_must_say_clearly_whether_there_is_a_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCHKIT_HISTORY", "perhaps")
    with pytest.raises(ConfigError, match="must be true or false"):
        load_settings(Home(tmp_path))


def test_f1_shows_every_key_that_is_at_work(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("f1")
        await session.until(lambda: isinstance(session.app.screen, HelpScreen))
        await session.pilot.pause()
        shown = session.seen
        for binding in SEARCH_KEYS:
            assert (binding.tooltip or binding.description) in shown
        assert "must occur as written" in shown
        await session.press("escape")
        assert not isinstance(session.app.screen, HelpScreen)

    drive(library, scenario, rows=80)


def test_the_palette_offers_what_keys_do(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler")
        offered = {command.title for command in session.app.get_system_commands(session.app.screen)}
        wanted = (
            "Open,Copy,Similar,Filters,Collections,Ask,Dark theme: nord,Quit,Help,Index a folder,Search by words alone"
        )
        assert not set(wanted.split(",")) - offered
        assert "Hit above" not in offered
        await session.press("ctrl+p")
        await session.type("words alone")
        await session.pilot.pause(0.3)
        await session.press("enter")
        await session.until(lambda: session.status.startswith("lexical"))

    drive(library, scenario)


def test_ctrl_y_copies_the_passage_with_its_source_and_without_control_signs(library: Library) -> None:
    async def scenario(session: Session) -> None:
        written = io.StringIO()
        await session.search("walrus")
        driver = session.app._driver
        assert driver is not None
        session.app._driver.write = written.write  # type: ignore[method-assign, union-attr]
        await session.press("ctrl+y")
        copied = session.app.clipboard
        assert "Walrus [bold]x[/bold]" in copied
        assert "\x1b" not in copied
        assert copied.rstrip().endswith("hostile.txt:1)")
        sequence = f"\x1b]52;c;{base64.b64encode(copied.encode()).decode()}\a"
        assert sequence in written.getvalue()
        assert session.toasts == ["hostile.txt"]

    drive(library, scenario)


class _Programs:
    """Programs that are run, and how they end."""

    def __init__(self, status: int = 0) -> None:
        self.commands: list[Sequence[str]] = []
        self.status = status

    def run(self, command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(list(command))
        return subprocess.CompletedProcess(command, self.status)


@pytest.mark.parametrize("status", [0, 3])
def test_enter_opens_the_editor_at_the_line_and_comes_back(
    library: Library, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    programs = _Programs(status)

    @contextmanager
    def suspended(_: SearchApp) -> Iterator[None]:
        yield

    async def scenario(session: Session) -> None:
        await session.search("pressure")
        await session.press("enter")
        path = session.results.hits[0].path
        assert programs.commands == [["vim", "+3", str(path)]]
        assert session.toasts == (["vim ended with status 3."] if status else [])
        assert session.box.value == "pressure"

    monkeypatch.setenv("VISUAL", "vim")
    monkeypatch.setattr(SearchApp, "suspend", suspended)
    monkeypatch.setattr("searchkit_tui.widgets.open_hit.subprocess.run", programs.run)
    drive(library, scenario)


def test_two_clicks_open_too_and_one_does_not(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    async def scenario(session: Session) -> None:
        await session.search("pruning boiler")
        row = 3 if is_weak(session.results.hits[1]) else 2  # below the rule
        await session.pilot.click("ResultList", offset=(5, row))
        assert session.results.highlighted == 1
        assert opened == []
        await session.pilot.click("ResultList", offset=(5, row), times=2)
        await session.pilot.pause()
        assert opened == [session.selected]

    def note(screen: SearchScreen) -> None:
        hit = screen.query_one(ResultList).selected_hit
        opened.append(hit.path.name if hit else "")

    monkeypatch.setattr("searchkit_tui.search.screen.SearchScreen.action_open", note)
    drive(library, scenario)


def test_a_file_that_is_gone_is_said_with_what_to_do(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pressure")
        session.results.hits[0].path.unlink()
        await session.press("enter")
        (toast,) = session.toasts
        assert "no longer exists. Index its collection again." in toast

    drive(library, scenario)


def test_a_terminal_that_cannot_be_lent_is_said(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(session: Session) -> None:
        await session.search("pressure")
        await session.press("enter")
        (toast,) = session.toasts
        assert toast.startswith("An editor cannot use this terminal.")

    monkeypatch.setenv("VISUAL", "vim")
    drive(library, scenario)


def test_the_command_refuses_a_broken_config_before_the_ui_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('[keys]\nopne = "f5"\n')
    monkeypatch.setenv("SEARCHKIT_HOME", str(tmp_path))
    monkeypatch.setattr("searchkit.cli.tui.is_terminal", lambda: True)
    result = CliRunner().invoke(cli, ["tui"])
    assert isinstance(result.exception, ConfigError)


def test_of_several_lines_that_are_pasted_none_is_lost(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.type("the ")
        session.box.post_message(events.Paste("boiler\npressure\r\n  is\ttoo low\n"))
        await session.until(lambda: session.box.value == "the boiler pressure is too low")
        await session.until(lambda: session.names[:1] == ["boiler.md"])
        session.box.select_all()
        session.box.post_message(events.Paste("apple\ntree"))
        await session.until(lambda: session.box.value == "apple tree")
        session.box.post_message(events.Paste(""))
        await session.pilot.pause()
        assert session.box.value == "apple tree"

    drive(library, scenario)


def test_keys_are_called_as_they_are_set(library: Library, tmp_path: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.until(lambda: session.message.startswith("Type to search notes. F9 explains"))
        await session.press("escape")
        await session.until(lambda: session.toasts == ["Alt+Q quits."])

    (library.home.path / "config.toml").write_text('[keys]\nquit = "alt+q"\nhelp = "f9"\n')
    drive(library, scenario)


def test_the_help_is_wrapped_beside_the_keys_on_a_narrow_terminal(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.press("f1")
        await session.until(lambda: isinstance(session.app.screen, HelpScreen))
        await session.until(lambda: "Open the hit in your editor" in session.seen)
        rows = [line.partition("│  ")[2] for line in session.seen.split("\n") if "│  " in line]
        first = next(row for row in rows if "Open the hit in your editor" in row)
        after = rows[rows.index(first) + 1]
        assert "system" in after
        assert after.index("system") == first.index("Open") or after.startswith(" " * first.index("Open"))

    drive(library, scenario, columns=80, rows=24)


def test_keys_that_come_while_the_ui_becomes_ready_are_typed_after_those_before_them(library: Library) -> None:
    async def scenario(session: Session) -> None:
        session.app._typed_early = [events.Key("a", "a"), events.Key("b", "b")]
        session.app.post_message(events.Ready())
        for key, character in (("backspace", "\x7f"), ("t", "t"), ("space", " "), ("o", "o"), ("f", "f")):
            session.app.post_message(events.Key(key, character))  # behind it, as the terminal sent them
        await session.until(lambda: session.box.value.endswith("of"))
        assert session.box.value == "at of"

    drive(library, scenario)


def test_no_key_of_a_burst_is_lost_while_hits_come_and_go(library: Library) -> None:
    async def scenario(session: Session) -> None:
        typed = "boiler pressure in the garden of notes " * 5
        for at, character in enumerate(typed):
            session.app.post_message(events.Key("space" if character == " " else character, character))
            if at % 40 == 0:
                await session.pilot.pause(0.2)  # a search begins
        await session.until(lambda: len(session.box.value) >= len(typed))
        assert session.box.value == typed

    drive(library, scenario)
