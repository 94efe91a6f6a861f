"""The fields of statuses and reports for programs, the same in Python, --json, HTTP and MCP.

`--json` has all of them; HTTP and MCP choose among them, add ids and addresses that are theirs, and name nothing anew. A boolean is
an adjective without a prefix, in Python too: `lazy`, `weak`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from searchkit.reports import CollectionStatus
from searchkit.types import Hit

PathText = Callable[[Path], str]
_OF_ALIKE = ("score", "collection", "path", "page", "place", "line", "marked_line", "date")


def fields_of(thing: object, path_text: PathText = str) -> dict[str, Any]:
    """The fields of a dataclass in values that JSON has; `path_text` words paths. What it holds is converted in the same way."""
    assert is_dataclass(thing) and not isinstance(thing, type), f"{thing!r} has no fields"
    return {each.name: _plain(getattr(thing, each.name), path_text) for each in fields(thing)}


def collection_fields(status: CollectionStatus, path_text: PathText = str) -> dict[str, Any]:
    """The fields of a collection."""
    return fields_of(status, path_text) | {
        "unsupported_types": dict(status.unsupported_types),
        "left_out_inside": dict(status.left_out_inside),
        "seconds_left": status.seconds_left,
    }


def hit_fields(hit: Hit, *, is_explained: bool = False) -> dict[str, Any]:
    """The fields of a hit and of the evidence for it (docs/json.md); the numbers behind its rank if it `is_explained`."""
    explanation = hit.evidence.explanation if is_explained else None
    return {
        "score": round(hit.score, 4),
        "weak": hit.weak,
        "collection": hit.collection,
        "path": str(hit.path),
        "page": hit.page,
        "place": hit.place,
        "line": hit.line,
        "line_end": hit.line_end,
        "marked_line": hit.marked_line,
        "heading": hit.heading,
        "snippet": hit.snippet,
        "marks": [list(mark) for mark in hit.marks],
        "text": hit.text,
        "sentence": None if hit.sentence is None else list(hit.sentence),
        "similarity": None if hit.evidence.similarity is None else round(hit.evidence.similarity, 4),
        "bm25": None if hit.evidence.bm25 is None else round(hit.evidence.bm25, 4),
        "found_by": list(hit.evidence.found_by),
        "terms": list(hit.evidence.terms),
        "copies": hit.copies,
        "copies_at": [str(path) for path in hit.copies_at],
        "date": hit.date,
        "more_in_file": hit.more_in_file,
        "sender": hit.sender,
        "alike": [{name: value for name, value in hit_fields(each).items() if name in _OF_ALIKE} for each in hit.alike],
        **({"explanation": fields_of(explanation) | {"total": explanation.total}} if explanation else {}),
    }


def _plain(value: object, path_text: PathText) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value, path_text)
    if isinstance(value, Path):
        return path_text(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each, path_text) for key, each in value.items()}
    return [_plain(each, path_text) for each in value] if isinstance(value, list | tuple) else value
