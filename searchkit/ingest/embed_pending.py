"""Embeds the passages that have no vector yet, those of the most recent files first, and commits every few seconds."""

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from searchkit.catalog import vectors
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.connection import reading
from searchkit.catalog.meta import note_rate
from searchkit.catalog.pending import (
    PendingPassage,
    pending_hashes,
    pending_pages,
    pending_tokens,
    without_vector,
)
from searchkit.embedding.embedder import Embedder
from searchkit.errors import CatalogError
from searchkit.home import CollectionFolder
from searchkit.reports import never
from searchkit_indexes import Vectors

_PAGE = 128  # passages fetched at once, until documents that searches asked for have their turn
PASSAGES_AT_ONCE = 16  # embedded between two looks at the clock; a core embeds one at a time
COMMIT_SECONDS = 2.0  # work that a crash may cost


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """The progress of an embedding run: passages and their tokens, prompts included."""

    passages: int
    tokens: int


_PROMPT_TOKENS = 16  # per passage, for the work that its own tokens do not account for


def nothing() -> None:
    """Do nothing."""


def tokens_to_embed(catalog: CatalogReader, fingerprint: str) -> EmbeddingProgress:
    """Count the passages that have no vector yet, and their tokens."""
    passages, tokens = pending_tokens(catalog, fingerprint)
    return EmbeddingProgress(passages, tokens + _PROMPT_TOKENS * passages)


def embed_pending(
    catalog: CatalogWriter,
    embedder: Embedder,
    on_progress: Callable[[EmbeddingProgress], None],
    is_interrupted: Callable[[], bool] = never,
    after_page: Callable[[], None] = nothing,
) -> EmbeddingProgress:
    """Embed everything that is pending, or until `is_interrupted`; `on_progress` gets the progress so far.

    `after_page`: called now and then, when all that was embedded is stored.

    After an interruption (KeyboardInterrupt included), what was embedded until then is kept.
    """
    done = tokens = 0
    held: list[tuple[bytes, Vectors]] = []
    began = last_commit = time.monotonic()
    try:
        for pending in pending_pages(catalog, embedder.info.fingerprint, _PAGE):
            for start in range(0, len(pending), PASSAGES_AT_ONCE):
                if done + len(held) and is_interrupted():  # every run makes progress
                    return EmbeddingProgress(done + len(held), tokens)
                group = pending[start : start + PASSAGES_AT_ONCE]
                held += _embedded(embedder, _still_pending(catalog, embedder.info.fingerprint, group))
                tokens += sum(item.token_count + _PROMPT_TOKENS for item in group)
                on_progress(EmbeddingProgress(done + len(held), tokens))
                if time.monotonic() - last_commit > COMMIT_SECONDS:
                    last_commit = time.monotonic()
                    rate = (done + len(held)) / (last_commit - began)
                    done += _commit(catalog, embedder.info.fingerprint, held, rate)
            done += _commit(catalog, embedder.info.fingerprint, held)
            after_page()
    finally:
        done += _commit(catalog, embedder.info.fingerprint, held)
        with catalog.transaction():
            note_rate(catalog, 0.0)
    return EmbeddingProgress(done, tokens)


def embed_page(catalog: CatalogWriter, embedder: Embedder, page: list[PendingPassage]) -> EmbeddingProgress:
    """Embed one of `pending_pages` and store it, in one transaction. What has a vector by now is left out."""
    pending = _still_pending(catalog, embedder.info.fingerprint, page)
    done = _commit(catalog, embedder.info.fingerprint, _embedded(embedder, pending))
    return EmbeddingProgress(done, sum(item.token_count + _PROMPT_TOKENS for item in page))


def _still_pending(catalog: CatalogReader, fingerprint: str, group: list[PendingPassage]) -> list[PendingPassage]:
    """The passages of a group that no search has had embedded meanwhile."""
    left = without_vector(catalog, fingerprint, [item.content_hash for item in group])
    return [item for item in group if item.content_hash in left]


def _embedded(embedder: Embedder, group: list[PendingPassage]) -> list[tuple[bytes, Vectors]]:
    found = embedder.embed_documents([item.passage for item in group])
    return [(item.content_hash, vector) for item, vector in zip(group, found, strict=True)]


def _commit(catalog: CatalogWriter, fingerprint: str, held: list[tuple[bytes, Vectors]], rate: float = 0.0) -> int:
    """Store the pending vectors and clear them; return their number. `rate`: passages a second, 0 at the end of a page."""
    if not held:
        return 0
    with catalog.transaction():
        vectors.put_vectors(catalog, fingerprint, [h for h, _ in held], np.stack([vector for _, vector in held]))
        if rate:
            note_rate(catalog, rate)
    count = len(held)
    held.clear()
    return count


_AT_ONCE = 1000


def reuse_vectors(catalog: CatalogWriter, fingerprint: str, others: Iterable[CollectionFolder]) -> int:
    """Copy a model's vectors that this collection lacks from others; return how many.

    A collection that cannot be read is skipped.
    """
    borrowed = 0
    for other in others:
        with contextlib.suppress(CatalogError), reading(other) as lender:
            if vectors.has_vectors(lender, fingerprint):
                borrowed += _copy(lender, catalog, fingerprint)
    return borrowed


def _copy(lender: CatalogReader, catalog: CatalogWriter, fingerprint: str) -> int:
    copied, last = 0, b""
    while missing := pending_hashes(catalog, fingerprint, last, _AT_ONCE):
        found = vectors.vectors_of_hashes(lender, fingerprint, missing)
        if found:
            with catalog.transaction():
                vectors.put_vectors(catalog, fingerprint, list(found), np.stack(list(found.values())))
        copied += len(found)
        last = missing[-1]
    return copied
