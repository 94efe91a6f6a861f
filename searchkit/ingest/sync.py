"""Syncs the catalog's documents with their folders: added, changed, moved, deleted, unchanged.

Text only: vectors follow later (embed_pending.py). Each file is one transaction, so a crash leaves whole documents.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from searchkit import formats
from searchkit.catalog import documents, roots
from searchkit.catalog.catalog import CatalogWriter
from searchkit.catalog.documents import DocumentRecord
from searchkit.catalog.meta import COVERED, UNREAD, set_meta
from searchkit.catalog.roots import Root
from searchkit.errors import UsageError
from searchkit.files import TO_CATALOG, path_from_text, path_to_text
from searchkit.ingest.diff import NEVER_READ_NS, PipelineVersion, Survey, is_readable, settled, survey_root
from searchkit.ingest.discover import FoundFile, discover
from searchkit.ingest.extract import readers
from searchkit.ingest.sandbox.messages import Job, Limits, Part, Reading, Setup
from searchkit.ingest.sandbox.pool import read_files
from searchkit.reports import LeftOut, Problem, Progress, ProgressListener
from searchkit.types import Chunk, DocumentStatus

_FILE_BYTES = 4096  # the work per file, in addition to its bytes


class Change(StrEnum):
    """The change of a file since the last run."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    NOT_READ = "not read"  # it is new, and skipped or of a kind that is not read


@dataclass(frozen=True, slots=True)
class ChunkingConfig:
    """The configuration of chunking: the model whose tokens are counted, and limits."""

    count_tokens: Callable[[str], int]
    max_tokens: int
    model_fingerprint: str
    limits: Limits
    retry: bool = False

    @property
    def setup(self) -> Setup:
        """The configuration as the workers need it."""
        return Setup(self.count_tokens, self.max_tokens, self.limits)

    @property
    def pipeline_version(self) -> PipelineVersion:
        """The version of the pipeline; a file with another one is read again."""
        return PipelineVersion.here(self.model_fingerprint, self.limits, retry=self.retry)


@dataclass(frozen=True, slots=True)
class _ToRead:
    """A file to read, and its record in the catalog."""

    root: Root
    entry: FoundFile
    record: DocumentRecord | None


class FolderSync:
    """One run over some roots of a collection. `counts`: its changes so far. `on_stored`: gets the chunks of each stored file."""

    def __init__(
        self,
        catalog: CatalogWriter,
        chunking: ChunkingConfig,
        on_progress: ProgressListener,
        on_stored: Callable[[Iterable[Chunk]], None],
    ) -> None:
        self.counts: Counter[Change] = Counter()
        self.problems: list[Problem] = []  # of files
        self.folder_problems: list[Problem] = []
        self.left_out: dict[str, list[LeftOut]] = {}  # by the path of the root, in catalog form
        self._catalog = catalog
        self._chunking = chunking
        self._version = chunking.pipeline_version
        self._on_progress = on_progress
        self._on_stored = on_stored
        self._done = Progress("Reading", 0, 0, "files")
        self._chunks = 0

    def run(self, chosen: Sequence[Root]) -> None:
        """Survey the roots, then read their new and changed files.

        Files that were moved, also from one root to another, or removed are handled before anything is read.
        """
        surveys = [survey for root in chosen if (survey := self._survey(root))]
        self.counts[Change.UNCHANGED] += sum(survey.unchanged for survey in surveys)
        gone = {record.id: record for survey in surveys for record in survey.gone}
        to_read = [_ToRead(survey.root, *pair) for survey in surveys for pair in survey.changed]
        for survey in surveys:
            for entry in survey.new:
                if not self._move_here(survey.root, entry, gone):
                    to_read.append(_ToRead(survey.root, entry, None))
        for record in gone.values():
            with self._catalog.transaction():
                set_meta(self._catalog, COVERED, "")  # their vectors are still to be removed
                documents.remove_document(self._catalog, record.id)
            self.counts[Change.DELETED] += 1
        self._read_all(sorted(to_read, key=lambda item: -item.entry.mtime_ns))

    def _survey(self, root: Root) -> Survey | None:
        """Survey a root, None if it cannot be read."""
        known = documents.documents_of_root(self._catalog, root.id)
        excluded = roots.exclusions(self._catalog)
        try:
            survey = survey_root(root, known, discover(root.path, excluded), self._version)
        except UsageError as error:
            self.folder_problems.append(
                Problem(root.path, str(error), "Plug in or mount its drive, or forget the folder.")
            )
            return None
        self.folder_problems += survey.problems
        self.left_out[path_to_text(root.path)] = survey.left_out
        with self._catalog.transaction():
            roots.note_device(self._catalog, root, survey.device)
        return survey

    def _move_here(self, root: Root, entry: FoundFile, gone: dict[int, DocumentRecord]) -> bool:
        """Give a new file the chunks and vectors of one that was moved; return True if it is such a file."""
        candidates = documents.indexed_of_size(self._catalog, entry.size_bytes)
        sources = [record for record in candidates if record.id in gone or self._has_left(record, root)]
        sources = [record for record in sources if self._version.is_current(record)]
        if not sources or (hashed := _hash_of(entry.path)) is None:
            return False
        for source in sources:
            if source.content_hash == hashed and _promise_the_same(entry.path, path_from_text(source.path)):
                moved = replace(
                    source,
                    root_id=root.id,
                    path=entry.relative,
                    mtime_ns=settled(entry.mtime_ns),
                    ctime_ns=entry.ctime_ns,
                )
                with self._catalog.transaction():
                    documents.move_document(self._catalog, source.id, moved)
                gone.pop(source.id, None)
                self.counts[Change.MOVED] += 1
                return True
        return False

    def _has_left(self, record: DocumentRecord, here: Root) -> bool:
        """True if a document of another root is gone from it, although the root itself exists."""
        if record.root_id == here.id:
            return False  # the survey has covered it
        home = next((root.path for root in roots.all_roots(self._catalog) if root.id == record.root_id), None)
        try:
            return home is not None and any(home.iterdir()) and not (home / path_from_text(record.path)).exists()
        except OSError:
            return False

    def _read_all(self, to_read: Sequence[_ToRead]) -> None:
        """Read files and store their text, the most recent first."""
        with self._catalog.transaction():
            set_meta(self._catalog, UNREAD, str(len(to_read)))
            if to_read:
                set_meta(self._catalog, COVERED, "")
        work = sum(item.entry.size_bytes + _FILE_BYTES for item in to_read)
        self._done = Progress("Reading", 0, len(to_read), "files", 0.0, work)
        waiting = {str(item.entry.path): item for item in to_read}
        jobs = []
        for item in to_read:
            name = formats.UNSUPPORTED if item.entry.kind else formats.format_by_name(item.entry.path)
            if name == formats.UNSUPPORTED:
                self._store(waiting, Reading(Job(str(item.entry.path), "", 0)))
            elif name == formats.PICTURE and not self._version.can_ocr:  # it is not even opened
                self._store(waiting, Reading(Job(str(item.entry.path), "", 0), name, scanned_pages=1))
            elif item.entry.size_bytes > self._chunking.limits.file_bytes:
                reason = readers.too_large(item.entry.size_bytes, self._chunking.limits.file_bytes)
                self._store(
                    waiting, Reading(Job(str(item.entry.path), "", 0), name or "", reason=reason, remedy=readers.LARGER)
                )
            else:
                jobs.append(Job(str(item.entry.path), "", item.entry.size_bytes, self._known_hash(item)))
        for reading in read_files(jobs, self._chunking.setup):
            self._store(waiting, reading)

    def _known_hash(self, item: _ToRead) -> str:
        """The content hash with which the file need not be read again, "" if it must be."""
        record = item.record
        if record is None or record.content_hash is None or not self._version.is_current(record):
            return ""
        if record.status is DocumentStatus.UNSUPPORTED:
            return ""
        return record.content_hash.hex()

    def _store(self, waiting: dict[str, _ToRead], reading: Reading) -> None:
        item = waiting.pop(reading.job.path)
        with self._catalog.transaction():
            if not self._is_forgotten(item.entry.path):
                self.counts[self._put(item, reading)] += 1
            if self._catalog.meta(COVERED):  # by another run, which ended meanwhile
                set_meta(self._catalog, COVERED, "")
            set_meta(self._catalog, UNREAD, str(len(waiting)))
        self._on_stored(reading.chunks)
        self._chunks += len(reading.chunks)
        self._done = replace(
            self._done,
            done=self._done.done + 1,
            work_done=self._done.work_done + item.entry.size_bytes + _FILE_BYTES,
            note=f"{self._chunks:,} passages",
        )
        self._on_progress(self._done)

    def _is_forgotten(self, path: Path) -> bool:
        """True if the user has forgotten it since this run began."""
        excluded = roots.exclusions(self._catalog)
        return bool(excluded) and not excluded.isdisjoint((path, *path.parents))

    def _put(self, item: _ToRead, reading: Reading) -> Change:
        record = self._record(item, reading)
        if reading.unchanged and item.record is not None:
            times = (record.mtime_ns, record.ctime_ns)
            documents.touch_document(self._catalog, item.record.id, *times, item.record.recipe)
            return Change.UNCHANGED
        if not reading.is_lasting and item.record is not None and is_readable(item.record):
            noted = f"{reading.reason}; its previous text is kept"
            self._report(item, noted, reading.remedy)
            documents.note_problem(self._catalog, item.record.id, noted, reading.remedy, NEVER_READ_NS)
            return Change.UNCHANGED
        if record.status is DocumentStatus.SKIPPED:
            self._report(item, record.reason, record.remedy)
        self._put_with_parts(item, record, reading)
        if item.record is None:
            return Change.ADDED if record.status is DocumentStatus.INDEXED else Change.NOT_READ
        same = (record.status, record.reason) == (item.record.status, item.record.reason)
        return Change.UNCHANGED if same and record.status is not DocumentStatus.INDEXED else Change.CHANGED

    def _put_with_parts(self, item: _ToRead, record: DocumentRecord, reading: Reading) -> None:
        """Store a file, and each file inside it as a document of its own."""
        chunks = iter(reading.chunks)
        document_id = documents.put_document(self._catalog, record, islice(chunks, reading.own_chunks))
        for part in reading.parts:
            own = list(islice(chunks, part.chunk_count))
            inside = part_record(record, part, document_id, self._version)
            if inside.status is DocumentStatus.SKIPPED:
                own = []
                self._report(item, f"{inside.inside}: {inside.reason}", inside.remedy)
            documents.put_document(self._catalog, inside, own)

    def _record(self, item: _ToRead, reading: Reading) -> DocumentRecord:
        has_text = reading.own_chunks or any(not part.reason for part in reading.parts)
        status = DocumentStatus.INDEXED if has_text else DocumentStatus.SKIPPED
        is_key = reading.format == formats.PRIVATE_KEY
        is_silent = (
            is_key or reading.format == formats.UNSUPPORTED or (reading.format == formats.PICTURE and not has_text)
        )
        if not reading.reason and is_silent:
            status = DocumentStatus.UNSUPPORTED
        scanned_pages = reading.scanned_pages + sum(part.scanned_pages for part in reading.parts)
        entry = item.entry
        mtime_ns = entry.mtime_ns if reading.mtime_ns is None else reading.mtime_ns
        return DocumentRecord(
            id=0,
            root_id=item.root.id,
            path=entry.relative,
            content_hash=reading.content_hash,
            size_bytes=entry.size_bytes if reading.size_bytes is None else reading.size_bytes,
            mtime_ns=mtime_ns if reading.is_lasting else NEVER_READ_NS,
            ctime_ns=entry.ctime_ns if reading.ctime_ns is None else reading.ctime_ns,
            format=reading.format or reading.job.format,
            status=status,
            reason=_kind_of(entry, reading.format) if status is DocumentStatus.UNSUPPORTED else reading.reason,
            title=reading.title,
            recipe=self._version.name(status, scanned_pages, reading.format or reading.job.format, entry.relative),
            remedy=reading.remedy,
            metadata=reading.metadata,
            scanned_pages=reading.scanned_pages,
            left_out=reading.left_out,
        )

    def _report(self, item: _ToRead, reason: str, remedy: str) -> None:
        self.problems.append(Problem(item.entry.path, reason, remedy))


def part_record(around: DocumentRecord, part: Part, document_id: int, version: PipelineVersion) -> DocumentRecord:
    """The record of a file inside a file, whose document has been stored with an id."""
    status = DocumentStatus.SKIPPED if part.reason else DocumentStatus.INDEXED
    inside = part.inside.translate(TO_CATALOG)
    return replace(
        around,
        path=f"{around.path}/{inside}",
        content_hash=bytes.fromhex(part.content_hash) or None,
        size_bytes=part.size_bytes,
        mtime_ns=around.mtime_ns if part.mtime_ns is None else part.mtime_ns,
        format=part.format,
        status=status,
        reason=part.reason,
        remedy=part.remedy,
        title=part.title,
        metadata=part.metadata,
        recipe=version.name(status, part.scanned_pages, part.format, inside),
        scanned_pages=part.scanned_pages,
        left_out=part.left_out,
        container_id=document_id,
        inside=inside,
    )


def _kind_of(entry: FoundFile, format_name: str) -> str:
    """The kind of a file without text: a link or the like, a private key, or its suffix."""
    return (
        entry.kind
        or (format_name if format_name != formats.PICTURE else "")
        or entry.path.suffix.lower()
        or format_name
    )


def _promise_the_same(path: Path, other: Path) -> bool:
    """True if equal content is of the same format under both names."""
    return formats.format_by_name(path) == formats.format_by_name(other)


def _hash_of(path: Path) -> bytes | None:
    """The content's hash, None if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return None
