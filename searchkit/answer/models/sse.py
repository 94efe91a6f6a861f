"""Reads the streams of OpenAI-compatible servers: server-sent events, each a line of JSON, in chunks cut anywhere."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from searchkit.errors import Action, AnswerCutError, LlmError, Option, Remedy

if TYPE_CHECKING:
    import httpx2

_NO_STREAM = "The model's server does not stream as OpenAI's does."
_CHECK = Remedy(Action.CHANGE_OPTION, option=Option.LLM, sentence="Check its address")
_LONGEST_LINE = 4_000_000  # bytes; no token needs more


@dataclass
class Received:
    """The part of a reply that has been received. `ending`: why it ended, "" if it has not."""

    has_begun: bool = False
    has_thought: bool = False
    ending: str = ""

    @property
    def has_only_thought(self) -> bool:
        """True if a reasoning model has not started to answer."""
        return self.has_thought and not self.has_begun

    def text(self, event: dict[str, Any]) -> str:
        """Take in an event, and return the text that it adds."""
        text, ended = delta(event)
        self.has_begun = self.has_begun or bool(text.strip())
        self.has_thought = self.has_thought or _is_thought(event)
        self.ending = ended or self.ending
        return text


def events_in(response: "httpx2.Response") -> Iterator[dict[str, Any]]:
    """Yield the events of a server's stream; some servers send one object instead. Raises LlmError for a web page."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise LlmError(_NO_STREAM, remedy=_CHECK)
    if kind == "application/json":
        body = response.read()
        yield from events([body]) if body.lstrip().startswith(b"data:") else [_whole(body)]
    else:
        yield from events(response.iter_bytes())


def events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream, up to its [DONE]; comments and other fields are ignored.

    Only \\n ends a line: a text may contain the other characters that Python treats as line ends. Raises LlmError for anything
    that is not such a stream.
    """
    for line in _lines(chunks):
        field, _, value = line.partition(b":")
        if field != b"data":
            continue
        data = value.strip()
        if data == b"[DONE]":
            return
        yield _object(data)


def delta(event: dict[str, Any]) -> tuple[str, str]:
    """The text that an event adds, and the reason why the reply has ended, "" if it has not.

    Raises AnswerCutError for an event that reports an error.
    """
    if event.get("error"):
        error = event["error"]
        said = error.get("message", error) if isinstance(error, dict) else error
        raise AnswerCutError(f"The model's server stopped: {str(said)[:300]}")
    text = _part(event).get("content")
    return text if isinstance(text, str) else "", str(_choice(event).get("finish_reason") or "")


def _whole(body: bytes) -> dict[str, Any]:
    """Read an answer that is one object, and therefore complete, whether it says so or not."""
    value = _object(body)
    choice = _choice(value)
    if not choice and not value.get("error"):
        raise LlmError(_NO_STREAM, remedy=_CHECK)
    choice["finish_reason"] = choice.get("finish_reason") or "stop"
    return value


def _is_thought(event: dict[str, Any]) -> bool:
    """True if an event adds to the reasoning, which servers separate from the answer."""
    part = _part(event)
    return bool(part.get("reasoning_content") or part.get("reasoning"))


def _choice(event: dict[str, Any]) -> dict[str, Any]:
    choices = event.get("choices")
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}


def _part(event: dict[str, Any]) -> dict[str, Any]:
    part = _choice(event).get("delta") or _choice(event).get("message")
    return part if isinstance(part, dict) else {}


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise LlmError("The model's server sends no lines.", remedy=_CHECK)
        yield from (line.rstrip(b"\r") for line in whole)
    if rest:
        yield rest.rstrip(b"\r")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except ValueError as error:
        raise LlmError("The model's server does not send JSON.", remedy=_CHECK) from error
    if not isinstance(value, dict):
        raise LlmError(_NO_STREAM, remedy=_CHECK)
    return value
