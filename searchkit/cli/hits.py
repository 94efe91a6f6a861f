"""Hits for people and for programs."""

import os
import shutil
import textwrap
from collections.abc import Sequence

import click

from searchkit.cli.output import is_terminal
from searchkit.display import alike, correspondence, place, plural, printable, reason
from searchkit.formats import CODE_SUFFIXES
from searchkit.search.sentences import shown_lines
from searchkit.types import Hit

_PLAIN_WIDTH = 100
_MOST_LINES = 8
_ON, _OFF = "\ue000", "\ue001"


def print_hits(hits: Sequence[Hit], *, are_explained: bool = False) -> None:
    """Print each hit: a heading line, the passage with its matches marked, and the reason in words, or in all its numbers."""
    has_links = is_terminal() and uses_colour()
    width = min(shutil.get_terminal_size().columns, 120) if is_terminal() else _PLAIN_WIDTH
    several = len({hit.collection for hit in hits}) > 1
    for hit in hits:
        click.echo(_heading(hit, with_collection=several, has_links=has_links))
        for line in _wrapped(hit, width - 6):
            click.echo(f"      {line}")
        if why := " · ".join(
            part for part in (reason(hit, with_cosine=are_explained), _dated(hit), _more(hit)) if part
        ):
            click.secho(f"      {why}", dim=True)
        if hit.alike:
            click.secho(f"      {alike(hit)}; --no-fold lists them", dim=True)
        if are_explained and hit.evidence.explanation:
            from searchkit.display.explanations import explained  # only those who ask for it wait for it

            click.secho(f"      {explained(hit, hit.evidence.explanation)}", dim=True)
        click.echo()


def marked(hit: Hit, start: int = 0, end: int | None = None) -> str:
    """The snippet, or a part of it, with private-use characters around marks; they become colours after lines are wrapped."""
    end = len(hit.snippet) if end is None else end
    parts, at = [], start
    for begin, finish in hit.marks:
        if begin < end and finish > at:
            parts += [hit.snippet[at : max(at, begin)], _ON, hit.snippet[max(at, begin) : min(finish, end)], _OFF]
            at = min(finish, end)
    return "".join([*parts, hit.snippet[at:end]])


def _heading(hit: Hit, *, with_collection: bool, has_links: bool) -> str:
    where = click.style(place(hit), fg="cyan")
    if has_links:  # OSC 8: terminals open the file at a click
        where = f"\x1b]8;;{hit.path.as_uri()}\x1b\\{where}\x1b]8;;\x1b\\"
    title = f"  {printable(hit.heading)}" if hit.heading else ""
    collection = f"  [{printable(hit.collection)}]" if with_collection else ""
    is_ranked = bool(hit.evidence.found_by)
    mail = f"  {correspondence(hit, with_date=is_ranked)}" if hit.sender else ""
    first = f"{hit.score:.2f}" if is_ranked else printable(hit.date)  # of filters alone: newest first
    weak = click.style("  weak match", fg="yellow") if hit.weak else ""
    return f"{click.style(first, bold=True)}  {where}{mail}{title}{collection}{weak}"


def _dated(hit: Hit) -> str:
    """The date of a hit, unless its heading says it."""
    return "" if hit.sender or not hit.evidence.found_by else printable(hit.date)


def _more(hit: Hit) -> str:
    return f"{plural(hit.more_in_file, 'more passage')} of this file" if hit.more_in_file else ""


def _wrapped(hit: Hit, width: int) -> list[str]:
    """The marked snippet as lines: prose wrapped, code as written, rows and items each on a line; "…" where it is cut."""
    on, off = ("\x1b[1;33m", "\x1b[0m") if uses_colour() else ("«", "»")
    lines: list[str] = []
    inside = False
    for source in _sources(hit):
        for line in textwrap.wrap(source, width, break_on_hyphens=False, subsequent_indent=_indent(source)):
            start = on if inside else ""
            inside = line.rfind(_ON) > line.rfind(_OFF) if _ON in line or _OFF in line else inside
            lines.append(start + line.replace(_ON, on).replace(_OFF, off) + (off if inside else ""))
    first = next((at for at, line in enumerate(lines) if on in line), 0)
    top = max(0, first - 1) if first >= _MOST_LINES else 0
    shown = lines[top : top + _MOST_LINES]
    if top and not shown[0].lstrip().startswith("…"):
        shown[0] = f"… {shown[0]}"
    if top + _MOST_LINES < len(lines):
        shown[-1] = f"{shown[-1]} …"
    return shown


def _sources(hit: Hit) -> list[str]:
    """The marked snippet's lines before they are wrapped."""
    if hit.path.suffix.lower() in CODE_SUFFIXES:
        return printable(marked(hit)).split("\n")
    parts = [" ".join(printable(marked(hit, *bounds)).split()) for bounds in shown_lines(hit.snippet)]
    before, after = hit.is_cut
    if parts and before:
        parts[0] = f"… {parts[0]}"
    if parts and after:
        parts[-1] = f"{parts[-1]} …"
    return parts


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def uses_colour() -> bool:
    """True if what is printed is coloured: as --color says, else on a terminal unless NO_COLOR is set."""
    context = click.get_current_context(silent=True)
    if context is not None and context.color is not None:
        return context.color
    return is_terminal() and "NO_COLOR" not in os.environ
