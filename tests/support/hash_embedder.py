"""A deterministic embedder without a model: shared words give near vectors, so tests can say which document wins."""

import hashlib
import re
import time
from collections.abc import Sequence

import numpy as np

from searchkit.embedding.embedder import TokenVectors, normalized
from searchkit.embedding.model_info import ModelInfo
from searchkit.embedding.provisional import ProvisionalVectors
from searchkit.errors import UsageError
from searchkit.types import Passage
from searchkit_indexes import Vectors


class HashEmbedder:
    """Each word has a random direction that follows from its letters; a text is the sum of its words'.

    `delay_seconds` a passage makes runs long enough to be interrupted.
    """

    def __init__(self, dimension: int = 64, delay_seconds: float = 0.0, name: str = "hash") -> None:
        self.info = ModelInfo(
            name=name,
            dimension=dimension,
            prefix_dimensions=(dimension, dimension // 2),
            fingerprint=f"{name}-{dimension}",
            root_fingerprint=f"{name}-{dimension}",
            max_tokens=512,
            similarity_range=(0.0, 0.8),
        )
        self.embedded: list[str] = []
        self._delay_seconds = delay_seconds

    @staticmethod
    def count_tokens(text: str) -> int:
        """Words and signs."""
        return len(re.findall(r"\w+|[^\w\s]", text))

    def embed_queries(self, queries: Sequence[str]) -> Vectors:
        """See Embedder."""
        return self._embed(queries)

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder; also notes what was asked for."""
        time.sleep(self._delay_seconds * len(passages))
        self.embedded += [passage.text for passage in passages]
        return self._embed([f"{passage.title} {passage.text}" for passage in passages])

    def token_vectors(self, texts: Sequence[str]) -> list[TokenVectors]:
        """See Embedder: the words' directions."""
        words = [re.findall(r"\w+", text.lower()) for text in texts]
        return [TokenVectors(self._embed(each), np.ones(len(each), np.float32)) for each in words]

    @property
    def provisional(self) -> ProvisionalVectors | None:
        """See Embedder: none."""
        return None

    def decode(self, _: Sequence[int]) -> str:
        """Raises UsageError: there is no vocabulary."""
        raise UsageError(f"{self.info.name} takes text, not tokens.")

    def _embed(self, texts: Sequence[str]) -> Vectors:
        sums = [
            sum((self._direction(w) for w in re.findall(r"\w+", text.lower())), np.zeros(self.info.dimension))
            for text in texts
        ]
        return normalized(np.array(sums, np.float32).reshape(len(texts), self.info.dimension))

    def _direction(self, word: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        return np.random.default_rng(seed).standard_normal(self.info.dimension)
