"""Answers in OpenAI's shape, whole or as the events of a stream, with an extra field for what that shape lacks."""

import json
import secrets
import time
from typing import Any

from searchkit.display import on_one_line
from searchkit.serve.dialects.chat.answering import ChatResult
from searchkit.serve.dialects.chat.requests import SOURCES
from searchkit.serve.search import ReferencedHit, sanitize
from searchkit.types import Hit

_FINISH = {"length": "length"}


class Completion:
    """Shapes an answer as a chat completion. `with_usage`: a stream ends with the numbers of tokens."""

    def __init__(self, model: str, with_usage: bool) -> None:
        self._frame: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
        }
        self._with_usage = with_usage

    def whole(self, text: str, result: ChatResult) -> dict[str, Any]:
        """Return the whole completion."""
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": _annotations(result, text)}
        choice = {"index": 0, "message": message, "finish_reason": _finish(result), "logprobs": None}
        whole = {**self._frame, "object": "chat.completion", "choices": [choice]}
        return {**whole, "usage": _usage(result), "searchkit": _extra(result)}

    def chunk(self, delta: dict[str, Any], finish: str | None = None, extra: dict[str, Any] | None = None) -> bytes:
        """Return an event with a part of the answer; `extra` goes into its field `searchkit`."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        usage = {"usage": None} if self._with_usage else {}
        own = {"searchkit": extra} if extra else {}
        return _event({**self._frame, "object": "chat.completion.chunk", "choices": [choice], **usage, **own})

    def last(self, result: ChatResult, text: str) -> list[bytes]:
        """Return the events that end a stream."""
        delta = {"annotations": _annotations(result, text)} if result.report.cited else {}
        events = [self.chunk(delta, _finish(result), _extra(result))]
        if self._with_usage:
            usage = {**self._frame, "object": "chat.completion.chunk", "choices": [], "usage": _usage(result)}
            events.append(_event(usage))
        return [*events, b"data: [DONE]\n\n"]


def source_list(result: ChatResult) -> str:
    """List the cited sources, one per line, for the end of the text."""
    lines = [f"[{number}] {source_name(result.sources[number - 1])}" for number in result.report.cited]
    return "\n\n" + "\n".join([SOURCES, *lines]) if lines else ""


def source_name(hit: Hit) -> str:
    """Name a source: `/home/me/docs/lease.pdf, page 3 (Term › End)`. Readers do not know the server's current folder."""
    page = f", page {hit.page}" if hit.page is not None else f":{hit.line}" if hit.line is not None else ""
    where = f", {on_one_line(hit.place)}" if hit.place else page
    heading = f" ({on_one_line(hit.title)})" if hit.title else ""
    return sanitize(f"{on_one_line(str(hit.path))}{where}{heading}")[:300]


def _finish(result: ChatResult) -> str:
    return _FINISH.get(result.report.ending, "stop")


def _usage(result: ChatResult) -> dict[str, int]:
    total = result.prompt_tokens + result.completion_tokens
    return {"prompt_tokens": result.prompt_tokens, "completion_tokens": result.completion_tokens, "total_tokens": total}


def _annotations(result: ChatResult, text: str) -> list[dict[str, Any]]:
    """Return the cited files in the form that clients know from web search; the URLs are of files on this machine."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "url": result.sources[number - 1].path.as_uri(),
                "title": ReferencedHit(result.sources[number - 1], result.references[number - 1]).title,
                "start_index": max(0, text.find(f"[{number}]")),
                "end_index": max(0, text.find(f"[{number}]")) + len(f"[{number}]"),
            },
        }
        for number in result.report.cited
    ]


def _extra(result: ChatResult) -> dict[str, Any]:
    """Return what OpenAI's shape has no field for."""
    report = result.report
    return {
        "searched_for": result.searched_for,
        "language_model": result.language_model,
        "ending": report.ending,
        "sources": [_source(number, result) for number in range(1, len(result.sources) + 1)],
        "unsupported": list(report.unsupported),
        "removed_citations": list(report.removed),
    }


def _source(number: int, result: ChatResult) -> dict[str, Any]:
    found = ReferencedHit(result.sources[number - 1], result.references[number - 1])
    hit = found.hit
    return {
        "number": number,
        "cited": number in result.report.cited,
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
