"""How things read to people, on the command line and in the UI alike: places, reasons, numbers, text that is safe to show."""

import shlex
from pathlib import Path

from searchkit.types import Hit, IndexReport

_CONTROL = {code: None for code in range(32) if code not in (9, 10)} | {127: None} | dict.fromkeys(range(0x80, 0xA0))
_CONTROL |= dict.fromkeys((*range(8234, 8239), *range(8294, 8298)))  # which turn a line around
_TERMS_SHOWN = 8
_COPIES_NAMED = 3


def printable(text: str) -> str:
    """Text without control characters, which could steer the terminal, and without lone surrogates."""
    return text.translate(_CONTROL).encode("utf-8", "replace").decode("utf-8")


def on_one_line(text: str) -> str:
    """Printable text in which line ends and tabs, of a file's name say, are shown as signs."""
    return printable(text.replace("\n", "␊").replace("\t", "␉"))


def place(hit: Hit) -> str:
    """`path:12`, `path, page 3` or `path, slide 3`; paths below the current folder or the home are shown from there."""
    path = on_one_line(_shortest(hit.path))
    if hit.place:
        return f"{path}, {on_one_line(hit.place)}"
    if hit.page is not None:
        return f"{path}, page {hit.page}"
    return f"{path}:{hit.line}" if hit.line is not None else path


def reason(hit: Hit) -> str:
    """`meaning 0.61 · words: lease, end · and 2 more copies (a.md, b.md)`: the evidence, as far as there is any."""
    parts = []
    if hit.evidence.similarity is not None:
        parts.append(f"meaning {hit.evidence.similarity:.2f}")
    if hit.evidence.terms:
        parts.append(f"words: {', '.join(hit.evidence.terms[:_TERMS_SHOWN])}")
    if hit.copies:
        names = list(dict.fromkeys(on_one_line(path.name) for path in hit.copies_at))
        more = ", …" if len(names) > _COPIES_NAMED else ""
        copies = "copy" if hit.copies == 1 else "copies"
        parts.append(f"and {hit.copies} more {copies} ({', '.join(names[:_COPIES_NAMED])}{more})")
    return printable(" · ".join(parts))


def file_changes(report: IndexReport) -> str:
    """`3 added, 1 deleted`: what an index run found of files."""
    counts = (
        (report.added, "added"),
        (report.changed, "changed"),
        (report.moved, "moved"),
        (report.deleted, "deleted"),
        (report.unchanged, "unchanged"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in counts if count) or "no files"


def size(count_bytes: int) -> str:
    """A number of bytes for people."""
    amount = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def command(*words: str) -> str:
    """A command of searchkit's to copy into a shell: names with blanks and signs are quoted."""
    return shlex.join(("searchkit", *words))


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _shortest(path: Path) -> str:
    for base, mark in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(base):
            return f"{mark}{path.relative_to(base)}"
    return str(path)
