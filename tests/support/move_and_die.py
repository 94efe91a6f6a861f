"""A process of its own that moves the collection `docs` and is killed at one of the points where that matters.

Usage: python -m tests.support.move_and_die HOME TO WHEN NAME NUMBER. It is killed before or after the move calls what NAME says
for the so-many-th time, as in `before fill 3`; `never fill 0` lets it live.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from searchkit.catalog import moving as in_files
from searchkit.catalog.postgres import moving as in_server
from searchkit.library import Library
from searchkit.maintenance import move
from tests.support.hash_embedder import HashEmbedder

PLACES = {
    "fill": ((in_files._NewFile, "fill"), (in_server._NewSchema, "fill")),
    "publish": ((in_files._NewFile, "publish"), (in_server._NewSchema, "publish")),
    "remove": ((in_files._Files, "remove"), (in_server._Schema, "remove")),
    "settle": ((in_files._NewFile, "settle"), (in_server._NewSchema, "settle")),
    "copy": ((move, "copy_catalog"),),
    "journal": ((move, "_write"),),
    "switch": ((move, "save_settings"),),
    "files": ((in_files, "_remove_files"),),
}


def deadly(called: Callable[..., Any], when: str, number: int) -> Callable[..., Any]:
    """A function that kills this process before or after the call with that number."""
    calls = 0

    def call(*values: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if (when, calls) == ("before", number):
            os.kill(os.getpid(), signal.SIGKILL)
        result = called(*values, **named)
        if (when, calls) == ("after", number):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def main(home: str, to: str, when: str, name: str, number: str) -> None:
    """Move."""
    for holder, attribute in PLACES[name]:
        setattr(holder, attribute, deadly(getattr(holder, attribute), when, int(number)))
    with Library(home, embedder=HashEmbedder()) as library:
        move.move_collection(library, "docs", to, lambda _: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
