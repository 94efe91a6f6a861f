"""What can stand in the way of training; each message says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchkit.errors import SearchkitError


class TrainingError(SearchkitError):
    """Nothing can be trained with what there is, or nothing came of it; the old model stays as it is."""


class ExtraMissingError(TrainingError):
    """The extra [train] is not installed."""


@contextmanager
def writing_to(place: Path, what: str, *also: type[Exception]) -> Iterator[None]:
    """What goes wrong in writing as a TrainingError that says what was not written, and where.

    `also`: what libraries raise instead of OSError when a disk is full.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except kinds as error:
        said = (f"{error}".splitlines() or [repr(error)])[0]
        reason = (isinstance(error, OSError) and error.strerror) or f"the disk is full, it seems ({said})"
        raise TrainingError(
            f"{what} cannot be written to {place}: {reason}. Make room there, or choose another disk (SEARCHKIT_HOME); then the"
            " same command goes on. No model and no collection was changed."
        ) from error
