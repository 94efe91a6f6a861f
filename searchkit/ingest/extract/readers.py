"""The reader of each format, and what all readers share: one kind of error, and text that SQLite can store."""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import TypeVar

from searchkit.errors import UnreadableFileError
from searchkit.types import Block, ExtractedDocument

_VERSION = 3  # of readers whose text is as it was when they all had one
# Raise a format's when its reader's text changes: files of that format are then read again. "": what was taken for no format;
# raise it when more is recognised.
_VERSIONS: dict[str, int] = {
    "": 9,
    "text": 5,
    "data": 6,
    "markdown": 7,
    "rst": 5,
    "org": 5,
    "notebook": 5,
    "html": 10,
    "docx": 12,
    "xlsx": 12,
    "pptx": 10,
    "odf": 10,
    "epub": 9,
    "rtf": 6,
    "table": 4,
    "pdf": 14,
    "mail": 13,
    "mailbox": 13,
    "msg": 6,
    "archive": 8,
    "chat": 5,
    "calendar": 4,
    "xls": 4,
    "code": 4,
}
_BUILT_ON = {
    "mail": "html",
    "mailbox": "html",
    "msg": "mail",
    "mhtml": "html",
    "epub": "html",
    "notebook": "markdown",
    **dict.fromkeys(("python", "javascript", "typescript", "tsx", "java", "c", "cpp", "header", "go"), "code"),
    **dict.fromkeys(("rust", "ruby", "php", "csharp", "shell"), "code"),
}  # whose texts change too
LARGER = "Raise max_file_megabytes in config.toml."  # the remedy for files that are too large,
LONGER = "If it is worth the time, raise max_file_seconds in config.toml."  # and for those that take too long

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MODULE = "searchkit.ingest.extract."
_READERS = {
    "markdown": ("markup.markdown", "extract_markdown"),
    "text": ("text", "extract_text"),
    "rst": ("markup.rst", "extract_rst"),
    "org": ("markup.org", "extract_org"),
    "data": ("data.config", "extract_data"),
    "table": ("data.table", "extract_table"),
    "subtitles": ("data.subtitles", "extract_subtitles"),
    "notebook": ("data.notebook", "extract_notebook"),
    "html": ("markup.html", "extract_html"),
    "pdf": ("pdf.document", "extract_pdf"),
    "docx": ("office.docx", "extract_docx"),
    "pptx": ("office.pptx", "extract_pptx"),
    "xlsx": ("office.xlsx", "extract_xlsx"),
    "odf": ("office.odf", "extract_odf"),
    "epub": ("markup.epub", "extract_epub"),
    "rtf": ("office.rtf", "extract_rtf"),
    "mail": ("mail", "extract_mail"),
    "mailbox": ("mail", "extract_mailbox"),
    "calendar": ("data.exports", "extract_calendar"),
    "contacts": ("data.exports", "extract_contacts"),
    "chat": ("data.exports", "extract_chat"),
    "doc": ("office.legacy", "extract_doc"),
    "ppt": ("office.legacy", "extract_ppt"),
    "xls": ("office.legacy", "extract_xls"),
    "msg": ("office.outlook", "extract_msg"),
    "archive": ("unpack", "extract_archive"),
    "picture": ("pictures", "extract_picture"),
    "mhtml": ("mail", "extract_saved_page"),
    "code": ("code.source", "extract_code"),
    "python": ("code.source", "extract_python"),
    "javascript": ("code.source", "extract_javascript"),
    "typescript": ("code.source", "extract_typescript"),
    "tsx": ("code.source", "extract_tsx"),
    "java": ("code.source", "extract_java"),
    "c": ("code.source", "extract_c"),
    "cpp": ("code.source", "extract_cpp"),
    "header": ("code.source", "extract_header"),
    "go": ("code.source", "extract_go"),
    "rust": ("code.source", "extract_rust"),
    "ruby": ("code.source", "extract_ruby"),
    "php": ("code.source", "extract_php"),
    "csharp": ("code.source", "extract_csharp"),
    "shell": ("code.source", "extract_shell"),
}


def version(format_name: str) -> int:
    """The version of a format's reader; a document that another one has read is read again."""
    above = version(_BUILT_ON[format_name]) - _VERSION if format_name in _BUILT_ON else 0
    return _VERSIONS.get(format_name, _VERSION) + above


def too_large(size_bytes: int, limit_bytes: int) -> str:
    """The reason why a file is not read."""
    return f"{size_bytes / 1e6:,.0f} MB, more than the limit of {limit_bytes / 1e6:,.0f} MB"


def extract(format_name: str, content: bytes) -> ExtractedDocument:
    """Read a file's content. Raises UnreadableFileError, with the reason, whatever goes wrong inside a reader.

    The blocks may be read lazily, and then raise it too.
    """
    module, function = _READERS[format_name]
    noted: Counter[str] = Counter()
    with _one_kind_of_error(format_name), _noting(noted):
        reader: Callable[[bytes], ExtractedDocument] = getattr(import_module(_MODULE + module), function)
        document = reader(content)
    metadata = {_plain(name).strip(): _plain(value).strip() for name, value in document.metadata.items()}
    return replace(
        document,
        title=_plain(document.title).strip(),
        blocks=_storable(format_name, document.blocks, noted),
        left_out=noted,
        metadata={name: value for name, value in metadata.items() if value},
    )


@contextmanager
def _one_kind_of_error(format_name: str) -> Iterator[None]:
    try:
        yield
    except UnreadableFileError:
        raise
    except RecursionError as error:
        raise UnreadableFileError("nested too deeply to be read") from error
    except MemoryError as error:
        raise UnreadableFileError("reading it takes more memory than one file may have") from error
    except Exception as error:
        # Readers meet hostile and damaged files, and fail in every possible way; it costs only that file.
        raise UnreadableFileError(f"its {format_name} reader failed ({type(error).__name__}: {error})") from error


def _storable(format_name: str, blocks: Iterable[Block], noted: Counter[str]) -> Iterator[Block]:
    """Remove the characters that SQLite refuses or ends a text at, which damaged files contain."""
    with _one_kind_of_error(format_name):
        for block in each_noted(blocks, noted):
            text = _plain(block.text)
            if text.strip():
                headings = tuple(_plain(name) for name in block.headings)
                yield replace(
                    block, text=text, headings=headings, place=_plain(block.place), columns=_plain(block.columns)
                )


def _plain(text: str) -> str:
    return _UNSTORABLE.sub(" ", text)


_Read = TypeVar("_Read")
_left_out: list[Counter[str]] = []  # of the documents that are being read, the innermost last


def leave_out(what: str, count: int = 1) -> None:
    """Note that the document that is being read has things of a kind that its reader leaves out, in words for people."""
    if _left_out and count:
        _left_out[-1][what] += count


@contextmanager
def _noting(noted: Counter[str]) -> Iterator[None]:
    _left_out.append(noted)
    try:
        yield
    finally:
        _left_out.pop()


def each_noted(parts: Iterable[_Read], noted: Counter[str]) -> Iterator[_Read]:
    """Iterate what is read lazily; what is left out meanwhile is noted in `noted`."""
    remaining = iter(parts)
    while True:
        with _noting(noted):
            part = next(remaining, None)
        if part is None:
            return
        yield part


_listeners: list[Callable[[], None]] = []


def listen(listener: Callable[[], None]) -> None:
    """Have a function called at every heartbeat, for the rest of the process."""
    _listeners.append(listener)


def heartbeat() -> None:
    """Report that a reader is still working; readers call it between steps that take seconds."""
    for listener in _listeners:
        listener()


_ends = {"step": math.inf, "file": math.inf}  # the moments at which what is being read will be given up


def allow_time(step_seconds: float, file_seconds: float | None = None) -> None:
    """Set how long the next step of reading may take, and for a new file all steps together."""
    _ends["step"] = time.monotonic() + step_seconds
    if file_seconds is not None:
        _ends["file"] = time.monotonic() + file_seconds


def seconds_left() -> float:
    """The seconds that a step may still take before its file is given up with all its text; infinite outside the sandbox."""
    return min(_ends.values()) - time.monotonic()
