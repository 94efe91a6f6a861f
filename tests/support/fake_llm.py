"""A model server on loopback: answers as a test has scripted it, in the way of one kind of server, and misbehaves if told to."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.support.loopback_server import QuietHandler, loopback_server

MODEL = "scripted-4b"
_ONE_TOKEN_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Script:
    """One reply. `status` other than 200 refuses with `error`; `drop_after`, `hang_after`: pieces after which the connection
    is cut, or nothing comes until the test ends. `cut_bytes`: the stream comes in chunks of that size.
    """

    pieces: Sequence[str] = ()
    status: int = 200
    error: str | Mapping[str, Any] = ""
    drop_after: int | None = None
    hang_after: int | None = None
    cut_bytes: int = 0
    finish: str = "stop"
    is_done_sent: bool = True
    raw: bytes = b""
    content_type: str = "text/event-stream"


@dataclass
class FakeLlm:
    """The server's state. `routes`: other answers than chat, by method and path; `scripts`: the next replies.

    The last of the scripts stays.
    """

    base: str = ""
    routes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    scripts: list[Script] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    counts_tokens_at: str = ""
    counted: int = 0
    release: threading.Event = field(default_factory=threading.Event)
    hanging: threading.Event = field(default_factory=threading.Event)

    def answers(self, *texts: str) -> None:
        """Script plain replies, each in pieces of some letters."""
        self.scripts = [Script([text[i : i + 7] for i in range(0, len(text), 7)]) for text in texts]

    def prompt(self, number: int = -1) -> str:
        """All that was sent with a chat request."""
        return "\n".join(turn["content"] for turn in self.asked[number]["messages"])


@contextmanager
def fake_llm(**routes: Mapping[str, Any]) -> Iterator[FakeLlm]:
    """A running server with one model. Routes are named such as POST__api__show here."""
    named = {name.replace("__", " /", 1).replace("__", "/"): answer for name, answer in routes.items()}
    llm = FakeLlm(routes={"GET /v1/models": {"data": [{"id": MODEL}]}, **named})
    with loopback_server(_Handler, llm=llm) as address:
        llm.base = f"{address}/v1"
        try:
            yield llm
        finally:
            llm.release.set()


class _Handler(QuietHandler):
    llm: ClassVar[FakeLlm]

    def do_GET(self) -> None:
        self._route("GET")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.path.endswith("/chat/completions"):
            self.llm.asked.append(body)
            self.llm.headers.append(dict(self.headers))
            self._chat()
        elif self.llm.counts_tokens_at and self.path.endswith(self.llm.counts_tokens_at):
            self.llm.counted += 1
            text = str(body.get("content") or body.get("prompt") or body.get("input") or "")
            self._json(200, {"count": -(-len(text) // _ONE_TOKEN_CHARACTERS)})
        else:
            self._route("POST")

    def _route(self, method: str) -> None:
        answer = self.llm.routes.get(f"{method} {self.path}")
        self._json(404, {"error": "not found"}) if answer is None else self._json(200, answer)

    def _chat(self) -> None:
        scripts = self.llm.scripts
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        if script.status != 200:
            self._json(script.status, {"error": script.error})
            return
        self.send_response(200)
        self.send_header("Content-Type", script.content_type)
        self.end_headers()
        try:
            self._stream(script)
        except OSError:
            return  # the client has stopped listening
        finally:
            self.close_connection = True

    def _stream(self, script: Script) -> None:
        if script.raw:
            self._send(script.raw, script.cut_bytes)
            return
        self._send(b": keep-alive\r\n\r\n", script.cut_bytes)
        for i, piece in enumerate(script.pieces):
            if script.drop_after == i:
                return
            if script.hang_after == i:
                self.llm.hanging.set()
                self.llm.release.wait(20)
                return
            self._event({"choices": [{"delta": {"content": piece}, "finish_reason": None}]}, script)
        self._event({"choices": [{"delta": {}, "finish_reason": script.finish or None}]}, script)
        if script.is_done_sent:
            self._send(b"data: [DONE]\n\n", script.cut_bytes)

    def _event(self, value: object, script: Script) -> None:
        self._send(f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode(), script.cut_bytes)

    def _send(self, data: bytes, cut_bytes: int) -> None:
        size = cut_bytes or len(data)
        for start in range(0, len(data), size):
            self.wfile.write(data[start : start + size])
            self.wfile.flush()

    def _json(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
