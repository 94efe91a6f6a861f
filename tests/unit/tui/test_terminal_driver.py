"""The background of a terminal, told from what it answers and from its environment."""

import pytest

from searchkit_tui.settings.terminal_driver import BackgroundAnswers, can_answer, is_light_colour, light_by_environment

_LIGHT = "\x1b]11;rgb:ffff/ffff/dddd\x1b\\"
_DARK = "\x1b]11;rgb:1e/1e/2e\x07"


@pytest.fixture
def answers() -> BackgroundAnswers:
    answers = BackgroundAnswers()
    answers.are_awaited = True
    return answers


@pytest.mark.parametrize(("answer", "is_light"), [(_LIGHT, True), (_DARK, False)])
def test_an_answer_among_keys_is_taken_out_and_understood(
    answers: BackgroundAnswers, answer: str, *, is_light: bool
) -> None:
    assert answers.taken_from(f"lan{answer}tern\x1b[A") == "lantern\x1b[A"
    assert answers.is_light is is_light


@pytest.mark.parametrize("answer", [_LIGHT, _DARK])
def test_an_answer_in_two_parts_is_no_key_wherever_it_is_split(answer: str) -> None:
    for at in range(1, len(answer)):
        answers = BackgroundAnswers()
        answers.are_awaited = True
        typed = answers.taken_from(f"a{answer[:at]}")
        typed += answers.released() if at > 2 else ""  # some time passes; escape and alt+] would be keys by then
        assert typed + answers.taken_from(f"{answer[at:]}b") == "ab"
        assert answers.is_light is not None


@pytest.mark.parametrize("key", ["\x1b", "\x1b]"])
def test_a_key_that_could_begin_an_answer_is_typed_once_nothing_follows(answers: BackgroundAnswers, key: str) -> None:
    assert answers.taken_from(f"a{key}") == "a"
    assert answers.released() == key
    assert answers.released() == ""
    assert answers.taken_from("\x1b[B") == "\x1b[B"


def test_after_the_answer_no_key_is_held_any_more(answers: BackgroundAnswers) -> None:
    assert answers.taken_from(f"{_LIGHT}\x1b") == "\x1b"
    assert answers.taken_from("\x1b") == "\x1b"


def test_where_nobody_has_asked_everything_is_typed() -> None:
    assert BackgroundAnswers().taken_from(f"\x1b{_LIGHT}") == f"\x1b{_LIGHT}"


def test_an_answer_that_is_not_understood_is_no_key_either(answers: BackgroundAnswers) -> None:
    assert answers.taken_from("x\x1b]11;beige\x07y") == "xy"
    assert answers.is_light is None


@pytest.mark.parametrize(
    ("colour", "is_light"),
    [
        ("rgb:f/f/f", True),
        ("rgb:0000/0000/0000", False),
        ("rgba:fdfd/f6f6/e3e3/ffff", True),
        ("rgb:00/2b/36", False),
        ("rgb:0/f/0", True),  # green is bright
        ("rgb:0/0/f", False),  # blue is not
        ("#ffffff", None),
        ("", None),
    ],
)
def test_colours_are_light_or_dark_as_eyes_see_them(colour: str, *, is_light: bool | None) -> None:
    assert is_light_colour(colour) is is_light


@pytest.mark.parametrize(
    ("value", "is_light"),
    [("0;15", True), ("0;default;7", True), ("15;0", False), ("12;8", False), ("0;default", None), ("", None)],
)
def test_the_environment_tells_where_the_terminal_does_not(value: str, *, is_light: bool | None) -> None:
    assert light_by_environment({"COLORFGBG": value}) is is_light


@pytest.mark.parametrize(
    ("environment", "can"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "vte-256color"}, True),
        ({"TERM": "screen-256color", "TMUX": "/tmp/tmux"}, True),
        ({"TERM": "screen.xterm-256color"}, False),
        ({"TERM": "linux"}, False),
        ({}, False),
    ],
)
def test_terminals_that_never_answer_are_not_asked(environment: dict[str, str], *, can: bool) -> None:
    assert can_answer(environment) is can
