"""Textual's driver, which also asks the terminal whether its background is light.

The answer (OSC 11) comes among the keys: at once on this machine, later over a slow connection, in tmux from tmux itself, from some
terminals never. It is taken out of what is typed whenever it comes, and no key is lost for it.
"""

import os
import re
import selectors
import sys
from codecs import getincrementaldecoder
from collections.abc import Mapping
from functools import partial
from threading import Event
from typing import Any, Protocol, runtime_checkable

from textual._xterm_parser import XTermParser  # as the base class reads keys
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

_QUESTION = "\x1b]11;?\x1b\\"
_PATIENCE_SECONDS = 0.05  # that the first frame waits for its colours
_SPLIT_SECONDS = 0.05  # after which an escape is a key, and not the beginning of an answer
_TICK_SECONDS = 0.1  # as in the base class
_READ_BYTES = 4096
_ANSWER = re.compile(r"\x1b\]11;([^\x07\x1b]*)(?:\x07|\x1b\\)")
_BEGUN = re.compile(r"\x1b(?:\](?:1(?:1(?:;[^\x07\x1b]{0,64}\x1b?)?)?)?)?\Z")
_COULD_BE_TYPED = 2  # characters: escape, or alt+]
_COLOUR = re.compile(r"rgba?:([0-9a-f]{1,4})/([0-9a-f]{1,4})/([0-9a-f]{1,4})", re.IGNORECASE)
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709
_DARK_ANSI = frozenset({"0", "1", "2", "3", "4", "5", "6", "8"})  # as vim takes them
_NEVER_ANSWER = ("dumb", "linux", "screen")  # the last outside tmux is GNU screen


@runtime_checkable
class FollowsTerminal(Protocol):
    """An app that is light where its terminal is."""

    @property
    def follows_terminal(self) -> bool:
        """False if the user has chosen what it looks like."""

    def show_background(self, *, is_light: bool) -> None:
        """Suit a background. Called before the first frame or, where the terminal is slow, after it."""


class TerminalDriver(LinuxDriver):
    """Textual's driver, which tells an app that follows its terminal what the background is."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._answers = BackgroundAnswers()
        self._has_asked = self._is_late = False
        self._has_answer = Event()

    def start_application_mode(self) -> None:
        """Take the terminal and, the first time, find out its background before anything is drawn."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._has_asked or not isinstance(self._app, FollowsTerminal) or not self._app.follows_terminal:
            return
        self._has_asked = True
        if self.input_tty and sys.__stdout__ is not None and sys.__stdout__.isatty() and can_answer(os.environ):
            self._answers.are_awaited = True
            self.write(_QUESTION)
            self.flush()
            self._has_answer.wait(_PATIENCE_SECONDS)
        self._is_late = True
        is_light = self._answers.is_light
        is_light = light_by_environment(os.environ) if is_light is None else is_light
        if is_light is not None:
            self._app.show_background(is_light=is_light)

    def run_input_thread(self) -> None:
        """Hand on what is typed, as the base class does, without the terminal's answers."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        is_last = False
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not is_last:
                is_last = self.exit_event.is_set()
                is_there = selector.select(_SPLIT_SECONDS if self._answers.are_held else _TICK_SECONDS)
                read = decode(os.read(self.fileno, _READ_BYTES), is_last) if is_there else ""
                typed = self._answers.taken_from(read) if read else self._answers.released()
                for message in (*(parser.feed(typed) if typed else ()), *parser.tick()):
                    self.process_message(message)
                self._pass_on()
        for _ in parser.feed(""):  # closes it
            pass

    def _pass_on(self) -> None:
        is_light = self._answers.is_light
        if is_light is None or self._has_answer.is_set():
            return
        self._has_answer.set()
        if self._is_late and isinstance(self._app, FollowsTerminal):
            self._app.call_later(partial(self._app.show_background, is_light=is_light))


class BackgroundAnswers:
    """Takes a terminal's answers about its background out of what is typed, also those that come in parts.

    `is_light`: what the answer said; None before there is one. `are_awaited`: set once it is asked for; cleared by the answer,
    after which nothing is held.
    """

    def __init__(self) -> None:
        self.is_light: bool | None = None
        self.are_awaited = False
        self._held = ""

    @property
    def are_held(self) -> bool:
        """True if what came last may be the beginning of an answer."""
        return bool(self._held)

    def taken_from(self, text: str) -> str:
        """Return what of a text was typed."""
        if not self.are_awaited:
            return text
        typed = _ANSWER.sub(self._note, self._held + text)
        begun = _BEGUN.search(typed) if self.are_awaited else None
        self._held = begun[0] if begun else ""
        return typed[: len(typed) - len(self._held)]

    def released(self) -> str:
        """Return what was held, since nothing more has come, unless nobody can have typed it."""
        if len(self._held) > _COULD_BE_TYPED:
            return ""
        typed, self._held = self._held, ""
        return typed

    def _note(self, answer: re.Match[str]) -> str:
        is_light = is_light_colour(answer[1])
        self.is_light = self.is_light if is_light is None else is_light
        self.are_awaited = False
        return ""


def is_light_colour(colour: str) -> bool | None:
    """Tell a light colour from a dark one: `rgb:ffff/ffff/e0e0`, one to four digits each; None if it is not understood."""
    found = _COLOUR.match(colour)
    if found is None:
        return None
    shares = (int(digits, 16) / (16 ** len(digits) - 1) for digits in found.groups())
    luminance: float = sum(weight * share for weight, share in zip(_LUMINANCE, shares, strict=True))
    return luminance > 0.5


def can_answer(environment: Mapping[str, str]) -> bool:
    """False for terminals that are known not to say what their background is."""
    return "TMUX" in environment or not environment.get("TERM", "dumb").startswith(_NEVER_ANSWER)


def light_by_environment(environment: Mapping[str, str]) -> bool | None:
    """Read `COLORFGBG`, which some terminals set to `0;15` or `15;default;0`: text, then background; None if it says nothing."""
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return background not in _DARK_ANSI if background.isdecimal() else None
