"""A page of a PDF as a picture, drawn in a process of its own, within limits: a hostile file can end no more than that process.

The process gets one line of JSON, the request, and answers with one line of JSON and the picture behind it.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from searchkit.errors import UnreadableFileError
from searchkit.ingest.sandbox.messages import forbid_side_effects, from_line, limit_resources, limit_time, to_line

_SECONDS = 10
_START_SECONDS = 15  # more, that a process may take to start while much else is running
_MEMORY_BYTES = 600_000_000
_MOST_FILE_BYTES = 64_000_000
_MOST_PICTURE_BYTES = 8_000_000
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from searchkit.ingest.sandbox.page_picture import main; main()"
)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page to draw. `content`: how the hash of the file's content must begin, in hexadecimal digits. `passage`, `marks`: what is
    marked on the page, and the (start, end) offsets in it of what is marked more strongly.
    """

    path: str
    content: str
    page: int
    passage: str = ""
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as WebP. `top`: where what is marked begins, as a share of its height."""

    content: bytes
    top: float


def picture_of_page(request: PageRequest) -> PagePicture:
    """Draw a page; takes .3 seconds or so, and a thread, and never more than a process may take.

    Raises UnreadableFileError if the file has changed since it was indexed, is gone, or cannot be drawn within the limits.
    """
    with tempfile.TemporaryDirectory(prefix="searchkit-") as folder:
        path = [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 ("" is the current folder)
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, json.dumps(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": folder},
            start_new_session=True,  # Ctrl-C is for the server
        )
        watch = threading.Timer(_START_SECONDS + _SECONDS, process.kill)
        watch.start()
        try:
            return _exchange(process, request)
        finally:
            watch.cancel()
            process.kill()
            process.wait()


def _exchange(process: "subprocess.Popen[bytes]", request: PageRequest) -> PagePicture:
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout, contextlib.suppress(BrokenPipeError):
        process.stdin.write(to_line(asdict(request)))
        process.stdin.close()
        head = process.stdout.readline(10_000)
        answer: Mapping[str, Any] = from_line(head) if head.endswith(b"\n") else {}
        if reason := answer.get("reason"):
            raise UnreadableFileError(str(reason))
        picture = process.stdout.read(_MOST_PICTURE_BYTES + 1) if answer else b""
        if picture and len(picture) == answer.get("bytes"):
            return PagePicture(picture, float(answer.get("top", 0)))
    raise UnreadableFileError("the page cannot be drawn within the limits on time and memory")


def main() -> None:
    """Draw the page that is asked for on standard input."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # so that nothing a library prints gets among the answers
    request = from_line(sys.stdin.buffer.readline())
    from searchkit.ingest.extract.pdf.picture import draw_page
    from searchkit.ingest.sandbox.worker import hash_of, read_regular

    limit_resources(_MEMORY_BYTES)
    forbid_side_effects()
    limit_time(_SECONDS)
    picture = b""
    head: dict[str, Any] = {}
    try:
        content = read_regular(request["path"], _MOST_FILE_BYTES).data
        if not hash_of(content).startswith(request["content"]):
            raise UnreadableFileError("the file has changed since it was indexed")
        drawn = draw_page(content, request["page"], request["passage"], request["marks"])
        picture = drawn.picture
        head = {"bytes": len(picture), "top": drawn.top}
    except UnreadableFileError as error:
        head = {"reason": str(error)}
    except OSError as error:
        head = {"reason": f"the file cannot be read ({error.strerror})"}
    except MemoryError:
        head = {"reason": "drawing it takes more memory than a page may have"}
    answers.write(to_line(head) + picture)
    answers.flush()
