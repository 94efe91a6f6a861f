"""Hits for other programs: paths alone, lines as editors jump to them, and lines of a template."""

import os
import string
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import click

from searchkit.cli.hits import print_hits
from searchkit.cli.options import group, option
from searchkit.cli.output import print_json
from searchkit.display import on_one_line
from searchkit.types import Evidence, Hit

_ESCAPES = {r"\n": "\n", r"\t": "\t", r"\0": "\0", r"\\": "\\"}
_EXAMPLE = Hit("", Path(), "", None, None, None, 0.0, "", "", (), Evidence(None, None, ()))


@dataclass(frozen=True, slots=True)
class Output:
    """How hits are printed."""

    as_json: bool
    files: bool
    null: bool
    vimgrep: bool
    template: str | None

    def __post_init__(self) -> None:
        chosen = [
            flag
            for flag, value in (
                ("--json", self.as_json),
                ("--files", self.files or self.null),
                ("--vimgrep", self.vimgrep),
                ("--format", self.template is not None),
            )
            if value
        ]
        if len(chosen) > 1:
            raise click.UsageError(f"{chosen[0]} and {chosen[1]} are two forms of output. Choose one.")

    @property
    def is_for_people(self) -> bool:
        """True if none of the forms for programs is asked for."""
        return not (self.as_json or self.files or self.null or self.vimgrep or self.template is not None)

    def write(self, hits: Sequence[Hit], *, are_explained: bool = False) -> None:
        """Print the hits."""
        if self.as_json:
            from searchkit.display.fields import hit_fields

            print_json(
                {"rank": rank, **hit_fields(hit, is_explained=are_explained)} for rank, hit in enumerate(hits, 1)
            )
        elif self.files or self.null:
            for path in dict.fromkeys(each.path for hit in hits for each in (hit, *hit.alike)):
                _write(f"{path}" + ("\0" if self.null else "\n"))
        elif self.vimgrep:
            for hit in hits:
                _write(f"{vimgrep_line(hit)}\n")
        elif self.template is not None:
            for rank, hit in enumerate(hits, 1):
                _write(f"{self.template.format(**_fields(hit, rank))}\n")
        else:
            print_hits(hits, are_explained=are_explained)


def vimgrep_line(hit: Hit) -> str:
    """`path:line:column:text`, as `grep -n` with columns prints it; pages and places without lines are line 1."""
    line = hit.marked_line or hit.line or 1
    start = hit.marks[0][0] if hit.marks else 0
    before = hit.snippet[:start].rfind("\n") + 1
    end = hit.snippet.find("\n", start)
    shown = hit.snippet[before : end if end >= 0 else None]
    return f"{hit.path}:{line}:1:{on_one_line(shown.strip())}"


def _checked(_: click.Context, __: click.Parameter, template: str | None) -> str | None:
    """The template with its escapes resolved; a usage error for what is no field of a hit."""
    if template is None:
        return None
    for escape, character in _ESCAPES.items():
        template = template.replace(escape, character)
    known = _fields(_EXAMPLE, 1)
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            near = get_close_matches(unknown, known, 1)
            meant = f" Did you mean {{{near[0]}}}?" if near else f" There are: {', '.join(known)}."
            raise click.BadParameter(f"a hit has no field {{{unknown}}}.{meant}")
        template.format(**known)
    except ValueError as error:
        raise click.BadParameter(f"{error}. Braces themselves are written {{{{ and }}}}.") from error
    return template


def _fields(hit: Hit, rank: int) -> dict[str, object]:
    """The fields of --json, on one line each where they are text; what there is none of is empty."""
    from searchkit.display.fields import hit_fields

    values = {"rank": rank} | hit_fields(hit) | {"line": hit.marked_line or hit.line}
    return {
        name: "" if value is None else on_one_line(value) if isinstance(value, str) and name != "path" else value
        for name, value in values.items()
        if not isinstance(value, list)
    }


def _write(text: str) -> None:
    """Write to standard output as bytes: in UTF-8, and names of files as they are on the disk."""
    click.echo(text.encode("utf-8", "surrogateescape"), nl=False)


def _set_color(context: click.Context, _: click.Parameter, when: str) -> None:
    """Have click keep or strip colours in what this command prints; `auto` leaves it to the terminal and the environment."""
    asked = bool(os.environ.get("FORCE_COLOR"))
    refused = bool(os.environ.get("NO_COLOR"))
    auto = False if refused else True if asked else sys.stdout is not None and sys.stdout.isatty()
    context.color = {"always": True, "never": False}.get(when, auto)


OUTPUT = group(
    Output,
    as_json=option("--json", is_flag=True, help="Print one JSON object per hit (fields: searchkit docs json)."),
    files=option("-l", "--files", is_flag=True, help="Print only the paths of files, each once."),
    null=option("-0", "--null", is_flag=True, help="The same, each ended by a zero byte, for xargs -0."),
    vimgrep=option("--vimgrep", is_flag=True, help="Print path:line:column:text, for vim -q and other editors."),
    template=option(
        "--format",
        metavar="TEMPLATE",
        callback=_checked,
        help="Print a line for each hit, such as '{score} {path}:{line}', of the fields of --json; \\t is a tab, \\n ends a line.",
    ),
)
COLOR = Annotated[
    None,
    option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        expose_value=True,
        is_eager=True,
        callback=_set_color,
        help="Colours; auto: on a terminal, unless NO_COLOR is set, and everywhere if FORCE_COLOR is.",
    ),
]
