"""The protocol of embedders, and the two operations on vectors that everything else relies on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from searchkit.embedding.model_info import ModelInfo
from searchkit.types import Passage
from searchkit_indexes import Vectors

if TYPE_CHECKING:
    from searchkit.embedding.provisional import ProvisionalVectors


class TokenVectors(NamedTuple):
    """The tokens of a text: (n, components) float32 unit vectors, and (n,) float32 weights, larger for informative tokens."""

    vectors: Vectors
    weights: Vectors


class Embedder(Protocol):
    """Turns queries and passages into unit vectors whose dot product is their similarity."""

    @property
    def info(self) -> ModelInfo:
        """The facts about the model."""
        ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a bare text, without prompt and special tokens.

        This callable is pickled and sent to the worker processes that chunk documents, so it should be small.
        """
        ...

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """Embed queries with the model's query prompt: (n, dimension) float32, unit length; (0, dimension) for no queries."""
        ...

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """Embed passages with the model's document prompt: (n, dimension) float32, unit length; (0, dimension) for no passages."""
        ...

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors] | None:
        """Look up static vectors of the tokens of bare texts, regardless of context: fast. None if the model has no such table."""
        ...

    @property
    def provisional(self) -> "ProvisionalVectors | None":
        """What guesses the vectors of passages without running the model; None if the model has no such guesses."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Turn ids of the model's vocabulary back into text.

        Raises UsageError for ids outside the vocabulary, and if the model takes text only.
        """
        ...


def normalized(vectors: Vectors) -> Vectors:
    """Scale rows to unit length; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled


def prefix(vectors: Vectors, dimension: int) -> Vectors:
    """Keep the first `dimension` components and normalise again (Matryoshka truncation).

    Raises ValueError if the vectors are shorter than that.
    """
    if not 0 < dimension <= vectors.shape[1]:
        raise ValueError(f"no prefix of {dimension} dimensions in vectors of {vectors.shape[1]}")
    return normalized(vectors[:, :dimension])
