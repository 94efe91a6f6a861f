"""Which program shows a hit, and what it is told."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.errors import UsageError
from searchkit.types import Evidence, Hit
from searchkit_tui.search.hit_actions import pasted_path
from searchkit_tui.settings import external_viewer as module
from searchkit_tui.settings.external_viewer import (
    OpenCommand,
    Surroundings,
    folder_command,
    open_together,
    show_in_window,
    text_command,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems open files by other programs")


@pytest.fixture
def hit(tmp_path: Path) -> Hit:
    path = tmp_path / "a note.md"
    path.write_text("text")
    return Hit("notes", path, "", None, 12, 14, 1.0, "text", "text", (), Evidence(None, None, ()))


WINDOWS = {"DISPLAY": ":0"}


def open_command(hit: Hit, environment: dict[str, str], which: module.Which, pdf_viewer: str = "") -> OpenCommand:
    """On a machine with windows."""
    command = module.open_command(hit, Surroundings({**WINDOWS, **environment}, which, pdf_viewer))
    assert command is not None
    return command


def programs(*names: str) -> module.Which:
    return lambda name: f"/usr/bin/{name}" if name in names else None


@pytest.mark.parametrize(
    ("editor", "told", "takes_terminal"),
    [
        ("vi", ["vi", "+12", "{}"], True),
        ("vim", ["vim", "+12", "{}"], True),
        ("/usr/local/bin/nvim -p", ["/usr/local/bin/nvim", "-p", "+12", "{}"], True),
        ("nano", ["nano", "+12", "{}"], True),
        ("emacs -nw", ["emacs", "-nw", "+12", "{}"], True),
        ("micro", ["micro", "+12", "{}"], True),
        ("hx", ["hx", "{}:12"], True),
        ("helix", ["helix", "{}:12"], True),
        ("code --wait", ["code", "--wait", "-g", "{}:12"], False),
        ("subl", ["subl", "{}:12"], False),
        ("unknown", ["unknown", "{}"], True),
    ],
)
def test_editors_are_told_the_line_in_their_own_way(
    hit: Hit, editor: str, told: list[str], takes_terminal: bool
) -> None:
    chosen = open_command(hit, {"EDITOR": editor}, programs())
    assert list(chosen.words) == [part.format(hit.path) for part in told]
    assert chosen.takes_terminal is takes_terminal


def test_visual_goes_before_editor_and_no_line_is_no_argument(hit: Hit) -> None:
    chosen = open_command(replace(hit, line=None), {"VISUAL": "nano", "EDITOR": "vi"}, programs())
    assert chosen.words == ("nano", str(hit.path))


def test_without_an_editor_the_system_opens_it_or_one_that_is_there(hit: Hit) -> None:
    assert open_command(hit, {}, programs("xdg-open", "vi")).words == ("xdg-open", str(hit.path))
    assert open_command(hit, {}, programs("vi")).words == ("vi", "+12", str(hit.path))
    with pytest.raises(UsageError, match="export PAGER=less"):
        module.open_command(hit, Surroundings({}, programs()))


@pytest.mark.parametrize(
    ("viewer", "told"),
    [
        ("evince", ["evince", "--page-index=7", "{}"]),
        ("okular", ["okular", "--page", "7", "{}"]),
        ("zathura", ["zathura", "--page", "7", "{}"]),
        ("mupdf", ["mupdf", "{}", "7"]),
        ("xpdf", ["xpdf", "{}", "7"]),
    ],
)
def test_viewers_are_told_the_page_of_a_pdf(hit: Hit, viewer: str, told: list[str]) -> None:
    path = hit.path.with_suffix(".pdf")
    path.touch()
    pdf = replace(hit, path=path, line=None, page=7)
    chosen = open_command(pdf, {"EDITOR": "vim"}, programs(viewer, "xdg-open"))
    assert list(chosen.words) == [part.format(path) for part in told]
    assert not chosen.takes_terminal
    assert open_command(pdf, {"EDITOR": "vim"}, programs("xdg-open")).words == ("xdg-open", str(path))


def test_the_usual_viewer_goes_before_others(hit: Hit, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hit.path.with_suffix(".pdf")
    path.touch()
    pdf = replace(hit, path=path, line=None, page=7)
    monkeypatch.setattr(module, "_usual_viewer", lambda: "org.kde.okular.desktop")
    assert open_command(pdf, {}, programs("evince", "okular", "xdg-mime")).words[0] == "okular"
    monkeypatch.setattr(module, "_usual_viewer", lambda: "firefox.desktop")
    assert open_command(pdf, {}, programs("evince", "xdg-mime", "xdg-open")).words[0] == "xdg-open"


def test_a_program_that_fails_at_once_says_why_and_one_that_stays_does_not(tmp_path: Path) -> None:
    assert show_in_window(["true"]) == ""
    said = show_in_window([sys.executable, "-c", "import sys; sys.exit('no display')"], 30)
    assert said.endswith("could not open it. no display")
    assert "could not be started: No such file or directory" in show_in_window([str(tmp_path / "none")])


@pytest.fixture
def pdf(hit: Hit) -> Hit:
    path = hit.path.with_suffix(".pdf")
    path.touch()
    return replace(hit, path=path, line=None, page=7)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("zathura --fork", ["zathura", "--fork", "--page", "7", "{}"]),
        ("my-viewer", ["my-viewer", "{}"]),
        ("my-viewer -p {page}", ["my-viewer", "-p", "7", "{}"]),
        ("my-viewer '{path}#{page}'", ["my-viewer", "{}#7"]),
        ("my-viewer {path} :{page} -x", ["my-viewer", "{}", ":7", "-x"]),
    ],
)
def test_the_viewer_that_the_user_names_goes_before_all_others(pdf: Hit, named: str, told: list[str]) -> None:
    chosen = open_command(pdf, {}, programs("evince", "xdg-open"), named)
    assert list(chosen.words) == [part.format(pdf.path) for part in told]
    assert not chosen.takes_terminal
    with pytest.raises(UsageError, match="pdf_viewer in config"):
        open_command(pdf, {}, programs("evince"), "zathura '")


def test_xpdf_4_takes_the_page_in_another_way(pdf: Hit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version, page in (("3.04", "7"), ("4.05", ":7")):
        script = tmp_path / "xpdf"
        script.write_text(f"#!/bin/sh\necho 'xpdf version {version} [www.xpdfreader.com]' >&2\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        assert open_command(pdf, {}, programs("xpdf")).words == ("xpdf", str(pdf.path), page)


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_without_windows_nothing_shows_a_pdf_but_a_viewer_in_the_terminal(pdf: Hit, variable: str) -> None:
    there = programs("evince", "xdg-open")
    assert module.open_command(pdf, Surroundings({}, there)) is None
    assert module.open_command(pdf, Surroundings({}, there, "zathura")) is None
    assert module.open_command(pdf, Surroundings({variable: ":1"}, there)) is not None
    assert module.open_command(pdf, Surroundings({}, there, "tdf")) == OpenCommand(
        ("tdf", str(pdf.path)), takes_terminal=True, chosen_by="pdf_viewer in config.toml"
    )


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PAGER": "less -R"}, ["less", "-R", "+12", "{}"]),
        ({"PAGER": "less", "LESS": "FRX"}, ["less", "-+F", "+12", "{}"]),
        ({"PAGER": "most"}, ["most", "+12", "{}"]),
        ({"PAGER": "bat --paging=always"}, ["bat", "--paging=always", "{}"]),
        ({"PAGER": "cat"}, ["less", "+12", "{}"]),
        ({}, ["less", "+12", "{}"]),
    ],
)
def test_without_windows_text_is_shown_by_the_pager_at_the_line(
    hit: Hit, environment: dict[str, str], told: list[str]
) -> None:
    chosen = module.open_command(hit, Surroundings(environment, programs("less", "xdg-open", "nano")))
    assert chosen is not None
    assert list(chosen.words) == [part.format(hit.path) for part in told]
    assert chosen.takes_terminal


def test_without_a_pager_an_editor_shows_text_and_without_both_it_is_said(hit: Hit) -> None:
    shown = text_command(hit.path, 4, Surroundings({"EDITOR": "hx"}, programs()))
    assert shown.words == ("hx", f"{hit.path}:4")
    assert text_command(hit.path, 4, Surroundings({}, programs("vi"))).words == ("vi", "+4", str(hit.path))
    with pytest.raises(UsageError, match="export PAGER=less"):
        text_command(hit.path, 4, Surroundings({}, programs()))


@pytest.mark.parametrize("variable", ["EDITOR", "PAGER"])
@pytest.mark.parametrize("value", ["vim '", "  "])
def test_a_variable_that_makes_no_sense_is_named(hit: Hit, variable: str, value: str) -> None:
    with pytest.raises(UsageError, match=variable):
        module.open_command(hit, Surroundings({variable: value}, programs()))


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("vim", ["vim", "+12", "{0}", "{1}"]),
        ("nano", ["nano", "+12", "{0}", "+3", "{1}"]),
        ("hx", ["hx", "{0}:12", "{1}:3"]),
        ("code", ["code", "-g", "{0}:12", "{1}:3"]),
    ],
)
def test_several_files_are_opened_by_one_editor(hit: Hit, pdf: Hit, editor: str, told: list[str]) -> None:
    other = hit.path.with_name("-R +q.md")
    other.touch()
    second = replace(hit, path=other, line=3)
    chosen = open_together([hit, second], Surroundings({"EDITOR": editor}))
    assert chosen is not None
    assert list(chosen.words) == [part.format(hit.path, other) for part in told]
    assert open_together([hit, pdf], Surroundings({"EDITOR": editor})) is None
    assert open_together([hit, second], Surroundings({})) is None


def test_a_folder_is_shown_by_the_system_and_without_windows_by_a_shell_in_it(hit: Hit) -> None:
    folder = hit.path.parent
    assert folder_command(hit.path, Surroundings(WINDOWS, programs("xdg-open"))).words == ("xdg-open", str(folder))
    shell = folder_command(hit.path, Surroundings({"SHELL": "/bin/zsh"}, programs("xdg-open")))
    assert (shell.words, shell.folder, shell.takes_terminal) == (("/bin/zsh",), folder, True)
    with pytest.raises(UsageError, match="no longer exists"):
        folder_command(folder / "gone" / "a.md", Surroundings(WINDOWS, programs("xdg-open")))


@pytest.mark.parametrize(
    ("name", "pasted"),
    [
        ("a note's.md", "/n/a note's.md"),
        ("Ünïcode.md", "/n/Ünïcode.md"),
        ("x\nrm -r ~\n'.md", "$'/n/x\\x0arm -r ~\\x0a\\'.md'"),
        ("x\x9by", "$'/n/x\\xc2\\x9by'"),
    ],
)
def test_a_copied_path_cannot_end_the_line_that_it_is_pasted_into(name: str, pasted: str) -> None:
    assert pasted_path(Path("/n") / name) == pasted
    if pasted.startswith("$"):
        shown = subprocess.run(["bash", "-c", f"printf %s {pasted}"], capture_output=True, check=True).stdout
        assert shown == os.fsencode(f"/n/{name}")
