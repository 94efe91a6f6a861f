"""Filters: which documents may answer, by type, place, date, and people and subject of mail.

The catalog decides what they allow, before anything is ranked.
"""

import calendar
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from itertools import chain
from pathlib import PurePath

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.document_filter import DocumentFilter, filtered_documents, messages_of_other_days
from searchkit.catalog.messages import MessageFilter, chunks_of_messages, has_words
from searchkit.catalog.passages import chunks_of_documents
from searchkit.errors import UsageError
from searchkit.formats import CODE_SUFFIXES, SUFFIXES_READ, format_by_name
from searchkit.search.query.globs import PathPatterns, is_pattern, plain

_CALENDAR = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?")
_AGO = re.compile(r"([0-9]{1,5})([dwmy])")
_MONTHS = {"m": 1, "y": 12}


def read_days(text: str, today: date) -> tuple[date, date] | None:
    """Read the first and last day of a date, None if it is not one.

    `2025`, `2025-03`, `2025-03-01`, `today`, `yesterday`, or an age: `7d`, `2w`, `3m`, `1y`.
    """
    words = text.strip().lower()
    try:
        if words in ("today", "yesterday"):
            day = today - timedelta(days=words == "yesterday")
            return day, day
        if ago := _AGO.fullmatch(words):
            day = _days_ago(int(ago[1]), ago[2], today)
            return day, day
        if written := _CALENDAR.fullmatch(words):
            return _written(int(written[1]), int(written[2] or 0), int(written[3] or 0), words)
    except (ValueError, OverflowError):  # no such day in the calendar
        return None
    return None


def _written(year: int, month: int, day: int, words: str) -> tuple[date, date]:
    """The first and last day of a year, month (0: none) and day (0: none). Raises ValueError."""
    parts = words.count("-")
    first = date(year, month if parts else 1, day if parts == 2 else 1)
    if parts == 2:
        return first, first
    last_month = month if parts else 12
    return first, date(year, last_month, calendar.monthrange(year, last_month)[1])


def _days_ago(count: int, unit: str, today: date) -> date:
    if unit in _MONTHS:
        month = today.year * 12 + today.month - 1 - count * _MONTHS[unit]
        year, month = month // 12, month % 12 + 1
        return date(year, month, min(today.day, calendar.monthrange(year, month)[1]))
    return today - timedelta(days=count * (7 if unit == "w" else 1))


_LONGEST = 1000  # characters of a pattern
_MOST = 100  # patterns or types of one kind


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on documents. Of several values of one kind, one must match; different kinds must all match.

    `types`: kinds of file (markdown, pdf, mail, code, ...) or file endings (md, yaml, .conf). `paths`: globs, `folders`:
    folders at any depth; globs.py says how both match. `since`, `until`: days, both included, of the document's own
    date, else of its file's last change. `not_...`: none of these may match.

    Raises UsageError for what cannot be a filter.
    """

    types: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    not_types: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()
    not_folders: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    not_senders: tuple[str, ...] = ()
    not_recipients: tuple[str, ...] = ()
    not_subjects: tuple[str, ...] = ()
    not_has: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in (*self.paths, *self.folders, *self.not_paths, *self.not_folders):
            if not is_place(pattern):
                raise UsageError(
                    f"'{pattern[:80]}' is not a path pattern.",
                    remedy="Write one such as *.md, reports/* or notes/**/2025*",
                )
        people = (self.senders, self.recipients, self.not_senders, self.not_recipients)
        subjects = (self.subjects, self.not_subjects)
        for text in chain.from_iterable((*people, *subjects)):
            if not is_name(text):
                raise UsageError(
                    f"'{text[:80]}' is not a name, an address or a subject.",
                    remedy="Write a part of one, such as anna, anna@example.org or example.org.",
                )
        for thing in (*self.has, *self.not_has):
            check_has(thing)
        places = (self.paths, self.not_paths, self.folders, self.not_folders)
        if max(map(len, (self.types, self.not_types, *places, *people, *subjects))) > _MOST:
            raise UsageError(
                f"There are more than {_MOST} filters of one kind.",
                remedy="Use a pattern with *, which can match many.",
            )
        if self.since and self.until and self.since > self.until:
            raise UsageError(
                f"No day is since {self.since} and until {self.until}.", remedy="Swap them, or leave one out."
            )

    def __bool__(self) -> bool:
        """True if there is any filter."""
        return self != _NONE


_NONE = Filters()


def is_name(text: str) -> bool:
    """True if a text can be a part of a name, an address or a subject."""
    return len(text) <= _LONGEST and has_words(text)


THINGS = ("attachment",)  # that a mail may have with it


def is_thing(name: str) -> bool:
    """True if a filter can ask for mail that has it: an attachment."""
    return name.lower().removesuffix("s") in THINGS


def check_has(name: str) -> None:
    """Raise UsageError for what no mail can have."""
    if not is_thing(name):
        raise UsageError(f"There is no mail that has '{name[:80]}'. It may have: {', '.join(THINGS)}")


def is_place(pattern: str) -> bool:
    """True if a text can be a glob or the name of a folder."""
    return len(pattern) <= _LONGEST and is_pattern(pattern)


def chunks_in_documents(catalog: CatalogReader, filters: Sequence[Filters]) -> set[int]:
    """Ids of the chunks of documents that all of the filters allow. Types are formats, or endings that begin with a dot."""
    by_catalog = [DocumentFilter(each.types, each.not_types, each.since, each.until) for each in filters]
    documents = filtered_documents(catalog, by_catalog)
    wanted_places = [PathPatterns(each.paths, each.folders) for each in filters if each.paths or each.folders]
    unwanted_places = [
        PathPatterns(paths, folders)
        for each in filters
        for paths, folders in ((each.not_paths, ()), ((), each.not_folders))
        if paths or folders
    ]
    if wanted_places or unwanted_places:
        documents = _in_places(documents, wanted_places, unwanted_places)
    found = chunks_of_documents(catalog, [document for document, _, _ in documents])
    for days in by_catalog:
        found -= messages_of_other_days(catalog, days)
    for each in filters:
        wanted = MessageFilter(each.senders, each.recipients, each.subjects, has_attachment=bool(each.has) or None)
        if wanted:
            found &= chunks_of_messages(catalog, wanted)
        for unwanted in _unwanted(each):
            found -= chunks_of_messages(catalog, unwanted)
    return found


def _unwanted(filters: Filters) -> Iterator[MessageFilter]:
    """What none of the mails may be, by one kind of filter each."""
    each = (
        MessageFilter(senders=filters.not_senders),
        MessageFilter(recipients=filters.not_recipients),
        MessageFilter(subjects=filters.not_subjects),
        MessageFilter(has_attachment=bool(filters.not_has) or None),
    )
    return filter(None, each)


def _in_places(
    documents: Iterator[tuple[int, str, str]], wanted: Sequence[PathPatterns], unwanted: Sequence[PathPatterns]
) -> Iterator[tuple[int, str, str]]:
    """The documents (id, root, path) that match all the wanted patterns and none of the unwanted."""
    plain_root = cache(plain)
    for document, root, name in documents:
        place = (plain_root(root), plain(name))
        if all(patterns.fit(*place) for patterns in wanted) and not any(patterns.fit(*place) for patterns in unwanted):
            yield document, root, name


_ENDING = re.compile(r"\.[\w+-]{1,16}")
# Kinds that cover several formats, or some files of one.
_WIDER = {
    "mail": ("mail", "mailbox", "msg"),
    "html": ("html", "mhtml"),
    "spreadsheet": ("xlsx", "xls", "table", ".ods", ".fods"),
    "presentation": ("pptx", "ppt", ".odp", ".fodp"),
}


@cache
def file_types() -> Mapping[str, tuple[str, ...]]:
    """Resolve types to formats as the catalog names them, and to endings with their dots."""
    formats = {suffix: format_by_name(PurePath(f"x{suffix}")) or "" for suffix in SUFFIXES_READ}
    endings = {suffix.removeprefix("."): (suffix,) for suffix in formats}
    kinds = {name: (name,) for name in (*formats.values(), "chat")}  # which no ending promises
    code = {"code": tuple(sorted({formats[suffix] for suffix in CODE_SUFFIXES}))}
    return {**endings, **kinds, **code, **_WIDER}


def is_file_type(name: str) -> bool:
    """True if a filter can ask for it: a type, or any ending that begins with a dot."""
    return name.lower() in file_types() or bool(_ENDING.fullmatch(name))


def with_known_types(filters: Filters) -> Filters:
    """Replace the filters' types by formats and endings. Raises UsageError for an unknown one."""
    return replace(filters, types=_known(filters.types), not_types=_known(filters.not_types))


def check_file_type(name: str) -> None:
    """Raise UsageError for an unknown type of file."""
    if not is_file_type(name):
        kinds = sorted({name for name, meant in file_types().items() if meant != (f".{name}",)})
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), kinds, 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(
            f"There is no type of file '{name}'.{meant} Types: {', '.join(kinds)}; or an ending, such as md or .conf"
        )


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        check_file_type(name)
    return tuple(dict.fromkeys(meant for name in names for meant in file_types().get(name.lower(), (name.lower(),))))
