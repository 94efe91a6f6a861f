"""A hit in its document as styled text: the passages before it, its own with marks, the passages after it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from searchkit.display import plural
from searchkit.reports import DocumentView
from searchkit.types import Chunk, Hit
from searchkit_tui.rendering.hit_content import ASIDE_STYLE, MARK_STYLE, Marks, marks_in_passage
from searchkit_tui.rendering.markup import HEADING_STYLE, Rewriting, code_styles, language_of, read_markdown, visible

_MARKDOWN = "markdown"
_PDF = "pdf"
# The end of a long line within a sentence: the columns of pages are narrower or wider than terminals.
_LINE_GOES_ON = re.compile(r"^.{55,}\n(?=[^\W\d_A-Z])", re.MULTILINE)
# Formats that are highlighted, by the file's name; all others are prose.
_CODE = frozenset("data code python javascript typescript tsx java c cpp header go rust ruby php csharp shell".split())
_MOST_LINE_ENDS = 3  # between passages of code


@dataclass(frozen=True, slots=True)
class DocumentContent:
    """The content of the preview. `above` and `below` are empty at the document's beginning and end.

    `hidden_above`, `hidden_below`: numbers of further passages of the document.
    """

    above: Content
    passage: Content
    below: Content
    hidden_above: int = 0
    hidden_below: int = 0


def passage_content(hit: Hit) -> DocumentContent:
    """Style a hit's passage alone."""
    return DocumentContent(Content(""), _read(hit.text, _plain_format(hit), hit, marks_in_passage(hit)), Content(""))


def document_content(hit: Hit, view: DocumentView) -> DocumentContent:
    """Style a hit's passage between those around it."""
    chunks = view.passages
    kind = view.format or _plain_format(hit)
    read = [
        _read(chunk.text, kind, hit, marks_in_passage(hit) if at == view.at else ()) for at, chunk in enumerate(chunks)
    ]
    seams = [_seam(chunks, at, kind) for at in range(len(chunks))]
    above = [part for at in range(view.at) for part in (seams[at], read[at])]
    below = [part for at in range(view.at + 1, len(chunks)) for part in (seams[at], read[at])]
    if view.at:
        above.append(seams[view.at])
    if view.above:
        above.insert(0, Content.assemble((f"{_more(view.above)} above\n\n", ASIDE_STYLE)))
    if view.below:
        below.append(Content.assemble((f"\n\n{_more(view.below)} below", ASIDE_STYLE)))
    return DocumentContent(
        _trimmed(_joined(above)), read[view.at], _trimmed_above(_joined(below)), view.above, view.below
    )


def _more(count: int) -> str:
    return f"… {plural(count, 'more passage')}"


def _plain_format(hit: Hit) -> str:
    return _MARKDOWN if hit.path.suffix.lower() in {".md", ".markdown"} else ""


def _seam(chunks: Sequence[Chunk], at: int, kind: str) -> Content:
    """Separate a passage from the one before: by blank lines, the page where a new one begins, and new headings."""
    chunk = chunks[at]
    before = chunks[at - 1] if at else None
    if _is_code(kind):
        gap = (chunk.line or 0) - ((before.line_end or 0) if before else chunk.line or 0)
        return Content("\n" * min(max(gap, 1), _MOST_LINE_ENDS) if before else "")
    parts: list[str | tuple[str, str]] = ["\n\n"] if before else []
    place = chunk.place or (f"page {chunk.page}" if chunk.page is not None else "")
    known = (before.place or (f"page {before.page}" if before.page is not None else "")) if before else ""
    if place and place != known:
        parts.append((f"── {visible(place, one_line=True)} ──\n", ASIDE_STYLE))
    if chunk.title and (before is None or chunk.title != before.title):
        parts.append((f"{visible(chunk.title, one_line=True)}\n\n", HEADING_STYLE))
    return Content.assemble(*parts)


def _is_code(kind: str) -> bool:
    return kind in _CODE


def _read(text: str, kind: str, hit: Hit, marks: Marks) -> Content:
    """Style a passage by its format, with marks."""
    writing = Rewriting(text)
    if kind == _MARKDOWN:
        read_markdown(writing)
    elif kind == _PDF:
        writing.edits += [(found.end() - 1, found.end(), " ") for found in _LINE_GOES_ON.finditer(text)]
    elif _is_code(kind):
        writing.styles += code_styles(text, language_of(hit.path.name))
    writing.styles += [(start, end, MARK_STYLE) for start, end in marks]
    return writing.content()


def _joined(parts: Sequence[Content]) -> Content:
    return Content("").join(parts)


def _trimmed(content: Content) -> Content:
    """Remove the last line end, which the next part brings."""
    return content[:-1] if content.plain.endswith("\n") else content


def _trimmed_above(content: Content) -> Content:
    """Remove the first line end, which the part before brings."""
    return content[1:] if content.plain.startswith("\n") else content
