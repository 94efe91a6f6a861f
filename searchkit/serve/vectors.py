"""Embeds texts for other programs, in slices, so that a long request does not hold up searches."""

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
MAX_INPUTS = 2048
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
class EmbeddingRequest:
    """Texts or token ids to embed.

    `dimensions`: length of the Matryoshka prefix, None for the whole vector. `input_type`: which prompt the texts get,
    query or document; "" leaves it to the model's name (see `names_of`).
    """

    model: str
    inputs: Sequence[Input]
    dimensions: int | None = None
    input_type: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddingResult:
    """The vectors, (n, dimensions) float32 of unit length, and the number of tokens in the inputs."""

    vectors: Vectors
    tokens: int


def names_of(model: str) -> tuple[str, ...]:
    """Return the names under which a model is offered: its own, which embeds documents, and one for each prompt."""
    return model, *(f"{model}:{kind}" for kind in _KINDS)


async def embed(pool: LibraryPool, request: EmbeddingRequest) -> EmbeddingResult:
    """Embed the inputs, in their order. Raises ModelNotFoundError, and UsageError for inputs that cannot be embedded."""
    if not request.inputs:
        raise UsageError("The input is empty.", remedy="Send a text, or a list of texts.")
    if len(request.inputs) > MAX_INPUTS:
        raise UsageError(
            f"{len(request.inputs):,} inputs are too many at once.", remedy=f"Send {MAX_INPUTS:,} or fewer."
        )
    name, kind = name_and_kind(request.model, request.input_type)
    slices = []
    for start in range(0, len(request.inputs), _SLICE):
        inputs = request.inputs[start : start + _SLICE]
        slices.append(await pool.run(_embedding(name, kind, inputs, request.dimensions)))
    return EmbeddingResult(np.concatenate([each.vectors for each in slices]), sum(each.tokens for each in slices))


def _embedding(
    name: str, kind: Kind, inputs: Sequence[Input], dimensions: int | None
) -> Callable[[Library], EmbeddingResult]:
    """Return the work that embeds one slice of inputs."""

    def work(library: Library) -> EmbeddingResult:
        embedder = library.open_models.named(name)
        if dimensions is not None and not 0 < dimensions <= embedder.info.dimension:
            raise UsageError(
                f"{name} cannot give {dimensions:,} dimensions. It was trained for prefixes of"
                f" {', '.join(map(str, embedder.info.prefix_dimensions))}; any number up to {embedder.info.dimension} works."
            )
        texts = [_text(each, embedder) for each in inputs]
        vectors = _embed(embedder, kind, texts)
        if dimensions is not None and dimensions < embedder.info.dimension:
            vectors = prefix(vectors, dimensions)
        return EmbeddingResult(vectors, sum(map(embedder.count_tokens, texts)))

    return work


def _embed(embedder: Embedder, kind: Kind, texts: Sequence[str]) -> Vectors:
    if kind == "query":
        return embedder.embed_queries(texts)
    return embedder.embed_documents([Passage("", text) for text in texts])


def _text(given: Input, embedder: Embedder) -> str:
    """Decode token ids, so that the text gets its prompt. Raises UsageError for an empty text."""
    text = given if isinstance(given, str) else embedder.decode(given)
    if not text.strip():
        raise UsageError("An input is empty.", remedy="Leave it out, or send some text.")
    return text


def name_and_kind(model: str, input_type: str = "") -> tuple[str, Kind]:
    """Split a model's name into the model and the prompt it asks for; `input_type` wins, and documents are the default."""
    name = model.removesuffix(_LATEST)
    kind: Kind = "document"
    for each in _KINDS:
        if name.endswith(f":{each}"):
            name, kind = name.removesuffix(f":{each}"), each
    if input_type:
        if input_type not in _SYNONYMS:
            raise UsageError(f"There is no input_type '{input_type[:40]}'.", remedy="Use query or document.")
        kind = _SYNONYMS[input_type]
    return name, kind
