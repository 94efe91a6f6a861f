"""How the server reports an error: in the shape of each dialect, with the status that each error of searchkit's means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from searchkit.display import printable
from searchkit.errors import (
    AlreadyIndexingError,
    CollectionBusyError,
    CollectionNotFoundError,
    ConfigError,
    LlmError,
    LlmNotFoundError,
    ModelNotFoundError,
    PoolBusyError,
    PoolClosedError,
    ReadOnlyError,
    ReferenceGoneError,
    SearchkitError,
    UsageError,
)
from searchkit.serve.http.remedies import error_text

_DIFY = "/retrieval"
_OPENAI, _OLLAMA = "/v1/", "/api/"
_DIFY_NO_AUTHORIZATION, _DIFY_WRONG_TOKEN, _DIFY_NO_KNOWLEDGE = 1001, 1002, 2001
_STATUS: Mapping[type[SearchkitError], tuple[int, str]] = {
    UsageError: (400, "invalid_request"),
    CollectionNotFoundError: (404, "collection_not_found"),
    ModelNotFoundError: (404, "model_not_found"),
    ReferenceGoneError: (404, "gone"),
    CollectionBusyError: (409, "collection_busy"),
    AlreadyIndexingError: (409, "indexing_already"),
    ReadOnlyError: (403, "read_only"),
    LlmNotFoundError: (503, "no_language_model"),
    LlmError: (502, "language_model_failed"),
    PoolBusyError: (503, "busy"),
    PoolClosedError: (503, "shutting_down"),
    ConfigError: (500, "misconfigured"),
}
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
RETRY_SECONDS = 1
_RETRY_AFTER: Mapping[type[SearchkitError], int] = {PoolBusyError: RETRY_SECONDS, AlreadyIndexingError: 5}


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """Why a request is not answered. `code`: for programs, `message`: for people. `headers`: such as Retry-After."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


def error_response(error: SearchkitError) -> ErrorResponse:
    """What an error of searchkit's means to a client."""
    status, code = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, "failed"))
    seconds = next((_RETRY_AFTER[kind] for kind in type(error).__mro__ if kind in _RETRY_AFTER), 0)
    return ErrorResponse(status, code, error_text(error), {"retry-after": str(seconds)} if seconds else {})


def internal_error() -> ErrorResponse:
    """For what should not happen: says nothing of it."""
    return ErrorResponse(500, "internal_error", "Something went wrong here. The server's own log says where.")


def body_of(response: ErrorResponse, path: str) -> bytes:
    """The body in the shape of the dialect that the path belongs to."""
    message = printable(response.message)
    shape: object
    if path == _DIFY:
        shape = {"error_code": _dify_code(response), "error_msg": message}
    elif path.startswith(_OLLAMA):
        shape = {"error": message}
    elif path.startswith(_OPENAI):
        kind = _OPENAI_TYPES.get(response.status, "server_error" if response.status >= 500 else "invalid_request_error")
        shape = {"error": {"message": message, "type": kind, "param": None, "code": response.code}}
    else:
        shape = {"error": {"code": response.code, "message": message}}
    return json.dumps(shape, ensure_ascii=False).encode()


def _dify_code(response: ErrorResponse) -> int:
    if response.status == 401:
        return _DIFY_NO_AUTHORIZATION if response.code == "no_token" else _DIFY_WRONG_TOKEN
    return _DIFY_NO_KNOWLEDGE if response.code == "collection_not_found" else response.status
