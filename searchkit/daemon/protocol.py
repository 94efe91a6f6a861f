"""What goes over the socket of a running engine: one line of JSON there, one line of JSON back.

Both ends are of one version of searchkit (see address.py), so the lines hold the dataclasses as they are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path, PurePath
from typing import Any

from searchkit import errors
from searchkit.errors import Action, Option, Remedy, SearchkitError
from searchkit.files import path_from_text, path_to_text
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.request import PassageAt, SearchRequest, SearchResponse
from searchkit.types import Evidence, Explanation, GroupBy, Hit, Note, NoteKind, SearchMode

LONGEST_LINE = 64 << 20  # bytes; a thousand hits of long passages are some megabytes
LONGEST_REQUEST = 1 << 20
_DAYS = ("since", "until")
_KINDS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SearchkitError)
}


def request_line(request: SearchRequest, key: str) -> bytes:
    """A request with the key that lets it in."""
    return _line({"key": key, "search": asdict(request)})


def read_request_line(line: bytes) -> tuple[str, SearchRequest]:
    """The key, and what is asked. Raises ValueError, TypeError, KeyError or UsageError for what is no request."""
    message = json.loads(line)
    asked = dict(message["search"])
    asked["filters"] = _filters(asked["filters"])
    asked["mode"], asked["group_by"] = SearchMode(asked["mode"]), GroupBy(asked["group_by"])
    asked["collections"] = tuple(asked["collections"])
    if like := asked["like"]:
        asked["like"] = PassageAt(path_from_text(like["path"]), like["line"])
    return str(message["key"]), SearchRequest(**asked)


def response_line(response: SearchResponse) -> bytes:
    """A response as a line."""
    return _line(
        {
            "hits": [_plain_hit(hit) for hit in response.hits],
            "notes": [asdict(note) for note in response.notes],
            "query": asdict(response.query),
        }
    )


def error_line(error: SearchkitError | None) -> bytes:
    """An error, with what can be done about it; None for a failure of the engine's own."""
    if error is None:
        return _line({"error": ""})
    remedies = [_plain_remedy(each) for each in error.remedy.choices()] if error.remedy else []
    return _line({"error": type(error).__name__, "message": str(error), "remedies": remedies})


def read_answer_line(line: bytes) -> SearchResponse | SearchkitError | None:
    """An answer, or the error in place of one, None for a failure of the engine's own.

    Raises ValueError, TypeError or KeyError for what is none of these.
    """
    message = json.loads(line)
    if "error" in message:
        return _error(message) if message["error"] else None
    notes = tuple(
        Note(**{**note, "kind": NoteKind(note["kind"]), "values": tuple(note["values"])}) for note in message["notes"]
    )
    return SearchResponse(tuple(_hit(each) for each in message["hits"]), notes, _query(message["query"]))


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, default=_as_text).encode() + b"\n"


def _as_text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return path_to_text(Path(value))
    raise TypeError(f"{type(value).__name__} does not go over the wire")


def _plain_remedy(remedy: Remedy) -> dict[str, Any]:
    values = {each.name: getattr(remedy, each.name) for each in fields(remedy) if each.name != "otherwise"}
    return values | {"path": None if remedy.path is None else path_to_text(remedy.path)}


def _error(message: Mapping[str, Any]) -> SearchkitError:
    remedy: Remedy | None = None
    for values in reversed(message["remedies"]):
        remedy = _remedy(values, remedy)
    return _KINDS[message["error"]](str(message["message"]), remedy=remedy)


def _remedy(values: Mapping[str, Any], otherwise: Remedy | None) -> Remedy:
    read = {
        "action": Action(values["action"]),
        "option": Option(values["option"]) if values["option"] else None,
        "path": path_from_text(values["path"]) if values["path"] is not None else None,
    }
    return Remedy(**{**values, **read, "otherwise": otherwise})


def _query(values: Mapping[str, Any]) -> ParsedQuery:
    read: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
    return ParsedQuery(**{**read, "filters": _filters(values["filters"])})


def _filters(values: Mapping[str, Any]) -> Filters:
    read: dict[str, Any] = {name: tuple(value) for name, value in values.items() if name not in _DAYS}
    read |= {name: date.fromisoformat(values[name]) for name in _DAYS if values[name]}
    return Filters(**read)


def _plain_hit(hit: Hit) -> dict[str, Any]:
    values = {each.name: getattr(hit, each.name) for each in fields(hit)}
    explanation = hit.evidence.explanation
    return values | {
        "path": path_to_text(hit.path),
        "copies_at": [path_to_text(path) for path in hit.copies_at],
        "evidence": {
            "similarity": hit.evidence.similarity,
            "bm25": hit.evidence.bm25,
            "terms": hit.evidence.terms,
            "explanation": None if explanation is None else asdict(explanation),
        },
    }


def _hit(values: dict[str, Any]) -> Hit:
    evidence = values["evidence"]
    explanation = evidence["explanation"]
    return Hit(
        **{
            **values,
            "path": path_from_text(values["path"]),
            "copies_at": tuple(map(path_from_text, values["copies_at"])),
            "marks": _pairs(values["marks"]),
            "evidence": Evidence(
                evidence["similarity"],
                evidence["bm25"],
                tuple(evidence["terms"]),
                None if explanation is None else Explanation(**explanation),
            ),
        }
    )


def _pairs(values: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in values)
