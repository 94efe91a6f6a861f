"""What the ask screen needs of whatever answers questions."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from searchkit.library import Library
from searchkit.types import Hit


class AnswerStream(Protocol):
    """An answer on its way. Going through it gives the text, piece by piece; it can be gone through once.

    `sources`: the passages that it is made from, there before the first piece; the text calls the first one [1].
    """

    @property
    def sources(self) -> Sequence[Hit]:
        """See above."""

    def __iter__(self) -> Iterator[str]:
        """The pieces. Raises SearchkitError if the model fails."""

    def stop(self) -> None:
        """Have the iteration end soon. To be called from any thread, also more than once, and after its end."""


class Answerer(Protocol):
    """Something that answers questions from a library's passages, on this machine. `name`: the language model's."""

    @property
    def name(self) -> str:
        """See above."""

    def answer(self, question: str, collections: Sequence[str]) -> AnswerStream:
        """Find the passages and begin to answer; from all collections unless some are named. Raises SearchkitError."""

    def close(self) -> None:
        """Let go of the model."""


OpenAnswerer = Callable[[Library], Answerer]


def find_answerer(library: Library) -> Answerer:
    """The engine's: of the language model that is set up, or found. Raises SearchkitError, with what to do, if there is none."""
    from searchkit.answer import open_answerer

    return open_answerer(library)
