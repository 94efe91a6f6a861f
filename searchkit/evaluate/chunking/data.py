"""Reads what chunking is measured on: documents/, queries.jsonl, and spans.jsonl with the answers' places in them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from searchkit.errors import EvaluationDataError, UnreadableFileError
from searchkit.evaluate.beir import json_objects
from searchkit.evaluate.chunking.spans import Span, merged
from searchkit.formats import UNSUPPORTED, format_of
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.extract.text import decode_text
from searchkit.types import ExtractedDocument

_AS_WRITTEN = frozenset({"markdown", "text", "rst", "org", "code", "data", "table", "subtitles"})


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as its reader gives it, and the text that spans count in."""

    extracted: ExtractedDocument
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A query and where its answer stands: spans of one document, in order, which do not touch each other."""

    text: str
    document: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ChunkingData:
    """Documents by name (the file's, without its suffix), and the questions about them."""

    name: str
    documents: Mapping[str, SourceDocument]
    questions: tuple[Question, ...]


def read_chunking_data(folder: Path) -> ChunkingData:
    """Read a folder. Every query of queries.jsonl that spans.jsonl has an answer to is a question.

    Spans count in the characters of the file where that is text, else in its blocks with a blank line between.

    Raises EvaluationDataError.
    """
    files = sorted(file for file in (folder / "documents").glob("*") if file.is_file())
    if not files:
        raise EvaluationDataError(
            f"There is no file in {folder / 'documents'}. It should hold the documents to be cut."
        )
    documents = {file.stem: _document(file) for file in files}
    texts = {str(row.get("_id")): row.get("text") for row, _ in json_objects(folder / "queries.jsonl")}
    answers = json_objects(folder / "spans.jsonl")
    questions = tuple(_question(answer, place, texts, documents) for answer, place in answers)
    if not questions:
        raise EvaluationDataError(f"{folder / 'spans.jsonl'} is empty. It should hold a query's spans on each line.")
    return ChunkingData(folder.resolve().name, documents, questions)


def _document(file: Path) -> SourceDocument:
    content = file.read_bytes()
    name = format_of(file, content[:8192])
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
