"""Reads PPTX: slide by slide in the presentation's order, under the slide's title; notes and comments are marked as such."""

import re
from collections.abc import Iterable, Iterator

from lxml import etree

from searchkit.ingest.extract.archive import attribute, descendants, first, local
from searchkit.ingest.extract.office.ooxml import (
    Package,
    behind_link,
    paragraphs_text,
    pictured,
    relation_id,
    table_rows,
)
from searchkit.ingest.extract.readers import leave_out
from searchkit.types import Block, BlockKind, ExtractedDocument

_MASTER = re.compile(r"ppt/(?:slidemasters|slidelayouts|notesmasters)/[^/]+\.xml")
_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("sldNum", "sldImg"))
_RUNNING = frozenset(("ftr", "hdr", "dt"))  # the same on every slide: read once


def extract_pptx(content: bytes) -> ExtractedDocument:
    """Read one block per shape, lazily; hidden slides are read like others. The title is the properties'.

    Raises UnreadableFileError for damaged and password-protected presentations.
    """
    package = Package(content, "presentationml")
    title, metadata = package.properties()
    return ExtractedDocument(title, _blocks(package), metadata)


def _blocks(package: Package) -> Iterator[Block]:
    root = package.archive.xml(package.main)
    relations = package.relations(package.main)
    authors = _authors(package)
    running: set[str] = set()
    number = 0
    for slide in descendants(root, "sldId") if root is not None else ():
        relation = relations.get(relation_id(slide))
        if relation and relation.kind == "slide" and relation.target in package.archive:
            number += 1
            yield from _Slide(package, relation.target, number, running).blocks(authors)
    yield from _behind_slides(package, running)
    names = [section.get("name", "") for section in descendants(root, "section")] if root is not None else []
    if any(names):
        yield Block("\n".join(filter(None, names)), place="sections")


def _behind_slides(package: Package, running: set[str]) -> Iterator[Block]:
    """What masters and layouts show on every slide: their own shapes, and not the prompts of their placeholders."""
    for part in package.archive.names():
        if not _MASTER.fullmatch(part):
            continue
        root = package.archive.xml(part)
        for shape in _shapes(root) if root is not None else ():
            role = _placeholder(shape)
            if role not in ("", *_RUNNING, *_FURNITURE):
                leave_out("prompts of placeholders", int(bool(paragraphs_text(shape, {}))))
            text = paragraphs_text(shape, package.addresses(part)) if role in ("", *_RUNNING) else ""
            for words in (*pictured(shape), text) if not role else (text,):
                if words and words not in running:
                    running.add(words)
                    yield Block(words, place="slide master")


def _authors(package: Package) -> dict[str, str]:
    """Names of those who comment, by id."""
    found = {}
    for part in package.related(package.main, "commentAuthors", "authors"):
        root = package.archive.xml(part)
        for author in root if root is not None else ():
            found[author.get("id", "")] = author.get("name", "")
    return found


class _Slide:
    """One slide. `running`: footers that were read on other slides."""

    def __init__(self, package: Package, part: str, number: int, running: set[str]) -> None:
        self._package, self._part, self._number, self._running = package, part, number, running
        self._place = f"slide {number}"
        self._headings: tuple[str, ...] = ()

    def blocks(self, authors: dict[str, str]) -> Iterator[Block]:
        """Title, shapes in the slide's order, notes, comments."""
        root = self._package.archive.xml(self._part)
        tree = first(root, "spTree") if root is not None else None
        shapes = list(_shapes(tree)) if tree is not None else []
        title = next((shape for shape in shapes if _placeholder(shape) in _TITLES and paragraphs_text(shape)), None)
        if title is not None:
            text = " ".join(paragraphs_text(title).split())
            self._headings = (text,)
            yield self._block(text, BlockKind.HEADING)
        for shape in shapes:
            if shape is not title:
                yield from self._shape(shape)
        for group in descendants(tree, "nvGrpSpPr") if tree is not None else ():
            for words in pictured(group):
                yield Block(words, headings=self._headings, page=self._number, place=f"{self._place}, picture")
        yield from self._notes()
        yield from self._comments(authors)

    def _shape(self, shape: etree._Element) -> Iterator[Block]:
        role = _placeholder(shape)
        if role in _FURNITURE:
            return
        addresses = self._package.addresses(self._part)
        for words in pictured(shape):
            yield Block(words, headings=self._headings, page=self._number, place=f"{self._place}, picture")
        for table in descendants(shape, "tbl"):
            lines, names = table_rows(table, addresses)
            if lines:
                yield self._block("\n".join(lines), BlockKind.TABLE, names)
            return
        for text in self._package.drawn(self._part, list(descendants(shape, "relIds", "chart"))):
            yield self._block(text)
        text = paragraphs_text(shape, addresses)
        if (link := _shape_link(shape)) is not None:
            text = (text + behind_link(text, link, addresses)).strip()
        if text and not (role in _RUNNING and text in self._running):
            if role in _RUNNING:
                self._running.add(text)
            yield self._block(text)

    def _notes(self) -> Iterator[Block]:
        for part in self._package.related(self._part, "notesSlide"):
            root = self._package.archive.xml(part)
            for shape in _shapes(root) if root is not None else ():
                text, role = paragraphs_text(shape, self._package.addresses(part)), _placeholder(shape)
                if role in _RUNNING:
                    text = "" if text in self._running else text
                    self._running.add(text)
                if text and role not in _FURNITURE:
                    yield Block(
                        text, headings=(*self._headings, "Notes"), page=self._number, place=f"{self._place}, notes"
                    )

    def _comments(self, authors: dict[str, str]) -> Iterator[Block]:
        for part in self._package.related(self._part, "comments"):
            root = self._package.archive.xml(part)
            for comment in descendants(root, "cm", "reply") if root is not None else ():
                bodies = (child for child in comment if local(child.tag) in ("text", "txBody"))
                text = "\n".join(
                    body.text or "" if local(body.tag) == "text" else paragraphs_text(body) for body in bodies
                )
                if text.strip():
                    author = authors.get(comment.get("authorId", ""), "")
                    place = f"{self._place}, comment" + (f" by {author}" if author else "")
                    text = f"{author}: {text.strip()}" if author else text.strip()
                    yield Block(text, headings=self._headings, page=self._number, place=place)

    def _block(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH, columns: str = "") -> Block:
        return Block(text, kind, self._headings, page=self._number, place=self._place, columns=columns)


def _shapes(tree: Iterable[etree._Element]) -> Iterator[etree._Element]:
    """Shapes, pictures and frames in drawing order, those of groups at the group's position."""
    for element in tree:
        name = local(element.tag)
        if name in ("sp", "graphicFrame", "cxnSp", "pic", "contentPart"):
            yield element
        elif name == "AlternateContent":
            yield from _shapes(next(iter(element), ()))
        else:
            yield from _shapes(element)


def _shape_link(shape: etree._Element) -> etree._Element | None:
    """The link of a shape as a whole."""
    return next((link for about in descendants(shape, "cNvPr") for link in descendants(about, "hlinkClick")), None)


def _placeholder(shape: etree._Element) -> str:
    """The role of a shape on its slide, such as title or ftr; "" if it is not a placeholder."""
    found = next(descendants(shape, "ph"), None)
    return attribute(found, "type") or "body" if found is not None else ""
