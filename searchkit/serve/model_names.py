"""Names of models as clients write them: searchkit's own, those of the hub and of Ollama, and the aliases of config.toml.

Knows no model, only names.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from searchkit.embedding.known_models import known_model
from searchkit.errors import ModelNotFoundError, UsageError
from searchkit.serve.dialects.chat.requests import EVERYTHING, chat_models

Kind = Literal["query", "document"]
_LATEST = ":latest"  # Ollama's clients add it to a name without a tag
_KINDS: tuple[Kind, ...] = ("query", "document")
_SYNONYMS: Mapping[str, Kind] = {
    "query": "query",
    "search_query": "query",
    "retrieval.query": "query",
    "document": "document",
    "search_document": "document",
    "passage": "document",
    "retrieval.passage": "document",
}


def unaliased(name: str, aliases: Mapping[str, str]) -> str:
    """Return what an alias stands for, or the name itself, without what Ollama's clients add to it. Case does not matter."""
    bare = _without(name.strip(), _LATEST)
    named = {alias.casefold(): meant for alias, meant in aliases.items()}
    return named.get(bare.casefold(), bare)


def name_and_kind(model: str, input_type: str = "") -> tuple[str, Kind]:
    """Split a model's name into the model and the prompt it asks for: NAME:query, NAME:document.

    `input_type` wins, and documents are the default. Raises UsageError for an unknown input type.
    """
    name, kind = _without(model.strip(), _LATEST), _KINDS[1]
    for each in _KINDS:
        if (bare := _without(name, f":{each}")) != name:
            name, kind = bare, each
    if input_type:
        if input_type.lower() not in _SYNONYMS:
            raise UsageError(f"There is no input_type '{input_type[:40]}'.", remedy="Use query or document.")
        kind = _SYNONYMS[input_type.lower()]
    return name, kind


def installed_name(name: str, installed: Sequence[str]) -> str:
    """Return the installed model that a name means: in capitals or not, by its repository on the hub, by its name in Ollama.

    A name that means no model is returned as it is, one of a known model that is not installed as that model's own.
    """
    if same := _like(name, installed):
        return same
    known = known_model(name)
    return known.name if known else name


def chat_model(name: str, collections: Sequence[str], embedding: Sequence[str] = ()) -> str:
    """Return the chat model that a name means, in capitals or not: `searchkit`, a collection, or `searchkit/COLLECTION`.

    `embedding`: the installed embedding models. Raises ModelNotFoundError, which lists the chat models.
    """
    offered = chat_models(collections, embedding)
    if found := _like(name, offered) or _like(name, [f"{EVERYTHING}/{each}" for each in collections]):
        return found
    if _like(installed_name(name, embedding), embedding):
        raise UsageError(f"'{name[:80]}' embeds texts, and does not chat.", remedy=_choose(offered))
    raise ModelNotFoundError(f"There is no chat model '{name[:80]}'.", remedy=_choose(offered))


def _choose(offered: Sequence[str]) -> str:
    return f"Choose from: {', '.join(offered) or 'none'}."


def _like(name: str, names: Sequence[str]) -> str:
    """Return the name that is equal, or else equal but for capitals; "" if there is none."""
    folded = name.casefold()
    return name if name in names else next((each for each in names if each.casefold() == folded), "")


def _without(name: str, tag: str) -> str:
    return name[: -len(tag)] if name.lower().endswith(tag) else name
