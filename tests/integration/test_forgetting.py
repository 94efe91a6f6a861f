"""Forgetting forgets everything: nothing of a collection stays in the data directory, whoever removes it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from searchkit import Library
from searchkit.config import Settings, save_settings
from searchkit.search.click_log import note_opened, read_opened
from searchkit_tui.jobs.job import JobState
from searchkit_tui.jobs.work import forget
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

SECRET = "Zarathustra keeps his honey in the cellar."
Remove = Callable[[Library, Path], object]


def by_python(library: Library, _: Path) -> object:
    return library.collection("docs").delete()


def by_its_folder(library: Library, docs: Path) -> object:
    return library.forget(docs)


def by_the_command(library: Library, docs: Path) -> object:
    environment = {**os.environ, "SEARCHKIT_HOME": str(library.home)}
    command = [sys.executable, "-m", "searchkit", "forget", str(docs)]
    return subprocess.run(command, env=environment, check=True, capture_output=True)


def by_the_ui(library: Library, _: Path) -> object:
    job = forget("docs")
    job.run(library)
    assert job.state is JobState.DONE
    return job


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    write(tmp_path / "docs" / "secret.md", f"# Honey\n\n{SECRET}\n")
    write(tmp_path / "docs" / "plain" / "roses.md", "# Roses\n\nPrune the roses in March.\n")
    return tmp_path / "docs"


@pytest.fixture
def library(tmp_path: Path, docs: Path) -> Library:
    """A library whose collection has left its traces in all places where one can, in those of version 0.1 too."""
    library = Library(tmp_path / "home", embedder=HashEmbedder())
    save_settings(library.home, Settings(keep_opened=True))
    library.index(docs, collection="docs")
    (hit,) = [hit for hit in library.search("honey", k=5) if "Zarathustra" in hit.text]
    assert note_opened(library.home, "honey", hit)
    folder = library.collection("docs").folder
    write(folder.training / "vectors.bin", SECRET)
    write(folder.training / "reports" / "docs-adapted" / "report.md", SECRET)
    write(folder.evaluation, SECRET)
    write(library.home.path / "train" / "docs" / "vectors.bin", SECRET)
    write(library.home.path / "train" / "docs" / "reports" / "docs-adapted" / "report.md", SECRET)
    write(library.home.path / "evaluations" / "docs.json", SECRET)
    assert traces(library)
    return library


def traces(library: Library) -> list[str]:
    """The files of the data directory that still say what was in the collection."""
    files = [path for path in library.home.path.rglob("*") if path.is_file()]
    return [str(path) for path in files if b"Zarathustra" in path.read_bytes()]


@pytest.mark.parametrize("remove", [by_python, by_its_folder, by_the_command, by_the_ui])
def test_a_removed_collection_leaves_nothing(library: Library, docs: Path, remove: Remove) -> None:
    remove(library, docs)
    assert traces(library) == []
    assert read_opened(library.home) == []
    assert not (library.home.path / "train" / "docs").exists()
    assert (docs / "secret.md").exists()


def test_a_forgotten_part_leaves_no_opened_hits(library: Library, docs: Path) -> None:
    library.forget(docs / "plain")
    assert len(read_opened(library.home)) == 1
    library.forget(docs / "secret.md")
    assert read_opened(library.home) == []
    assert library.collections() == ["docs"]


def test_opened_hits_of_other_collections_stay(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "more" / "bees.md", "# Bees\n\nBees make honey.\n")
    library.index(tmp_path / "more", collection="more")
    hit = library.search("bees", collections=["more"])[0]
    assert note_opened(library.home, "bees", hit)
    library.collection("docs").delete()
    assert [opened.collection for opened in read_opened(library.home)] == ["more"]


@pytest.mark.parametrize("name", ["finetune", "opened.jsonl", "vectors.bin", "reports"])
def test_a_collections_name_meets_no_file_of_training(library: Library, tmp_path: Path, name: str) -> None:
    report = write(library.home.finetuning_reports / "tuned" / "report.md", "A fine-tuned model.")
    write(tmp_path / "more" / "bees.md", "# Bees\n\nBees make honey.\n")
    library.index(tmp_path / "more", collection=name)
    collection = library.collection(name)
    write(collection.folder.training / "vectors.bin", "cached")
    assert len(read_opened(library.home)) == 1
    collection.delete()
    assert len(read_opened(library.home)) == 1
    assert report.read_text() == "A fine-tuned model."


def test_what_could_not_be_read_of_a_forgotten_folder_is_no_problem_any_more(library: Library, tmp_path: Path) -> None:
    for name in ("here", "gone"):
        write(tmp_path / name / "note.txt", "A note.\n")
        write(tmp_path / name / ".hidden" / "note.txt", "Left out.\n")
        library.index(tmp_path / name, collection="notes")
    (tmp_path / "gone").rename(tmp_path / "moved")
    library.collection("notes").refresh()
    assert [problem.path.name for problem in library.status("notes").problems] == ["gone"]
    before = sum(each.files + each.folders for each in library.status("notes").left_out)

    library.forget(tmp_path / "gone")

    assert not library.status("notes").problems
    assert sum(each.files + each.folders for each in library.status("notes").left_out) == before // 2
