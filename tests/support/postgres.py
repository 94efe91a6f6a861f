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

IS_HERE = importlib.util.find_spec("pgserver") is not None and importlib.util.find_spec("psycopg") is not None
HOMES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]  # of collections


_STARTED: list[Any] = []  # the server of this process


@cache
def server_url() -> str:
    """The address of a server that runs until `stop_server`; it is started by the first test that asks."""
    data = Path(tempfile.mkdtemp(prefix="searchkit-postgres-"))  # where the user that the server runs as may go
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the folder where it keeps its pid
        from pgserver.postgres_server import get_server

        server = get_server(data, cleanup_mode="delete")
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
