"""Embeds texts for other programs, in slices, so that a long request does not hold up searches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from searchkit.embedding.embedder import Embedder, prefix
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.serve.model_names import Kind, installed_name, name_and_kind
from searchkit.serve.pool import LibraryPool
from searchkit.types import Passage
from searchkit_indexes import Vectors

Input = str | Sequence[int]
MAX_INPUTS = 2048
_SLICE = 16  # texts; some seconds of long ones


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts or token ids to embed.

    `dimensions`: length of the Matryoshka prefix, None for the whole vector. `input_type`: which prompt the texts get,
    query or document; "" leaves it to the model's name.
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


async def embed(pool: LibraryPool, request: EmbeddingRequest) -> EmbeddingResult:
    """Embed the inputs, in their order. An empty text among others gets a vector too: that of the prompt alone.

    Raises ModelNotFoundError, and UsageError for inputs that cannot be embedded.
    """
    if not any(not isinstance(each, str) or each.strip() for each in request.inputs):
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
        embedder = library.open_models.named(installed_name(name, library.open_models.names()))
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
    """Decode token ids, so that the text gets its prompt."""
    return given if isinstance(given, str) else embedder.decode(given)
