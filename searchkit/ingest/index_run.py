"""One index run over a collection: syncs every root, then computes every missing vector, then updates the index."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from searchkit.catalog import documents, vectors
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.meta import COVERED, LAZY, UPDATED, left_out, set_folder_problems, set_left_out, set_meta
from searchkit.catalog.passages import count_chunks, count_passages
from searchkit.catalog.pending import forget_asked
from searchkit.catalog.roots import Root, all_roots
from searchkit.embedding.embedder import Embedder
from searchkit.files import path_to_text
from searchkit.home import CollectionFolder, neighbours
from searchkit.index_store import refresh_index, write_guess_index
from searchkit.ingest.chunk import PASSAGE_TOKENS
from searchkit.ingest.diff import BY_WORDS
from searchkit.ingest.embed_pending import EmbeddingProgress, embed_pending, nothing, reuse_vectors, tokens_to_embed
from searchkit.ingest.guess_pending import PendingGuesses
from searchkit.ingest.recheck_vectors import remove_unbelievable
from searchkit.ingest.sandbox.messages import Limits
from searchkit.ingest.segments import estimate_tokens
from searchkit.ingest.sync import Change, ChunkingConfig, FolderSync
from searchkit.reports import IndexReport, Progress, ProgressListener, RunOptions, never
from searchkit.types import DocumentStatus


class Embedding(Protocol):
    """What embeds: this process (`embed_pending`), or a cluster (`on_ray.RayCluster`)."""

    def __call__(
        self,
        catalog: CatalogWriter,
        embedder: Embedder,
        on_progress: Callable[[EmbeddingProgress], None],
        is_interrupted: Callable[[], bool] = never,
        after_page: Callable[[], None] = nothing,
    ) -> EmbeddingProgress:
        """Embed everything that is pending."""
        ...


@dataclass(frozen=True, slots=True)
class IndexRun:
    """One index run over an open collection. `lazy_above`: chunks from which on it is lazy unless the user chose; 0: never.

    `model_state`: of the model's files, which are sound; "" if they are not known. `converted`: see IndexReport.
    """

    folder: CollectionFolder
    catalog: CatalogWriter
    embedder: Embedder | None
    limits: Limits
    on_progress: ProgressListener
    options: RunOptions
    lazy_above: int = 0
    model_state: str = ""
    converted: int = 0

    def run(self, chosen: Sequence[Root]) -> IndexReport:
        """Sync the chosen roots. A root that cannot be read is reported, and nothing of it is removed."""
        started = time.monotonic()
        remade = self._remove_unbelievable()
        was_covered = bool(self._fingerprint) and self.catalog.meta(COVERED) == self._fingerprint
        if self.options.lazy is not None:
            with self.catalog.transaction():
                set_meta(self.catalog, LAZY, "yes" if self.options.lazy else "no")
        guesses = PendingGuesses(self.catalog, self.embedder)
        sync = self._sync(chosen, guesses)
        read_seconds = time.monotonic() - started
        embed_started = time.monotonic()
        is_same = was_covered and not (sync.counts.keys() - {Change.UNCHANGED, Change.MOVED})
        embedded = 0 if is_same or self.embedder is None else self._fill(self.embedder, guesses)
        embed_seconds = time.monotonic() - embed_started
        self.finish(is_same=is_same)
        statuses = documents.count_by_status(self.catalog)
        return IndexReport(
            collection=self.folder.name,
            model=self.embedder.info.name if self.embedder else "",
            added=sync.counts[Change.ADDED],
            changed=sync.counts[Change.CHANGED],
            moved=sync.counts[Change.MOVED],
            deleted=sync.counts[Change.DELETED],
            unchanged=sync.counts[Change.UNCHANGED],
            files_skipped=statuses[DocumentStatus.SKIPPED],
            files_unsupported=statuses[DocumentStatus.UNSUPPORTED],
            chunks=count_chunks(self.catalog),
            passages=count_passages(self.catalog, "")[0],
            embedded=embedded,
            elapsed_seconds=time.monotonic() - started,
            read_seconds=read_seconds,
            embed_seconds=embed_seconds,
            formats=tuple(documents.count_by_format(self.catalog)),
            problems=(*sync.folder_problems, *sync.problems),
            left_out=left_out(self.catalog),
            remade=remade,
            converted=self.converted,
            scanned_pages=documents.count_scanned_pages(self.catalog),
        )

    def embed(self, by: Embedding = embed_pending) -> tuple[int, float]:
        """Embed all passages without a vector, in a lazy collection too; returns their number and the seconds it took."""
        assert self.embedder is not None, "there is a model to embed with"
        started = time.monotonic()
        self._remove_unbelievable()
        guesses = PendingGuesses(self.catalog, self.embedder)
        embedded = self._fill(self.embedder, guesses, by, may_wait=False)
        self.finish(is_same=False)
        return embedded, time.monotonic() - started

    def finish(self, *, is_same: bool) -> None:
        """Remove vectors that no document needs any more and update the index; `is_same`: no passage was added or removed."""
        with self.catalog.transaction():
            is_covered = is_same or self._is_covered()
            if not is_same:
                vectors.remove_orphans(self.catalog)
            if is_covered:
                forget_asked(self.catalog)
            set_meta(self.catalog, COVERED, self._fingerprint if is_covered else "")
            set_meta(self.catalog, UPDATED, datetime.now().astimezone().isoformat(timespec="seconds"))
        write_guess_index(self.folder, self.catalog)
        if self.embedder is not None:
            refresh_index(self.folder, self.catalog, self.embedder, slack=self.options.index_slack)
        self.catalog.optimize()

    @property
    def _fingerprint(self) -> str:
        """The model's fingerprint, "" if there is none."""
        return self.embedder.info.fingerprint if self.embedder else ""

    @property
    def _chunking(self) -> ChunkingConfig:
        if self.embedder is None:
            return ChunkingConfig(estimate_tokens, PASSAGE_TOKENS, BY_WORDS, self.limits, self.options.retry)
        info = self.embedder.info
        return ChunkingConfig(
            self.embedder.count_tokens, info.max_tokens, info.root_fingerprint, self.limits, self.options.retry
        )

    def _remove_unbelievable(self) -> int:
        """Remove vectors that a damaged model made; return how many."""
        if self.embedder is None or not self.model_state:
            return 0
        return remove_unbelievable(self.catalog, self.embedder, self.model_state)

    def _is_covered(self) -> bool:
        passages, covered = count_passages(self.catalog, self._fingerprint)
        return passages == covered

    def _sync(self, chosen: Sequence[Root], guesses: PendingGuesses) -> FolderSync:
        sync = FolderSync(self.catalog, self._chunking, self.on_progress, guesses.see)
        sync.run(chosen)
        with self.catalog.transaction():
            set_folder_problems(self.catalog, sync.folder_problems, [root.path for root in chosen])
            set_left_out(self.catalog, sync.left_out, [path_to_text(root.path) for root in all_roots(self.catalog)])
        return sync

    def _fill(
        self, embedder: Embedder, guesses: PendingGuesses, by: Embedding = embed_pending, *, may_wait: bool = True
    ) -> int:
        """Embed what is missing; with `may_wait` only if the collection is not one that waits for questions."""
        reuse_vectors(self.catalog, embedder.info.fingerprint, neighbours(self.folder))
        missing = tokens_to_embed(self.catalog, embedder.info.fingerprint)
        is_lazy = may_wait and self._is_lazy()
        guesses.complete(pending=missing.passages, is_lazy=is_lazy)
        write_guess_index(self.folder, self.catalog)
        if is_lazy:
            return 0

        def on_done(done: EmbeddingProgress) -> None:
            self.on_progress(
                Progress("Embedding", done.passages, missing.passages, "passages", done.tokens, missing.tokens)
            )

        done = by(self.catalog, embedder, on_done, self.options.is_interrupted, guesses.improve)
        return done.passages

    def _is_lazy(self) -> bool:
        """Return whether passages are embedded only as questions ask for them: as chosen for the collection, else by its size."""
        chosen = self.catalog.meta(LAZY)
        return chosen == "yes" or (not chosen and 0 < self.lazy_above < count_chunks(self.catalog))
