"""Which program shows a hit, and what it is told."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.errors import UsageError
from searchkit.types import Evidence, Hit
from searchkit_tui.settings import external_viewer as module
from searchkit_tui.settings.external_viewer import open_command, show_in_window

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems open files by other programs")


@pytest.fixture
def hit(tmp_path: Path) -> Hit:
    path = tmp_path / "a note.md"
    path.write_text("text")
    return Hit("notes", path, "", None, 12, 14, 1.0, "text", "text", (), Evidence(None, None, ()))


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
    with pytest.raises(UsageError, match="export EDITOR=nano"):
        open_command(hit, {}, programs())


@pytest.mark.parametrize(
    ("viewer", "told"),
    [
        ("evince", ["evince", "--page-index=7", "{}"]),
        ("okular", ["okular", "--page", "7", "{}"]),
        ("zathura", ["zathura", "--page", "7", "{}"]),
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
