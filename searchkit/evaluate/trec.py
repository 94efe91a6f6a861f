"""Reads and writes rankings and judgements as TREC files."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from searchkit.errors import EvaluationDataError
from searchkit.evaluate.metrics import Ranking
from searchkit.files import write_atomically

_RUN_CELLS = 6  # query, Q0, document, rank, score, tag
_QRELS_CELLS = 4  # query, iteration, document, relevance
_ESCAPES = {ord(" "): "%20", ord("\t"): "%09", ord("\n"): "%0A", ord("\r"): "%0D", ord("%"): "%25"}


def write_run(file: Path, rankings: Mapping[str, Ranking], tag: str) -> None:
    """Write rankings by query id. White space in ids, which separates columns, is percent-encoded.

    Scores are adjusted to fall strictly from rank to rank, even in single precision: trec_eval sorts by them, and would
    reorder equal ones.
    """
    lines = []
    for query_id, ranking in rankings.items():
        above = np.float32(math.inf)
        for rank, (document, score) in enumerate(ranking, 1):
            above = min(np.float32(score), np.nextafter(above, np.float32(-math.inf)))
            lines.append(f"{_cell(query_id)} Q0 {_cell(document)} {rank} {above:.9g} {_cell(tag)}\n")
    write_atomically(file, "".join(lines).encode("utf-8", "surrogatepass"))


def read_run(file: Path) -> dict[str, Ranking]:
    """Read rankings by query id, ordered as trec_eval does: by descending score, then by descending id.

    Raises EvaluationDataError for a line without six columns, or a repeated document of a query.
    """
    found: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for number, line in _lines(file):
        cells = line.split()
        try:
            query_id, _, document, _, score, _ = cells
            value = float(score)
            if math.isnan(value):
                raise ValueError
        except ValueError:
            raise EvaluationDataError(
                f"{file}, line {number}: expected {_RUN_CELLS} columns (query Q0 document rank score tag), the fifth a number."
            ) from None
        if document in found[query_id]:
            raise EvaluationDataError(f"{file}, line {number}: query {query_id} has document {document} twice.")
        found[query_id][document] = value
    if not found:
        raise EvaluationDataError(f"{file} is empty. It should have a ranked document on each line.")
    return {query_id: _by_score(scores) for query_id, scores in found.items()}


def write_qrels(file: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements in TREC's four columns, with ids as in a run file."""
    lines = (
        f"{_cell(query_id)} 0 {_cell(document)} {relevance}\n"
        for query_id, judged in qrels.items()
        for document, relevance in judged.items()
    )
    write_atomically(file, "".join(lines).encode("utf-8", "surrogatepass"))


def read_qrels(file: Path) -> dict[str, dict[str, int]]:
    """Read judgements by query id, for queries with a relevant document: TREC's four columns, or BEIR's three with tabs.

    Ids are as in a run file. Raises EvaluationDataError.
    """
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for number, line in _lines(file):
        cells = line.split("\t") if line.count("\t") == 2 else line.split()
        if number == 1 and cells[-1] == "score":
            continue
        try:
            query_id, document, relevance = (cells[0], *cells[2:]) if len(cells) == _QRELS_CELLS else cells
            found[_cell(query_id)][_cell(document)] = int(relevance)
        except ValueError:
            raise EvaluationDataError(
                f"{file}, line {number}: expected query, document and a whole number with tabs between, or TREC's four columns."
            ) from None
    judged = {query_id: relevance for query_id, relevance in found.items() if max(relevance.values()) > 0}
    if not judged:
        raise EvaluationDataError(f"{file} names no query with a relevant document (a score above 0).")
    return judged


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield lines that are not blank, with their numbers."""
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line.rstrip("\n")
    except OSError as error:
        raise EvaluationDataError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise EvaluationDataError(f"{file} is not UTF-8 text ({error.reason}).") from error


def _by_score(scores: Mapping[str, float]) -> Ranking:
    by_id = sorted(scores.items(), reverse=True)
    return sorted(by_id, key=lambda item: -item[1])


def _cell(text: str) -> str:
    return text.translate(_ESCAPES) if any(character.isspace() for character in text) else text
