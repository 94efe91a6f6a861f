"""Gives passages provisional vectors as they are read, and better ones as the model reads more of the collection."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from searchkit.catalog import provisional, vectors
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.documents import content_hash
from searchkit.catalog.passages import count_vectors
from searchkit.catalog.provisional import Version
from searchkit.embedding.embedder import Embedder
from searchkit.types import Chunk, Passage
from searchkit_indexes import Vectors

if TYPE_CHECKING:  # a run that changes nothing does not need it
    from searchkit.embedding.provisional import ProvisionalVectors

_AT_ONCE = 256  # passages
_FEW = 32  # pending passages, which the model reads in seconds
# Numbers of passages that the model has read from which on it is worth correcting the guesses by them (again).
_LEARNED_AT = (512, 2048, 8192)
_SAMPLE = 4096  # passages to learn from


@dataclass
class PendingGuesses:
    """Keeps the provisional vectors of a collection complete during an index run; does nothing for a model without them."""

    catalog: CatalogWriter
    embedder: Embedder | None
    _version: Version | None = None
    _correction: Vectors | None = None
    _held: dict[bytes, Passage] = field(default_factory=dict)

    @cached_property
    def guesser(self) -> "ProvisionalVectors | None":
        """The model's; opening it takes a tenth of a second."""
        return self.embedder.provisional if self.embedder else None

    @property
    def fingerprint(self) -> str:
        """The model's, "" without one."""
        return self.embedder.info.fingerprint if self.embedder else ""

    def see(self, chunks: Iterable[Chunk]) -> None:
        """Take the chunks of a document that was just stored; now and then they get their vectors."""
        if self.embedder is None:
            return
        for chunk in chunks:
            self._held[content_hash(chunk.title, chunk.text)] = Passage(chunk.title, chunk.text)
        if len(self._held) >= _AT_ONCE:
            if self.guesser is not None:
                self._guess(self.guesser, self._held)
            self._held = {}

    def complete(self, *, pending: int, is_lazy: bool) -> None:
        """Give a vector to every passage that has none; not for a few of `pending`, unless the model is not to read them next."""
        self._held = {}
        if (pending <= _FEW and not is_lazy) or self.guesser is None:
            return
        self._current(self.guesser)
        self.improve()
        for page in provisional.unguessed_pages(self.catalog, self.fingerprint, _AT_ONCE):
            self._guess(self.guesser, page)

    def improve(self) -> None:
        """Learn from what the model has read, if that is much more than at the last time; guess again what it has not read.

        Does nothing in a run that has guessed nothing.
        """
        if self._version is None or self.guesser is None:
            return
        read = count_vectors(self.catalog, self.fingerprint)
        reached = max((count for count in _LEARNED_AT if count <= read), default=0)
        if reached <= self._version.learned_from:
            return
        from searchkit.embedding.provisional import learn_correction

        passages, hashes = provisional.read_sample(self.catalog, self.fingerprint, _SAMPLE)
        true = vectors.vectors_of_hashes(self.catalog, self.fingerprint, hashes)
        guesses = self.guesser.uncorrected(passages)
        self._start(
            Version(self.fingerprint, reached), learn_correction(guesses, np.stack([true[key] for key in hashes]))
        )
        for page in provisional.unguessed_pages(self.catalog, self.fingerprint, _AT_ONCE):
            self._guess(self.guesser, page)

    def _current(self, guesser: "ProvisionalVectors") -> Version:
        """The version of what is stored; starts one if that is another model's."""
        if self._version is None:
            stored = provisional.version_of(self.catalog)
            if stored is None or stored.fingerprint != self.fingerprint:
                return self._start(Version(self.fingerprint), None)
            self._version = stored
            self._correction = provisional.correction_of(self.catalog, guesser.dimension)
        return self._version

    def _start(self, version: Version, correction: Vectors | None) -> Version:
        with self.catalog.transaction():
            provisional.start_version(self.catalog, version, correction)
        self._version, self._correction = version, correction
        return version

    def _guess(self, guesser: "ProvisionalVectors", passages: dict[bytes, Passage]) -> None:
        self._current(guesser)
        guessed = guesser.of(list(passages.values()), self._correction)
        with self.catalog.transaction():
            provisional.put_provisional(self.catalog, list(passages), guessed)
