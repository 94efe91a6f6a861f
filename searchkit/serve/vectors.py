"""Embeds texts for other programs: which prompt they get, how many dimensions, in slices so that searches come between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from searchkit.embedding.embedder import Embedder, prefix
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.serve.pool import LibraryPool
from searchkit.types import Passage
from searchkit_indexes import Vectors

Kind = Literal["query", "document"]
Input = str | Sequence[int]
MOST_INPUTS = 2048
_SLICE = 16  # texts; some seconds of long ones
_LATEST = ":latest"  # Ollama's clients add it to a name without a tag
_KINDS: tuple[Kind, ...] = ("query", "document")
_SYNONYMS: dict[str, Kind] = {
    "query": "query",
    "search_query": "query",
    "retrieval.query": "query",
    "document": "document",
    "search_document": "document",
    "passage": "document",
    "retrieval.passage": "document",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What to embed. `dimensions`: of a Matryoshka prefix, None for all. `input_type`: "" leaves it to the model's name."""

    model: str
    inputs: Sequence[Input]
    dimensions: int | None = None
    input_type: str = ""


@dataclass(frozen=True, slots=True)
class Embedded:
    """(n, dimensions) float32, unit length, and the tokens that went into it."""

    vectors: Vectors
    tokens: int


def names_of(model: str) -> tuple[str, ...]:
    """The names under which a model is offered: its own, which embeds documents, and one for each prompt."""
    return model, *(f"{model}:{kind}" for kind in _KINDS)


async def embed(pool: LibraryPool, order: Order) -> Embedded:
    """The vectors, in the order of the inputs. Raises ModelNotFoundError, and UsageError for what cannot be embedded."""
    if not order.inputs:
        raise UsageError("The input is empty. Send a text, or a list of texts.")
    if len(order.inputs) > MOST_INPUTS:
        raise UsageError(f"{len(order.inputs):,} inputs are too many at once. Send {MOST_INPUTS:,} or fewer.")
    name, kind = name_and_kind(order.model, order.input_type)
    parts = []
    for start in range(0, len(order.inputs), _SLICE):
        parts.append(await pool.run(_slice(name, kind, order.inputs[start : start + _SLICE], order.dimensions)))
    return Embedded(np.concatenate([part.vectors for part in parts]), sum(part.tokens for part in parts))


def _slice(name: str, kind: Kind, inputs: Sequence[Input], dimensions: int | None) -> Callable[[Library], Embedded]:
    def work(library: Library) -> Embedded:
        embedder = library.embedder_named(name)
        if dimensions is not None and not 0 < dimensions <= embedder.info.dimension:
            raise UsageError(
                f"{name} has no {dimensions:,} dimensions. It was trained for prefixes of"
                f" {', '.join(map(str, embedder.info.prefix_dimensions))}; any number up to {embedder.info.dimension} can be had."
            )
        texts = [_text(each, embedder) for each in inputs]
        vectors = _embed(embedder, kind, texts)
        if dimensions is not None and dimensions < embedder.info.dimension:
            vectors = prefix(vectors, dimensions)
        return Embedded(vectors, sum(map(embedder.count_tokens, texts)))

    return work


def _embed(embedder: Embedder, kind: Kind, texts: Sequence[str]) -> Vectors:
    if kind == "query":
        return embedder.embed_queries(texts)
    return embedder.embed_documents([Passage("", text) for text in texts])


def _text(given: Input, embedder: Embedder) -> str:
    """Tokens are turned back into the text that they stand for, so that it gets its prompt."""
    text = given if isinstance(given, str) else embedder.decode(given)
    if not text.strip():
        raise UsageError("An input is empty. Leave it out, or send some text.")
    return text


def name_and_kind(model: str, input_type: str = "") -> tuple[str, Kind]:
    """What the model is called, and which prompt is meant; documents', where nothing says so."""
    name = model.removesuffix(_LATEST)
    kind: Kind = "document"
    for each in _KINDS:
        if name.endswith(f":{each}"):
            name, kind = name.removesuffix(f":{each}"), each
    if input_type:
        if input_type not in _SYNONYMS:
            raise UsageError(f"There is no input_type '{input_type[:40]}'. There are: query, document.")
        kind = _SYNONYMS[input_type]
    return name, kind
