"""A sign that a slow reader gives after each step, so that slow is not taken for stuck."""

from collections.abc import Callable

_listeners: list[Callable[[], None]] = []


def listen(listener: Callable[[], None]) -> None:
    """Have a function called at every sign, for the rest of the process."""
    _listeners.append(listener)


def sign_of_life() -> None:
    """To be called by readers between steps that take seconds."""
    for listener in _listeners:
        listener()
