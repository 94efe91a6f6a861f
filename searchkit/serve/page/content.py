"""What the pages show of hits and documents: texts that are safe to show, in pieces, of which some are marked."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import quote, urlencode

from searchkit.answer.prompt import COMMENT
from searchkit.display import correspondence, on_one_line, reason
from searchkit.errors import UsageError
from searchkit.formats import CODE, format_by_name
from searchkit.library import Library
from searchkit.serve.references import OpenedPassage, PassageText, open_document, open_passage
from searchkit.serve.search import ReferencedHit, sanitize
from searchkit.types import Hit

Marks = Sequence[tuple[int, int]]
_ON, _OFF = "\ue0f0", "\ue0f1"  # of no script: stand for the beginning and the end of a mark while a text is made safe
_SIGNS = str.maketrans(dict.fromkeys((_ON, _OFF), "\ufffd"))
_MOST_MARKS = 60
_MARKS = re.compile(r"\d{1,7}-\d{1,7}(?:\.\d{1,7}-\d{1,7})*")
_BEFORE = 4  # passages of a document that are shown before the one that was found
_AROUND_CHARACTERS = 9_000
_PDF, _MARKDOWN = "pdf", "markdown"
_STRONG = re.compile(r"\*\*(?=\S)([^\n]+?)(?<=\S)\*\*")  # of Markdown: the signs say nothing where all is plain text
# The end of a long line within a sentence: the columns of pages are narrower or wider than windows.
_LINE_GOES_ON = re.compile(r"(^.{55,})\n(?=[^\W\d_A-Z])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text. `is_marked`: it shows why the text was found."""

    text: str
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class HitView:
    """A hit in a list. `address`: of its document's page. `where`: page, line or place; `about`: sender and date."""

    address: str
    name: str
    where: str
    heading: str
    folder: str
    about: str
    collection: str
    score: str
    weak: bool
    reason: str
    snippet: Sequence[Piece]
    copies: int
    alike: "Sequence[HitView]"


@dataclass(frozen=True, slots=True)
class PassageView:
    """A passage in its document. `seam`: page, place or heading where another one begins, "" where it goes on."""

    pieces: Sequence[Piece]
    seam: str
    is_found: bool


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A part of a document around a passage. `picture`: the address of the page as a picture, "" if there is none.

    `earlier`, `later`: addresses of what comes before and after, "" at the beginning and the end.
    """

    name: str
    title: str
    path: str
    folder: str
    collection: str
    date: str
    where: str
    address: str
    is_code: bool
    picture: str
    passages: Sequence[PassageView]
    earlier: str
    later: str
    metadata: Sequence[tuple[str, str]]


def hit_view(found: ReferencedHit, query: str) -> HitView:
    """Return what a list shows of a hit."""
    hit = found.hit
    return HitView(
        address=passage_address(found.reference.passage, marks_in_passage(hit), query),
        name=safe_name(hit.path.name),
        where=_where(hit.place, hit.page, hit.line if hit.marked_line is None else hit.marked_line),
        heading=found.heading,
        folder=_folder(hit.path),
        about=sanitize(correspondence(hit).removeprefix("from ")) or hit.date,
        collection=hit.collection,
        score=f"{hit.score:.2f}",
        weak=hit.weak,
        reason=sanitize(on_one_line(reason(hit))),
        snippet=snippet_pieces(hit),
        copies=hit.copies,
        alike=[hit_view(each, query) for each in found.alike],
    )


def snippet_pieces(hit: Hit) -> list[Piece]:
    """Return the part of a passage that shows why it was found, with its marks, and "…" where it is cut."""
    start = hit.text.find(hit.snippet)
    text = without_comments(hit.text)[start : start + len(hit.snippet)] if start >= 0 else hit.snippet
    before, after = hit.is_cut
    is_markdown = format_by_name(PurePath(hit.path.name)) == _MARKDOWN
    return [Piece("… ")] * before + marked(text, hit.marks, is_markdown=is_markdown) + [Piece(" …")] * after


def marks_in_passage(hit: Hit) -> list[tuple[int, int]]:
    """Return the snippet's marks as offsets in the hit's whole text."""
    offset = hit.text.find(hit.snippet)
    return [(start + offset, end + offset) for start, end in hit.marks] if offset >= 0 else []


def document_view(library: Library, reference: str, marks: Marks, query: str, start: int | None = None) -> DocumentView:
    """Open the document of a passage around it, or from another of its passages (`start`). Raises what `open_passage` raises."""
    opened = open_passage(library, reference)
    about, found = opened.document, opened.passage
    first = max(0, found.ordinal - _BEFORE) if start is None else start
    read = open_document(library, about.id, start=first, max_characters=_AROUND_CHARACTERS)

    def address(begin: int) -> str:
        return f"{passage_address(found.id, marks, query, start=begin)}"

    passages = list(_passage_views(read.passages, found, marks, about.format))
    return DocumentView(
        name=safe_name(about.path.name),
        title=sanitize(on_one_line(about.title)),
        path=on_one_line(str(about.path)),
        folder=_folder(about.path),
        collection=about.collection,
        date=about.date,
        where=_where(found.place, found.page, found.line),
        address=passage_address(found.id, marks, query),
        is_code=about.format in CODE,
        picture=_picture_address(opened, marks),
        passages=passages,
        earlier=address(max(0, first - 3 * _BEFORE)) if first else "",
        later=address(read.next_start) if read.next_start else "",
        metadata=[(safe_name(name), sanitize(value)[:500]) for name, value in about.metadata.items()],
    )


def passage_address(reference: str, marks: Marks, query: str, *, start: int | None = None) -> str:
    """Return the address of a passage in its document; `marks` travel in it, since only a search can find them."""
    named = {"m": written(marks), "q": query[:500], "start": "" if start is None else str(start)}
    asked = urlencode({name: value for name, value in named.items() if value}, errors="replace")
    return f"/ui/read/{quote(reference, safe='')}{f'?{asked}' if asked else ''}"


def written(marks: Marks) -> str:
    """Write marks as a part of an address: `12-40.60-66`."""
    return ".".join(f"{start}-{end}" for start, end in marks[:_MOST_MARKS])


def read_marks(text: str) -> tuple[tuple[int, int], ...]:
    """Read what `written` has written. Raises UsageError."""
    if not text:
        return ()
    if not _MARKS.fullmatch(text):
        raise UsageError("The marks in this address make no sense.", remedy="Open the passage from a search.")
    pairs = (pair.split("-") for pair in text.split(".")[:_MOST_MARKS])
    return tuple((int(start), int(end)) for start, end in pairs)


def marked(text: str, marks: Iterable[tuple[int, int]], *, is_markdown: bool = False) -> list[Piece]:
    """Make a text safe to show, as `sanitize` does, and part it at its marks; those beyond its end are left out."""
    text = without_comments(text).translate(_SIGNS)
    parts, at = [], 0
    for start, end in sorted(marks):
        if at <= start < end <= len(text):
            parts += [text[at:start], _ON, text[start:end], _OFF]
            at = end
    safe = sanitize("".join((*parts, text[at:])))
    if is_markdown:
        safe = _STRONG.sub(r"\1", safe)
    pieces = []
    is_marked = False
    for part in re.split(f"([{_ON}{_OFF}])", safe):
        if part in (_ON, _OFF):
            is_marked = part == _ON
        elif part:
            pieces.append(Piece(part, is_marked))
    return pieces


def without_comments(text: str) -> str:
    """The text with blanks in place of hidden comments, so that offsets in it stay."""
    return COMMENT.sub(lambda comment: " " * len(comment[0]), text)


def safe_name(name: str) -> str:
    """A file's name, on one line and safe to show."""
    return sanitize(on_one_line(name))[:300]


def _passage_views(
    passages: Sequence[PassageText], found: PassageText, marks: Marks, format_name: str
) -> Iterator[PassageView]:
    known = ""
    for passage in passages:
        is_found = passage.ordinal == found.ordinal
        where = passage.place or (f"page {passage.page}" if passage.page is not None else "")
        seam = " · ".join(part for part in (where, passage.heading) if part)
        shown = sanitize(on_one_line(seam)) if seam != known else ""
        known = seam
        text = _LINE_GOES_ON.sub(r"\1 ", passage.text) if format_name == _PDF else passage.text
        pieces = marked(text, marks if is_found else (), is_markdown=format_name == _MARKDOWN)
        yield PassageView(pieces, shown, is_found)


def _picture_address(opened: OpenedPassage, marks: Marks) -> str:
    if opened.document.format != _PDF or opened.passage.page is None:
        return ""
    asked = f"?{urlencode({'m': written(marks)})}" if marks else ""
    return f"/ui/picture/{quote(opened.passage.id, safe='')}{asked}"


def _where(place: str, page: int | None, line: int | None) -> str:
    if place:
        return sanitize(on_one_line(place))
    return f"page {page}" if page is not None else f"line {line}" if line is not None else ""


def _folder(path: Path) -> str:
    """The folder of a file; below the home of whoever runs the server it is shown from there."""
    folder = path.parent
    shown = Path("~") / folder.relative_to(Path.home()) if folder.is_relative_to(Path.home()) else folder
    return on_one_line(str(shown))
