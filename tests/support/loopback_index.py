"""A package index on loopback that has one file, in either of the forms that indexes answer in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from tests.support.loopback_server import QuietHandler, loopback_server


@dataclass
class LoopbackIndex:
    """The state of the server. What a test may set: the form of its answers, and what goes wrong.

    `breaks`: offsets of the file after which the connection is cut, used up one by one. `can_resume`: False for a server that
    always sends a file whole.
    """

    name: str
    wheel: str
    content: bytes
    url: str = ""
    is_json: bool = True
    can_resume: bool = True
    breaks: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)  # the first byte of each request for the file
    agents: set[str] = field(default_factory=set)


@contextmanager
def loopback_index(name: str, wheel: str, content: bytes) -> Iterator[LoopbackIndex]:
    """Run an index that has a file of a package."""
    index = LoopbackIndex(name, wheel, content)
    with loopback_server(_Handler, index=index) as address:
        index.url = f"{address}/simple"
        yield index


class _Handler(QuietHandler):
    index: ClassVar[LoopbackIndex]

    def do_GET(self) -> None:
        index = self.index
        index.agents.add(self.headers.get("User-Agent", ""))
        if self.path == f"/simple/{index.name}/":
            self._list()
        elif self.path == f"/files/{index.wheel}":
            self._send_file()
        else:
            self.send_error(404)

    def _list(self) -> None:
        index = self.index
        if index.is_json:
            files = [{"filename": f"other-{index.wheel}", "url": "../other"}]
            files.append({"filename": index.wheel, "url": f"../../files/{index.wheel}"})
            kind, body = "application/vnd.pypi.simple.v1+json", json.dumps({"files": files})
        else:
            kind = "text/html"
            body = f'<a href="../../files/other.whl">x</a> <a href="/files/{index.wheel}#sha256=ab">{index.wheel}</a>'
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def _send_file(self) -> None:
        index = self.index
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-")
        begin = int(asked) if index.can_resume else 0
        index.begins.append(begin)
        stop = index.breaks.pop(0) if index.breaks else len(index.content)
        self.send_response(206 if begin else 200)
        self.send_header("content-length", str(len(index.content) - begin))
        self.end_headers()
        self.wfile.write(index.content[begin:stop])
        if stop < len(index.content):
            self.close_connection = True
