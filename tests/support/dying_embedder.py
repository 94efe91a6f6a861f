"""Embedders that fail in the middle of what they have to embed: one kills the process that it is in, one raises an error."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from searchkit.errors import ModelError
from searchkit.types import Passage
from searchkit_indexes import Vectors
from tests.support.hash_embedder import HashEmbedder


class DyingEmbedder(HashEmbedder):
    """See HashEmbedder. `marker`: a file that it makes as it dies; where that is, it lives. It survives its first call."""

    def __init__(self, marker: Path, delay_seconds: float) -> None:
        super().__init__(delay_seconds=delay_seconds)
        self._marker = marker

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """See Embedder."""
        if self.embedded and not self._marker.exists():
            self._marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed_documents(passages)


class FailingEmbedder(HashEmbedder):
    """See HashEmbedder. It embeds nothing."""

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:  # noqa: ARG002
        """Raise ModelError."""
        raise ModelError("The model hash is damaged.", remedy="Get it again")
