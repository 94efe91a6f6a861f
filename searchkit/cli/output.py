"""What commands print: data as lines of JSON on stdout, talk on stderr."""

import json
import sys
from collections.abc import Iterable

import click

from searchkit.display import printable


def say(message: str) -> None:
    """A line of talk on stderr."""
    click.echo(printable(message), err=True)


def print_json(values: Iterable[object]) -> None:
    """One object a line on stdout."""
    for value in values:
        line = json.dumps(value, ensure_ascii=False)
        # A name that is not UTF-8 comes as lone surrogates, which JSON can only hold as escapes.
        click.echo(line if _is_utf8(line) else json.dumps(value))


def is_terminal() -> bool:
    """Whether people read what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
