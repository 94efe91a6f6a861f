"""The chunkers that are compared: by structure, as documents are indexed, and fixed windows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from searchkit.embedding.embedder import Embedder
from searchkit.evaluate.chunking.data import SourceDocument, SourceText, Span
from searchkit.ingest.chunk import chunk_document
from searchkit.types import Passage


@dataclass(frozen=True, slots=True)
class LocatedChunk:
    """A chunk of a document: the passage that the model receives, and the spans of the document that it contains."""

    passage: Passage
    document: str
    spans: tuple[Span, ...]


class Chunker(Protocol):
    """A way to split documents into chunks."""

    @property
    def name(self) -> str:
        """The name in tables."""
        ...

    def chunk(self, document: SourceDocument, embedder: Embedder) -> Iterator[tuple[Passage, tuple[Span, ...]]]:
        """Split a document into passages, in order, each with its spans in the text."""
        ...


@dataclass(frozen=True, slots=True)
class ByStructure:
    """Splits documents as `searchkit index` does."""

    name: str = "structure"

    def chunk(self, document: SourceDocument, embedder: Embedder) -> Iterator[tuple[Passage, tuple[Span, ...]]]:
        """See Chunker. The model sees the headings as title; they do not count as retrieved text."""
        source = SourceText(document.text)
        for chunk in chunk_document(document.extracted, embedder.count_tokens, embedder.info.max_tokens):
            yield Passage(chunk.title, chunk.text), tuple(source.locate(chunk.text))


@dataclass(frozen=True, slots=True)
class FixedWindows:
    """Splits the bare text into windows of `tokens` tokens, without titles; prompt and special tokens are not counted.

    Each window begins `overlap` tokens before the end of the previous one. Windows end between words if possible.
    """

    tokens: int
    overlap: int = 0

    @property
    def name(self) -> str:
        """See Chunker."""
        return f"windows of {self.tokens}" + (f", {self.overlap} of them shared" if self.overlap else "")

    def chunk(self, document: SourceDocument, embedder: Embedder) -> Iterator[tuple[Passage, tuple[Span, ...]]]:
        """See Chunker."""
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


def chunk_all(documents: Mapping[str, SourceDocument], chunker: Chunker, embedder: Embedder) -> list[LocatedChunk]:
    """Split all documents."""
    return [
        LocatedChunk(passage, name, spans)
        for name, document in documents.items()
        for passage, spans in chunker.chunk(document, embedder)
    ]


def _end_of_window(text: str, start: int, tokens: int, embedder: Embedder) -> int:
    """Find the end of a window of at most `tokens` tokens that begins at `start`, moved back to the end of a word."""
    end = start + tokens
    while end < len(text) and embedder.count_tokens(text[start:end]) <= tokens:
        end = start + (end - start) * 2
    low, high = start + 1, min(end, len(text)) + 1  # `low` is short enough, `high` too long
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if embedder.count_tokens(text[start:middle]) <= tokens else (low, middle)
    if low == len(text) or text[low - 1].isspace() or text[low].isspace():
        return low
    blank = max(text.rfind(" ", start, low), text.rfind("\n", start, low))
    return blank + 1 if blank > start else low
