"""Finds the changes in a folder since its last run, by names, sizes, times and the pipeline's version; opens no file."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from searchkit import formats
from searchkit.catalog.documents import DocumentRecord
from searchkit.catalog.roots import Root
from searchkit.formats import CONTAINERS
from searchkit.ingest import chunk
from searchkit.ingest.discover import OFFLINE, FoundFile, UnreadableFolder
from searchkit.ingest.extract import ocr, readers
from searchkit.ingest.sandbox.messages import Limits
from searchkit.reports import LeftOut, LeftOutRule, Problem
from searchkit.types import DocumentStatus

_BLANK_LINES = "/blank-lines"  # where code was cut
_TEXT_ENDINGS = (".txt", ".log")  # the most frequent names of text
BY_WORDS = "words"  # in place of a model's fingerprint: chunks cut by an estimate, for whichever model may come


@dataclass(frozen=True, slots=True)
class PipelineVersion:
    """The version of the extraction pipeline: the format's reader, chunking and the model whose tokens are counted; a file is
    read again when it changes. For files that could not be read, it includes the limits.

    `model_fingerprint`: BY_WORDS if there is no model yet. `retry`: read files again that could not be read, although nothing
    has changed.
    """

    model_fingerprint: str
    limits: Limits
    can_ocr: bool
    has_grammars: bool = True
    reads_old_office: bool = True
    retry: bool = False
    other_archives: str = ""

    @classmethod
    def here(cls, model_fingerprint: str, limits: Limits, *, retry: bool = False) -> "PipelineVersion":
        """The version on this machine, with what is installed."""
        return cls(
            model_fingerprint,
            limits,
            not ocr.missing(),
            formats.has_grammars(),
            formats.reads_old_office(),
            retry,
            formats.other_archives(),
        )

    def name(self, status: DocumentStatus, scanned_pages: int, format_name: str, path: str) -> str:
        """The version string of a document with this outcome. Code without its grammar is read again once that has come."""
        basis = self._basis(status, scanned_pages, format_name, path)
        is_cut_plainly = format_name in formats.WITH_GRAMMAR and not self.has_grammars
        return f"{basis}{_BLANK_LINES}" if is_cut_plainly else basis

    def _basis(self, status: DocumentStatus, scanned_pages: int, format_name: str, path: str) -> str:
        basis = f"{readers.version(_taken_for(format_name, path))}.{chunk.VERSION}/{self.model_fingerprint}"
        if not self.limits.contained and format_name in CONTAINERS:
            basis += "/alone"
        if format_name in formats.OLD_OFFICE and not self.reads_old_office:
            basis += "/without"
        if status is not DocumentStatus.SKIPPED and not scanned_pages:
            return basis
        limits = self.limits
        if self.other_archives and format_name in ("archive", formats.UNSUPPORTED):  # members have no format yet
            basis += f"/{self.other_archives}"
        return f"{basis}/{limits.file_bytes},{limits.seconds},{limits.memory_bytes},{'ocr' if self.can_ocr else ''}"

    def is_current(self, record: DocumentRecord) -> bool:
        """True if the same file would be read the same way now, or was read before there was a model.

        Without a model, chunks that were cut for one stay as they are: it may come back.
        """
        if self.retry and record.status is DocumentStatus.SKIPPED:
            return False
        recipe = record.recipe if self.has_grammars else record.recipe.removesuffix(_BLANK_LINES)
        outcome = (record.status, record.scanned_pages, record.format, record.path)
        models = {self.model_fingerprint, BY_WORDS}
        if self.model_fingerprint == BY_WORDS:
            models |= set(recipe.split("/")[1:2])
        return any(recipe == replace(self, model_fingerprint=model)._basis(*outcome) for model in models)


def _taken_for(format_name: str, path: str) -> str:
    """The format whose version counts: for text whose name does not promise any, that of what has no format."""
    if format_name != "text" or path.endswith(_TEXT_ENDINGS):
        return format_name
    return format_name if formats.format_by_name(PurePosixPath(path)) else ""


@dataclass(frozen=True, slots=True)
class Survey:
    """A root's files: the number that are unchanged, those that may have changed (with their records), those that are new, the
    records of those that are gone, and what rules leave out.
    """

    root: Root
    device: int
    unchanged: int = 0
    changed: list[tuple[FoundFile, DocumentRecord]] = field(default_factory=list)
    new: list[FoundFile] = field(default_factory=list)
    gone: list[DocumentRecord] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def survey_root(
    root: Root,
    known: Iterable[DocumentRecord],
    found: Iterable[FoundFile | UnreadableFolder | LeftOut],
    version: PipelineVersion,
) -> Survey:
    """Compare what `discover` finds with what the catalog knows.

    Folders that cannot be read lose no documents, nor does a root that is empty, as an unmounted drive is.
    Raises UsageError if the root cannot be listed.
    """
    gone = {record.path: record for record in known}
    count = len(gone)
    changed, new, problems, kept_below = [], [], [], []
    left_out = []
    unchanged = 0
    for entry in found:
        if isinstance(entry, LeftOut):
            left_out.append(entry)
            continue
        if isinstance(entry, UnreadableFolder):
            problems.append(Problem(entry.path, entry.reason, "Give yourself the right to read it, or forget it."))
            kept_below.append(entry.relative + "/")
            continue
        record = gone.pop(entry.relative, None)
        if entry.kind == OFFLINE:  # what was read before is kept, as that of a drive that is away
            left_out.append(LeftOut(entry.path, LeftOutRule.OFFLINE, whole_folder=False))
            unchanged += record is not None
        elif record is None:
            new.append(entry)
        elif _is_unchanged(entry, record, version):
            unchanged += 1
        else:
            changed.append((entry, record))
    if kept_below:
        gone = {path: record for path, record in gone.items() if not path.startswith(tuple(kept_below))}
    device = _device(root.path)
    if count == len(gone) > 0 and (not new or device != (root.device or device)):
        state = "it is on another drive than before and has none of its files" if new else "it is empty now"
        problems.append(
            Problem(
                root.path,
                f"{state}, so nothing was removed or read: is a drive missing?",
                "If the files are gone for good, forget the folder.",
            )
        )
        return Survey(root, root.device if root.device is not None else device, problems=problems)
    return Survey(root, device, unchanged, changed, new, list(gone.values()), problems, left_out)


def _is_unchanged(entry: FoundFile, record: DocumentRecord, version: PipelineVersion) -> bool:
    known = (record.size_bytes, record.mtime_ns, record.ctime_ns)
    return (entry.size_bytes, entry.mtime_ns, entry.ctime_ns) == known and version.is_current(record)


def is_readable(record: DocumentRecord) -> bool:
    """True if the catalog has the document's text."""
    return record.status is DocumentStatus.INDEXED


def _device(path: Path) -> int:
    try:
        return path.stat().st_dev
    except OSError:  # gone since it was listed; the next run will see
        return -1


NEVER_READ_NS = -1  # no file has this time, so the next run looks again
_FINE_NS = 50_000_000  # a file may change once more within its time stamp's resolution: this,
_COARSE_NS = 2_000_000_000  # or this where the file system keeps whole seconds


def settled(mtime_ns: int) -> int:
    """The time of a file that is read now, or NEVER_READ_NS if it could change once more within the same time."""
    grain = _FINE_NS if mtime_ns % 1_000_000_000 else _COARSE_NS
    return mtime_ns if abs(time.time_ns() - mtime_ns) > grain else NEVER_READ_NS
