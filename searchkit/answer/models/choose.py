"""Which language model answers: the one named, else a server that is found on this machine, else the embedded one."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from searchkit.answer.errors import LlmError, LlmNotFoundError
from searchkit.answer.models.addresses import base_url
from searchkit.answer.models.discover_servers import USUAL_PLACES, Place, in_words, look_around, look_at
from searchkit.answer.models.embedded import HOW_TO_INSTALL, EmbeddedLanguageModel, bundled_gguf, has_runtime
from searchkit.answer.models.language_model import LanguageModel
from searchkit.answer.models.server_info import ServerModel
from searchkit.answer.models.server_model import HttpLanguageModel, ServerOptions
from searchkit.config import LlmSettings
from searchkit.errors import UsageError

EMBEDDED = "embedded"
_NAMED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user has asked for besides the settings: `llm` is an address, a GGUF file or "embedded"; "" for what there is."""

    llm: str = ""
    model: str = ""


def choose_model(
    settings: LlmSettings, wanted: Wanted = Wanted(), places: Sequence[Place] = USUAL_PLACES
) -> LanguageModel:
    """The model to ask. Raises LlmNotFoundError, which lists what was tried, and what to do."""
    settings = replace(settings, model=wanted.model or settings.model)
    if wanted.llm == EMBEDDED:
        return _embedded(settings)
    if wanted.llm.endswith(".gguf"):
        return EmbeddedLanguageModel(Path(wanted.llm).expanduser(), settings.context)
    if Path(wanted.llm).expanduser().is_file():
        raise UsageError(f"{wanted.llm} is a file, but no model: those have names that end in .gguf")
    if address := wanted.llm or settings.base_url:
        return _named(address, settings)
    if settings.gguf:
        return _embedded(settings)
    return _found(settings, places)


def _named(address: str, settings: LlmSettings) -> LanguageModel:
    place = Place("the server", base_url(address))
    key = _api_key(settings)
    found = look_at(place, key, _NAMED_SECONDS)
    if not found.answers:  # perhaps busy with another answer, or only just started
        found = look_at(place, key, _NAMED_SECONDS)
    if not found.answers and not settings.model:
        raise LlmNotFoundError(
            f"No model server answers at {place.base}. Start it; if it is busy with another answer, try again in a moment;"
            " or check the address (--llm, SEARCHKIT_LLM_URL, base_url in [llm] of config.toml). Without one: --llm embedded,"
            " or --no-llm for the sources alone."
        )
    return _model_at(place, found.models, settings, key)


def _found(settings: LlmSettings, places: Sequence[Place]) -> LanguageModel:
    found = look_around(places)
    offering = [each for each in found if each.models]
    if settings.model:
        having = [each for each in offering if settings.model in [model.name for model in each.models]]
        if offering and not having:
            raise _no_such_model(settings.model, [model.name for each in offering for model in each.models])
        offering = having
    if offering:
        return _model_at(offering[0].place, offering[0].models, settings, "")
    if has_runtime() and bundled_gguf():
        return _embedded(settings)
    raise LlmNotFoundError(
        f"No language model was found. Tried: {in_words(found)}, and the embedded one (not installed). Start one of these"
        f" servers with a chat model, name another (--llm URL), or install the embedded one: {HOW_TO_INSTALL}."
        " The sources alone: --no-llm"
    )


def _model_at(place: Place, models: Sequence[ServerModel], settings: LlmSettings, key: str) -> LanguageModel:
    options = ServerOptions(key, settings.context)
    if settings.model:
        named = [model for model in models if model.name == settings.model]
        if models and not named:
            raise _no_such_model(settings.model, [model.name for model in models])
        return HttpLanguageModel(place.base, named[0] if named else ServerModel(settings.model, {}), options)
    if not models:
        raise LlmNotFoundError(
            f"{place.base} has no chat model. Load or pull one there (ollama pull NAME), or name one: --llm-model NAME"
        )
    return HttpLanguageModel(place.base, models[0], options)


def _no_such_model(name: str, there_are: Sequence[str]) -> LlmNotFoundError:
    return LlmNotFoundError(
        f"There is no model '{name}'. There are: {', '.join(there_are)}. Load or pull it there (ollama pull {name}),"
        " or choose one of these: --llm-model NAME"
    )


def _embedded(settings: LlmSettings) -> LanguageModel:
    gguf = Path(settings.gguf).expanduser() if settings.gguf else bundled_gguf()
    if gguf is None:
        raise LlmNotFoundError(f"The embedded model is not installed: {HOW_TO_INSTALL}. Any other: --llm FILE.gguf")
    return EmbeddedLanguageModel(gguf, settings.context)


def _api_key(settings: LlmSettings) -> str:
    """The key in the variable that the settings name; it goes to the configured server only, never to one that was found."""
    if not settings.api_key_env:
        return ""
    key = os.environ.get(settings.api_key_env, "")
    if not key:
        raise LlmError(
            f"The environment variable {settings.api_key_env}, which api_key_env in [llm] names, is not set."
        )
    return key
