"""Slides of an ODP: frames in order under the slide's title, notes marked as such."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lxml import etree

from searchkit.ingest.extract.archive import attribute, local
from searchkit.ingest.extract.office.odf_text import Walk
from searchkit.types import Block, BlockKind

_FURNITURE = frozenset(("page-number", "date-time", "page"))
_RUNNING = frozenset(("header", "footer"))  # on every slide the same: said once


def slide_blocks(pages: Iterable[etree._Element]) -> Iterator[Block]:
    """Blocks of all slides (draw:page); a slide's title is the heading of what else is on it."""
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
    """What a frame is on its slide, such as title or notes; "" for an ordinary one."""
    return attribute(shape, "class")


def _merged(shape: etree._Element, place: str) -> Iterator[Block]:
    """A shape's blocks, those paragraphs joined that follow each other at one place."""
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
