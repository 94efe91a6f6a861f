"""The types of file that a filter can name: kinds such as markdown, mail or code, and the endings of files."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import PurePath

from searchkit.errors import UsageError
from searchkit.formats import CODE_SUFFIXES, SUFFIXES_READ, format_by_name
from searchkit.search.query.filters import Filters

_ENDING = re.compile(r"\.[\w+-]{1,16}")
# Kinds that are of several formats, or of some files of one.
_WIDER = {
    "mail": ("mail", "mailbox"),
    "spreadsheet": ("xlsx", "table", ".ods", ".fods"),
    "presentation": ("pptx", ".odp", ".fodp"),
}


@cache
def file_types() -> Mapping[str, tuple[str, ...]]:
    """What each type stands for: formats as the catalog names them, and endings with their dots."""
    formats = {suffix: format_by_name(PurePath(f"x{suffix}")) or "" for suffix in SUFFIXES_READ}
    endings = {suffix.removeprefix("."): (suffix,) for suffix in formats}
    kinds = {name: (name,) for name in formats.values()}
    code = {"code": tuple(sorted({formats[suffix] for suffix in CODE_SUFFIXES}))}
    return {**endings, **kinds, **code, **_WIDER}


def is_file_type(name: str) -> bool:
    """Whether a filter can ask for it: a type, or any ending that begins with a dot."""
    return name.lower() in file_types() or bool(_ENDING.fullmatch(name))


def with_known_types(filters: Filters) -> Filters:
    """The filters with formats and endings for the types that are named. Raises UsageError for one that is none."""
    return replace(filters, types=_known(filters.types), not_types=_known(filters.not_types))


def check_file_type(name: str) -> None:
    """Raise UsageError for what is no type of file."""
    if not is_file_type(name):
        kinds = sorted({name for name, meant in file_types().items() if meant != (f".{name}",)})
        raise UsageError(
            f"There is no type of file '{name}'. Types: {', '.join(kinds)}; or an ending, such as md or .conf"
        )


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        check_file_type(name)
    return tuple(dict.fromkeys(meant for name in names for meant in file_types().get(name.lower(), (name.lower(),))))
