"""What commands print: data as lines of JSON, talk on stderr, and text made safe for a terminal."""

import json
import sys
from collections.abc import Iterable

import click

_CONTROL = {code: None for code in range(32) if code not in (9, 10)} | {127: None} | dict.fromkeys(range(0x80, 0xA0))


def say(message: str) -> None:
    """A line of talk on stderr."""
    click.echo(printable(message), err=True)


def print_json(values: Iterable[object]) -> None:
    """One object a line on stdout."""
    for value in values:
        click.echo(json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """Text without control characters, which could steer the terminal, and without lone surrogates."""
    return text.translate(_CONTROL).encode("utf-8", "replace").decode("utf-8")


def is_terminal() -> bool:
    """Whether people read what is printed."""
    return sys.stdout.isatty()


def size(count_bytes: int) -> str:
    """A number of bytes for people."""
    amount = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
