"""The models in use: opened when first needed, and shared by all who search the same data directory in one process."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from searchkit.embedding.store import ModelStore
from searchkit.errors import ModelNotFoundError
from searchkit.reports import ProgressListener

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder


def spin_briefly() -> None:
    """Have OpenBLAS, which NumPy brings along and which reads this when it is loaded, spin for 2^8 cycles after a product.

    By default its threads spin for 2^26: on few cores that takes a third of the time of a search from the model.
    """
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "8")


class OpenModels:
    """Opens the models of a store, each once; any number of threads may use one.

    `embedder`: used in place of every model of the store. `open_model`: opens a model by name in place of the store.
    """

    def __init__(
        self,
        store: ModelStore,
        embedder: "Embedder | None" = None,
        open_model: "Callable[[str], Embedder] | None" = None,
    ) -> None:
        spin_briefly()
        self.store = store
        self._embedder = embedder
        self._open_model = open_model or store.open
        self._opened: dict[str, Embedder] = {}

    def names(self) -> list[str]:
        """List the models that can embed."""
        return self.store.names() if self._embedder is None else [self._embedder.info.name]

    def can_open(self, name: str) -> bool:
        """True if a model of that name is installed, or one is used in place of every other."""
        return self._embedder is not None or name in self.store.names()

    def open(self, name: str = "") -> "Embedder":
        """Open a model, the best one installed if none is named. Raises ModelNotFoundError, ModelError."""
        if self._embedder is not None:
            return self._embedder
        name = name or self.store.best()
        if name not in self._opened:
            self._opened[name] = self._open_model(name)
        return self._opened[name]

    def best(self) -> "Embedder | None":
        """Open the best model installed, None if none is. Raises ModelError if it is broken."""
        return self.open() if self.names() else None

    def check(self, name: str) -> str:
        """Hold a model's files against their checksums; see `ModelStore.check`. "" for a model that is not the store's."""
        return self.store.check(name) if self._embedder is None and self.store.card(name) is not None else ""

    def is_to_be_converted(self, name: str = "") -> bool:
        """True if opening a model, the best one installed if none is named, takes seconds: it is converted first."""
        if self._embedder is not None or not self.names():
            return False
        return self.store.is_to_be_converted(name or self.store.best())

    def named(self, name: str) -> "Embedder":
        """Open the model of that name and no other. Raises ModelNotFoundError if it is not installed."""
        if self._embedder is not None and name != self._embedder.info.name:
            raise ModelNotFoundError(f"No model named '{name}'. Installed: {self._embedder.info.name}.")
        return self.open(name)

    def fingerprint(self, name: str) -> str:
        """Return a model's fingerprint, "" if it is not installed."""
        if self._embedder is not None:
            return self._embedder.info.fingerprint
        return self.open(name).info.fingerprint if name in self.store.names() else ""

    def prepare(self, name: str, on_progress: ProgressListener = lambda _: None) -> None:
        """Convert the small model's package if that is what is named and has not been done: then it has a card."""
        if self._embedder is None and self.store.card(name) is None:
            self.store.open(name, on_progress)

    def forget(self, name: str) -> None:
        """Close a model that is about to be removed."""
        self._opened.pop(name, None)

    def fresh(self, threads: int | None = None) -> "OpenModels":
        """The same models, none of them open, for an owner that does not share these. `threads`: None for all cores."""
        is_plain = threads is not None and self._open_model == self.store.open
        open_model = partial(self.store.open, threads=threads) if is_plain else self._open_model
        return OpenModels(self.store, self._embedder, open_model)
