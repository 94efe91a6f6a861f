"""What every embedder can do, and the two operations on its vectors that everything else relies on."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from searchkit.embedding.model_info import ModelInfo
from searchkit.types import Passage
from searchkit_indexes import Vectors


class TokenVectors(NamedTuple):
    """(n, components) float32 of unit length, of the tokens of a text, and how much each token tells: (n,) float32."""

    vectors: Vectors
    weights: Vectors


class Embedder(Protocol):
    """Turns queries and passages into unit vectors whose dot product is their similarity."""

    @property
    def info(self) -> ModelInfo:
        """The facts about the model."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of a bare text, without prompt and special tokens.

        It goes to the worker processes that cut documents, pickled, and should be no more than it needs to be there.
        """
        ...

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """(n, dimension) float32, unit length, under the model's query prompt; (0, dimension) for none."""
        ...

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """(n, dimension) float32, unit length, under the model's document prompt; (0, dimension) for none."""
        ...

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors] | None:
        """Of bare texts, what each token means by itself, whatever stands around it: quick. None if the model has no such table."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text that ids of the model's vocabulary stand for.

        Raises UsageError for ids outside the vocabulary, and if the model takes text only.
        """
        ...


def normalized(vectors: Vectors) -> Vectors:
    """Rows scaled to unit length; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled


def prefix(vectors: Vectors, dimension: int) -> Vectors:
    """The first `dimension` components, normalised again (Matryoshka truncation).

    Raises ValueError if the vectors are shorter than that.
    """
    if not 0 < dimension <= vectors.shape[1]:
        raise ValueError(f"no prefix of {dimension} dimensions in vectors of {vectors.shape[1]}")
    return normalized(vectors[:, :dimension])
