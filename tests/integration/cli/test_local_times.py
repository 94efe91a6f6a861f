"""People read times as the clock beside them shows them, wherever they are and wherever a collection was indexed."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from searchkit.catalog.connection import reading, writing
from searchkit.catalog.meta import UPDATED, set_meta, updated_at
from searchkit.display import clock_time, local_time
from searchkit.library import Library
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from tests.support.files import ROOT
from tests.support.hash_embedder import HashEmbedder

MOMENT = "2026-03-01T23:45:00+00:00"
SHOWN = {"Asia/Kolkata": "2026-03-02 05:15", "America/St_Johns": "2026-03-01 20:15", "UTC": "2026-03-01 23:45"}
ANY_TIME = re.compile(r"\d\d:\d\d(?!\d)")


@pytest.fixture(params=SHOWN)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone of whoever reads."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def home(library: Library, docs: Path) -> Path:
    """A data directory with a collection that was last indexed at that moment, by somebody in another zone."""
    library.index(docs)
    _set_updated(library, "2026-03-02T08:45:00+0900")  # as earlier versions wrote it
    library.close()
    return library.home.path


def _set_updated(library: Library, moment: str) -> None:
    with writing(library.collection("docs").folder) as catalog, catalog.transaction():
        set_meta(catalog, UPDATED, moment)


def run(home: Path, zone: str, *arguments: str) -> str:
    """All that a command says to somebody in a zone."""
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "TZ": zone, "COLUMNS": "200"}
    command = [sys.executable, "-m", "searchkit", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


COMMANDS = (
    ("status",),
    ("status", "--problems"),
    ("status", "--left-out"),
    ("collections",),
    ("search", "roses", "--mode", "lexical", "--explain"),
    ("search", "type:md"),
    ("models", "list"),
    ("verify",),
)


def test_every_command_shows_times_as_the_clock_here_does(home: Path, zone: str) -> None:
    said = {words: run(home, zone, *words) for words in COMMANDS}
    assert f"last brought up to date {SHOWN[zone]}\n" in said["status",]
    times = {words: set(ANY_TIME.findall(text)) for words, text in said.items()}
    assert times.pop(("status",)) == {SHOWN[zone][-5:]}
    assert not any(times.values()), "of these no one shows a time"


def test_programs_read_iso_8601_with_its_offset(home: Path, zone: str) -> None:
    [status] = [json.loads(line) for line in run(home, zone, "status", "--json").splitlines() if line.startswith("{")]
    assert status["updated_at"] == "2026-03-02T08:45:00+09:00"
    assert datetime.fromisoformat(status["updated_at"]) == datetime.fromisoformat(MOMENT)


def test_a_run_keeps_the_time_with_the_offset_of_where_it_ran(library: Library, docs: Path, zone: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    library.index(docs)
    with reading(library.collection("docs").folder) as catalog:
        kept = updated_at(catalog)
        assert kept == catalog.meta(UPDATED)
    assert kept is not None
    assert before <= datetime.fromisoformat(kept) <= datetime.now(UTC)
    assert kept[-6:] == datetime.now().astimezone().isoformat()[-6:]
    assert local_time(kept)[-5:] == datetime.fromisoformat(kept).strftime("%H:%M")


def test_the_page_shows_local_times(home: Path, zone: str) -> None:
    with Library(home, embedder=HashEmbedder()) as library:
        state = open_state(library, ServeOptions(workers=1))
        try:
            with TestClient(make_api(state), base_url="http://127.0.0.1") as client:
                assert f"<dd>{SHOWN[zone]}</dd>" in client.get("/ui/collections").text
                assert client.get("/collections").json()["collections"][0]["updated_at"] == "2026-03-02T08:45:00+09:00"
        finally:
            close_state(state, 20)


def test_what_is_no_moment_is_shown_as_it_is() -> None:
    assert local_time("long ago\x1b") == "long ago"


def test_a_line_of_a_watch_begins_with_the_time(home: Path, docs: Path, zone: str) -> None:
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "TZ": zone, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "searchkit", "index", "--watch"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        for line in watching.stderr:
            if line.startswith("Watching"):
                (docs / "new.txt").write_text("A zeppelin.")
            if "1 added" in line:
                break
        assert re.match(r"\d\d:\d\d:\d\d docs: 1 added; ", line)
        assert line[:2] in (clock_time()[:2], time.strftime("%H", time.localtime(time.time() - 60)))
        watching.terminate()
