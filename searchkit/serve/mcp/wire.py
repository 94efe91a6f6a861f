"""Standard input and output as the protocol's two lines: whatever else the process writes stays off them.

Where the input ends before all is answered, as at the end of a pipe, the answers still go out.
"""

import io
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import anyio

_STDOUT, _STDERR = 1, 2
_ANSWER_SECONDS = 20.0  # that what was asked before the end of the input gets; a client that is gone waits for nothing


def take_stdout() -> io.BufferedWriter:
    """What standard output was, for this caller alone; from now on it is standard error, for native libraries too."""
    sys.stdout.flush()
    private = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return os.fdopen(private, "wb")


class Wire:
    """Lines in and lines out. It iterates over the lines of the input, and is written to like a file."""

    def __init__(self, lines_in: Iterable[bytes], out: io.BufferedWriter) -> None:
        self._lines = iter(lines_in)
        self._out = out
        self._asked: set[str] = set()
        self._all_answered = anyio.Event()

    async def __aiter__(self) -> AsyncIterator[str]:
        """The lines that come in, until the input ends and what they ask is answered."""
        while line := await anyio.to_thread.run_sync(next, self._lines, b""):
            text = _without_lone_surrogates(line.decode("utf-8", "replace"))
            self._note(_read(text))
            yield text
        if self._asked:
            with anyio.move_on_after(_ANSWER_SECONDS):
                await self._all_answered.wait()

    async def write(self, text: str) -> None:
        """Send lines; nothing happens if nobody takes them any more, for then the input ends as well."""
        with suppress(BrokenPipeError):
            await anyio.to_thread.run_sync(self._write, text.encode())
        self._note(_read(text))

    def _note(self, message: dict[str, Any]) -> None:
        """Keep account of what has been asked and not answered."""
        if message.get("method") == "notifications/cancelled":
            self._asked.discard(_text(message.get("params", {}).get("requestId")))
        elif "method" not in message:
            self._asked.discard(_text(message.get("id")))
        elif "id" in message:
            self._asked.add(_text(message["id"]))
            self._all_answered = anyio.Event()
        if not self._asked:
            self._all_answered.set()

    async def flush(self) -> None:
        """Nothing is held back."""

    def _write(self, content: bytes) -> None:
        self._out.write(content)
        self._out.flush()


def _without_lone_surrogates(text: str) -> str:
    r"""JSON whose `\ud83d` stand in pairs: half an emoji, which models cut off, is no text, and would never be answered."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return json.dumps(_read(text), ensure_ascii=False).encode("utf-8", "replace").decode() + "\n"


def _text(message_id: object) -> str:
    """An id that tells 1 from "1"."""
    return json.dumps(message_id)


def _read(text: str) -> dict[str, Any]:
    """A message, as far as it is one."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
