"""Names of files in the list of hits: the folders that tell them apart, what matches the query, what is left in little room."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.cells import cell_len, set_cell_size
from textual.content import Content, Span

from searchkit_tui.rendering.markup import visible

MATCH_STYLE = "underline"
_NAME_END_CHARACTERS = 10  # of a long file name; includes the suffix


def telling_folders(paths: Iterable[Path]) -> dict[Path, str]:
    """The shortest folder, as `garden/` or `garden/…/`, that tells each file from the others of its name; none for the others."""
    by_name: dict[str, list[Path]] = {}
    for path in dict.fromkeys(paths):
        by_name.setdefault(path.name, []).append(path)
    found = {}
    for alike in by_name.values():
        for path in alike if len(alike) > 1 else ():
            above = path.parent.parts[::-1]
            others = [other.parent.parts[::-1] for other in alike if other != path]
            depth = next(
                (n for n in range(1, len(above) + 1) if all(each[:n] != above[:n] for each in others)), len(above)
            )
            if depth:
                top = above[depth - 1].strip("/")
                found[path] = f"{top}/" if depth == 1 else f"{top}/…/"
    return found


def words_of(query: str) -> list[str]:
    """The words of a query that are worth a mark in a file's name: no filters, and nothing of one or two letters."""
    return re.findall(r"\w{3,}", re.sub(r"\S+:\S*", " ", query))


def folder_within(folder: str, name: str, cells: int) -> str:
    """The folder, cut where it and the name have no room."""
    room = max(cells - cell_len(name), cells // 3)
    shown = visible(folder, one_line=True)
    return shown if cell_len(shown) <= room else f"{set_cell_size(shown, room - 2).rstrip()}…/"


def with_matches(name: str, words: Sequence[str], style: str) -> Content:
    """A file's name with the letters underlined with which words begin one of its own; no letter alone in its suffix."""
    suffix = name.rfind(".")
    matches = [
        found.span()
        for word in words
        for found in re.finditer(rf"(?<![^\W_]){re.escape(word)}", name, re.IGNORECASE)
        if len(word) > 1 or not 0 < suffix < found.start()
    ]
    return Content(name, [Span(0, len(name), style), *(Span(*span, MATCH_STYLE) for span in matches)])


def shortened(name: str, cells: int) -> str:
    """Cut the middle out of a long file name, so that its suffix and what follows stay in sight."""
    if cell_len(name) <= cells:
        return name
    end = name[-_NAME_END_CHARACTERS:]
    return f"{set_cell_size(name, cells - cell_len(end) - 1).rstrip()}…{end}"
