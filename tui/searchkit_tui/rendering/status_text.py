"""What is said of index runs, collections and their problems, in plain text."""

from collections.abc import Sequence
from itertools import groupby

from searchkit.display import file_changes, on_one_line, plural, printable, size
from searchkit.types import CollectionStatus, IndexReport, IndexStatus, Problem

PROBLEM_FILES_SHOWN = 200  # of one kind; more say nothing new


def changes(report: IndexReport) -> str:
    """`3 added, 1 deleted; 40 passages embedded`."""
    skipped = f", {report.skipped:,} skipped" if report.skipped else ""
    return f"{file_changes(report)}{skipped}; {plural(report.embedded, 'passage')} embedded"


def kept(status: CollectionStatus) -> str:
    """What a run that failed has left: all that it had stored."""
    by_meaning = f"{status.vectors:,} of them by meaning too" if status.vectors < status.passages else "also by meaning"
    return (
        f"Kept: {plural(status.indexed, 'file')} with {plural(status.chunks, 'passage')}, which can be searched by words,"
        f" {by_meaning}. Index again, and it goes on from there."
    )


def coverage(status: CollectionStatus) -> str:
    """How much can be found by meaning: `all`, `73 %`, `none`."""
    if status.vectors >= status.passages:
        return "all" if status.passages else "–"
    share = status.vectors / status.passages
    return f"{max(share, 0.01):.0%}" if status.vectors else "none"


def folders(status: CollectionStatus) -> str:
    """The collection's folders, on one line."""
    return ", ".join(on_one_line(str(root)) for root in status.roots)


def index_told(index: IndexStatus | None) -> str:
    """The index in use and what it finds."""
    if index is None:
        return "none yet"
    found = "recall not measured"
    if index.recall == 1:
        found = "finds all of the ten nearest"
    elif index.recall is not None and index.queries:
        found = f"finds {index.recall:.1%} of the ten nearest"
    return f"{index.name}, {index.bytes_per_vector:,} bytes a vector, {found}"


def details(status: CollectionStatus) -> list[tuple[str, str]]:
    """All there is to say of a collection: name and value, line by line."""
    files = [f"{status.indexed:,} indexed"]
    files += [f"{status.skipped:,} skipped"] if status.skipped else []
    files += [f"{status.unsupported:,} without text"] if status.unsupported else []
    files += [f"{status.unread:,} still to be read"] if status.unread else []
    by_meaning = "all" if status.vectors >= status.passages else f"{status.vectors:,} of {status.passages:,}"
    lines = [
        ("folders", folders(status)),
        ("files", ", ".join(files)),
        ("passages", f"{status.chunks:,} by words, {by_meaning} by meaning"),
        ("model", printable(status.model)),
        ("index", index_told(status.index)),
        ("on disk", f"{size(status.size_bytes)}, {_when(status.updated_at)}"),
    ]
    if status.formats:
        lines.append(("formats", ", ".join(f"{each.format} {each.files:,}" for each in status.formats)))
    if status.problems:
        lines.append(("problems", f"{plural(len(status.problems), 'file')}; press p for reasons and remedies"))
    return lines


def grouped(problems: Sequence[Problem]) -> list[tuple[str, str, list[str]]]:
    """Reason, remedy and paths of problems of one kind, those with the most files first."""
    ordered = sorted(problems, key=_kind)
    groups = [
        (printable(reason), printable(remedy), [on_one_line(str(problem.path)) for problem in some])
        for (reason, remedy), some in groupby(ordered, key=_kind)
    ]
    return sorted(groups, key=lambda group: -len(group[2]))


def _kind(problem: Problem) -> tuple[str, str]:
    return problem.reason, problem.remedy


def _when(moment: str | None) -> str:
    """When a collection was brought up to date, to the minute."""
    return f"brought up to date {moment[:16].replace('T', ' ')}" if moment else "its first run has not ended yet"
