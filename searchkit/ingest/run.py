"""One index run over a collection: every root mirrored, then every missing vector computed, then the index renewed."""

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from searchkit.catalog import documents, roots, vectors
from searchkit.catalog.collection_folder import CollectionFolder
from searchkit.catalog.connection import transaction
from searchkit.catalog.meta import COVERED, UPDATED, set_folder_problems, set_meta
from searchkit.catalog.roots import Root
from searchkit.embedding.embedder import Embedder
from searchkit.errors import UsageError
from searchkit.ingest.discover import discover
from searchkit.ingest.fill import fill_vectors
from searchkit.ingest.mirror import Change, Cutter, Mirror
from searchkit.types import DocumentStatus, IndexReport, Problem, Progress, ProgressListener
from searchkit.vector_store import refresh_index


@dataclass(frozen=True, slots=True)
class IndexRun:
    """What an index run needs. The caller holds the collection's lock."""

    folder: CollectionFolder
    connection: sqlite3.Connection
    embedder: Embedder
    max_file_bytes: int
    on_progress: ProgressListener

    def run(self, chosen: Sequence[Root]) -> IndexReport:
        """Bring the chosen roots up to date. A root that cannot be read is reported, and nothing of it is removed."""
        started = time.monotonic()
        with transaction(self.connection):
            set_meta(self.connection, COVERED, "")
        counts, problems = self._mirror(chosen)
        embed_started = time.monotonic()
        embedded = self._fill()
        embed_seconds = time.monotonic() - embed_started
        self.finish()
        statuses = documents.count_by_status(self.connection)
        return IndexReport(
            collection=self.folder.name,
            model=self.embedder.name,
            added=counts[Change.ADDED],
            changed=counts[Change.CHANGED],
            moved=counts[Change.MOVED],
            deleted=counts[Change.DELETED],
            unchanged=counts[Change.UNCHANGED],
            skipped=statuses[DocumentStatus.SKIPPED],
            unsupported=statuses[DocumentStatus.UNSUPPORTED],
            chunks=documents.count_chunks(self.connection),
            embedded=embedded,
            elapsed_seconds=time.monotonic() - started,
            embed_seconds=embed_seconds,
            problems=tuple(problems),
        )

    def finish(self) -> None:
        """Drop what no document needs any more and renew the index; safe to repeat."""
        with transaction(self.connection):
            vectors.remove_orphans(self.connection)
            set_meta(self.connection, COVERED, self.embedder.fingerprint)
            set_meta(self.connection, UPDATED, time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        refresh_index(self.folder, self.connection, self.embedder)
        self.connection.execute("PRAGMA optimize")

    def _mirror(self, chosen: Sequence[Root]) -> tuple[Counter[Change], list[Problem]]:
        cutter = Cutter(self.embedder.count_tokens, self.embedder.max_tokens, self.embedder.fingerprint)
        excluded = roots.exclusions(self.connection)
        counts: Counter[Change] = Counter()
        problems: list[Problem] = []
        of_folders: list[Problem] = []
        for root in chosen:
            mirror = Mirror(self.connection, root, cutter, self.max_file_bytes)
            try:
                mirror.run(discover(root.path, excluded), self._on_file)
            except UsageError as error:
                of_folders.append(Problem(root.path, str(error)))
            counts += mirror.counts
            problems += mirror.problems
            of_folders += mirror.folder_problems
        with transaction(self.connection):
            set_folder_problems(self.connection, of_folders, [root.path for root in chosen])
        return counts, of_folders + problems

    def _fill(self) -> int:
        passages, covered = vectors.count_passages(self.connection, self.embedder.fingerprint)
        missing = passages - covered

        def on_done(done: int) -> None:
            self.on_progress(Progress("Embedding", done, missing, "passages"))

        return fill_vectors(self.connection, self.embedder, on_done)

    def _on_file(self, seen: int) -> None:
        self.on_progress(Progress("Reading", seen, None, "files"))
