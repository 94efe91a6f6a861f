"""A model behind an OpenAI-compatible server: Ollama, llama.cpp, LM Studio, vLLM and others."""

import ipaddress
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from searchkit.answer.models.background_stream import Pump
from searchkit.answer.models.language_model import Message, estimated_tokens
from searchkit.answer.models.server_info import ServerModel, ServerTokenizer, served_window, window_in_error
from searchkit.answer.models.sse import Heard, events_in
from searchkit.errors import (
    Action,
    AnswerCutError,
    LlmError,
    LlmNotFoundError,
    Option,
    Remedy,
    UsageError,
    WindowTooSmallError,
)

if TYPE_CHECKING:
    import httpx2

CAREFUL_WINDOW = 2048  # tokens, where the server does not say: the least that servers give unless told otherwise
# How many weights a name tells of; no server does.
_SMALL = re.compile(r"(?<![\w.])(?:[1-4]?\d{2}m|0\.[1-4]\d*b)(?![a-z0-9])", re.IGNORECASE)
_INFO_SECONDS = 5.0
_ANOTHER_MODEL = Remedy(Action.CHANGE_OPTION, option=Option.LLM_MODEL, sentence="Choose another model")
_SILENCE_SECONDS = 300.0  # a model that is loaded first, and a long prompt on a laptop, take minutes


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How to talk to a server. `context_tokens`: instead of what it says of its window, 0 to ask it."""

    api_key: str = ""
    context_tokens: int = 0
    silence_seconds: float = _SILENCE_SECONDS


def open_client(base: str, api_key: str = "", seconds: float = _INFO_SECONDS) -> "httpx2.Client":
    """A client that follows no redirect (they could lead off the machine), and on loopback goes through no proxy."""
    import httpx2

    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    return httpx2.Client(headers=headers, timeout=seconds, trust_env=not is_loopback(base), follow_redirects=False)


class HttpLanguageModel:
    """See LanguageModel. `base`: the address that ends in /v1 for most servers."""

    def __init__(self, base: str, model: ServerModel, options: ServerOptions) -> None:
        self.name = model.name.rsplit("/", 1)[-1] if model.name.endswith(".gguf") else model.name
        self.is_small = bool(_SMALL.search(self.name))
        self._id = model.name
        self.where = base
        self.is_remote = not is_loopback(base)
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
        """By the server's own tokenizer, else a guess from above."""
        counted = self._tokenizer.count(text)
        return estimated_tokens(text) if counted is None else counted

    def reply(self, messages: Sequence[Message], max_tokens: int) -> Pump:
        """Begin a reply."""
        line = _Line()
        return Pump(lambda pump: self._pieces(messages, max_tokens, pump, line), line.cut)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _pieces(self, messages: Sequence[Message], max_tokens: int, pump: Pump, line: "_Line") -> Iterator[str]:
        """A server whose template knows no system role is asked again without one."""
        try:
            yield from self._stream(self._body(messages, max_tokens), pump, line)
        except _SystemRoleError:
            self._roles_are_merged = True
            yield from self._stream(self._body(messages, max_tokens), pump, line)

    def _body(self, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
        sent = without_system(messages) if self._roles_are_merged else messages
        turns = [asdict(message) for message in sent]
        return {"model": self._id, "messages": turns, "stream": True, "max_tokens": max_tokens, "temperature": 0.1}

    def _stream(self, body: dict[str, Any], pump: Pump, line: "_Line") -> Iterator[str]:
        import httpx2

        heard = Heard()
        timeout = httpx2.Timeout(self._silence_seconds, connect=_INFO_SECONDS)
        try:
            with self._client.stream("POST", f"{self.where}/chat/completions", json=body, timeout=timeout) as response:
                line.hold(response)
                self._refuse_errors(response)
                for event in events_in(response):
                    if text := heard.text(event):
                        yield text
                    pump.is_cut_short = heard.ending == "length"
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            if pump.is_stopped() or heard.ending:
                return
            raise self._lost(error, has_begun=heard.has_begun) from error
        if pump.is_stopped():
            return
        if not heard.ending:
            raise self._lost(ConnectionError("the stream ended early"), has_begun=heard.has_begun)
        if heard.has_only_thought and pump.is_cut_short:
            raise LlmError(
                f"{self.name} has spent its {body['max_tokens']:,} tokens on thinking, and answered nothing.",
                remedy=Remedy(sentence="Turn thinking off in its server, or give it a larger window") | _ANOTHER_MODEL,
            )

    def _lost(self, error: Exception, *, has_begun: bool) -> LlmError:
        import httpx2

        if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
            what = f"{self.where} was silent for {self._silence_seconds:.0f} seconds"
        else:
            what = f"{self.where} went away ({error or type(error).__name__})"
        if has_begun:
            return AnswerCutError(
                f"The answer ends here: {what}.", remedy="Look whether the server still runs, then ask again."
            )
        return LlmError(
            f"No answer came: {what}.", remedy="Look whether the server still runs, or has too little memory."
        )

    def _refuse_errors(self, response: "httpx2.Response") -> None:
        if response.status_code == 200:
            return
        response.read()
        message = _error_text(response)
        if response.status_code == 404 or ("model" in message.lower() and "not found" in message.lower()):
            raise LlmNotFoundError(
                f"{self.where} has no model '{self.name}' ({message}).",
                remedy=Remedy(Action.LOAD_LLM, model=self.name) | _ANOTHER_MODEL,
            )
        if response.status_code in (401, 403):
            raise LlmError(
                f"{self.where} wants a key.",
                remedy=Remedy(
                    Action.CHANGE_SETTING,
                    setting="api_key_env in [llm]",
                    sentence="Put it into an environment variable and name that",
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
        raise LlmError(
            f"{self.where} answers {response.status_code}: {message}.",
            remedy="See the server's own log for the reason.",
        )


def without_system(messages: Sequence[Message]) -> list[Message]:
    """The system's words at the head of the first turn of the user."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    turns = [message for message in messages if message.role != "system"]
    first = next(i for i, message in enumerate(turns) if message.role == "user")
    turns[first] = Message("user", f"{system}\n\n{turns[first].content}")
    return turns


class _SystemRoleError(LlmError):
    """The model's template has no place for a system message."""


class _Line:
    """The connection of a reply, to be cut from another thread while one waits in it."""

    def __init__(self) -> None:
        self._response: httpx2.Response | None = None
        self._is_cut = False

    def hold(self, response: "httpx2.Response") -> None:
        """Remember what to cut; if that was asked for already, do it."""
        self._response = response
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """Wake the reader: the server sees the connection close, and stops as well."""
        self._is_cut = True
        stream = self._response.extensions.get("network_stream") if self._response else None
        connection = stream.get_extra_info("socket") if stream else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _error_text(response: "httpx2.Response") -> str:
    """What a refusal says, on one line."""
    try:
        value = response.json()
    except ValueError:
        return " ".join(response.text.split())[:300] or response.reason_phrase
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        window = f" (n_ctx {error['n_ctx']})" if "n_ctx" in error else ""
        error = f"{error.get('message', error)}{window}"
    return " ".join(str(error).split())[:300]


def base_url(given: str) -> str:
    """`http://HOST:PORT/v1` from what a user writes: without the scheme, without the path, or with a slash behind it.

    Raises UsageError for what is no such address.
    """
    text = given.strip()
    if "://" not in text:
        text = f"http://{text}"
    parts = urlsplit(text)
    try:
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment or parts.username is not None:
        raise UsageError(f"'{given}' is no address of a model server.", remedy="Write such as http://127.0.0.1:11434.")
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def server_root(base: str) -> str:
    """The address without its /v1, below which servers have what OpenAI's has not."""
    return base.removesuffix("/v1")


def is_loopback(base: str) -> bool:
    """Whether what is sent there stays on this machine."""
    host = urlsplit(base).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
