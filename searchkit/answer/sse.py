"""Reads what OpenAI-compatible servers stream: server-sent events, each a line of JSON, in chunks cut anywhere."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from searchkit.answer.errors import AnswerCutError, LlmError

_LONGEST_LINE = 4_000_000  # bytes; nobody sends a token in more


def events(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, up to its [DONE]; comments and other fields are passed over.

    Lines end at \\n alone: a text may hold the other characters that Python takes for line ends. Raises LlmError for what is
    no such stream.
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

    Raises AnswerCutError for an event that tells of an error.
    """
    if event.get("error"):
        error = event["error"]
        said = error.get("message", error) if isinstance(error, dict) else error
        raise AnswerCutError(f"The model's server broke off: {str(said)[:300]}")
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    part = choice.get("delta") or choice.get("message") or {}
    text = part.get("content") if isinstance(part, dict) else None
    return text if isinstance(text, str) else "", str(choice.get("finish_reason") or "")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise LlmError("The model's server sends no lines. Check its address (--llm URL).")
        yield from (line.rstrip(b"\r") for line in whole)
    if rest:
        yield rest.rstrip(b"\r")


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except ValueError as error:
        raise LlmError("The model's server sends what is no JSON. Check its address (--llm URL).") from error
    if not isinstance(value, dict):
        raise LlmError("The model's server does not stream as OpenAI's does. Check its address (--llm URL).")
    return value
