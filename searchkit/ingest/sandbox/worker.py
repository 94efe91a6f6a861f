"""A worker process: reads the files it is given, one after the other, and answers with their chunks.

Started by pool.py. The first line of standard input is the set-up, each later one a job; answers are lines of JSON.
"""

import gc
import hashlib
import os
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from searchkit import formats
from searchkit.errors import UnreadableFileError
from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.diff import settled
from searchkit.ingest.extract import readers
from searchkit.ingest.extract.contained import ContainedFile, contained_files
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.sandbox.messages import (
    CHUNKS_AT_ONCE,
    MOST_LIMITS,
    Part,
    Setup,
    forbid_side_effects,
    from_line,
    limit_resources,
    limit_time,
    to_line,
)
from searchkit.types import Chunk, ExtractedDocument

_Send = Callable[[dict[str, Any]], None]
_GRACE_SECONDS = 10  # after the limit, for the run that started us to end us with a reason
_SIGN_SECONDS = 2.0  # between two heartbeats of a slow reader
_TORN_READS = 3
_SMALL_TEXT = 20_000_000  # characters that any file may contain,
_MOST_EXPANSION = 30  # and characters per byte of a larger one: office files of running text have three to ten


@dataclass(frozen=True, slots=True)
class Content:
    """A file's content, and its state and time of change when reading began."""

    data: bytes
    status: os.stat_result
    mtime_ns: int


def main() -> None:
    """Serve until standard input ends."""
    jobs = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing a library prints gets among the answers
    setup = Setup.decode(jobs.readline().decode())
    setup.count_tokens("")  # opens the tokenizer before access is restricted
    limit_resources(setup.limits.memory_bytes)
    forbid_side_effects()

    def send(message: dict[str, Any]) -> None:
        limit_time(setup.limits.seconds + _GRACE_SECONDS)
        answers.write(to_line(message))
        answers.flush()
        readers.allow_time(setup.limits.seconds)

    readers.listen(lambda: send({"chunks": []}))
    is_first = True
    for line in jobs:
        if is_first:  # our start was none of its time
            send({"chunks": []})
            is_first = False
        limit_time(setup.limits.seconds + _GRACE_SECONDS)
        readers.allow_time(setup.limits.seconds, MOST_LIMITS * setup.limits.seconds)
        send({"done": _answer(from_line(line), setup, send)})
        limit_time(0)


def _answer(job: dict[str, Any], setup: Setup, send: _Send) -> dict[str, Any]:
    """The final message on a file; its chunks are sent before."""
    known: dict[str, Any] = {}
    try:
        content = read_regular(job["path"], setup.limits.file_bytes)
        known = {
            "format": job["format"] or format_of(PurePath(job["path"]), content.data),
            "content_hash": hash_of(content.data),
            "size_bytes": content.status.st_size,
            "mtime_ns": content.mtime_ns,
            "ctime_ns": content.status.st_ctime_ns,
        }
        if known["content_hash"] == job["known_hash"]:
            return {**known, "unchanged": True}
        if known["format"] not in (formats.UNSUPPORTED, formats.PRIVATE_KEY):
            known |= _read_file(known["format"], content.data, setup, send)
    except UnreadableFileError as error:
        known |= {"reason": str(error), "remedy": error.advice, "scanned_pages": error.scanned_pages}
    except MemoryError:
        gc.collect()
        known |= {"reason": "reading it takes more memory than one file may have"}
    except OSError as error:
        known |= {"reason": f"cannot be read ({error.strerror})", "is_lasting": False}
    return known


def _read_file(format_name: str, content: bytes, setup: Setup, send: _Send) -> dict[str, Any]:
    """Send the chunks of a file, then those of the files inside it."""
    own = _Text(setup, send)
    about = own.read(format_name, content)
    parts = []
    noted = Counter(about["left_out"])
    if setup.limits.contained:
        inside = contained_files(format_name, content, setup.limits.file_bytes)
        for found in readers.each_noted(inside, noted):
            part = _read_part(found, about["metadata"].get("date", ""), setup, send)
            readers.heartbeat()
            if part.format == formats.PICTURE and not part.chunk_count and not part.reason:
                about["scanned_pages"] += part.scanned_pages  # of the file in which it is, if there is no OCR
            else:
                parts.append(part)
    about |= {"parts": [asdict(part) for part in parts], "left_out": dict(noted)}
    if format_name != formats.PICTURE and not own.count and all(part.reason for part in parts):
        about |= {"reason": "empty: it contains no text", "remedy": "Nothing to do, unless it should contain text."}
    return about


def _read_part(found: ContainedFile, date: str, setup: Setup, send: _Send) -> Part:
    """Send the chunks of a file inside a file. What goes wrong costs that one only. `date`: of the other, for one that has none."""
    part = Part(found.inside, found.format, reason=found.reason, remedy=found.remedy, mtime_ns=found.mtime_ns)
    if found.reason:
        return part
    part = replace(part, content_hash=hash_of(found.content), size_bytes=len(found.content))
    text = _Text(setup, send, found.inside)
    try:
        about = text.read(found.format, found.content)
    except UnreadableFileError as error:  # what was sent before is counted, and dropped
        failed = replace(part, reason=str(error), remedy=error.advice, chunk_count=text.count)
        return replace(failed, scanned_pages=error.scanned_pages)
    metadata = {**({"date": date} if date else {}), **about["metadata"]}
    reason = "" if text.count or found.format == formats.PICTURE else "empty: it contains no text"
    return replace(part, **{**about, "metadata": metadata}, reason=reason, chunk_count=text.count)


@dataclass(slots=True)
class _Text:
    """The text of a file or of one inside it, sent as it is read; `count`: of chunks sent."""

    setup: Setup
    send: _Send
    inside: str = ""
    count: int = 0

    def read(self, format_name: str, content: bytes) -> dict[str, Any]:
        """Send the chunks, and return what else is known. Raises UnreadableFileError."""
        document = readers.extract(format_name, content)
        most = min(self.setup.limits.text_characters, max(_SMALL_TEXT, _MOST_EXPANSION * len(content)))
        chunks = _within(document, self.setup, most)
        for group in _in_groups(_placed(chunks, self.inside) if self.inside else chunks):
            self.send({"chunks": group})
            self.count += len(group)
        about = {"title": document.title, "metadata": dict(document.metadata), "scanned_pages": document.scanned_pages}
        return {**about, "left_out": dict(document.left_out)}


def hash_of(content: bytes) -> str:
    """The hash of a file's content, as the catalog has it, in hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _placed(chunks: Iterator[Chunk], inside: str) -> Iterator[Chunk]:
    """Give chunks the name of their file inside the other as their place, and behind it their own place, page or line."""
    for chunk in chunks:
        own = chunk.place
        page = f"page {chunk.page}" if chunk.page is not None else ""
        if page and not own.startswith("page "):
            own = f"{page}, {own}" if own else page
        elif not own and chunk.line is not None:
            own = f"line {chunk.line}"
        yield replace(chunk, place=f"{inside}, {own}" if own else inside, page=None, line=None, line_end=None, lines="")


def _within(document: ExtractedDocument, setup: Setup, most_characters: int) -> Iterator[Chunk]:
    characters = 0
    for chunk in chunk_document(document, setup.count_tokens, setup.max_tokens):
        characters += len(chunk.text)
        if characters > most_characters:
            raise UnreadableFileError(
                f"it unpacks to more than {most_characters:,} characters of text",
                remedy="If that is no mistake, split it into several files, or save it as plain text.",
            )
        yield chunk


def _in_groups(chunks: Iterator[Chunk]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    last = time.monotonic()
    for chunk in chunks:
        group.append(asdict(chunk))
        if len(group) == CHUNKS_AT_ONCE or time.monotonic() - last > _SIGN_SECONDS:
            yield group
            group, last = [], time.monotonic()
    if group:
        yield group


def read_regular(path: str, limit_bytes: int) -> Content:
    """Read a regular file's content, again if it changed meanwhile. Never wait for a pipe, never follow a link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableFileError("not a regular file")
        mtime_ns = settled(before.st_mtime_ns)
        for _ in range(_TORN_READS):
            if before.st_size > limit_bytes:
                raise UnreadableFileError(readers.too_large(before.st_size, limit_bytes), remedy=readers.LARGER)
            data = file.read(limit_bytes + 1)
            after = os.fstat(file.fileno())
            if (
                (after.st_size, after.st_mtime_ns)
                == (before.st_size, before.st_mtime_ns)
                == (len(data), after.st_mtime_ns)
            ):
                break
            before = after
            mtime_ns = settled(before.st_mtime_ns)
            file.seek(0)
        # A file that keeps changing is used as it was read; its time shows the next run that it has changed.
        return Content(data[:limit_bytes], before, mtime_ns)


if __name__ == "__main__":
    main()
