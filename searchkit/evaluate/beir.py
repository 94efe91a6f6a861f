"""Reads retrieval data in BEIR's layout: corpus.jsonl, queries.jsonl and qrels/test.tsv in a folder."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.errors import EvaluationDataError
from searchkit.types import Passage


@dataclass(frozen=True, slots=True)
class RetrievalData:
    """Documents and queries by id; `qrels`: relevance by query and document, for queries with a relevant document."""

    name: str
    documents: Mapping[str, Passage]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]

    @property
    def unknown_documents(self) -> set[str]:
        """The ids of documents that are judged relevant but missing."""
        judged = (
            document for by_document in self.qrels.values() for document, score in by_document.items() if score > 0
        )
        return {document for document in judged if document not in self.documents}


def read_beir(folder: Path, split: str = "test") -> RetrievalData:
    """Read a folder; queries without a relevant document are left out.

    Raises EvaluationDataError.
    """
    corpus, queries_file, judged = folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / f"{split}.tsv"
    for file in (corpus, queries_file, judged):
        if not file.is_file():
            raise EvaluationDataError(
                f"There is no file {file}. A folder in BEIR's layout contains corpus.jsonl, queries.jsonl, qrels/{split}.tsv."
            )
    documents = {key: _passage(fields, place) for key, fields, place in _with_ids(corpus)}
    queries = {key: _text(fields, "text", place) for key, fields, place in _with_ids(queries_file)}
    qrels = _read_qrels(judged, queries)
    if not qrels:
        raise EvaluationDataError(f"{judged} names no query with a relevant document (a score above 0).")
    return RetrievalData(folder.resolve().name, documents, {key: queries[key] for key in qrels}, qrels)


def read_passages(file: Path) -> list[Passage]:
    """Read passages from a file with one JSON object per line: "text" and an optional "title"; other fields are ignored.

    Raises EvaluationDataError, also for a file without passages.
    """
    passages = [_passage(fields, place) for fields, place in json_objects(file)]
    if not passages:
        raise EvaluationDataError(f"{file} is empty. It should have an object with a text on each line.")
    return passages


def _read_qrels(file: Path, queries: Mapping[str, str]) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for number, line in _lines(file):
        cells = line.split("\t")
        if number == 1 and cells[-1] == "score":
            continue
        try:
            query, document, relevance = cells[0], cells[1], int(cells[2])
        except (IndexError, ValueError):
            raise EvaluationDataError(
                f"{file}, line {number}: expected a query's id, a document's id and a whole number, with tabs between."
            ) from None
        if query not in queries:
            raise EvaluationDataError(f"{file}, line {number}: queries.jsonl has no query {query!r}.")
        qrels[query][document] = relevance
    return {query: judged for query, judged in qrels.items() if max(judged.values()) > 0}


def _with_ids(file: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    seen: set[str] = set()
    for fields, place in json_objects(file):
        key = _text(fields, "_id", place)
        if key in seen:
            raise EvaluationDataError(f"{place}: the _id {key!r} was used before.", remedy="Each must be there once.")
        seen.add(key)
        yield key, fields, place


def json_objects(file: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the JSON object of each line, and its place for messages. Raises EvaluationDataError for any other file."""
    for number, line in _lines(file):
        place = f"{file}, line {number}"
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise EvaluationDataError(f"{place}: not valid JSON ({error}).") from error
        if not isinstance(fields, dict):
            raise EvaluationDataError(f"{place}: expected a JSON object.")
        yield fields, place


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield lines that are not blank, with their numbers."""
    if not file.is_file():
        raise EvaluationDataError(f"There is no file {file}.", remedy="Check the spelling.")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise EvaluationDataError(f"{file}, line {number}: not UTF-8 ({error.reason}).") from error
            if text.strip():
                yield number, text


def _passage(fields: Mapping[str, Any], place: str) -> Passage:
    title = fields.get("title") or ""
    if not isinstance(title, str):
        raise EvaluationDataError(f'{place}: "title" is not text.')
    return Passage(title, _text(fields, "text", place))


def _text(fields: Mapping[str, Any], key: str, place: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise EvaluationDataError(f'{place}: "{key}" is missing or not text.')
    return value
