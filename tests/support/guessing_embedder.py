"""The embedder without a model, with guesses at its vectors: the same sums of words, from a table of its vocabulary."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from searchkit.embedding.model_folder import CORRECTION_FILE, PROVISIONAL_FILE
from searchkit.embedding.provisional import ProvisionalVectors
from tests.support.hash_embedder import HashEmbedder


class GuessingEmbedder(HashEmbedder):
    """`synonyms`: words that mean the same as others. `vocabulary`: the texts whose words the table has."""

    def __init__(
        self, folder: Path, vocabulary: Sequence[str], synonyms: Mapping[str, str], name: str = "hash"
    ) -> None:
        super().__init__(name=name)
        self._synonyms = synonyms
        words = sorted({word for text in vocabulary for word in re.findall(r"\w+", text.lower())})
        self._ids = {word: number for number, word in enumerate(words)}
        vectors = self._embed(words)
        scales = (np.abs(vectors).max(axis=1, keepdims=True) / 127).astype(np.float16)
        codes = np.round(vectors / scales.astype(np.float32)).astype(np.int8)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / PROVISIONAL_FILE, np.concatenate([codes.view(np.uint8), scales.view(np.uint8)], axis=1))
        dimension = self.info.dimension
        np.save(folder / CORRECTION_FILE, np.zeros((dimension + 1, dimension), np.float32))
        self.guesser = ProvisionalVectors(folder, self._tokenize)

    @property
    def provisional(self) -> ProvisionalVectors:
        """See Embedder."""
        return self.guesser

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        words = [re.findall(r"\w+", text.lower()) for text in texts]
        return [[self._ids[word] for word in each if word in self._ids] for each in words]

    def _direction(self, word: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return super()._direction(self._synonyms.get(word, word))
