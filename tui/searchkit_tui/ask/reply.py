"""What has come of a question so far; written by the thread that asks, read by the screen."""

import time
from collections.abc import Sequence
from enum import StrEnum

from searchkit.types import Hit
from searchkit_tui.ask.session import Asking, Ending


class ReplyState(StrEnum):
    """How far it is."""

    SEARCHING = "searching"
    ANSWERING = "answering"
    DONE = "done"


class Reply:
    """See Audience. Every attribute is replaced or appended to as a whole, so that one look sees no half of it."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.state = ReplyState.SEARCHING
        self.name = ""
        self.sources: tuple[Hit, ...] = ()
        self.pieces: list[str] = []
        self.missing: str | None = None  # what is not set up, where nothing answers
        self.ending = Ending()
        self.elapsed_seconds = 0.0
        self._started = time.monotonic()

    def on_answerer(self, name: str) -> None:
        """See Audience."""
        self.name = name

    def on_no_answerer(self, reason: str) -> None:
        """See Audience."""
        self.missing = reason

    def on_sources(self, sources: Sequence[Hit]) -> None:
        """See Audience."""
        self.sources = tuple(sources)
        self.state = ReplyState.ANSWERING

    def on_text(self, piece: str) -> None:
        """See Audience."""
        self.pieces.append(piece)

    def on_end(self, ending: Ending) -> None:
        """Nothing more will come."""
        self.ending = ending
        self.elapsed_seconds = time.monotonic() - self._started
        self.state = ReplyState.DONE

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self.pieces)

    @property
    def is_coming(self) -> bool:
        """Whether there may be more."""
        return self.state is not ReplyState.DONE
