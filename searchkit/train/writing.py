"""Turns a disk that is full, or a folder that may not be written, into an error that says what was not written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchkit.errors import TrainingError


@contextmanager
def writing_to(place: Path, what: str, *also: type[Exception]) -> Iterator[None]:
    """Raise what goes wrong in writing as a TrainingError that says what was not written, and where.

    `also`: what libraries raise instead of OSError when a disk is full.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except kinds as error:
        said = (f"{error}".splitlines() or [repr(error)])[0]
        reason = (isinstance(error, OSError) and error.strerror) or f"the disk is full, it seems ({said})"
        raise TrainingError(
            f"{what} cannot be written to {place}: {reason}. No model and no collection was changed.",
            remedy="Make room there, or choose another disk (SEARCHKIT_HOME); then the same command goes on.",
        ) from error
