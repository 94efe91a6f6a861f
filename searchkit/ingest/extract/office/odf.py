"""Reads OpenDocument, in a zip container or as one flat XML file: text, sheets or slides, with metadata."""

import io
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from itertools import chain, islice
from typing import IO

from lxml import etree

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.archive import (
    Archive,
    attribute,
    descendants,
    each_child,
    each_element,
    each_event,
    local,
    locked,
)
from searchkit.ingest.extract.office.odf_sheets import SHEET_TAGS, spreadsheet_blocks
from searchkit.ingest.extract.office.odf_text import Walk, formula_text
from searchkit.types import Block, BlockKind, ExtractedDocument

_KIND = "OpenDocument file"
_PROPERTIES = {
    "creator": "author",  # who saved it last; the initial creator counts more
    "initial-creator": "author",
    "date": "date",
    "creation-date": "date",
    "subject": "subject",
    "keyword": "tags",
    "description": "description",
    "language": "language",
}
_TITLE_BLOCKS = 20  # the title is among the first, if there is one
_SHORT_HEADER = 12  # letters and digits
_BODIES = ("text", "spreadsheet", "presentation", "drawing", "chart")
_NUMBERED = re.compile(r"\w+[ _]?\d+")  # the names that programs give to slides

_HEADERS = tuple(f"{kind}{which}" for kind in ("header", "footer") for which in ("", "-left", "-first"))


def extract_odf(content: bytes) -> ExtractedDocument:
    """Read blocks lazily. The title is the properties', else the paragraph in the style Title.

    Raises UnreadableFileError for damaged and password-protected documents.
    """
    source = _Source(content)
    title, metadata = _properties(source)
    body = _body(source)
    around = chain(_running(source), _objects(source))
    if body == "spreadsheet":
        rows = spreadsheet_blocks(source.events("content.xml", *SHEET_TAGS))
        return ExtractedDocument(title, chain(rows, _hints(source), around), metadata)
    if body in ("presentation", "drawing"):
        slides = slide_blocks(source.each("content.xml", "page"))
        return ExtractedDocument(title, chain(slides, _masters(source), _declared(source), around), metadata)
    if body in ("chart", "math"):  # a document with an object alone
        return ExtractedDocument(title, chain(_object(source, "content.xml"), around), metadata)
    walk = Walk(_title_styles(source))
    blocks = chain(walk.blocks(source.children("content.xml", "text"), flow=True), around)
    beginning = list(islice(blocks, _TITLE_BLOCKS))
    return ExtractedDocument(title or walk.title, chain(beginning, blocks), metadata)


class _Source:
    """The parts of a document: members of a container, or all in one flat file."""

    def __init__(self, content: bytes) -> None:
        self._flat = content
        self._archive = None if _is_xml(content) else Archive(content, _KIND)
        if self._archive is None:
            return
        if "content.xml" not in self._archive:
            raise UnreadableFileError(
                f"not an {_KIND}: the part with its text is missing", remedy="give it the ending that fits its content"
            )
        manifest = "META-INF/manifest.xml"
        if manifest in self._archive and b"encryption-data" in self._archive.read(manifest):
            raise locked(_KIND)

    def children(self, part: str, under: str) -> Iterator[etree._Element]:
        """Yield children of the elements named `under`; each is freed when the next is requested."""
        if self._has(part):
            with self._stream(part) as stream:
                yield from each_child(stream, _KIND, under)

    def each(self, part: str, *tags: str) -> Iterator[etree._Element]:
        """Yield elements with these names; each is freed when the next is requested."""
        if self._has(part):
            with self._stream(part) as stream:
                yield from each_element(stream, _KIND, tags)

    def events(self, part: str, *tags: str) -> Iterator[tuple[str, etree._Element]]:
        """Yield starts and ends of elements with these names."""
        if self._has(part):
            with self._stream(part) as stream:
                yield from each_event(stream, _KIND, tags)

    def objects(self) -> list[str]:
        """The parts of charts, formulas and the like that are embedded in the document."""
        names = [] if self._archive is None else self._archive.names()
        return [name for name in names if name.endswith("/content.xml")]

    def _has(self, part: str) -> bool:
        return self._archive is None or part in self._archive

    def _stream(self, part: str) -> AbstractContextManager[IO[bytes]]:
        return closing(io.BytesIO(self._flat)) if self._archive is None else self._archive.stream(part)


def _is_xml(content: bytes) -> bool:
    beginning = content[:4096].lstrip(b"\xef\xbb\xbf \r\n\t")
    return beginning.startswith(b"<") and b"office:document" in beginning


def _body(source: _Source) -> str:
    """The kind of the document's body: text, spreadsheet, presentation, drawing, chart, or "math" for a formula alone."""
    for event, element in source.events("content.xml", *_BODIES, "math"):
        parent = element.getparent()
        if event == "start" and parent is None:
            return local(element.tag)
        if event == "start" and parent is not None and local(parent.tag) == "body":
            return local(element.tag)
    raise UnreadableFileError(f"an {_KIND} of a kind that is not read: not a text, spreadsheet or presentation")


def _properties(source: _Source) -> tuple[str, dict[str, str]]:
    said: dict[str, str] = {}
    own: dict[str, str] = {}
    for entry in source.children("meta.xml", "meta"):
        name, value = local(entry.tag), " ".join((entry.text or "").split())
        if name == "user-defined":  # such as a file number
            own[attribute(entry, "name").lower()] = value
        if "date" in name:
            value = value.partition(".")[0]  # fractions of seconds
        if value:
            said[name] = f"{said[name]}, {value}" if name == "keyword" and name in said else value
    return said.get("title", ""), own | {ours: said[theirs] for theirs, ours in _PROPERTIES.items() if theirs in said}


def _title_styles(source: _Source) -> frozenset[str]:
    """Names of the style Title and of the automatic styles based on it."""
    return frozenset(("Title",)) | {
        attribute(style, "name")
        for style in source.each("content.xml", "style")
        if attribute(style, "parent-style-name") == "Title"
    }


def _running(source: _Source) -> Iterator[Block]:
    """Headers and footers, each once."""
    said: set[str] = set()
    for element in source.each("styles.xml", *_HEADERS):
        for block in Walk(place=local(element.tag).partition("-")[0]).blocks(element):
            if block.text not in said and not _counts_pages(element, block.text):
                said.add(block.text)
                yield block


def _counts_pages(element: etree._Element, text: str) -> bool:
    """True if hardly more is left of a header than the word for pages, as in those that programs put on every sheet."""
    has_fields = next(descendants(element, "page-number", "page-count", "sheet-name", "title"), None) is not None
    return has_fields and sum(map(str.isalnum, text)) < _SHORT_HEADER


def _hints(source: _Source) -> Iterator[Block]:
    """What a sheet says when one chooses a cell, or types what it does not allow; it stands before the first sheet."""
    for event, element in source.events("content.xml", "help-message", "error-message", "table"):
        if local(element.tag) == "table":
            return
        if event == "end":
            texts = (attribute(element, "title"), *(block.text for block in Walk().blocks(element)))
            yield Block("\n".join(filter(None, texts)), place="hint")


def _declared(source: _Source) -> Iterator[Block]:
    """Footers and the like that slides only refer to."""
    for element in source.each("content.xml", "header-decl", "footer-decl", "date-time-decl"):
        yield Block(
            " ".join("".join(map(str, element.itertext())).split()), place=local(element.tag).removesuffix("-decl")
        )


def _objects(source: _Source) -> Iterator[Block]:
    """The text of embedded charts, formulas and documents; those of a flat file stand where they are shown."""
    for part in source.objects():
        yield from _object(source, part)


def _object(source: _Source, part: str) -> Iterator[Block]:
    for element in source.children(part, "body"):
        yield from Walk(place="object").blocks([element])
    for formula in source.each(part, "math"):
        yield Block(formula_text(formula), place="formula")


def _masters(source: _Source) -> Iterator[Block]:
    """What slides show of their masters, each once; places for titles and the like, which a slide fills, are not it."""
    said: set[str] = set()
    for master in source.each("styles.xml", "master-page"):
        for shape in master:
            if _role(shape) or local(shape.tag) == "notes":
                continue
            for block in Walk(place="master").blocks([shape]):
                if block.text not in said:
                    said.add(block.text)
                    yield block


_FURNITURE = frozenset(("page-number", "date-time", "page"))
_RUNNING = frozenset(("header", "footer"))  # the same on every slide: read once


def slide_blocks(pages: Iterable[etree._Element]) -> Iterator[Block]:
    """Read the blocks of all slides (draw:page); a slide's title is the heading of the rest."""
    running: set[str] = set()
    for number, page in enumerate(pages, 1):
        yield from _slide(page, number, running)


def _slide(page: etree._Element, number: int, running: set[str]) -> Iterator[Block]:
    place = f"slide {number}"
    headings: tuple[str, ...] = ()
    title = next((shape for shape in page if _role(shape) == "title" and any(_merged(shape, place))), None)
    if title is not None:
        text = " ".join(" ".join(block.text for block in _merged(title, place)).split())
        headings = (text,)
        yield Block(text, BlockKind.HEADING, headings, page=number, place=place)
    name = attribute(page, "name")
    if name and not _NUMBERED.fullmatch(name) and name not in headings:
        yield Block(name, headings=headings, page=number, place=place)
    for shape in page:
        if shape is title or _role(shape) in _FURNITURE:
            continue
        is_notes = local(shape.tag) == "notes"
        where, path = (f"{place}, notes", (*headings, "Notes")) if is_notes else (place, headings)
        for part in shape if is_notes else (shape,):
            for block in _merged(part, where) if _role(part) not in _FURNITURE else ():
                if _role(part) in _RUNNING:
                    if block.text in running:
                        continue
                    running.add(block.text)
                yield replace(block, headings=path, page=number)


def _role(shape: etree._Element) -> str:
    """The role of a frame on its slide, such as title or notes; "" for an ordinary one."""
    return attribute(shape, "class")


def _merged(shape: etree._Element, place: str) -> Iterator[Block]:
    """A shape's blocks; successive paragraphs at one place are joined."""
    held: Block | None = None
    for block in Walk(place=place).blocks([shape]):
        joins = held and held.kind is block.kind is BlockKind.PARAGRAPH and held.place == block.place
        if held and joins:
            held = replace(held, text=f"{held.text}\n{block.text}")
        else:
            if held:
                yield held
            held = block
    if held:
        yield held
