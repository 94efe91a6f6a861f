"""Reads PPTX: slide by slide in the presentation's order, under the slide's title; notes and comments are marked as such."""

from collections.abc import Iterable, Iterator

from lxml import etree

from searchkit.ingest.extract.archive import attribute, descendants, first, local
from searchkit.ingest.extract.office.ooxml import Package, paragraphs_text, table_lines
from searchkit.types import Block, BlockKind, ExtractedDocument

_TITLES = frozenset(("title", "ctrTitle"))
_FURNITURE = frozenset(("sldNum", "dt", "sldImg"))
_RUNNING = frozenset(("ftr", "hdr"))  # the same on every slide: read once


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
        relation = relations.get(_relation_id(slide))
        if relation and relation.kind == "slide" and relation.target in package.archive:
            number += 1
            yield from _Slide(package, relation.target, number, running).blocks(authors)


def _relation_id(element: etree._Element) -> str:
    """The relation's id: of the two attributes called id, the one in the relations' namespace."""
    return next((str(value) for key, value in element.attrib.items() if str(key).endswith("}id")), "")


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
        yield from self._notes()
        yield from self._comments(authors)

    def _shape(self, shape: etree._Element) -> Iterator[Block]:
        role = _placeholder(shape)
        if role in _FURNITURE:
            return
        for table in descendants(shape, "tbl"):
            if lines := table_lines(table):
                yield self._block("\n".join(lines), BlockKind.TABLE)
            return
        for text in self._package.drawn(self._part, list(descendants(shape, "relIds", "chart"))):
            yield self._block(text)
        text = paragraphs_text(shape)
        if text and not (role in _RUNNING and text in self._running):
            if role in _RUNNING:
                self._running.add(text)
            yield self._block(text)

    def _notes(self) -> Iterator[Block]:
        for part in self._package.related(self._part, "notesSlide"):
            root = self._package.archive.xml(part)
            for shape in _shapes(root) if root is not None else ():
                text = paragraphs_text(shape)
                if text and _placeholder(shape) not in _FURNITURE | _RUNNING:
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
                    yield Block(text.strip(), headings=self._headings, page=self._number, place=place)

    def _block(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> Block:
        return Block(text, kind, self._headings, page=self._number, place=self._place)


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


def _placeholder(shape: etree._Element) -> str:
    """The role of a shape on its slide, such as title or ftr; "" if it is not a placeholder."""
    found = next(descendants(shape, "ph"), None)
    return attribute(found, "type") or "body" if found is not None else ""
