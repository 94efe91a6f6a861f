"""An answer in OpenAI's shape: whole, or as the events of a stream, with what that shape has no place for."""

import json
import secrets
import time
from typing import Any

from searchkit.display import on_one_line
from searchkit.serve.dialects.chat.answering import Answered
from searchkit.serve.dialects.chat.chat_turns import SOURCES
from searchkit.serve.search import Found, sanitize
from searchkit.types import Hit

_FINISH = {"length": "length"}


class Completion:
    """An answer as a chat completion. `with_usage`: whether a stream ends with the numbers of tokens."""

    def __init__(self, model: str, with_usage: bool) -> None:
        self._frame: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
        }
        self._with_usage = with_usage

    def whole(self, text: str, end: Answered) -> dict[str, Any]:
        """All of it."""
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": _annotations(end, text)}
        choice = {"index": 0, "message": message, "finish_reason": _finish(end), "logprobs": None}
        whole = {**self._frame, "object": "chat.completion", "choices": [choice]}
        return {**whole, "usage": _usage(end), "searchkit": _extra(end)}

    def chunk(self, delta: dict[str, Any], finish: str | None = None, **extra: Any) -> bytes:
        """An event with a part of it."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        usage = {"usage": None} if self._with_usage else {}
        return _event({**self._frame, "object": "chat.completion.chunk", "choices": [choice], **usage, **extra})

    def last(self, end: Answered, text: str) -> list[bytes]:
        """The events at its end."""
        delta = {"annotations": _annotations(end, text)} if end.report.cited else {}
        events = [self.chunk(delta, _finish(end), searchkit=_extra(end))]
        if self._with_usage:
            usage = {**self._frame, "object": "chat.completion.chunk", "choices": [], "usage": _usage(end)}
            events.append(_event(usage))
        return [*events, b"data: [DONE]\n\n"]


def source_list(end: Answered) -> str:
    """The cited sources, one a line, to stand below the text."""
    lines = [f"[{number}] {source_name(end.sources[number - 1])}" for number in end.report.cited]
    return "\n\n" + "\n".join([SOURCES, *lines]) if lines else ""


def source_name(hit: Hit) -> str:
    """`/home/me/docs/lease.pdf, page 3 (Term › End)`: whoever reads it knows nothing of the server's current folder."""
    page = f", page {hit.page}" if hit.page is not None else f":{hit.line}" if hit.line is not None else ""
    where = f", {on_one_line(hit.place)}" if hit.place else page
    heading = f" ({on_one_line(hit.title)})" if hit.title else ""
    return sanitize(f"{on_one_line(str(hit.path))}{where}{heading}")[:300]


def _finish(end: Answered) -> str:
    return _FINISH.get(end.report.ending, "stop")


def _usage(end: Answered) -> dict[str, int]:
    total = end.prompt_tokens + end.completion_tokens
    return {"prompt_tokens": end.prompt_tokens, "completion_tokens": end.completion_tokens, "total_tokens": total}


def _annotations(end: Answered, text: str) -> list[dict[str, Any]]:
    """The cited files, as clients know them from web search; the addresses are of files on this machine."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": end.sources[number - 1].path.as_uri(),
                "title": Found(end.sources[number - 1], end.references[number - 1]).title,
                "start_index": max(0, text.find(f"[{number}]")),
                "end_index": max(0, text.find(f"[{number}]")) + len(f"[{number}]"),
            },
        }
        for number in end.report.cited
    ]


def _extra(end: Answered) -> dict[str, Any]:
    """What OpenAI's shape has no place for."""
    report = end.report
    return {
        "searched_for": end.searched_for,
        "language_model": end.language_model,
        "ending": report.ending,
        "sources": [_source(number, end) for number in range(1, len(end.sources) + 1)],
        "unsupported": list(report.unsupported),
        "removed_citations": list(report.removed),
    }


def _source(number: int, end: Answered) -> dict[str, Any]:
    found = Found(end.sources[number - 1], end.references[number - 1])
    hit = found.hit
    return {
        "number": number,
        "cited": number in end.report.cited,
        "document_id": found.reference.document,
        "collection": hit.collection,
        "path": on_one_line(str(hit.path)),
        "title": found.title,
        "page": hit.page,
        "line": hit.line,
        "place": sanitize(hit.place),
        "score": round(hit.score, 4),
        "text": found.text,
    }


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"
