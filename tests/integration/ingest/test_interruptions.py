"""Killed at any moment, an index run goes on where it was and ends with what an undisturbed run would have made."""

import random
import signal
import subprocess
from pathlib import Path

import pytest

from searchkit.catalog.connection import writing
from searchkit.home import Home, collection_at
from searchkit.library import Library
from searchkit.maintenance.rebuild import verify_collection
from tests.support.hash_embedder import HashEmbedder
from tests.support.slow_runs import contents, hits, meanwhile, start, stored_vectors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kills", [12, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments_a_run_resumes_and_ends_as_an_undisturbed_one(
    tmp_path: Path, folder: Path, calm: Path, kills: int
) -> None:
    disturbed = tmp_path / "disturbed"
    moments = random.Random(20260101)
    killed = 0
    for _ in range(kills):
        process = start(disturbed, folder)
        try:
            process.wait(timeout=moments.uniform(0.0, 0.35))
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
    assert killed >= 0.9 * kills, "too many runs were too short to be interrupted"
    process = start(disturbed, folder, delay_seconds=0)
    output, _ = process.communicate(timeout=120)
    assert (process.returncode, output) == (0, "done\n")
    assert contents(disturbed) == contents(calm)
    assert hits(disturbed) == hits(calm)
    with Library(disturbed, embedder=HashEmbedder()) as library:
        assert verify_collection(library.collection("docs")) == []
    assert not (disturbed / "collections" / "docs" / "index").exists()  # so few vectors are compared as they are stored


def test_a_collection_that_a_killed_run_left_empty_is_used_by_the_next(tmp_path: Path, folder: Path) -> None:
    home = Home(tmp_path / "home")
    with writing(collection_at(home, "docs")):
        pass  # killed before the folder was written down
    with Library(home.path, embedder=HashEmbedder()) as library:
        assert library.index(folder).collection == "docs"
        assert library.collections() == ["docs"]


def test_an_interrupt_keeps_what_was_embedded(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "home"
    process = start(home, folder)
    meanwhile(process, lambda: stored_vectors(home))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    with Library(home, embedder=HashEmbedder()) as library:
        status = library.status("docs")
        assert 0 < status.vectors < status.passages
        assert not library.collection("docs").is_covered()
        embedder = HashEmbedder()
        with Library(home, embedder=embedder) as again:
            assert again.index(folder).embedded == status.passages - status.vectors
        assert library.collection("docs").is_covered()
