"""Prints for the command: data on standard output, messages and progress on standard error."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.display import ProgressLines, error_text, json_text, on_one_line, printable
from searchkit.errors import NothingIndexedError, SearchkitError
from searchkit.files import others_can_write
from searchkit.reports import Progress, ProgressListener

if TYPE_CHECKING:
    from rich.progress import TaskID

_SETTLED_SECONDS = 1.0  # before that a rate is meaningless


@contextmanager
def progress_line(*, quiet: bool = False) -> Iterator[ProgressListener]:
    """A listener that draws on stderr while the block runs; where nothing can be drawn, it prints a line now and then."""
    if quiet:
        yield lambda _: None
        return
    if not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield ProgressLines(say)
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True, speed_estimate_period=20) as bars:
        tasks: dict[str, TaskID] = {}
        starts: dict[str, float] = {}

        def listen(progress: Progress) -> None:
            if progress.stage not in tasks:
                for earlier in tasks.values():
                    bars.update(earlier, visible=False)
                tasks[progress.stage] = bars.add_task(progress.stage, total=progress.total, amount="", rate="")
            started = starts.setdefault(progress.stage, time.monotonic())
            seconds = time.monotonic() - started
            total = f"/{progress.total:,}" if progress.total is not None else ""
            note = f", {progress.note}" if progress.note else ""
            by_work = progress.work_total > 0
            is_share = progress.unit == "%"
            counted = f"{progress.done:,}{total} {progress.unit}" if progress.unit else ""
            bars.update(
                tasks[progress.stage],
                completed=progress.work_done if by_work else progress.done,
                total=progress.work_total if by_work else progress.total,
                amount=f"{progress.done} %{note}" if is_share else f"{counted}{note}",
                rate=f"{progress.done / seconds:.1f}/s" if seconds > _SETTLED_SECONDS and not is_share else "",
            )

        yield listen


def say(message: str) -> None:
    """Print a message on stderr, above a bar that is drawn there: click would write past what draws it."""
    if sys.stderr is not None:
        sys.stderr.write(f"{printable(message)}\n")
        sys.stderr.flush()


def say_nothing_is_indexed() -> None:
    """Say on stderr that there is no collection yet, and what makes one."""
    say(error_text(NothingIndexedError()))


def say_what_is_away(away: Mapping[str, SearchkitError]) -> None:
    """Say on stderr of each collection whose database was not there that it is missing from what is shown, and why."""
    for name, error in away.items():
        say(f"{name} is not shown: {error_text(error)}")


def print_json(values: Iterable[object]) -> None:
    """Print one object per line on stdout."""
    for value in values:
        line = json_text(value)
        # A name that is not UTF-8 contains lone surrogates, which JSON can only represent as escapes. JSON is UTF-8 everywhere.
        click.echo((line if _is_utf8(line) else json.dumps(value)).encode())


def say_if_others_can_write(folder: Path) -> None:
    """Warn of a data directory in which other users of this machine could replace what is indexed, and the token."""
    if others_can_write(folder):
        kept = shlex.quote(on_one_line(str(folder)))
        say(f"Others on this machine can write into the data directory. Keep it to yourself: chmod 700 {kept}")


def is_terminal() -> bool:
    """True if people read what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
