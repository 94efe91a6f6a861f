"""A server in a process of its own, with the deterministic embedder, and how tests start one and talk to it.

Usage: python -m tests.support.serve_process HOME OPTIONS, the latter the fields of ServeOptions as JSON. Prints its address.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from searchkit.home import Home
from searchkit.library import Library
from searchkit.maintenance.callers import read_callers
from searchkit.serve.http.middleware.guards import read_or_make_token
from searchkit.serve.http.options import Limits, ServeOptions
from searchkit.serve.served_models import CachedEmbedder
from tests.support.files import ROOT
from tests.support.hash_embedder import HashEmbedder

if TYPE_CHECKING:
    from searchkit.serve.http.server import Listening


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `log`: what it writes to stderr."""

    url: str
    token: str
    process: "subprocess.Popen[str]"
    log: Path
    home: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def client(self, **headers: str) -> httpx2.Client:
        """A client that shows the token, unless a header says otherwise."""
        shown = {"authorization": f"Bearer {self.token}", **headers}
        return httpx2.Client(base_url=self.url, headers=shown, timeout=60, trust_env=False)

    def get(self, path: str, **parameters: Any) -> httpx2.Response:
        """A GET with the token."""
        with self.client() as client:
            return client.get(path, params=parameters)

    def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        """A POST with the token."""
        with self.client(**headers) as client:
            return client.post(path, json=body)

    def stop(self) -> int:
        """Tell it to stop, and wait: its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def serving(home: Path, limits: Mapping[str, Any] | None = None, **options: Any) -> Iterator[Server]:
    """A server over a data directory, on a free port. Leaves it stopped."""
    asked = {"port": 0, "workers": 2, "limits": limits or {}, **options}
    with tempfile.NamedTemporaryFile("w", suffix=".log", delete=False) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.serve_process", str(home), json.dumps(asked)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url, Path(log.name).read_text("utf-8")
        yield Server(url, read_or_make_token(Home(home)), process, Path(log.name), home)
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
        Path(log.name).unlink()


def main(home: str, asked: str) -> None:
    """Serve until told to stop."""
    from searchkit.serve.http.server import end_process, serve

    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO)
    with Library(home, embedder=CachedEmbedder(HashEmbedder())) as library:
        token = read_or_make_token(Home(Path(home)))
        done = serve(library, options_of(json.loads(asked)), token, tell, read_callers(Home(Path(home))))
    if not done:
        end_process(1)


def options_of(fields: dict[str, Any]) -> ServeOptions:
    """From what JSON makes of them."""
    lists = {name: tuple(fields.get(name, ())) for name in ("names", "origins")}
    whole: dict[str, Any] = {**fields, **lists, "limits": Limits(**fields["limits"])}
    return ServeOptions(**whole)


def tell(where: "Listening") -> None:
    """Print the address."""
    print(where.url, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
