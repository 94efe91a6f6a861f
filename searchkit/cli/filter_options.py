"""The options that filter documents, the same for every command that has them."""

from datetime import date
from typing import Any

import click

from searchkit.cli.completion import FILE_TYPE
from searchkit.cli.options import group, option
from searchkit.display import error_text
from searchkit.errors import UsageError
from searchkit.search.query.filters import THINGS, Filters, read_days

_DAYS = "2025, 2025-03, 2025-03-01, today, yesterday, 7d, 2w, 3m, 1y"


def _first_day(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    return None if value is None else _days(value)[0]


def _last_day(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> date | None:
    return None if value is None else _days(value)[1]


def _days(value: str) -> tuple[date, date]:
    days = read_days(value, date.today())
    if days is None:
        raise click.BadParameter(f"'{value}' is not a date. Write one such as {_DAYS}.")
    return days


def _types(_ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Split values at commas, and check the names."""
    from searchkit.search.query.filters import check_file_type

    names = [name.strip() for value in values for name in value.split(",")]
    for name in names:
        try:
            check_file_type(name)
        except UsageError as error:
            raise click.BadParameter(error_text(error)) from error
    return tuple(names)


def _filters(**conditions: Any) -> Filters:
    try:
        return Filters(**conditions)
    except UsageError as error:
        raise click.UsageError(error_text(error)) from error


FILTERS = group(
    _filters,
    types=option(
        "--type",
        type=FILE_TYPE,
        multiple=True,
        callback=_types,
        metavar="TYPE",
        help="Only files of this kind (markdown, pdf, mail, code, ...) or suffix (md); may be repeated, or a,b.",
    ),
    paths=option(
        "--path",
        multiple=True,
        metavar="GLOB",
        help="Only files whose path matches: '*.md', 'reports/*', 'notes/**/2025*'; may be repeated.",
    ),
    folders=option(
        "--folder",
        multiple=True,
        metavar="NAME",
        help="Only files in a folder of this name, at any depth, or of this absolute path; may be repeated.",
    ),
    since=option(
        "--since",
        callback=_first_day,
        metavar="DATE",
        help="Only documents of that day or later: 2025, 2025-03, 2025-03-01, 7d, 2w, 3m, 1y, yesterday.",
    ),
    until=option("--until", callback=_last_day, metavar="DATE", help="Only documents of that day or earlier."),
    senders=option(
        "--from",
        multiple=True,
        metavar="NAME",
        help="Only mail from this person, and what came with it: a name or address, or a part of one; may be repeated.",
    ),
    recipients=option(
        "--to", multiple=True, metavar="NAME", help="Only mail to this person, copies included; may be repeated."
    ),
    subjects=option(
        "--subject", multiple=True, metavar="WORDS", help="Only mail with these words in its subject; may be repeated."
    ),
    has=option("--has", multiple=True, type=click.Choice(THINGS), help="Only mail that has it."),
)
"""The filters of a command, as one value."""
