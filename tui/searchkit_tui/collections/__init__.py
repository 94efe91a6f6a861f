"""What there is to search, and everything that is done to it. Names are loaded when they are asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit_tui.collections.jobs import JobRunner as JobRunner
    from searchkit_tui.collections.jobs_of_app import jobs_of as jobs_of
    from searchkit_tui.collections.screen import CollectionsScreen as CollectionsScreen

_HOMES = {"JobRunner": "jobs", "jobs_of": "jobs_of_app", "CollectionsScreen": "screen"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
