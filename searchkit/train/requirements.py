"""Checks what training needs of the machine: PyTorch, and a disk that can be written to."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from searchkit.errors import Action, ExtraMissingError, Remedy, TrainingError


def require_torch() -> None:
    """Raise ExtraMissingError, which says how to install it, if PyTorch is missing. Imports nothing."""
    if importlib.util.find_spec("torch") is None:
        raise ExtraMissingError(
            "Training needs PyTorch, which searching does not.",
            remedy=Remedy(Action.INSTALL_EXTRA, extra="train")
            | Remedy(sentence="In a clone, install '.[train]' with pip and -c constraints.txt"),
        )


@contextmanager
def writing_to(place: Path, what: str, *also: type[Exception]) -> Iterator[None]:
    """Turn errors of writing into a TrainingError that says what was not written, and where.

    `also`: errors that libraries raise instead of OSError when a disk is full.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except kinds as error:
        first_line = (f"{error}".splitlines() or [repr(error)])[0]
        reason = (isinstance(error, OSError) and error.strerror) or f"the disk seems to be full ({first_line})"
        raise TrainingError(
            f"{what} cannot be written to {place}: {reason}. No model and no collection was changed.",
            remedy="Make room there, or choose another disk (SEARCHKIT_HOME); then the same command continues.",
        ) from error
