"""`searchkit tui`: the terminal UI, loaded by name when it is requested.

The UI is built on the engine, so the engine must not import it: a static import would invert the layers, and
would make every other command depend on textual.
"""

import sys
from importlib import import_module

import click

from searchkit.types import SearchMode


@click.command()
@click.option("-c", "--collection", "collections", multiple=True, help="Search this collection only; may be repeated.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in SearchMode]),
    default=SearchMode.HYBRID.value,
    show_default=True,
    help="Start by meaning and words, by meaning alone, or by words alone.",
)
def tui(collections: tuple[str, ...], mode: str) -> int:
    """Search as you type, in the terminal.

    \b
    Example:
      searchkit tui -c notes
    """
    from searchkit.errors import UsageError

    if not is_terminal():
        raise UsageError("The terminal UI needs a terminal, not a pipe or a file. In a script: searchkit search QUERY")
    app = import_module("searchkit_tui.app").SearchApp(collections=collections, mode=SearchMode(mode))
    app.run()
    return int(app.return_code or 0)


def is_terminal() -> bool:
    """True if a person uses the terminal."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
