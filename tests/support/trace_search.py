"""`searchkit search` with every call watched, up to the first sign that it prints.

Usage: python -m tests.support.trace_search QUERY...    (SEARCHKIT_HOME names the data directory)

Prints one JSON object: `modules`, those of ours in which a function ran, in the order in which they were entered, and
`parses`, how often the query was parsed. What only runs while a module is imported is not counted.
"""

import io
import json
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

from searchkit.cli.main import cli

PARSER = ("searchkit.search.query.parse", "parse_query")


class Screen(io.StringIO):
    """Takes what is printed, and knows whether anything was."""

    def __init__(self) -> None:
        super().__init__()
        self.is_blank = True

    def write(self, text: str) -> int:
        self.is_blank = False
        return super().write(text)


class Journey:
    """The modules of ours that calls pass through while `is_going_on`."""

    def __init__(self, is_going_on: Callable[[], bool] = lambda: True) -> None:
        self._is_going_on = is_going_on
        self.modules: dict[str, None] = {}  # in order
        self.parses = 0

    def __enter__(self) -> Self:
        threading.setprofile(self._watch)
        sys.setprofile(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _watch(self, frame: FrameType, event: str, _: object) -> None:
        """See sys.setprofile."""
        if event != "call" or not self._is_going_on():
            return
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith("searchkit") or frame.f_code.co_filename == "<string>" or _is_importing(frame):
            return  # <string>: what @dataclass made
        self.modules[module] = None
        self.parses += (module, frame.f_code.co_name) == PARSER


def _is_importing(frame: FrameType | None) -> bool:
    """True if a module's own statements are on the stack; this one's are not ours to count."""
    while frame:
        if frame.f_code.co_name == "<module>" and str(frame.f_globals.get("__name__", "")).startswith("searchkit"):
            return True
        frame = frame.f_back
    return False


def main(words: list[str]) -> None:
    """Search by meaning and words, and print the journey."""
    screen, printed = Screen(), sys.stdout
    sys.stdout = screen
    try:
        with Journey(lambda: screen.is_blank) as journey:
            cli.main(["search", *words, "--mode", "hybrid"], standalone_mode=False)
    finally:
        sys.stdout = printed
    if screen.is_blank:
        raise SystemExit("The search printed nothing.")
    print(json.dumps({"modules": list(journey.modules), "parses": journey.parses}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
