"""A question to the local LLM, and the passages that it answers from. Names are loaded when they are asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit_tui.ask.answerer import Answerer as Answerer
    from searchkit_tui.ask.screen import AskScreen as AskScreen

_HOMES = {"Answerer": "answerer", "AskScreen": "screen"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
