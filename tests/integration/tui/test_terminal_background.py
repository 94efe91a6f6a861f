"""A light terminal has a light UI from the first frame on, and its answer is never taken for keys."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from searchkit.home import Home
from searchkit_tui.settings.saved_state import save_theme
from tests.support.terminal import at_a_terminal

_UI = (sys.executable, "-m", "searchkit", "tui")
_QUESTION = "\x1b]11;?\x1b\\"
_SAYS_LIGHT = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\"
_SAYS_DARK = "\x1b]11;rgb:0000/0000/0000\x07"
_LIGHT, _DARK = "\x1b[48;2;224;224;224m ", "\x1b[48;2;18;18;18m "  # blanks on the backgrounds of the two themes
_READY = "Choose a folder"


def _environment(home: Path, **more: str) -> Mapping[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORFGBG", "TMUX")}
    return {**inherited, "SEARCHKIT_HOME": str(home), "COLORTERM": "truecolor", **more}


@pytest.mark.parametrize(("answer", "theirs", "other"), [(_SAYS_LIGHT, _LIGHT, _DARK), (_SAYS_DARK, _DARK, _LIGHT)])
def test_the_first_frame_suits_a_terminal_that_says_its_background(
    tmp_path: Path, answer: str, theirs: str, other: str
) -> None:
    with at_a_terminal(_UI, _environment(tmp_path)) as person:
        person.until(_QUESTION)
        person.type(answer)
        drawn = person.until(theirs, _READY)
        assert other not in drawn
        person.type("lantern")
        assert "rgb" not in person.until("lantern")


def test_an_answer_in_two_writes_with_keys_around_it_is_understood_and_no_key_is_lost(tmp_path: Path) -> None:
    with at_a_terminal(_UI, _environment(tmp_path)) as person:
        person.until(_QUESTION)
        person.type("lan" + _SAYS_LIGHT[:9])
        time.sleep(0.005)
        person.type(_SAYS_LIGHT[9:] + "tern")
        drawn = person.until(_LIGHT, "lantern")
        assert _DARK not in drawn
        assert "rgb" not in drawn


def test_a_late_answer_changes_the_theme_and_is_no_text(tmp_path: Path) -> None:
    with at_a_terminal(_UI, _environment(tmp_path)) as person:
        person.until(_DARK, _READY)
        person.type("lan" + _SAYS_LIGHT[:2])  # where a network cuts it
        person.type(_SAYS_LIGHT[2:] + "tern")
        drawn = person.until(_LIGHT, "lantern")
        assert "rgb" not in drawn


@pytest.mark.parametrize(("colours", "theirs"), [("0;15", _LIGHT), ("15;0", _DARK), ("", _DARK)])
def test_a_terminal_that_does_not_answer_may_have_said_it_in_the_environment(
    tmp_path: Path, colours: str, theirs: str
) -> None:
    with at_a_terminal(_UI, _environment(tmp_path, COLORFGBG=colours)) as person:
        person.until(_QUESTION, theirs, _READY)
        person.type("lantern")
        person.until("lantern")


def test_who_has_chosen_a_theme_is_not_overruled(tmp_path: Path) -> None:
    save_theme(Home(tmp_path), "textual-dark")
    with at_a_terminal(_UI, _environment(tmp_path, COLORFGBG="0;15")) as person:
        drawn = person.until(_DARK, _READY)
        assert _QUESTION not in drawn
        assert _LIGHT not in drawn


def test_who_wants_no_colours_is_not_asked_about_them(tmp_path: Path) -> None:
    with at_a_terminal(_UI, _environment(tmp_path, COLORFGBG="0;15", NO_COLOR="1")) as person:
        assert _QUESTION not in person.until(_READY)
