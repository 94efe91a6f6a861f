"""`searchkit tui`: the terminal UI, loaded by name when it is requested.

The UI is built on the engine, so the engine must not import it: a static import would invert the layers, and
would make every other command depend on textual.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click

from searchkit.cli.completion import collections_option
from searchkit.cli.output import say
from searchkit.display import on_one_line
from searchkit.types import SearchMode

_TERMINAL = "/dev/tty"
_LEFT_WITHOUT = 130  # as after Ctrl-C


@click.command()
@collections_option("Search")("collections")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in SearchMode]),
    default=SearchMode.HYBRID.value,
    show_default=True,
    help="Start by meaning and words, by meaning alone, or by words alone.",
)
@click.option("--print", "prints", is_flag=True, help="Enter leaves and prints the path, or those of the marked hits.")
@click.option(
    "--print0", "prints_nul", is_flag=True, help="The same, each path ended by NUL, as `xargs -0` reads them."
)
def tui(collections: tuple[str, ...], mode: str, *, prints: bool, prints_nul: bool) -> int:
    """Search as you type, in the terminal.

    With --print, standard output may be a pipe or a file. The exit code is 130 if no path was chosen.

    \b
    Examples:
      searchkit tui -c notes
      searchkit tui --print0 | xargs -0 ls -l
    """
    from searchkit.errors import UsageError

    chooses = prints or prints_nul
    if not chooses and not is_terminal():
        raise UsageError(
            "The terminal UI needs a terminal, not a pipe or a file. In a script: searchkit search QUERY;"
            " to choose files for one: searchkit tui --print"
        )
    app = import_module("searchkit_tui.app").SearchApp(collections=collections, mode=SearchMode(mode), prints=chooses)
    if chooses:
        with _on_the_terminal():
            paths = app.run()
    else:
        paths = app.run()
    for line in app.left_undone:
        say(line)
    _print(paths or (), "\0" if prints_nul else "\n")
    return _LEFT_WITHOUT if chooses and not paths else int(app.return_code or 0)


def is_terminal() -> bool:
    """True if a person uses the terminal."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


@contextmanager
def _on_the_terminal() -> Iterator[None]:
    """Have this process, and the editors that it starts, read from and draw on the terminal, wherever their output goes."""
    from searchkit.errors import UsageError

    try:
        terminal = os.open(_TERMINAL, os.O_RDWR)
    except OSError:
        raise UsageError("The terminal UI needs a terminal. In a script: searchkit search QUERY") from None
    kept = {number: os.dup(number) for number in (0, 1, 2)}
    try:
        for number in kept:
            os.dup2(terminal, number)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(terminal)


def _print(paths: Sequence[Path], end: str) -> None:
    """Write paths as the file system has them; to a terminal, without what could steer it."""
    if sys.stdout.isatty():
        click.echo("".join(f"{on_one_line(str(path))}\n" for path in paths), nl=False)
    else:
        sys.stdout.buffer.write(b"".join(bytes(path) + end.encode() for path in paths))
        sys.stdout.flush()
