"""Answers in the shape of OpenAI's Responses API, whole or as its events, and the responses that are remembered."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from searchkit.display import json_text
from searchkit.serve.dialects.chat.answering import ChatResult
from searchkit.serve.dialects.chat.completions import EVENT_STREAM, SIGN_OF_LIFE, citations, extra_of
from searchkit.serve.dialects.chat.requests import as_said
from searchkit.serve.http.error_responses import ErrorResponse

Turn = tuple[str, str]  # role and text
_REMEMBERED = 200  # responses; some megabytes
_REMEMBERED_TURNS = 24  # of a conversation, of which the last are used


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A response as it was given, and the conversation up to and with its answer, oldest turn first."""

    response: Mapping[str, Any]
    turns: tuple[Turn, ...]


class ResponseStore:
    """The last responses of this process, by id. An id cannot be guessed. Used by the event loop alone."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._most = most
        self._stored: OrderedDict[str, StoredResponse] = OrderedDict()

    def keep(self, stored: StoredResponse) -> None:
        """Remember a response; the one that was used least recently is forgotten for it."""
        self._stored[stored.response["id"]] = stored
        while len(self._stored) > self._most:
            self._stored.popitem(last=False)

    def get(self, response_id: str) -> StoredResponse | None:
        """Return a response, None if it is not remembered."""
        stored = self._stored.get(response_id)
        if stored is not None:
            self._stored.move_to_end(response_id)
        return stored

    def forget(self, response_id: str) -> bool:
        """Forget a response; return False if it was not remembered."""
        return self._stored.pop(response_id, None) is not None


class ResponseAnswer:
    """Shapes an answer as a response; see AnswerShape.

    `settings`: the fields of the request that a response repeats. `turns`: the conversation with the question.
    `store`: where the response is kept, None to keep it nowhere.
    """

    media_type = EVENT_STREAM

    def __init__(self, settings: Mapping[str, Any], turns: Sequence[Turn], store: ResponseStore | None) -> None:
        self._turns = tuple(turns)
        self._store = store
        self._number = -1
        self._item_id = f"msg_{secrets.token_hex(24)}"
        self._frame: dict[str, Any] = {
            "id": f"resp_{secrets.token_hex(24)}",
            "object": "response",
            "created_at": int(time.time()),
            "error": None,
            "incomplete_details": None,
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
            "text": {"format": {"type": "text"}},
            "truncation": "disabled",
            "store": store is not None,
            **settings,
        }

    def whole(self, text: str, result: ChatResult) -> dict[str, Any]:
        """See AnswerShape."""
        ending = result.report.ending
        is_whole = ending not in ("length", "broken")
        response = {
            **self._frame,
            "status": "completed" if is_whole else "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"} if ending == "length" else None,
            "output": [self._message(text, result, "completed" if is_whole else "incomplete")],
            "usage": _usage(result),
            "searchkit": extra_of(result),
        }
        if self._store is not None:
            turns = (*self._turns, ("assistant", as_said(text)))[-_REMEMBERED_TURNS:]
            self._store.keep(StoredResponse(response, turns))
        return response

    def begin(self) -> list[bytes]:
        """See AnswerShape."""
        response = {**self._frame, "status": "in_progress", "output": [], "usage": None}
        item = {"id": self._item_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        return [
            self._event("response.created", response=response),
            self._event("response.in_progress", response=response),
            self._event("response.output_item.added", output_index=0, item=item),
            self._content_event("response.content_part.added", part=_part("", [])),
        ]

    def piece(self, text: str) -> bytes:
        """See AnswerShape."""
        return self._content_event("response.output_text.delta", delta=text, logprobs=[])

    def end(self, text: str, result: ChatResult) -> list[bytes]:
        """See AnswerShape."""
        response = self.whole(text, result)
        (item,) = response["output"]
        (part,) = item["content"]
        added = [
            self._content_event("response.output_text.annotation.added", annotation_index=number, annotation=each)
            for number, each in enumerate(part["annotations"])
        ]
        return [
            *added,
            self._content_event("response.output_text.done", text=text, logprobs=[]),
            self._content_event("response.content_part.done", part=part),
            self._event("response.output_item.done", output_index=0, item=item),
            self._event(f"response.{response['status']}", response=response),
        ]

    def broken(self, error: ErrorResponse) -> list[bytes]:
        """See AnswerShape."""
        reason = {"code": "server_error", "message": error.message}
        response = {**self._frame, "status": "failed", "error": reason, "output": [], "usage": None}
        return [self._event("response.failed", response=response)]

    def sign_of_life(self) -> bytes:
        """See AnswerShape."""
        return SIGN_OF_LIFE

    def _message(self, text: str, result: ChatResult, status: str) -> dict[str, Any]:
        content = [_part(text, _annotations(result, text))]
        return {"id": self._item_id, "type": "message", "status": status, "role": "assistant", "content": content}

    def _content_event(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, item_id=self._item_id, output_index=0, content_index=0, **fields)

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        value = {"type": kind, "sequence_number": self._number, **fields}
        return f"event: {kind}\ndata: {json_text(value)}\n\n".encode()


def _part(text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def _annotations(result: ChatResult, text: str) -> list[dict[str, Any]]:
    """Return each source as an address, in order, as chats have them; then the cited ones as files, which /v1/files opens."""
    found = citations(result, text)
    addresses = [{"type": "url_citation", "url": each.url, "title": each.title, **each.range} for each in found]
    files = [
        {"type": "file_citation", "file_id": each.document_id, "filename": each.filename, "index": each.start}
        for each in found
        if each.end
    ]
    return [*addresses, *files]


def _usage(result: ChatResult) -> dict[str, Any]:
    return {
        "input_tokens": result.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": result.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": result.prompt_tokens + result.completion_tokens,
    }
