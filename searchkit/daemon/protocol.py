"""The daemon's address and protocol: one line of JSON with a request, one line of JSON back.

Both ends are the same version of searchkit (see `Address`), so the lines contain the dataclasses as they are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path, PurePath
from typing import Any

from searchkit import __version__, errors
from searchkit.errors import Action, Option, Remedy, SearchkitError
from searchkit.files import make_private_folder, path_from_text, path_to_text, write_atomically
from searchkit.home import Home
from searchkit.search.query.filters import Filters
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.request import PassageAt, SearchRequest, SearchResponse
from searchkit.types import Evidence, Explanation, GroupBy, Hit, Note, NoteKind, SearchMode


@dataclass(frozen=True, slots=True)
class Address:
    """The path of a Unix socket, or "" and a port of the loopback interface. Clients must send the `key`."""

    socket: str
    port: int
    key: str
    version: str = __version__


def write_address(home: Home, address: Address) -> None:
    """Publish the address of the daemon of a data directory, in place of an earlier one."""
    write_atomically(
        make_private_folder(home.path) / home.daemon_address.name, json.dumps(asdict(address)).encode()
    )  # mkstemp: 0600


def read_address(home: Home) -> Address | None:
    """Read the address; None if there is none, or its daemon is another version of searchkit."""
    try:
        address = Address(**json.loads(home.daemon_address.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return address if address.version == __version__ else None


def forget_address(home: Home, address: Address) -> None:
    """Withdraw an address, unless another daemon has published its own since."""
    if read_address(home) == address:
        home.daemon_address.unlink(missing_ok=True)


LONGEST_LINE = 64 << 20  # bytes; a thousand hits of long passages are some megabytes
LONGEST_REQUEST = 1 << 20
_DAYS = ("since", "until")
_KINDS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SearchkitError)
}


def request_line(request: SearchRequest, key: str) -> bytes:
    """Encode a request, with the daemon's key."""
    return _line({"key": key, "search": asdict(request)})


def read_request_line(line: bytes) -> tuple[str, SearchRequest]:
    """Decode the key and the request. Raises ValueError, TypeError, KeyError or UsageError for anything else."""
    message = json.loads(line)
    asked = dict(message["search"])
    asked["filters"] = _filters(asked["filters"])
    asked["mode"], asked["group_by"] = SearchMode(asked["mode"]), GroupBy(asked["group_by"])
    asked["collections"] = tuple(asked["collections"])
    if like := asked["like"]:
        asked["like"] = PassageAt(path_from_text(like["path"]), like["line"])
    return str(message["key"]), SearchRequest(**asked)


def response_line(response: SearchResponse) -> bytes:
    """Encode a response."""
    return _line(asdict(response))


def error_line(error: SearchkitError | None) -> bytes:
    """Encode an error with its remedies; None means an unexpected one."""
    if error is None:
        return _line({"error": ""})
    remedy = asdict(error.remedy) if error.remedy else None
    return _line({"error": type(error).__name__, "message": str(error), "remedy": remedy})


def read_answer_line(line: bytes) -> SearchResponse | SearchkitError | None:
    """Decode a response or an error; None means an unexpected error.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    message = json.loads(line)
    if "error" in message:
        if not message["error"]:
            return None
        return _KINDS[message["error"]](str(message["message"]), remedy=_remedy(message["remedy"]))
    notes = tuple(map(_note, message["notes"]))
    return SearchResponse(tuple(_hit(each) for each in message["hits"]), notes, _query(message["query"]))


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, default=_as_text).encode() + b"\n"


def _as_text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, PurePath):
        return path_to_text(Path(value))
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _note(values: Mapping[str, Any]) -> Note:
    read = {
        "kind": NoteKind(values["kind"]),
        "values": tuple(values["values"]),
        "remedy": _remedy(values["remedy"]),
    }
    return Note(**{**values, **read})


def _remedy(values: Mapping[str, Any] | None) -> Remedy | None:
    if values is None:
        return None
    read = {
        "action": Action(values["action"]),
        "option": Option(values["option"]) if values["option"] else None,
        "path": path_from_text(values["path"]) if values["path"] is not None else None,
        "otherwise": _remedy(values["otherwise"]),
    }
    return Remedy(**{**values, **read})


def _query(values: Mapping[str, Any]) -> ParsedQuery:
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return ParsedQuery(**{**read, "filters": _filters(values["filters"])})


def _filters(values: Mapping[str, Any]) -> Filters:
    read: dict[str, Any] = {name: tuple(value) for name, value in values.items() if name not in _DAYS}
    read |= {name: date.fromisoformat(values[name]) for name in _DAYS if values[name]}
    return Filters(**read)


def _hit(values: dict[str, Any]) -> Hit:
    evidence = values["evidence"]
    explanation = evidence["explanation"]
    return Hit(
        **{
            **values,
            "path": path_from_text(values["path"]),
            "copies_at": tuple(map(path_from_text, values["copies_at"])),
            "marks": _pairs(values["marks"]),
            "alike": tuple(map(_hit, values["alike"])),
            "sentence": None if values["sentence"] is None else tuple(values["sentence"]),
            "evidence": Evidence(
                evidence["similarity"],
                evidence["bm25"],
                tuple(evidence["terms"]),
                None if explanation is None else Explanation(**explanation),
                evidence["has_every_word"],
                evidence["provisional"],
            ),
        }
    )


def _pairs(values: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, end) for start, end in values)
