"""Looks for model servers where they usually listen on this machine, all at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from searchkit.answer.models.server_info import ServerModel, ask, loaded_first, models_in
from searchkit.answer.models.server_model import open_client, server_root

_LOOK_SECONDS = 1.0  # on loopback an answer takes milliseconds, but a busy machine


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program listens unless told otherwise."""

    program: str
    base: str


USUAL_PLACES = (
    Place("Ollama", "http://127.0.0.1:11434/v1"),
    Place("llama.cpp", "http://127.0.0.1:8080/v1"),
    Place("LM Studio", "http://127.0.0.1:1234/v1"),
    Place("vLLM", "http://127.0.0.1:8000/v1"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What listens at a place. `models`: what can chat, best to take first; `answers`: whether it speaks OpenAI's protocol."""

    place: Place
    answers: bool
    models: tuple[ServerModel, ...] = ()


def look_at(place: Place, api_key: str = "", seconds: float = _LOOK_SECONDS) -> Found:
    """Ask one place for its models."""
    with open_client(place.base, api_key, seconds) as client:
        answer = ask(client, "GET", f"{place.base}/models")
        if not isinstance(answer.get("data"), list):
            return Found(place, answers=False)
        models = loaded_first(models_in(answer), client, server_root(place.base))
        return Found(place, answers=True, models=tuple(models))


def look_around(places: Sequence[Place] = USUAL_PLACES) -> list[Found]:
    """What was found at each place, in their order."""
    with ThreadPoolExecutor(max_workers=len(places)) as threads:
        return list(threads.map(look_at, places))


def in_words(found: Sequence[Found]) -> str:
    """What was tried, and what came of it."""
    return ", ".join(f"{each.place.program} on {each.place.base.removesuffix('/v1')} ({_what(each)})" for each in found)


def _what(found: Found) -> str:
    if not found.answers:
        return "not there"
    return f"has {found.models[0].name}" if found.models else "has no chat model loaded"
