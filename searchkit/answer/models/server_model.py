"""A model behind an OpenAI-compatible server: Ollama, llama.cpp, LM Studio, vLLM and others."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from searchkit.answer.models.connection import INFO_SECONDS, ReplyConnection, is_loopback, open_client, server_root
from searchkit.answer.models.language_model import BackgroundStream, Message, estimated_tokens
from searchkit.answer.models.server_info import ServerModel, ServerTokenizer, served_window, window_in_error
from searchkit.answer.models.sse import Received, events_in
from searchkit.errors import (
    Action,
    AnswerCutError,
    LlmError,
    LlmNotFoundError,
    Option,
    Remedy,
    WindowTooSmallError,
)

if TYPE_CHECKING:
    import httpx2

CAREFUL_WINDOW = 2048  # tokens, if the server does not say: the smallest default of the usual servers
# Names say how many weights a model has; no server does.
_SMALL = re.compile(r"(?<![\w.])(?:[1-4]?\d{2}m|0\.[1-4]\d*b)(?![a-z0-9])", re.IGNORECASE)
_ANOTHER_MODEL = Remedy(Action.CHANGE_OPTION, option=Option.LLM_MODEL, sentence="Choose another model")
_NO_FORM: Mapping[str, Any] = MappingProxyType({})
_SILENCE_SECONDS = 300.0  # loading a model, and a long prompt on a laptop, take minutes


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options of a server. `context_tokens`: the size of its window, 0 to ask the server."""

    api_key: str = ""
    context_tokens: int = 0
    silence_seconds: float = _SILENCE_SECONDS


class HttpLanguageModel:
    """See LanguageModel. `base`: the server's address, which for most servers ends in /v1."""

    def __init__(self, base: str, model: ServerModel, options: ServerOptions) -> None:
        self.name = model.name.rsplit("/", 1)[-1] if model.name.endswith(".gguf") else model.name
        self.is_small = bool(_SMALL.search(self.name))
        self._id = model.name
        self.server = base
        self.remote = not is_loopback(base)
        self._silence_seconds = options.silence_seconds
        self._client = open_client(base, options.api_key)
        root = server_root(base)
        self.window_tokens = options.context_tokens or served_window(model, self._client, root) or CAREFUL_WINDOW
        self._tokenizer = ServerTokenizer(self._client, root, model.name)
        self._roles_are_merged = False

    @property
    def comfortable_tokens(self) -> int:
        """See LanguageModel."""
        return self.window_tokens

    def count_tokens(self, text: str) -> int:
        """Count by the server's own tokenizer, or estimate too many rather than too few."""
        counted = self._tokenizer.count(text)
        return estimated_tokens(text) if counted is None else counted

    def reply(self, messages: Sequence[Message], max_tokens: int) -> BackgroundStream:
        """Start a reply."""
        connection = ReplyConnection()
        return BackgroundStream(lambda stream: self._pieces(messages, max_tokens, stream, connection), connection.cut)

    def reply_in_form(self, messages: Sequence[Message], max_tokens: int, form: Mapping[str, Any]) -> BackgroundStream:
        """Start a reply whose form the server sees to (`response_format`). Iterating raises FormRefusedError if it does not."""
        connection = ReplyConnection()
        return BackgroundStream(
            lambda stream: self._pieces(messages, max_tokens, stream, connection, form), connection.cut
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _pieces(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        stream: BackgroundStream,
        connection: ReplyConnection,
        form: Mapping[str, Any] = _NO_FORM,
    ) -> Iterator[str]:
        """Stream a reply; if the model's template has no system role, ask again without one."""
        demanded = {"response_format": form} if form else {}
        try:
            yield from self._stream({**self._body(messages, max_tokens), **demanded}, stream, connection)
        except _SystemRoleError:
            self._roles_are_merged = True
            yield from self._stream({**self._body(messages, max_tokens), **demanded}, stream, connection)

    def _body(self, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
        sent = without_system(messages) if self._roles_are_merged else messages
        turns = [asdict(message) for message in sent]
        return {"model": self._id, "messages": turns, "stream": True, "max_tokens": max_tokens, "temperature": 0.1}

    def _stream(self, body: dict[str, Any], stream: BackgroundStream, connection: ReplyConnection) -> Iterator[str]:
        import httpx2

        received = Received()
        timeout = httpx2.Timeout(self._silence_seconds, connect=INFO_SECONDS)
        try:
            with self._client.stream("POST", f"{self.server}/chat/completions", json=body, timeout=timeout) as response:
                connection.hold(response)
                self._refuse_errors(response, has_form="response_format" in body)
                for event in events_in(response):
                    if text := received.text(event):
                        yield text
                    stream.is_cut_short = received.ending == "length"
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            if stream.is_stopped() or received.ending:
                return
            raise self._lost(error, has_begun=received.has_begun) from error
        if stream.is_stopped():
            return
        if not received.ending:
            raise self._lost(ConnectionError("the stream ended early"), has_begun=received.has_begun)
        if received.has_only_thought and stream.is_cut_short:
            raise LlmError(
                f"{self.name} spent its {body['max_tokens']:,} tokens on thinking, and did not answer.",
                remedy=Remedy(sentence="Turn thinking off in its server, or give it a larger window") | _ANOTHER_MODEL,
            )

    def _lost(self, error: Exception, *, has_begun: bool) -> LlmError:
        import httpx2

        if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
            what = f"{self.server} was silent for {self._silence_seconds:.0f} seconds"
        else:
            what = f"{self.server} closed the connection ({error or type(error).__name__})"
        if has_begun:
            return AnswerCutError(
                f"The answer ends here: {what}.", remedy="Check that the server is still running, then ask again."
            )
        return LlmError(
            f"No answer came: {what}.", remedy="Check that the server is still running, and has enough memory."
        )

    def _refuse_errors(self, response: "httpx2.Response", *, has_form: bool) -> None:
        if response.status_code == 200:
            return
        response.read()
        message = _error_text(response)
        if response.status_code == 404 or ("model" in message.lower() and "not found" in message.lower()):
            raise LlmNotFoundError(
                f"{self.server} has no model '{self.name}' ({message}).",
                remedy=Remedy(Action.LOAD_LLM, model=self.name) | _ANOTHER_MODEL,
            )
        if response.status_code in (401, 403):
            raise LlmError(
                f"{self.server} requires a key.",
                remedy=Remedy(
                    Action.CHANGE_SETTING,
                    setting="api_key_env in [llm]",
                    sentence="Put it into an environment variable, and set its name",
                ),
            )
        if response.status_code in (400, 413, 500) and (window := window_in_error(message)):
            raise WindowTooSmallError(
                f"The prompt does not fit into the model's window of {window:,} tokens.",
                remedy=Remedy(sentence="Give it a larger one")
                | Remedy(Action.CHANGE_SETTING, setting="context in [llm]", sentence="Say how large it is"),
                window_tokens=window,
            )
        if response.status_code in (400, 500) and not self._roles_are_merged and "system" in message.lower():
            raise _SystemRoleError(message)
        if has_form and response.status_code in (400, 422, 501):
            raise FormRefusedError(f"The language model's server does not take this response_format ({message}).")
        raise LlmError(
            f"{self.server} answered {response.status_code}: {message}.",
            remedy="See the server's own log for the reason.",
        )


def without_system(messages: Sequence[Message]) -> list[Message]:
    """Move the system message to the beginning of the user's first turn."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    turns = [message for message in messages if message.role != "system"]
    first = next(i for i, message in enumerate(turns) if message.role == "user")
    turns[first] = Message("user", f"{system}\n\n{turns[first].content}")
    return turns


class FormRefusedError(LlmError):
    """The model's server does not take the form that was demanded of a reply."""


class _SystemRoleError(LlmError):
    """The model's template has no place for a system message."""


def _error_text(response: "httpx2.Response") -> str:
    """The server's error message, on one line."""
    try:
        value = response.json()
    except ValueError:
        return " ".join(response.text.split())[:300] or response.reason_phrase
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        window = f" (n_ctx {error['n_ctx']})" if "n_ctx" in error else ""
        error = f"{error.get('message', error)}{window}"
    return " ".join(str(error).split())[:300]
