"""Whole distillations of tiny checkpoints: what each step is worth, what a kill leaves, what is learned from."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.errors import TrainingError
from searchkit.library import Library
from searchkit.reports import Progress
from searchkit.train.distill.lesson import Assignment, Lesson, prepare_lesson
from searchkit.train.finetune.base import Base
from searchkit.train.pairs.pair import Split
from tests.support.distill_runs import DISTILLING, LAYERS, distill_tiny, mean_cosine
from tests.support.errors import refused
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.tiny_checkpoints import write_bert, write_gemma
from tests.support.weights import distance, same_weights

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn of each other


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gemma(tmp_path_factory.mktemp("base") / "tiny", LAYERS)


@pytest.mark.parametrize("write", [write_gemma, write_bert])
def test_each_step_brings_the_student_nearer_to_its_teacher(tmp_path: Path, write: Callable[[Path, int], Path]) -> None:
    base = write(tmp_path / "base", LAYERS)
    student = distill_tiny(base, tmp_path / "run", options=replace(DISTILLING, epochs=6))
    near = mean_cosine(student)
    assert list(near) == ["teacher (tiny)", "layers removed", "head fitted", "trained"]
    assert near["layers removed"] < near["head fitted"]
    assert near["trained"] > min(near["head fitted"], 0.9995)  # which random layers of BERT add next to nothing to
    assert near["trained"] < near["teacher (tiny)"] == 1.0
    assert len(student.kept) == LAYERS // 2
    assert student.tuned
    assert student.is_trained == (student.tuned.score >= student.tuned.base_score)
    assert len(Checkpoint(student.checkpoint).dense_folders) == 1
    assert not (tmp_path / "run" / "states").exists()


def test_without_epochs_the_head_is_fitted_and_nothing_trained(tmp_path: Path, gemma: Path) -> None:
    stages: list[str] = []
    student = distill_tiny(
        gemma,
        tmp_path / "run",
        lambda progress: stages.append(progress.stage),
        options=replace(DISTILLING, epochs=0),
    )
    assert student.tuned is None
    assert "Training" not in stages
    assert [step.name for step in student.steps][-1] == "head fitted"
    trained = distill_tiny(gemma, tmp_path / "run", lambda progress: stages.append(progress.stage))
    assert stages.count("Opening the checkpoint") == 1, "what was made without training is trained on"
    assert trained.kept == student.kept
    assert trained.steps[-1].name == "trained"


def run_apart(base: Path, folder: Path, stage: str, done: int) -> int:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'indexes'}"}
    command = [sys.executable, "-m", "tests.support.distill_runs", str(base), str(folder), stage, str(done)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode


@pytest.mark.slow
def test_a_run_that_is_killed_at_every_step_gives_the_student_of_one_that_was_not(tmp_path: Path, gemma: Path) -> None:
    whole = distill_tiny(gemma, tmp_path / "whole")
    stops = [("Choosing layers", 2), ("Reading with the student", 0), ("Training", 2), ("Training", 5)]
    for stage, done in stops:
        assert run_apart(gemma, tmp_path / "killed", stage, done) == -9, stage
    again: list[Progress] = []
    resumed = distill_tiny(gemma, tmp_path / "killed", again.append)
    assert "Choosing layers" not in {progress.stage for progress in again}
    assert resumed.kept == whole.kept
    assert [step.name for step in resumed.steps] == [step.name for step in whole.steps]
    if not whole.is_trained:
        assert same_weights(resumed.checkpoint, whole.checkpoint)
    else:
        assert distance(resumed.checkpoint, whole.checkpoint, tmp_path / "whole" / "student") < 0.01


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path: Path, gemma: Path) -> None:
    whole = distill_tiny(gemma, tmp_path / "whole")
    for stage in ("Choosing layers", "Reading with the student", "Training"):

        def interrupt(progress: Progress, stage: str = stage) -> None:
            if progress.stage == stage and (progress.done or stage.startswith("Reading")):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            distill_tiny(gemma, tmp_path / "stopped", interrupt)
    assert same_weights(distill_tiny(gemma, tmp_path / "stopped").checkpoint, whole.checkpoint)


def test_a_run_with_other_layers_is_not_mixed_into_the_old_one(tmp_path: Path, gemma: Path) -> None:
    distill_tiny(gemma, tmp_path / "run", options=replace(DISTILLING, epochs=0))
    with refused(TrainingError, "--fresh"):
        distill_tiny(gemma, tmp_path / "run", layers=2, options=replace(DISTILLING, epochs=0))


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """Notes with titles and three sentences of long words each, indexed by the hash embedder."""
    words = "lease kettle garden boiler holiday piano bicycle tax insurance kitchen cellar roof".split()
    for number in range(96):
        subject, matter = words[number % 12], words[(number * 5 + number // 12) % 12]
        text = " ".join(
            f"Correspondence{place} neighbourhood{number} recommendations concerning {subject} comprehensive {matter} neverending."
            for place in range(4)
        )
        write(tmp_path / "docs" / f"{number}.md", f"# How the {subject} met {matter} {number}\n\n{text}\n")
    library = Library(tmp_path / "home", embedder=HashEmbedder())
    library.index(tmp_path / "docs")
    return library


def lesson_of(library: Library, tmp_path: Path, **changes: object) -> Lesson:
    base = tmp_path / "student"
    student = Base(base if base.exists() else write_bert(base), "tiny")
    plain = Assignment("docs", None, tmp_path / "run", passages=1000, max_tokens=200, seed=0)
    return prepare_lesson(library, replace(plain, **changes), student, HashEmbedder())  # type: ignore[arg-type]


def test_the_stored_vectors_are_learned_from_and_documents_of_the_proof_are_not(
    tmp_path: Path, library: Library
) -> None:
    with library:
        lesson = lesson_of(library, tmp_path, max_tokens=10_000)
        rows = lesson.data.train
        assert lesson.stored == len(rows) > 50
        teacher = HashEmbedder()
        with library.collection("docs").reading() as catalog:
            passages = dict(catalog.execute("SELECT text, title FROM passages").fetchall())
        held_out = {pair.passage.text for pair in lesson.pairs if pair.split is not Split.TRAIN}
        assert held_out
        for row, vector in zip(rows, lesson.teacher.queries, strict=True):
            assert float(teacher.embed_queries([row.query])[0] @ vector) > 0.999
        for text in held_out:
            assert not any(text in row.positive for row in rows)
        assert any(text in row.positive for text in passages for row in rows)
        again = lesson_of(library, tmp_path, max_tokens=10_000)
        assert again.embedded == 0
        assert np.array_equal(again.teacher.queries, lesson.teacher.queries)


def test_passages_that_the_student_cannot_read_whole_are_left_out_and_counted(tmp_path: Path, library: Library) -> None:
    with library:
        assert lesson_of(library, tmp_path, max_tokens=10_000).too_long == 0
        for number in range(5):
            write(tmp_path / "docs" / f"long{number}.md", f"# Long {number}\n\n" + f"Word{number} after word. " * 40)
        library.collection("docs").refresh()
        lesson = lesson_of(library, tmp_path, max_tokens=10_000)  # more than the tiny model reads
        assert lesson.too_long == 5
        assert not [row for row in lesson.data.train if "after word" in row.positive]
        with refused(TrainingError, "0 passages to learn from"):
            lesson_of(library, tmp_path, max_tokens=20)


def test_with_contrast_queries_are_not_in_their_passages(tmp_path: Path, library: Library) -> None:
    with library:
        rows = lesson_of(library, tmp_path, with_contrast=True, max_tokens=10_000).data.train
    assert rows
    assert not [row for row in rows if row.query in row.positive]
