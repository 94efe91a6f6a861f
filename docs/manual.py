"""Manual pages from the help of every command, in the macros of man(7)."""

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from searchkit import __version__

_SEE_ALSO = "\\fBsearchkit help\\fR \\fICOMMAND\\fR, \\fBsearchkit docs\\fR"


def page_name(context: click.Context) -> str:
    """`searchkit-models-list.1`."""
    return f"{context.command_path.replace(' ', '-')}.1"


def man_page(context: click.Context) -> str:
    """The manual page of a command."""
    command, path = context.command, context.command_path
    title = path.replace(" ", "-")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{title.upper()}" "1" "" "searchkit {__version__}" "User Commands"',
        ".SH NAME",
        f"{_escaped(title)} \\- {_escaped(command.get_short_help_str(200).rstrip('.'))}",
        ".SH SYNOPSIS",
        f"\\fB{_escaped(path)}\\fR {_escaped(usage)}",
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
    ]
    options = [each for each in command.get_params(context) if isinstance(each, click.Option)]
    records = [record for each in options if (record := each.get_help_record(context))]
    if records:
        lines.append(".SH OPTIONS")
        for flags, text in records:
            lines += [".TP", f"\\fB{_escaped(flags)}\\fR", _escaped(text)]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None and not found.hidden:
                lines += [".TP", f"\\fB{_escaped(f'{title}-{name}')}\\fR(1)", _escaped(found.get_short_help_str(200))]
    lines += [".SH SEE ALSO", _SEE_ALSO if context.parent is None else f"\\fBsearchkit\\fR(1), {_SEE_ALSO}"]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text; those that begin with \\b keep their lines."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", cleandoc(text))):
        lines = [line.strip("\n") for line in paragraph.split("\n")]
        if number:
            yield ".PP"
        if lines[0].strip() == "\b":
            yield from [".nf", *map(_escaped, lines[1:]), ".fi"]
        else:
            yield _escaped(" ".join(" ".join(lines).split()))


def _escaped(text: str) -> str:
    """Text as it stands; hyphens stay hyphens, so that options can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    return f"\\&{text}" if text.startswith((".", "'")) else text
