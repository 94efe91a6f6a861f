"""Reads the data that chunking is measured on: documents/, queries.jsonl, and spans.jsonl with the spans of the answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from searchkit.errors import EvaluationDataError, UnreadableFileError
from searchkit.evaluate.beir import json_objects
from searchkit.formats import UNSUPPORTED
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.extract.text import decode_text
from searchkit.types import ExtractedDocument

Span = tuple[int, int]  # start and end in characters; the end is not included

_AS_WRITTEN = frozenset({"markdown", "text", "rst", "org", "code", "data", "table", "subtitles"})


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as its reader extracts it, and the text that its spans refer to."""

    extracted: ExtractedDocument
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A query and its answer: spans of one document, in order and apart from each other."""

    text: str
    document: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ChunkingData:
    """Documents by name (the file name without suffix), and questions about them."""

    name: str
    documents: Mapping[str, SourceDocument]
    questions: tuple[Question, ...]


def read_chunking_data(folder: Path) -> ChunkingData:
    """Read a folder. Every query of queries.jsonl with an answer in spans.jsonl becomes a question.

    Spans refer to the characters of a text file, or to the blocks of any other file, joined by blank lines.

    Raises EvaluationDataError.
    """
    files = sorted(file for file in (folder / "documents").glob("*") if file.is_file())
    if not files:
        raise EvaluationDataError(
            f"There is no file in {folder / 'documents'}. It should contain the documents to chunk."
        )
    documents = {file.stem: _document(file) for file in files}
    texts = {str(row.get("_id")): row.get("text") for row, _ in json_objects(folder / "queries.jsonl")}
    answers = json_objects(folder / "spans.jsonl")
    questions = tuple(_question(answer, place, texts, documents) for answer, place in answers)
    if not questions:
        raise EvaluationDataError(f"{folder / 'spans.jsonl'} is empty. It should have a query's spans on each line.")
    return ChunkingData(folder.resolve().name, documents, questions)


def _document(file: Path) -> SourceDocument:
    content = file.read_bytes()
    name = format_of(file, content)
    if name == UNSUPPORTED:
        raise EvaluationDataError(f"{file} is not of a kind that is read.")
    try:
        extracted = extract(name, content)
        blocks = tuple(extracted.blocks)
        text = decode_text(content) if name in _AS_WRITTEN else "\n\n".join(block.text for block in blocks)
    except UnreadableFileError as error:
        raise EvaluationDataError(f"{file} cannot be read: {error}.") from error
    return SourceDocument(replace(extracted, blocks=blocks), text)


def _question(
    answer: Mapping[str, Any], place: str, texts: Mapping[str, Any], documents: Mapping[str, SourceDocument]
) -> Question:
    text, document = texts.get(str(answer.get("_id"))), answer.get("file")
    if not isinstance(text, str):
        raise EvaluationDataError(f"{place}: queries.jsonl has no query {answer.get('_id')!r} with a text.")
    if not isinstance(document, str) or document not in documents:
        raise EvaluationDataError(f"{place}: there is no document {document!r}.")
    length = len(documents[document].text)
    try:
        spans = merged((int(start), int(end)) for start, end in answer["spans"])
    except (KeyError, TypeError, ValueError):
        spans = []
    if not spans or spans[0][0] < 0 or spans[-1][1] > length:
        raise EvaluationDataError(f'{place}: "spans" must be pairs of a start and an end, 0 to {length:,}.')
    return Question(text, document, tuple(spans))


def merged(spans: Iterable[Span]) -> list[Span]:
    """Merge spans that overlap or touch; the result is in order."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif start < end:
            joined.append((start, end))
    return joined


def covered(spans: Iterable[Span]) -> int:
    """Count the characters in any of the spans."""
    return sum(end - start for start, end in merged(spans))


def shared(spans: Iterable[Span], others: Iterable[Span]) -> int:
    """Count the characters in any of the spans that are in any of the others too."""
    mine, theirs = merged(spans), merged(others)
    count = i = j = 0
    while i < len(mine) and j < len(theirs):
        count += max(0, min(mine[i][1], theirs[j][1]) - max(mine[i][0], theirs[j][0]))
        if mine[i][1] <= theirs[j][1]:
            i += 1
        else:
            j += 1
    return count


class SourceText:
    """A document's text in which passages are located one after the other, regardless of white space."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places = [place for place, character in enumerate(text) if not character.isspace()]
        self._letters = "".join(text.split())
        self._next = 0  # in the letters

    def locate(self, passage: str) -> list[Span]:
        """Find the parts of a passage, separated by blank lines, after those of the previous passage.

        A part that does not occur there, such as a reworded heading, has no span. If a part was found so late that a later
        part no longer fits, it is dropped in favour of the later one.
        """
        first = self._next
        found: list[Span] = []
        for letters in _parts(passage):
            start = self._letters.find(letters, self._next)
            if start < 0 and found:
                start = self._letters.find(letters, found[-2][1] if len(found) > 1 else first)
                if start >= 0:
                    found.pop()
            if start >= 0:
                self._next = start + len(letters)
                found.append((start, self._next))
        return merged(self._with_gaps([(self._places[start], self._places[end - 1] + 1) for start, end in found]))

    def _with_gaps(self, spans: Sequence[Span]) -> list[Span]:
        """Return the spans, and the gaps between them that contain white space only."""
        gaps = [(a[1], b[0]) for a, b in pairwise(spans)]
        return [*spans, *(gap for gap in gaps if not self._text[gap[0] : gap[1]].strip())]


def _parts(passage: str) -> list[str]:
    """Split a passage at blank lines, and remove all white space."""
    groups = groupby(passage.split("\n"), key=lambda line: bool(line.strip()))
    return ["".join("".join(lines).split()) for filled, lines in groups if filled]
