"""Chooses the language model: the one named, otherwise a server found on this machine. The embedded one is used if it is named."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from searchkit.answer.models.connection import base_url
from searchkit.answer.models.embedded import INSTALL_LLM, EmbeddedLanguageModel, bundled_gguf
from searchkit.answer.models.language_model import LanguageModel
from searchkit.answer.models.server_info import (
    USUAL_ENDPOINTS,
    Endpoint,
    ServerModel,
    discover_servers,
    in_words,
    probe,
)
from searchkit.answer.models.server_model import HttpLanguageModel, ServerOptions
from searchkit.config import LlmSettings
from searchkit.errors import Action, LlmError, LlmNotFoundError, Option, Remedy, UsageError

EMBEDDED = "embedded"
_SOURCES_ALONE = Remedy(Action.CHANGE_OPTION, option=Option.NO_LLM, sentence="See only the sources")
_NAMED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A choice that precedes the settings: `llm` is an address, a GGUF file or "embedded"; `model` a name on the server.

    "" leaves it to the settings, or to what is found.
    """

    llm: str = ""
    model: str = ""


def choose_model(
    settings: LlmSettings, choice: ModelChoice = ModelChoice(), endpoints: Sequence[Endpoint] = USUAL_ENDPOINTS
) -> LanguageModel:
    """Open the model to ask. Raises LlmNotFoundError, which lists what was tried, and what to do."""
    settings = replace(settings, model=choice.model or settings.model)
    if choice.llm == EMBEDDED:
        return _embedded(settings)
    if choice.llm.endswith(".gguf"):
        return EmbeddedLanguageModel(Path(choice.llm).expanduser(), settings.context)
    if Path(choice.llm).expanduser().is_file():
        raise UsageError(f"{choice.llm} is a file, but not a model: the names of those end in .gguf.")
    if address := choice.llm or settings.base_url:
        return _named(address, settings)
    if settings.gguf:
        return _embedded(settings)
    return _found(settings, endpoints)


def model_or_reason(
    settings: LlmSettings, choice: ModelChoice = ModelChoice()
) -> tuple[LanguageModel | None, LlmNotFoundError | None]:
    """The model to ask, for those who can do without one; and why the one in the settings is not there, None if they name none.

    Raises LlmNotFoundError if `choice` names one.
    """
    try:
        return choose_model(settings, choice), None
    except LlmNotFoundError as error:
        if choice != ModelChoice():
            raise
        return None, error if settings.base_url or settings.gguf or settings.model else None


def _named(address: str, settings: LlmSettings) -> LanguageModel:
    endpoint = Endpoint("the server", base_url(address))
    key = _api_key(settings)
    found = probe(endpoint, key, _NAMED_SECONDS)
    if not found.answers:  # it may be busy with another answer, or have just started
        found = probe(endpoint, key, _NAMED_SECONDS)
    if not found.answers and not settings.model:
        start = "Start it, or try again in a moment if it is busy with another answer"
        check = "Check its address (SEARCHKIT_LLM_URL, or base_url in [llm] of config.toml)"
        raise LlmNotFoundError(
            f"No model server answers at {endpoint.base}.",
            remedy=Remedy(sentence=start)
            | Remedy(Action.CHANGE_OPTION, option=Option.LLM, sentence=check)
            | Remedy(Action.CHANGE_OPTION, option=Option.EMBEDDED_LLM, sentence="Do without a server")
            | _SOURCES_ALONE,
        )
    return _model_at(endpoint, found.models, settings, key)


def _found(settings: LlmSettings, endpoints: Sequence[Endpoint]) -> LanguageModel:
    found = discover_servers(endpoints)
    offering = [each for each in found if each.models]
    if settings.model:
        having = [each for each in offering if settings.model in [model.name for model in each.models]]
        if offering and not having:
            raise _no_such_model(settings.model, [model.name for each in offering for model in each.models])
        offering = having
    if offering:
        return _model_at(offering[0].endpoint, offering[0].models, settings, "")
    raise LlmNotFoundError(
        f"No language model was found. Tried: {in_words(found)}.",
        remedy=Remedy(sentence="Start one of these servers with a chat model")
        | Remedy(Action.CHANGE_OPTION, option=Option.LLM, sentence="Name another")
        | _SOURCES_ALONE,
    )


def _model_at(endpoint: Endpoint, models: Sequence[ServerModel], settings: LlmSettings, key: str) -> LanguageModel:
    options = ServerOptions(key, settings.context)
    if settings.model:
        named = [model for model in models if model.name == settings.model]
        if models and not named:
            raise _no_such_model(settings.model, [model.name for model in models])
        return HttpLanguageModel(endpoint.base, named[0] if named else ServerModel(settings.model, {}), options)
    if not models:
        raise LlmNotFoundError(
            f"{endpoint.base} has no chat model.",
            remedy=Remedy(Action.LOAD_LLM, sentence="Load or pull one there")
            | Remedy(Action.CHANGE_OPTION, option=Option.LLM_MODEL, sentence="Name one"),
        )
    return HttpLanguageModel(endpoint.base, models[0], options)


def _no_such_model(name: str, there_are: Sequence[str]) -> LlmNotFoundError:
    return LlmNotFoundError(
        f"There is no model '{name}'. Choose from: {', '.join(there_are)}.",
        remedy=Remedy(Action.LOAD_LLM, model=name)
        | Remedy(Action.CHANGE_OPTION, option=Option.LLM_MODEL, sentence="Choose one of these"),
    )


def _embedded(settings: LlmSettings) -> LanguageModel:
    gguf = Path(settings.gguf).expanduser() if settings.gguf else bundled_gguf()
    if gguf is None:
        raise LlmNotFoundError(
            "The embedded model is not installed.",
            remedy=INSTALL_LLM | Remedy(Action.CHANGE_OPTION, option=Option.LLM_FILE, sentence="Name another"),
        )
    return EmbeddedLanguageModel(gguf, settings.context)


def _api_key(settings: LlmSettings) -> str:
    """The key in the variable that the settings name; it is sent to the configured server only, never to one that was found."""
    if not settings.api_key_env:
        return ""
    key = os.environ.get(settings.api_key_env, "")
    if not key:
        raise LlmError(
            f"The environment variable {settings.api_key_env}, which api_key_env in [llm] names, is not set.",
            remedy="Set it to the server's key.",
        )
    return key
