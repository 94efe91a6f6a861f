"""What the server answers when it refuses: every dialect's own shape, and the status that each error of ours means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from searchkit.answer.errors import LlmError, LlmNotFoundError
from searchkit.display import printable
from searchkit.errors import (
    CollectionBusyError,
    CollectionNotFoundError,
    ConfigError,
    ModelNotFoundError,
    SearchkitError,
    UsageError,
)
from searchkit.serve.pool import EngineBusyError, EngineClosedError
from searchkit.serve.references import ReferenceGoneError

_DIFY = "/retrieval"
_OPENAI, _OLLAMA = "/v1/", "/api/"
_DIFY_NO_AUTHORIZATION, _DIFY_WRONG_TOKEN, _DIFY_NO_KNOWLEDGE = 1001, 1002, 2001
_STATUS: Mapping[type[SearchkitError], tuple[int, str]] = {
    UsageError: (400, "invalid_request"),
    CollectionNotFoundError: (404, "collection_not_found"),
    ModelNotFoundError: (404, "model_not_found"),
    ReferenceGoneError: (404, "gone"),
    CollectionBusyError: (409, "collection_busy"),
    LlmNotFoundError: (503, "no_language_model"),
    LlmError: (502, "language_model_failed"),
    EngineBusyError: (503, "busy"),
    EngineClosedError: (503, "shutting_down"),
    ConfigError: (500, "misconfigured"),
}
_FOR_THE_COMMAND_LINE = (  # what messages say that is of no use to who asks over HTTP, and what is said instead
    (': searchkit search "boiler pressure too low"', "."),
    (", or --no-llm for the sources alone", ""),
    (" The sources alone: --no-llm", ""),
)
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
RETRY_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered. `code`: for programs, `message`: for people. `headers`: such as Retry-After."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(SearchkitError):
    """A request that is refused where no error of the library says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def refusal_of(error: SearchkitError) -> Refusal:
    """What an error of ours means to a client: its message is written for people, and says what to do."""
    if isinstance(error, RefusedError):
        return error.refusal
    found = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, "failed"))
    headers = {"retry-after": str(RETRY_SECONDS)} if isinstance(error, EngineBusyError) else {}
    message = str(error)
    for said, instead in _FOR_THE_COMMAND_LINE:
        message = message.replace(said, instead)
    return Refusal(*found, message, headers)


def internal_error() -> Refusal:
    """For what should not happen: says nothing of it."""
    return Refusal(500, "internal_error", "Something went wrong here. The server's own log says where.")


def body_of(refusal: Refusal, path: str) -> bytes:
    """The body in the shape of the dialect that the path belongs to."""
    message = printable(refusal.message)
    shape: object
    if path == _DIFY:
        shape = {"error_code": _dify_code(refusal), "error_msg": message}
    elif path.startswith(_OLLAMA):
        shape = {"error": message}
    elif path.startswith(_OPENAI):
        kind = _OPENAI_TYPES.get(refusal.status, "server_error" if refusal.status >= 500 else "invalid_request_error")
        shape = {"error": {"message": message, "type": kind, "param": None, "code": refusal.code}}
    else:
        shape = {"error": {"code": refusal.code, "message": message}}
    return json.dumps(shape, ensure_ascii=False).encode()


def _dify_code(refusal: Refusal) -> int:
    if refusal.status == 401:
        return _DIFY_NO_AUTHORIZATION if refusal.code == "no_token" else _DIFY_WRONG_TOKEN
    return _DIFY_NO_KNOWLEDGE if refusal.code == "collection_not_found" else refusal.status
