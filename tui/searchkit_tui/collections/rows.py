"""Reads what the collections hold, those that are damaged included; and what is said of one."""

from textual.content import Content

from searchkit.display import on_one_line, printable
from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit_tui.collections.table import CollectionRow
from searchkit_tui.rendering.status_text import details


def read_rows(library: Library) -> list[CollectionRow]:
    """All collections, by name. Takes its time: not for the event loop."""
    with library.sibling() as own:
        return [_row(own, name) for name in own.collections()]


def _row(library: Library, name: str) -> CollectionRow:
    try:
        return CollectionRow(name, library.status(name))
    except SearchkitError as error:
        return CollectionRow(name, None, str(error))


def row_details(row: CollectionRow) -> Content:
    """Everything about a collection, a line each."""
    parts: list[str | tuple[str, str]] = [(on_one_line(row.name), "bold $text-primary"), "\n"]
    if row.status is None:
        return Content.assemble(*parts, (f"Damaged. {printable(row.error)}\nPress r to rebuild it.", "$text-error"))
    lines = details(row.status)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        parts += [(f"{name:<{width}}  ", "dim"), f"{value}\n"]
    return Content.assemble(*parts)
