"""Error responses: the status of each of searchkit's errors, its wording for clients, and its shape in each dialect."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from searchkit.display import as_clause, choices_of, either, printable, remedy_words, sentences
from searchkit.errors import (
    Action,
    AlreadyIndexingError,
    CollectionBusyError,
    CollectionNotFoundError,
    ConfigError,
    LlmError,
    LlmNotFoundError,
    ModelNotFoundError,
    Option,
    PoolBusyError,
    PoolClosedError,
    ReadOnlyError,
    ReferenceGoneError,
    Remedy,
    SearchkitError,
    UsageError,
)

_DIFY = "/retrieval"
_OPENAI, _COHERE, _OLLAMA = "/v1/", "/v2/", "/api/"
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

# Remedies that a client can carry out; all others are up to whoever runs the server.
_BY_CLIENT = frozenset(
    {
        Action.ADVICE,
        Action.ASK,
        Action.SEARCH,
        Action.SEARCH_BY_WORDS,
        Action.SEE_COLLECTIONS,
        Action.SEE_STATUS,
        Action.WAIT,
    }
)
# How a client does it, where that is worth saying.
_HOW: Mapping[Action, str] = {
    Action.CHANGE_SETTING: "{setting} of config.toml",
    Action.SEARCH_BY_WORDS: '"mode": "lexical"',
    Action.SEE_COLLECTIONS: "GET /collections",
    Action.SEE_STATUS: "GET /collections",
}
_NOT_HERE = frozenset({Option.NO_LLM})  # options of the command that mean nothing to the server


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A refusal or failure. `code` is for programs, `message` for people; `headers` are further ones, such as Retry-After."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


def error_response(error: SearchkitError) -> ErrorResponse:
    """Return the response for one of searchkit's errors."""
    status, code = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), (500, "failed"))
    seconds = next((_RETRY_AFTER[kind] for kind in type(error).__mro__ if kind in _RETRY_AFTER), 0)
    return ErrorResponse(status, code, error_text(error), {"retry-after": str(seconds)} if seconds else {})


def internal_error() -> ErrorResponse:
    """Return the response for an unexpected error: it reveals nothing."""
    return ErrorResponse(500, "internal_error", "Something went wrong here. The server's own log says where.")


def error_text(error: SearchkitError) -> str:
    """Word an error for a client: what happened, what the client can do, and what must be done at the server."""
    choices = [choice for choice in choices_of(error) if choice.option not in _NOT_HERE]
    by_client = either([_advice(choice) for choice in choices if choice.action in _BY_CLIENT])
    by_owner = either([_advice(choice) for choice in choices if choice.action not in _BY_CLIENT])
    return sentences(str(error), by_client, f"Where the server runs: {as_clause(by_owner)}" if by_owner else "")


def _advice(remedy: Remedy) -> str:
    how = _HOW.get(remedy.action, "").format(setting=remedy.setting)
    return f"{remedy_words(remedy)}: {how}" if how else f"{remedy_words(remedy)}."


def body_of(response: ErrorResponse, path: str) -> bytes:
    """Return the JSON body, in the shape of the dialect that the path belongs to."""
    message = printable(response.message)
    shape: object
    if path == _DIFY:
        shape = {"error_code": _dify_code(response), "error_msg": message}
    elif path.startswith(_OLLAMA):
        shape = {"error": message}
    elif path.startswith(_COHERE):
        shape = {"message": message}
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
