"""What is done with hits: marked, opened, read, copied, printed; by real programs that note what they are told."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import OptionList

from searchkit.library import Library
from searchkit_tui.widgets.dialogs import Choose, Confirm
from tests.support.driving import Session, drive, write_files
from tests.support.terminal import Typist, at_a_terminal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems open files by other programs")

HOSTILE = "-R $(touch owned)\n'; touch owned #.md"
MARK, READ, FOLDER, PRINT, QUIT = "\x1b[Z", "\x1bt", "\x1bo", "\x1bw", "\x11"


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with programs that note their arguments, each ended by NUL, in a file beside them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("evince", "xdg-open", "code", "pager"):
        script = folder / name
        script.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >> '{folder}/{name}.told'\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("DISPLAY", ":0")
    for variable in ("VISUAL", "EDITOR", "PAGER", "LESS", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    return folder


def told(programs: Path, name: str) -> list[str]:
    file = programs / f"{name}.told"
    return os.fsdecode(file.read_bytes()).split("\0")[:-1] if file.exists() else []


def until(condition: Callable[[], object]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("It never came true.")


def test_hits_marked_for_several_queries_are_opened_together(
    library: Library, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("shift+tab")
        assert session.results.highlighted == 1
        assert session.box.border_subtitle == "1 marked · Enter opens it"
        await session.search("walrus")
        await session.press("shift+tab", "up")
        assert session.box.border_subtitle == "2 marked · Enter opens them"
        assert "▌✓" in session.seen
        await session.press("enter")
        await session.until(lambda: told(programs, "code"))
        notes = library.home.path.parent / "notes"
        assert told(programs, "code") == ["--wait", "-g", f"{notes / 'boiler.md'}:3", f"{notes / 'hostile.txt'}:1"]
        await session.press("shift+tab", "f4")
        await session.until(lambda: isinstance(session.app.screen, Choose))
        assert "1 marked hit" in session.seen
        await session.press("escape", "escape")
        assert session.box.value == "" and session.box.border_subtitle
        await session.press("escape")
        assert not session.box.border_subtitle and not session.results.marked

    monkeypatch.setenv("EDITOR", "code --wait")
    drive(library, scenario)


def test_many_are_opened_only_if_the_user_confirms(
    library: Library, programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def scenario(session: Session) -> None:
        await session.search("zebra")
        for _ in range(10):
            await session.press("shift+tab")
        count = len(session.results.marked)
        assert count > 8
        await session.press("enter")
        await session.until(lambda: isinstance(session.app.screen, Confirm))
        assert f"Open {count} hits?" in session.seen
        await session.press("enter", "enter", "right", "enter")
        await session.until(lambda: told(programs, "xdg-open"))

    library.index(write_files(tmp_path / "zoo", {f"{number}.txt": f"zebra {number * 'x'}" for number in range(12)}))
    drive(library, scenario)
    until(lambda: len(told(programs, "xdg-open")) >= 9)


def test_the_list_of_actions_has_those_that_show_more_of_one_hit(library: Library) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler pressure")
        await session.press("f4")
        await session.until(lambda: "Find passages like it" in session.seen)
        assert "say the same" not in session.seen  # none does
        await session.press("end", "enter")
        await session.until(lambda: "number 1 of" in session.seen)
        await session.press("escape", "f4", "end", "up", "enter")
        await session.until(lambda: "similar to boiler.md" in session.seen)
        await session.press("escape", "shift+tab", "f4")
        await session.until(lambda: "1 marked hit" in session.seen)
        assert "Find passages like it" not in session.seen
        assert "Copy the path " in session.seen
        await session.press("escape", "shift+tab", "f4")
        await session.until(lambda: "2 marked hits" in session.seen)
        assert "Copy the paths" in session.seen and "Copy the path " not in session.seen

    drive(library, scenario)


def test_the_list_of_actions_names_their_keys_and_runs_them(library: Library, programs: Path) -> None:
    async def scenario(session: Session) -> None:
        await session.search("boiler type:pdf")
        await session.press("f4")
        assert not isinstance(session.app.screen, Choose)  # there is no hit
        await session.search("boiler pressure")
        path = session.results.hits[0].path
        await session.press("ctrl+r")
        await session.until(lambda: isinstance(session.app.screen, Choose))
        for shown in ("boiler.md", "Copy the citation", "Alt+C", "Open the folder", "Alt+O"):
            assert shown in session.seen
        session.app.screen.query_one(OptionList).highlighted = 5
        await session.press("enter")
        await session.until(lambda: session.app.clipboard == f"Heating, {path}:3")
        await session.press("alt+y")
        assert session.app.clipboard == str(path)
        await session.press("shift+tab", "shift+tab", "alt+y")
        assert session.app.clipboard == "\n".join(str(hit.path) for hit in session.results.hits[:2])
        assert session.toasts[-1] == "boiler.md and 1 more"
        await session.press("alt+o")
        await session.until(lambda: told(programs, "xdg-open") == [str(path.parent)])

    drive(library, scenario)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory whose only collection has a plain file, one with a hostile name, and a PDF; without a model."""
    docs = write_files(
        tmp_path / "docs",
        {"plain.md": "# Plain\n\nThe kingfisher nests in the bank.\n", HOSTILE: "A heron stands still.\n"},
    )
    manual = Path(__file__).parents[3] / "sample_docs" / "manuals" / "Corvello-D2-operating-manual.pdf"
    shutil.copy(manual, docs / "manual.pdf")
    monkeypatch.setenv("SEARCHKIT_HOME", str(tmp_path / "home"))
    with Library(tmp_path / "home") as library:
        library.index(docs, collection="docs")
    return docs


TUI = (sys.executable, "-m", "searchkit", "tui", "--mode", "lexical")


def find(user: Typist, query: str, name: str) -> None:
    user.until("Type to search")
    user.type(query)
    user.until(name, "passages")  # before, the box is empty and all files are listed


def test_without_windows_a_pdf_is_read_as_text_at_the_passage(
    at_home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY")
    pager = programs / "pager"
    pager.write_text(
        f'#!/bin/sh\nfor last; do :; done\ncp "$last" {programs}/shown\nstat -c %a "$(dirname "$last")" > {programs}/mode\n'
        f"printf '%s\\0' \"$@\" > '{programs}/pager.told'\nread key\n"
    )
    monkeypatch.setenv("PAGER", "pager")
    with at_a_terminal(TUI, os.environ) as user:
        find(user, '"limescale"', "manual.pdf")
        user.type("\r")
        until(lambda: told(programs, "pager"))
        user.type("\x03")  # is the pager's, not searchkit's
        user.type("x\r")
        user.until("limescale")
    line = int(told(programs, "pager")[0].removeprefix("+"))
    shown = (programs / "shown").read_text().splitlines()
    assert "limescale" in "".join(shown[line - 1 : line + 2])
    assert (programs / "mode").read_text() == "700\n"


def test_less_shows_the_text_at_the_line_and_gives_the_terminal_back(at_home: Path, tmp_path: Path) -> None:
    written = tmp_path / "written"
    written.mkdir()
    with at_a_terminal(TUI, {**os.environ, "LESS": "FRX", "TMPDIR": str(written)}) as user:
        find(user, "kingfisher", "plain.md")
        user.type(READ)
        user.until("plain.md.txt")
        user.type("\x03")
        user.until("\x07")
        time.sleep(0.5)  # less throws away what is typed while it is interrupted
        user.type("q")
        user.until("Collections")
        until(lambda: not list(written.iterdir()))


def test_chosen_paths_are_printed_to_a_pipe_while_the_ui_draws_on_the_terminal(at_home: Path, tmp_path: Path) -> None:
    redirected = f"2>{tmp_path}/err </dev/null | cat >{tmp_path}/out"
    script = f"{shlex.join(TUI)} --print0 {redirected}; echo done"
    with at_a_terminal(("bash", "-c", script), os.environ) as user:
        find(user, "heron OR kingfisher", "plain.md")
        user.type(MARK)
        user.until("1 marked")
        user.type(MARK)
        user.until("2 marked")
        user.type("\r")
        user.until("done")
    printed = (tmp_path / "out").read_bytes().split(b"\0")
    assert sorted(printed) == sorted([b"", *(os.fsencode(at_home / name) for name in ("plain.md", HOSTILE))])
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.parametrize(("keys", "code", "out"), [("\r", 0, "plain.md\n"), (PRINT, 0, "plain.md\n"), (QUIT, 130, "")])
def test_the_exit_code_says_whether_a_path_was_chosen(
    at_home: Path, tmp_path: Path, keys: str, code: int, out: str
) -> None:
    script = f"{shlex.join(TUI)} --print > {tmp_path}/out; echo code $?"
    with at_a_terminal(("bash", "-c", script), os.environ) as user:
        find(user, "kingfisher", "plain.md")
        user.type(keys)
        user.until(f"code {code}")
    assert (tmp_path / "out").read_text() == (f"{at_home}/{out}" if out else "")


def test_on_a_terminal_the_printed_path_cannot_steer_it(at_home: Path) -> None:
    with at_a_terminal(TUI, os.environ) as user:
        find(user, "heron", "touch owned")
        user.type(PRINT)
        user.until("touch owned)␊'; touch owned #.md")


def test_without_a_terminal_there_is_nothing_to_choose_on(at_home: Path) -> None:
    command = [*TUI, "--print"]
    ended = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=False)
    assert ended.returncode == 1
    assert "needs a terminal" in ended.stderr and ended.stdout == ""


def test_without_windows_a_folder_is_a_shell_and_exit_leads_back(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setenv("SHELL", "/bin/sh")
    with at_a_terminal(TUI, os.environ) as user:
        find(user, "kingfisher", "plain.md")
        user.type(FOLDER)
        user.until(f"A shell in {at_home}")
        user.type("pwd -P; exit 3\n")
        user.until(f"{at_home.resolve()}\r\n", "Collections")
