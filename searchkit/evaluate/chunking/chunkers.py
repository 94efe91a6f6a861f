"""The ways of cutting documents that are compared, with the place of every piece in its document's text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from searchkit.embedding.embedder import Embedder
from searchkit.evaluate.chunking.data import SourceDocument
from searchkit.evaluate.chunking.spans import SourceText, Span
from searchkit.ingest.chunk import chunk_document
from searchkit.types import Passage


@dataclass(frozen=True, slots=True)
class Piece:
    """What a document is cut into: what the model is given, and the characters of the document that are in it."""

    passage: Passage
    document: str
    spans: tuple[Span, ...]


class Cutting(Protocol):
    """A way of cutting."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def cut(self, document: SourceDocument, embedder: Embedder) -> Iterator[tuple[Passage, tuple[Span, ...]]]:
        """The pieces of a document, in order, and where they stand."""
        ...


@dataclass(frozen=True, slots=True)
class ByStructure:
    """As documents are indexed."""

    name: str = "structure"

    def cut(self, document: SourceDocument, embedder: Embedder) -> Iterator[tuple[Passage, tuple[Span, ...]]]:
        """See Cutting. Headings in a title are what the model sees, and not counted as text that is retrieved."""
        source = SourceText(document.text)
        for chunk in chunk_document(document.extracted, embedder.count_tokens, embedder.info.max_tokens):
            yield Passage(chunk.title, chunk.text), tuple(source.locate(chunk.text))


@dataclass(frozen=True, slots=True)
class FixedWindows:
    """Windows of so many of the model's tokens over the bare text, without title; prompt and special tokens come on top.

    Each begins `overlap` tokens before the end of the one before. They end between words, where there is a blank.
    """

    tokens: int
    overlap: int = 0

    @property
    def name(self) -> str:
        """See Cutting."""
        return f"windows of {self.tokens}" + (f", {self.overlap} of them shared" if self.overlap else "")

    def cut(self, document: SourceDocument, embedder: Embedder) -> Iterator[tuple[Passage, tuple[Span, ...]]]:
        """See Cutting."""
        text = document.text
        start = 0
        while start < len(text):
            end = _end_of_window(text, start, self.tokens, embedder)
            if text[start:end].strip():
                yield Passage("", text[start:end]), ((start, end),)
            if end == len(text):
                return
            step = self.tokens - self.overlap
            start = end if step == self.tokens else _end_of_window(text, start, step, embedder)


def cut_all(documents: Mapping[str, SourceDocument], cutting: Cutting, embedder: Embedder) -> list[Piece]:
    """The pieces of all documents."""
    return [
        Piece(passage, name, spans)
        for name, document in documents.items()
        for passage, spans in cutting.cut(document, embedder)
    ]


def _end_of_window(text: str, start: int, tokens: int, embedder: Embedder) -> int:
    """The furthest end of so many tokens from `start`, brought back to the end of a word."""
    end = start + tokens
    while end < len(text) and embedder.count_tokens(text[start:end]) <= tokens:
        end = start + (end - start) * 2
    low, high = start + 1, min(end, len(text)) + 1  # the first is short enough, the last too long
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if embedder.count_tokens(text[start:middle]) <= tokens else (low, middle)
    if low == len(text) or text[low - 1].isspace() or text[low].isspace():
        return low
    blank = max(text.rfind(" ", start, low), text.rfind("\n", start, low))
    return blank + 1 if blank > start else low
