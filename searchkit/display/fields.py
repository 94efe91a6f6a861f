"""The fields of statuses and reports for programs, the same in Python, --json, HTTP and MCP.

`--json` has all of them; HTTP and MCP choose among them, add ids and addresses that are theirs, and name nothing anew. A boolean is
an adjective without a prefix, in Python too: `lazy`, `weak`.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from searchkit.reports import CollectionStatus

PathText = Callable[[Path], str]


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


def _plain(value: object, path_text: PathText) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value, path_text)
    if isinstance(value, Path):
        return path_text(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each, path_text) for key, each in value.items()}
    return [_plain(each, path_text) for each in value] if isinstance(value, list | tuple) else value
