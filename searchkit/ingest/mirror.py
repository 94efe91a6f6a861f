"""Brings the catalog's documents in line with a folder: added, changed, moved, deleted, unchanged.

Text only: vectors follow later (fill.py). Each file is one transaction, so a crash leaves whole documents.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePath

from searchkit.catalog import documents
from searchkit.catalog.connection import transaction
from searchkit.catalog.documents import DocumentRecord
from searchkit.catalog.roots import Root
from searchkit.errors import UnreadableFileError
from searchkit.ingest import chunk
from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.discover import FoundFile, UnreadableFolder
from searchkit.ingest.extract import formats
from searchkit.paths import path_from_text
from searchkit.types import Chunk, DocumentStatus, Problem

_BEGINNING_BYTES = 8192
_NEVER_READ_NS = -1  # no file has this time, so the next run looks again

_Content = tuple[bytes | None, str, str]  # hash, recipe and format: files with the same have the same chunks


class Change(StrEnum):
    """What happened to a file since the last run."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"
    DELETED = "deleted"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Cutter:
    """How text becomes chunks. `recipe` changes whenever the same file could give other chunks."""

    count_tokens: Callable[[str], int]
    max_tokens: int
    model_fingerprint: str

    @property
    def recipe(self) -> str:
        """Names readers, chunking and the model whose tokens are counted."""
        return f"{formats.VERSION}.{chunk.VERSION}/{self.model_fingerprint}"


class Mirror:
    """One run over one root. `counts` says what it did so far."""

    def __init__(self, connection: sqlite3.Connection, root: Root, cutter: Cutter, max_file_bytes: int) -> None:
        self.counts: Counter[Change] = Counter()
        self.problems: list[Problem] = []  # of files
        self.folder_problems: list[Problem] = []
        self._connection = connection
        self._root = root
        self._cutter = cutter
        self._max_file_bytes = max_file_bytes
        self._known = {record.path: record for record in documents.documents_of_root(connection, root.id)}

    def run(self, found: Iterable[FoundFile | UnreadableFolder], on_file: Callable[[int], None]) -> None:
        """Take in what `discover` finds; `on_file` gets the number of files seen so far.

        New files wait for the end of the walk: only then is it known what is gone, and so what has moved.
        """
        gone = dict(self._known)
        new: list[FoundFile] = []
        kept_below: list[str] = []
        seen = 0
        for entry in found:
            if isinstance(entry, UnreadableFolder):
                self.folder_problems.append(Problem(entry.path, entry.reason))
                kept_below.append(entry.relative + "/")
                continue
            record = gone.pop(entry.relative, None)
            if record is None:
                new.append(entry)
                continue
            self._revisit(entry, record)
            seen += 1
            on_file(seen)
        gone = {path: record for path, record in gone.items() if not path.startswith(tuple(kept_below))}
        if self._known and not (seen or new or kept_below):
            reason = f"it is empty now, and nothing was removed: is a drive missing? If not: searchkit forget {self._root.path}"
            self.folder_problems.append(Problem(self._root.path, reason))
            return
        movable = _by_content(gone.values())
        for seen_now, entry in enumerate(new, seen + 1):
            if source := self._take_in(entry, movable):
                del gone[source.path]
            on_file(seen_now)
        for record in gone.values():
            with transaction(self._connection):
                documents.remove_document(self._connection, record.id)
            self.counts[Change.DELETED] += 1

    def _revisit(self, entry: FoundFile, record: DocumentRecord) -> None:
        known = (record.size_bytes, record.mtime_ns, record.ctime_ns)
        same_file = (entry.size_bytes, entry.mtime_ns, entry.ctime_ns) == known
        if same_file and record.recipe == self._cutter.recipe:
            self.counts[Change.UNCHANGED] += 1
            return
        read = self._read(entry)
        if isinstance(read, DocumentRecord):
            if read.mtime_ns == _NEVER_READ_NS and record.status is DocumentStatus.INDEXED:
                self._keep_old_text(record, read.reason)
                return
            unchanged = (read.status, read.reason) == (record.status, record.reason)
            self._put(read, [])
            self.counts[Change.UNCHANGED if unchanged else Change.CHANGED] += 1
            return
        content, fresh = read
        if _content(fresh) == _content(record) and record.status is not DocumentStatus.UNSUPPORTED:
            with transaction(self._connection):
                documents.touch_document(self._connection, record.id, entry.mtime_ns, entry.ctime_ns)
            self.counts[Change.UNCHANGED] += 1
            return
        self._index(content, fresh)
        self.counts[Change.CHANGED] += 1

    def _keep_old_text(self, record: DocumentRecord, reason: str) -> None:
        """A file that was readable before keeps its text until it is readable again, or gone."""
        noted = f"{reason}; its last text is kept"
        self._report(record.path, noted)
        with transaction(self._connection):
            documents.note_problem(self._connection, record.id, noted, _NEVER_READ_NS)
        self.counts[Change.UNCHANGED] += 1

    def _take_in(self, entry: FoundFile, movable: dict[_Content, list[DocumentRecord]]) -> DocumentRecord | None:
        """Index a file at a path that was not known; returns the record that moved here, None if it is new."""
        read = self._read(entry)
        if isinstance(read, DocumentRecord):
            self._put(read, [])
            self.counts[Change.ADDED] += 1
            return None
        content, fresh = read
        sources = movable.get(_content(fresh))
        if not sources:
            self._index(content, fresh)
            self.counts[Change.ADDED] += 1
            return None
        source = sources.pop()
        with transaction(self._connection):
            documents.move_document(self._connection, source.id, self._root.id, entry.relative)
            documents.touch_document(self._connection, source.id, entry.mtime_ns, entry.ctime_ns)
        self.counts[Change.MOVED] += 1
        return source

    def _read(self, entry: FoundFile) -> DocumentRecord | tuple[bytes, DocumentRecord]:
        """The file's content and what is known of it before its text is; the record alone if there is no text to get."""
        record = DocumentRecord(
            id=0,
            root_id=self._root.id,
            path=entry.relative,
            content_hash=None,
            size_bytes=entry.size_bytes,
            mtime_ns=entry.mtime_ns,
            ctime_ns=entry.ctime_ns,
            format="",
            status=DocumentStatus.SKIPPED,
            reason="",
            title="",
            recipe=self._cutter.recipe,
        )
        try:
            format_name = formats.format_of(PurePath(entry.path), _beginning(entry.path))
            if format_name == formats.UNSUPPORTED:
                return replace(record, status=DocumentStatus.UNSUPPORTED, reason=entry.path.suffix.lower())
            if entry.size_bytes > self._max_file_bytes:
                return replace(record, format=format_name, reason=_too_large(entry.size_bytes, self._max_file_bytes))
            content = entry.path.read_bytes()
        except OSError as error:
            return replace(record, mtime_ns=_NEVER_READ_NS, reason=f"cannot be read ({error.strerror})")
        hashed = hashlib.blake2b(content, digest_size=16).digest()
        return content, replace(record, content_hash=hashed, format=format_name)

    def _index(self, content: bytes, record: DocumentRecord) -> None:
        """Get the text, or the chunks of the same text elsewhere, and store them."""
        twin = documents.indexed_twin(self._connection, record)
        if twin is not None:
            record = replace(record, status=DocumentStatus.INDEXED, title=twin.title)
            self._put(record, documents.chunks_of_document(self._connection, twin.id))
            return
        try:
            extracted = formats.extract(record.format, content)
            chunks = list(chunk_document(extracted, self._cutter.count_tokens, self._cutter.max_tokens))
            if not chunks:
                raise UnreadableFileError("empty: there is no text in it")
        except UnreadableFileError as error:
            self._put(replace(record, reason=str(error)), [])
            return
        self._put(replace(record, status=DocumentStatus.INDEXED, title=extracted.title), chunks)

    def _put(self, record: DocumentRecord, chunks: list[Chunk]) -> None:
        if record.status is DocumentStatus.SKIPPED:
            self._report(record.path, record.reason)
        with transaction(self._connection):
            documents.put_document(self._connection, record, chunks)

    def _report(self, relative: str, reason: str) -> None:
        self.problems.append(Problem(self._root.path / path_from_text(relative), reason))


def _content(record: DocumentRecord) -> _Content:
    return record.content_hash, record.recipe, record.format


def _by_content(records: Iterable[DocumentRecord]) -> dict[_Content, list[DocumentRecord]]:
    """Records whose text is known, by what they hold."""
    found: dict[_Content, list[DocumentRecord]] = {}
    for record in records:
        if record.content_hash is not None:
            found.setdefault(_content(record), []).append(record)
    return found


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_BEGINNING_BYTES)


def _too_large(size_bytes: int, limit: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB, more than the limit of {limit / 1e6:.0f} MB (max_file_megabytes in config.toml)"
