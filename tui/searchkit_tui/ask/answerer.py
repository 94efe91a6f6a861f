"""What the ask screen needs of whatever answers questions, and where it looks for it."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from searchkit.library import Library
from searchkit.types import Hit

ENGINE_MODULE = "searchkit.answer"


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


OpenAnswerer = Callable[[Library], Answerer | None]


def find_answerer(library: Library) -> Answerer | None:
    """The engine's answerer, None if this searchkit has none.

    It is looked for by name, since it may be installed or not: `searchkit.answer.open_answerer(library)`. Raises
    SearchkitError, with what to do, if it has one that is not set up.
    """
    if find_spec(ENGINE_MODULE) is None:
        return None
    opened: Answerer = import_module(ENGINE_MODULE).open_answerer(library)
    return opened
