"""Facts that servers report about a model: the context window that is really served, and a tokenizer.

Each kind of server reports them in its own place; all places are asked, and what none answers stays unknown.
"""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from searchkit.answer.models.connection import open_client, server_root

if TYPE_CHECKING:
    import httpx2

_OLLAMA_SERVED = 4096  # tokens; Ollama's default, whatever the model could take
_NOT_CHAT = re.compile(r"embed|rerank|minilm|\bbge\b|\be5\b|whisper|\btts\b|clip|colbert", re.IGNORECASE)
_WINDOW_IN_ERROR = re.compile(
    r"(?:context (?:window|length|size)|n_ctx|maximum (?:context|model) length)\D{0,40}?(\d{3,7})", re.IGNORECASE
)

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A model that a server offers. `is_loaded`: True if it is known to be in memory."""

    name: str
    entry: JsonObject
    is_loaded: bool = False


def ask(client: "httpx2.Client", method: str, url: str, **body: Any) -> JsonObject:
    """Request a JSON object; {} if there is none."""
    import httpx2

    with suppress(httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        response = client.request(method, url, json=body or None)
        if response.status_code == 200 and isinstance(value := response.json(), dict):
            return value
    return {}


def models_in(answer: JsonObject) -> list[ServerModel]:
    """The chat models of a /v1/models answer, without collections that a searchkit serves as models."""
    listed = answer.get("data")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    usable = [entry for entry in entries if isinstance(entry.get("id"), str) and entry.get("owned_by") != "searchkit"]
    return [ServerModel(entry["id"], entry) for entry in usable if not _NOT_CHAT.search(entry["id"])]


def loaded_first(models: Sequence[ServerModel], client: "httpx2.Client", root: str) -> list[ServerModel]:
    """The models, those in the memory of Ollama or LM Studio first: others take seconds to load, and replace those."""
    if len(models) < 2:
        return list(models)
    running = _names(ask(client, "GET", f"{root}/api/ps").get("models"), "name")
    lm_studio = ask(client, "GET", f"{root}/api/v0/models").get("data")
    loaded = [entry for entry in lm_studio if entry.get("state") == "loaded"] if isinstance(lm_studio, list) else []
    in_memory = running | _names(loaded, "id")
    return sorted(models, key=lambda model: model.name not in in_memory)


def served_window(model: ServerModel, client: "httpx2.Client", root: str) -> int | None:
    """The context window that the server gives the model, in tokens; None if it does not say."""
    for key in ("max_model_len", "context_window", "context_length", "n_ctx"):  # vLLM and others
        if window := _whole(model.entry.get(key)):
            return window
    meta = model.entry.get("meta")
    props = ask(client, "GET", f"{root}/props").get("default_generation_settings")  # llama.cpp: of one slot
    if isinstance(props, dict) and (window := _whole(props.get("n_ctx"))):
        return window
    if isinstance(meta, dict) and (window := _whole(meta.get("n_ctx"))):
        return window
    return _ollama_window(model.name, client, root) or _lm_studio_window(model.name, client, root)


def window_in_error(message: str) -> int | None:
    """The window that a server mentions when it refuses a prompt as too long, None if it mentions none."""
    match = _WINDOW_IN_ERROR.search(message)
    return int(match.group(1)) if match else None


def _ollama_window(name: str, client: "httpx2.Client", root: str) -> int | None:
    """The window in use, otherwise that of the model's file, otherwise Ollama's default: it silently cuts longer prompts."""
    running = ask(client, "GET", f"{root}/api/ps").get("models")
    for entry in running if isinstance(running, list) else ():
        is_it = isinstance(entry, dict) and name in (entry.get("name"), entry.get("model"))
        if is_it and (window := _whole(entry.get("context_length"))):
            return window
    shown = ask(client, "POST", f"{root}/api/show", model=name)
    if not shown:
        return None
    if asked := re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters", "")), re.MULTILINE):
        return int(asked.group(1))
    info = shown.get("model_info")
    trained = [_whole(value) for key, value in info.items() if key.endswith(".context_length")] if info else []
    return min([_OLLAMA_SERVED, *(window for window in trained if window)])


def _lm_studio_window(name: str, client: "httpx2.Client", root: str) -> int | None:
    """The window of the loaded model; that of a model which is not loaded yet is unknown."""
    listed = ask(client, "GET", f"{root}/api/v0/models").get("data")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and entry.get("id") == name:
            return _whole(entry.get("loaded_context_length"))
    return None


class ServerTokenizer:
    """The tokenizer endpoint of llama.cpp, vLLM or llama-cpp-python, whichever the server has."""

    def __init__(self, client: "httpx2.Client", root: str, model: str) -> None:
        self._client = client
        self._ways: list[tuple[str, dict[str, str], str]] = [
            (f"{root}/tokenize", {}, "content"),
            (f"{root}/tokenize", {"model": model}, "prompt"),
            (f"{root}/extras/tokenize/count", {}, "input"),
        ]

    def count(self, text: str) -> int | None:
        """Count the tokens of a text; None if the server has no such endpoint, which is then not asked again."""
        for way in tuple(self._ways):  # several threads count at once
            url, fixed, key = way
            answer = ask(self._client, "POST", url, **fixed, **{key: text})
            tokens = answer.get("tokens")
            count = len(tokens) if isinstance(tokens, list) else _whole(answer.get("count"))
            if count is not None and (count > 0 or not text.strip()):
                return count
            self._ways = [each for each in self._ways if each is not way]
        return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _names(entries: object, key: str) -> set[str]:
    found = entries if isinstance(entries, list) else ()
    return {str(entry[key]) for entry in found if isinstance(entry, dict) and entry.get(key)}


_PROBE_SECONDS = 1.0  # an answer on loopback takes milliseconds, but the machine may be busy


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address at which a program listens by default."""

    program: str
    base: str


USUAL_ENDPOINTS = (
    Endpoint("Ollama", "http://127.0.0.1:11434/v1"),
    Endpoint("llama.cpp", "http://127.0.0.1:8080/v1"),
    Endpoint("LM Studio", "http://127.0.0.1:1234/v1"),
    Endpoint("vLLM", "http://127.0.0.1:8000/v1"),
)


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer of an endpoint. `answers`: True if it speaks OpenAI's protocol. `models`: those that can chat, best first."""

    endpoint: Endpoint
    answers: bool
    models: tuple[ServerModel, ...] = ()


def probe(endpoint: Endpoint, api_key: str = "", seconds: float = _PROBE_SECONDS) -> Probe:
    """Ask one endpoint for its models."""
    with open_client(endpoint.base, api_key, seconds) as client:
        answer = ask(client, "GET", f"{endpoint.base}/models")
        if not isinstance(answer.get("data"), list):
            return Probe(endpoint, answers=False)
        models = loaded_first(models_in(answer), client, server_root(endpoint.base))
        return Probe(endpoint, answers=True, models=tuple(models))


def discover_servers(endpoints: Sequence[Endpoint] = USUAL_ENDPOINTS) -> list[Probe]:
    """Ask all endpoints at once; the answers in their order."""
    with ThreadPoolExecutor(max_workers=len(endpoints)) as threads:
        return list(threads.map(probe, endpoints))


def in_words(probes: Sequence[Probe]) -> str:
    """Say what was tried, and what was found."""
    return ", ".join(
        f"{each.endpoint.program} on {each.endpoint.base.removesuffix('/v1')} ({_result(each)})" for each in probes
    )


def _result(found: Probe) -> str:
    if not found.answers:
        return "not running"
    return f"has {found.models[0].name}" if found.models else "has no chat model loaded"
