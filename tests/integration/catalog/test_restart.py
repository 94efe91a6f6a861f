"""A server that is restarted in the middle of what others do with it, and one behind TLS."""

import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed (extra [postgres])")

from searchkit.catalog.damage import find_damage
from searchkit.catalog.postgres import connection
from searchkit.errors import CatalogError
from searchkit.library import Library
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.postgres import restart_server, start_server

pytestmark = pytest.mark.postgres
_WORDS = ("has broken off", "cannot be reached")


@dataclass(frozen=True)
class OwnServer:
    """A server for these tests alone: others go on with theirs."""

    url: str
    server: Any

    def restart(self, how: str) -> None:
        """See restart_server."""
        restart_server(self.server, how)


@pytest.fixture
def own() -> Iterator[OwnServer]:
    data = Path(mkdtemp(prefix="searchkit-restarted-"))
    server = start_server(data)
    yield OwnServer(str(server.get_uri()), server)
    server.cleanup()
    shutil.rmtree(data, ignore_errors=True)


@pytest.fixture
def team(own: OwnServer, tmp_path: Path, embedder: HashEmbedder) -> Iterator[Library]:
    with Library(tmp_path / "home", embedder=embedder) as opened:
        write(opened.home.config, f'[collections.docs]\nurl = "{own.url}"\n')
        yield opened


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Two hundred files of a passage each."""
    for number in range(200):
        write(tmp_path / "docs" / f"{number}.md", f"Report {number} says that pump {number} was replaced.\n")
    return tmp_path / "docs"


# `at`: vectors that are stored by then, early and late in embedding.
@pytest.mark.parametrize(("how", "at"), [("fast", 5), ("immediate", 5), ("immediate", 190)])
def test_a_restart_in_the_middle_of_a_run_loses_nothing_and_repeats_nothing(
    own: OwnServer, team: Library, many: Path, how: str, at: int
) -> None:
    command = [sys.executable, "-m", "tests.support.index_slowly", str(team.home), str(many), "0.01", "docs"]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while vectors_of(team) < at and time.monotonic() < deadline:
        time.sleep(0.02)
    own.restart(how)
    _, said = run.communicate(timeout=120)
    before = vectors_of(team)
    assert before >= at, "what was committed is there"
    assert run.returncode or at > 100, "it was in the middle"
    assert not run.returncode or any(words in said for words in _WORDS), said
    team.index(many, collection="docs")
    status = team.status("docs")
    assert (status.files, status.chunks, status.passages, status.vectors) == (200, 200, 200, 200)
    assert not find_damage(team.collection("docs").folder)
    with team.collection("docs").reading() as catalog:
        assert catalog.execute("SELECT count(*), count(DISTINCT chunk_id) FROM fulltext").fetchone() == (200, 200)


def vectors_of(team: Library) -> int:
    """How many there are; 0 while there is no collection."""
    with suppress(CatalogError):
        if connection.exists(team.collection("docs", must_exist=False).folder):
            with team.collection("docs").reading() as catalog:
                return catalog.count_rows("vectors")
    return 0


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_searches_during_a_restart_are_right_or_say_what_is_wrong(
    own: OwnServer, team: Library, many: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_LEFT_ALONE_SECONDS", 0.0)
    team.index(many, collection="docs")
    outcomes: list[str] = []
    done = threading.Event()

    def search() -> None:
        with Library(team.home, embedder=HashEmbedder()) as library:
            while not done.is_set():
                try:
                    hits = library.search("pump 17 replaced", collections=["docs"])
                    outcomes.append(hits[0].path.name)
                except CatalogError as error:
                    outcomes.append(str(error))

    searching = threading.Thread(target=search)
    searching.start()
    wait_for(lambda: len(outcomes) > 5)
    own.restart(how)
    after = len(outcomes)
    wait_for(lambda: "17.md" in outcomes[after + 1 :])
    done.set()
    searching.join()
    wrong = [each for each in outcomes if each != "17.md" and not any(words in each for words in _WORDS)]
    assert not wrong
    assert outcomes[-1] == "17.md", "it connects anew by itself"


def wait_for(what: Any) -> None:
    """Wait until something is true, half a minute at most."""
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with `own.pem` and its key, for localhost, and `other.pem`, which is nobody's here."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    for name in ("own", "other"):
        keys = ["-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.pem")]
        made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run(
            ["openssl", *made, "-addext", "subjectAltName=DNS:localhost", *keys], check=True, capture_output=True
        )
    return tmp_path


class TlsPort:
    """Takes connections as PostgreSQL does that has TLS on, up to the first message in it, which it notes; then it hangs up."""

    def __init__(self, folder: Path) -> None:
        self.messages: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "own.pem", folder / "own.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), client:
                client.settimeout(10)
                client.recv(8)  # SSLRequest
                client.sendall(b"S")
                with self._context.wrap_socket(client, server_side=True) as inside:
                    self.messages.append(inside.recv(1000))


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ("sslmode=verify-full&sslrootcert={folder}/own.pem", ""),
        ("sslmode=require", ""),
        ("sslmode=verify-full&sslrootcert={folder}/other.pem", "certificate verify failed"),
        ("sslmode=verify-full&sslrootcert={folder}/none.pem", "does not exist"),
        ("sslmode=disable", "but received S"),
    ],
)
def test_the_addresss_options_of_tls_decide_whether_anything_is_said(
    certificates: Path, tmp_path: Path, options: str, refusal: str, embedder: HashEmbedder
) -> None:
    server = TlsPort(certificates)
    url = f"postgresql://anna:s3cret@localhost:{server.port}/search?{options.format(folder=certificates)}"
    write(tmp_path / "home" / "config.toml", f'[collections.team]\nurl = "{url}"\n')
    with (
        Library(tmp_path / "home", embedder=embedder) as library,
        pytest.raises(CatalogError, match=refusal or "unexpected eof|closed the connection") as caught,
    ):
        library.search("pump", collections=["team"])
    server.close()
    assert "s3cret" not in f"{caught.value!r} {caught.value.remedy}"
    assert f"postgresql://anna@localhost:{server.port}/search cannot be reached" in str(caught.value)
    assert bool(server.messages) is (not refusal)
    assert all(b"anna" in message for message in server.messages)
