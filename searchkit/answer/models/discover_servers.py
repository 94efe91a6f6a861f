"""Finds the model servers that run on this machine, by asking at their usual addresses."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from searchkit.answer.models.connection import open_client, server_root
from searchkit.answer.models.server_info import ServerModel, ask, loaded_first, models_in

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
