"""Answers in the shape of OpenAI's completions, of chats and of prompts, with an extra field for what that shape lacks."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from searchkit.display import json_text, on_one_line
from searchkit.serve.addresses import addresses_of, titles_of
from searchkit.serve.attributes import shown_path
from searchkit.serve.dialects.chat.answering import ChatResult
from searchkit.serve.dialects.chat.requests import SOURCES
from searchkit.serve.http.error_responses import ErrorResponse, body_of
from searchkit.serve.search import ReferencedHit, sanitize
from searchkit.types import Hit

EVENT_STREAM = "text/event-stream"
DONE = b"data: [DONE]\n\n"
SIGN_OF_LIFE = b": still reading\n\n"
_PATH = "/v1/chat/completions"
_FINISH = {"length": "length"}


class ChatCompletion:
    """Shapes an answer as a chat completion; see AnswerShape. `with_usage`: a stream ends with the numbers of tokens."""

    media_type = EVENT_STREAM

    def __init__(self, model: str, *, with_usage: bool = False) -> None:
        self._frame: dict[str, Any] = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
        }
        self._with_usage = with_usage

    def whole(self, text: str, result: ChatResult) -> dict[str, Any]:
        """See AnswerShape."""
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": annotations(result, text)}
        choice = {"index": 0, "message": message, "finish_reason": finish_of(result), "logprobs": None}
        whole = {**self._frame, "object": "chat.completion", "choices": [choice]}
        return {**whole, "usage": usage_of(result), "searchkit": extra_of(result)}

    def begin(self) -> list[bytes]:
        """See AnswerShape."""
        return [self._chunk({"role": "assistant", "content": ""})]

    def piece(self, text: str) -> bytes:
        """See AnswerShape."""
        return self._chunk({"content": text})

    def end(self, text: str, result: ChatResult) -> list[bytes]:
        """See AnswerShape."""
        delta = {"annotations": annotations(result, text)} if result.report.cited else {}
        events = [self._chunk(delta, finish_of(result), extra_of(result))]
        if self._with_usage:
            usage = {**self._frame, "object": "chat.completion.chunk", "choices": [], "usage": usage_of(result)}
            events.append(event(usage))
        return [*events, DONE]

    def broken(self, error: ErrorResponse) -> list[bytes]:
        """See AnswerShape."""
        return broken_event(error)

    def sign_of_life(self) -> bytes:
        """See AnswerShape."""
        return SIGN_OF_LIFE

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, extra: dict[str, Any] | None = None) -> bytes:
        """Return an event with a part of the answer; `extra` goes into its field `searchkit`."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        usage = {"usage": None} if self._with_usage else {}
        own = {"searchkit": extra} if extra else {}
        return event({**self._frame, "object": "chat.completion.chunk", "choices": [choice], **usage, **own})


class TextCompletion:
    """Shapes an answer as the completion of a prompt, for clients of the older API; see AnswerShape."""

    media_type = EVENT_STREAM

    def __init__(self, model: str, *, with_usage: bool = False) -> None:
        self._frame: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        self._with_usage = with_usage

    def whole(self, text: str, result: ChatResult) -> dict[str, Any]:
        """See AnswerShape."""
        choice = self._choice(text, finish_of(result))
        return {**self._frame, "choices": [choice], "usage": usage_of(result), "searchkit": extra_of(result)}

    def begin(self) -> list[bytes]:
        """See AnswerShape."""
        return []

    def piece(self, text: str) -> bytes:
        """See AnswerShape."""
        return event({**self._frame, "choices": [self._choice(text)]})

    def end(self, text: str, result: ChatResult) -> list[bytes]:  # noqa: ARG002 (the protocol's signature)
        """See AnswerShape."""
        choice = self._choice("", finish_of(result))
        events = [event({**self._frame, "choices": [choice], "searchkit": extra_of(result)})]
        if self._with_usage:
            events.append(event({**self._frame, "choices": [], "usage": usage_of(result)}))
        return [*events, DONE]

    def broken(self, error: ErrorResponse) -> list[bytes]:
        """See AnswerShape."""
        return broken_event(error)

    def sign_of_life(self) -> bytes:
        """See AnswerShape."""
        return SIGN_OF_LIFE

    @staticmethod
    def _choice(text: str, finish: str | None = None) -> dict[str, Any]:
        return {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of an answer. `start`, `end`: where the text cites it first, 0 and 0 if it does not."""

    number: int
    url: str
    title: str
    filename: str
    document_id: str
    start: int
    end: int

    @property
    def range(self) -> dict[str, int]:
        """The range in OpenAI's words."""
        return {"start_index": self.start, "end_index": self.end}


def citations(result: ChatResult, text: str) -> list[Citation]:
    """Return every source of an answer in its order, each with an address of its own; none if the text cites nothing."""
    if not result.report.cited:
        return []
    sources = list(map(ReferencedHit, result.sources, result.references))
    found = []
    for number, (source, title, url) in enumerate(
        zip(sources, titles_of(sources), addresses_of(result.sources), strict=True), start=1
    ):
        mark = f"[{number}]"
        start = max(0, text.find(mark)) if number in result.report.cited else 0
        end = start + len(mark) if number in result.report.cited else 0
        found.append(Citation(number, url, title, source.filename, source.reference.document, start, end))
    return found


def source_list(result: ChatResult) -> str:
    """List the cited sources, one per line, for the end of the text."""
    lines = [f"[{number}] {source_name(result.sources[number - 1])}" for number in result.report.cited]
    return "\n\n" + "\n".join([SOURCES, *lines]) if lines else ""


def source_name(hit: Hit) -> str:
    """Name a source: `/home/me/docs/lease.pdf, page 3 (Term › End)`. Readers do not know the server's current folder."""
    page = f", page {hit.page}" if hit.page is not None else f":{hit.line}" if hit.line is not None else ""
    where = f", {on_one_line(hit.place)}" if hit.place else page
    heading = f" ({on_one_line(hit.heading)})" if hit.heading else ""
    return sanitize(f"{on_one_line(str(hit.path))}{where}{heading}")[:300]


def finish_of(result: ChatResult) -> str:
    """Return why the answer ended, in OpenAI's words."""
    return _FINISH.get(result.report.ending, "stop")


def usage_of(result: ChatResult) -> dict[str, int]:
    """Return the numbers of tokens."""
    total = result.prompt_tokens + result.completion_tokens
    return {"prompt_tokens": result.prompt_tokens, "completion_tokens": result.completion_tokens, "total_tokens": total}


def annotations(result: ChatResult, text: str) -> list[dict[str, Any]]:
    """Return all sources, in their order, in the form that clients know from web search; none if nothing is cited.

    Clients number them as they come, and open [2] of the text by the second, so the sources that are not cited are there
    too, with an empty range.
    """
    return [
        {"type": "url_citation", "url_citation": {"url": each.url, "title": each.title, **each.range}}
        for each in citations(result, text)
    ]


def extra_of(result: ChatResult) -> dict[str, Any]:
    """Return what the shapes of other programs have no field for."""
    report = result.report
    return {
        "searched_for": result.searched_for,
        "language_model": result.language_model,
        "ending": report.ending,
        "sources": [_source(number, result) for number in range(1, len(result.sources) + 1)],
        "unsupported": list(report.unsupported),
        "differing": list(report.differing),
        "beside_the_question": list(report.beside_the_question),
        "removed_citations": list(report.removed_citations),
    }


def _source(number: int, result: ChatResult) -> dict[str, Any]:
    found = ReferencedHit(result.sources[number - 1], result.references[number - 1])
    hit = found.hit
    return {
        "number": number,
        "cited": number in result.report.cited,
        "document_id": found.reference.document,
        "collection": hit.collection,
        "path": shown_path(hit.path),
        "title": found.title,
        "page": hit.page,
        "line": hit.line,
        "place": sanitize(hit.place),
        "score": round(hit.score, 4),
        "text": found.text,
    }


def event(value: dict[str, Any]) -> bytes:
    """Return a server-sent event."""
    return f"data: {json_text(value)}\n\n".encode()


def broken_event(error: ErrorResponse) -> list[bytes]:
    """Return the event that ends a stream which failed."""
    return [b"data: " + body_of(error, _PATH) + b"\n\n"]
