"""Collections in words: read from the library, those that are damaged included, and described line by line."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from textual.content import Content

from searchkit import Library
from searchkit.display import being_written, command, local_time, on_one_line, plural, printable, size
from searchkit.display.runs import left_out_text
from searchkit.errors import SearchkitError
from searchkit.reports import CollectionStatus, IndexStatus, Problem
from searchkit_tui.rendering.errors import error_text


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection as it is shown. `status` is None if it cannot be read, and `error` says why. `doing`: what is being done to it.

    The status names only other processes that write to it: what this one does are jobs.
    """

    name: str
    status: CollectionStatus | None
    error: str = ""
    doing: str = ""


def read_rows(library: Library) -> list[CollectionRow]:
    """Read all collections, by name. Takes its time: not for the event loop."""
    with library.sibling() as own:
        return [_row(own, name) for name in own.collections()]


def row_details(row: CollectionRow) -> Content:
    """Describe a collection, a line for each property."""
    parts: list[str | tuple[str, str]] = [(on_one_line(row.name), "bold $text-primary"), "\n"]
    if row.status is None:
        return Content.assemble(*parts, (printable(row.error), "$text-error"))
    lines = details(row.status)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        parts += [(f"{name:<{width}}  ", "dim"), f"{value}\n"]
    return Content.assemble(*parts)


def details(status: CollectionStatus) -> list[tuple[str, str]]:
    """List what is known of a collection: name and value, line by line."""
    files = [f"{status.files:,} indexed"]
    files += [f"{plural(status.documents_inside, 'document')} inside them"] if status.documents_inside else []
    files += [f"{status.files_skipped:,} skipped"] if status.files_skipped else []
    files += [f"{status.files_unsupported:,} of kinds that are not read"] if status.files_unsupported else []
    files += [f"{status.files_to_read:,} still to be read"] if status.files_to_read else []
    by_meaning = "all" if status.vectors >= status.passages else f"{status.vectors:,} of {status.passages:,}"
    guessed = f", {status.provisional:,} guessed until the model has read them" if status.provisional else ""
    is_partial = status.vectors < status.passages
    guessed += "; lazy: the model reads the others as questions ask for them" if status.lazy and is_partial else ""
    lines = [
        ("folders", folders(status)),
        ("files", ", ".join(files)),
        ("passages", f"{status.passages:,} by words, {by_meaning} by meaning{guessed}"),
        ("model", printable(status.model) or f"none: words only. Get one: {command('models', 'pull')}, then Index"),
        ("index", index_line(status.index)),
        ("on disk", f"{size(status.size_bytes)}, {_when(status.updated_at)}"),
    ]
    if status.writer:
        lines.insert(0, ("now", f"{being_written(status)}, by {status.writer.process}"))
    if status.left_out:
        lines.append(
            (
                "left out",
                f"{left_out_text(status.left_out)}. Each: {command('status', '--left-out', '-c', status.collection)}",
            )
        )
    if status.formats:
        lines.append(("formats", ", ".join(f"{each.format} {each.files:,}" for each in status.formats)))
    if status.problems:
        lines.append(("problems", f"{plural(len(status.problems), 'file')}; Problems says why, and what to do"))
    return lines


def coverage(status: CollectionStatus) -> str:
    """Say how much can be found by meaning: `all`, `73%`, `none`."""
    if status.vectors >= status.passages:
        return "all" if status.passages else "–"
    share = status.vectors / status.passages
    return f"{max(share, 0.01):.0%}" if status.vectors else "none"


def folders(status: CollectionStatus) -> str:
    """Join the collection's folders on one line."""
    return ", ".join(on_one_line(str(root)) for root in status.folders)


def index_line(index: IndexStatus | None) -> str:
    """Name the index in use, its size and its recall."""
    if index is None:
        return "none yet"
    found = "recall not measured"
    if index.recall == 1:
        found = "finds all of the ten nearest"
    elif index.recall is not None and index.queries:
        found = f"finds {index.recall:.1%} of the ten nearest"
    return f"{index.name}, {index.bytes_per_vector:,} bytes per vector, {found}"


def grouped(problems: Sequence[Problem]) -> list[tuple[str, str, list[str]]]:
    """Group problems by kind: reason, remedy and paths, those with the most files first."""
    ordered = sorted(problems, key=_kind)
    groups = [
        (printable(reason), printable(remedy), [on_one_line(str(problem.path)) for problem in some])
        for (reason, remedy), some in groupby(ordered, key=_kind)
    ]
    return sorted(groups, key=lambda group: -len(group[2]))


def _row(library: Library, name: str) -> CollectionRow:
    try:
        status = library.collection(name).status()
    except SearchkitError as error:
        return CollectionRow(name, None, error_text(error))
    if status.writer and status.writer.process == f"process {os.getpid()}":
        status = replace(status, writer=None)
    return CollectionRow(name, status)


def _kind(problem: Problem) -> tuple[str, str]:
    return problem.reason, problem.remedy


def _when(moment: str | None) -> str:
    """Say when a collection was last brought up to date, to the minute."""
    return f"updated {local_time(moment)}" if moment else "first run not finished yet"
