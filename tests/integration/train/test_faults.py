"""Failures around `train adapter`: a full disk, an interruption, odd collections and folders. They change nothing."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

from searchkit.catalog.connection import writing
from searchkit.cli.main import cli
from searchkit.display import error_text
from searchkit.embedding import adapted_model
from searchkit.embedding.store import BUNDLED
from searchkit.errors import SearchkitError
from searchkit.home import Home, existing_collection
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.adapter.run import Adapted, train_adapter
from searchkit.train.options import AdapterOptions, Candidate, LossWeights
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage
from tests.support import homes
from tests.support.files import ROOT, write
from tests.support.notes import made_notes

pytestmark = [pytest.mark.minilm, pytest.mark.train]
# Said, for else they follow from the paths, and with them whether an adapter helps.
SPLITS = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)
MADE = f"{BUNDLED}-docs"


@pytest.fixture(scope="module")
def indexed(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a collection of 120 notes, whose adapter is worth making, and an empty one."""
    folder = tmp_path_factory.mktemp("indexed")
    pairs: list[Pair] = []
    for note in made_notes():
        document, split = f"{note.subject} {note.matter}", SPLITS[len(pairs) % len(SPLITS)]
        pairs.append(Pair(note.title, Passage("", note.text), Kind.USER, document, split))
        write(folder / "docs" / note.subject / f"{note.matter}.md", note.markdown)
    write_pairs(homes.copied(small_model, folder / "home") / "pairs.jsonl", pairs)
    write(folder / "nothing" / "a.txt", "\n")
    with Library(folder / "home") as library:
        library.index(folder / "docs")
        library.index(folder / "nothing")
    return folder / "home"


@pytest.fixture(scope="module")
def proved(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after an adapter was made and removed: what pairs and proof need is embedded."""
    home = tmp_path_factory.mktemp("proved") / "home"
    shutil.copytree(indexed, home)
    with Library(home) as library:
        assert adapt(library).model == MADE
        library.remove_model(MADE)
    return home


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    def copy(home: Path) -> Path:
        return Path(shutil.copytree(home, tmp_path / "home"))

    return copy


def adapt(library: Library, on_progress: ProgressListener = lambda _: None) -> Adapted:
    options = AdapterOptions(
        pairs=library.home.path / "pairs.jsonl", candidates=(Candidate(LossWeights(distillation=0.3)),), is_forced=True
    )
    return train_adapter(library, "docs", options, on_progress)


def assert_unchanged(home: Path) -> None:
    assert [path.name for path in (home / "models").iterdir()] == [BUNDLED]  # not even a hidden half
    with Library(home) as library:
        assert library.status("docs").model == BUNDLED
        assert library.collection("docs").is_covered()


def run_apart(home: Path, *command: str, limit_bytes: int = -1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "SEARCHKIT_HOME": str(home), "PYTHONPATH": f"{ROOT}:{ROOT / 'indexes'}"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )


@pytest.mark.parametrize(
    ("is_embedded", "limit_bytes", "what"),
    [
        pytest.param(False, 100_000, "What was embedded", marks=pytest.mark.slow),
        (True, 500_000, f"The model {MADE}"),
    ],
    ids=["vectors", "model"],
)
def test_a_full_disk_is_named_and_the_same_command_goes_on(
    indexed: Path,
    proved: Path,
    copied: Callable[[Path], Path],
    is_embedded: bool,
    limit_bytes: int,
    what: str,
) -> None:
    """No file may grow beyond the limit, which fails every kind of write at some time, as a full disk does."""
    home = copied(proved if is_embedded else indexed)
    ended = run_apart(
        home,
        "searchkit",
        "train",
        "adapter",
        "docs",
        "--pairs",
        str(home / "pairs.jsonl"),
        "--force",
        limit_bytes=limit_bytes,
    )
    assert ended.returncode == 1
    assert f"Error: {what} cannot be written to " in ended.stderr
    assert "Make room there" in ended.stderr and "Traceback" not in ended.stderr
    assert_unchanged(home)
    with Library(home) as library:
        assert adapt(library).model == MADE


@pytest.mark.parametrize(
    "stage",
    [
        "Embedding passages",
        *(pytest.param(stage, marks=pytest.mark.slow) for stage in ("Embedding queries", "Training", "Proving")),
    ],
)
def test_an_interruption_changes_nothing_and_what_was_embedded_is_kept(
    indexed: Path, copied: Callable[[Path], Path], stage: str
) -> None:
    home = copied(indexed)

    def interrupt(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    with Library(home) as library:
        with pytest.raises(KeyboardInterrupt):
            adapt(library, interrupt)
        assert_unchanged(home)
        again = adapt(library)
        assert again.model == MADE
        assert again.report.embedded < 240
        assert (again.report.embedded == 0) == (stage in ("Training", "Proving"))


def test_an_interruption_while_the_model_is_written_leaves_no_half_of_it(
    proved: Path, copied: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copied(proved)

    def interrupt(_: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(adapted_model, "checksum", interrupt)
        with Library(home) as library, pytest.raises(KeyboardInterrupt):
            adapt(library)
    assert_unchanged(home)
    with Library(home) as library:
        assert adapt(library).model == MADE


@pytest.mark.parametrize("signal", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_signal_stops_it_as_other_commands(indexed: Path, copied: Callable[[Path], Path], signal: str) -> None:
    home = copied(indexed)
    ended = run_apart(
        home,
        "tests.support.train_stopped",
        signal,
        "train",
        "adapter",
        "docs",
        "--pairs",
        str(home / "pairs.jsonl"),
    )
    assert (ended.returncode, ended.stdout) == (130, ""), ended.stderr
    assert ended.stderr.strip() == "Stopped. What was stored is kept; the same command continues from there."
    assert_unchanged(home)
    with Library(home) as library:
        assert 0 < adapt(library).report.embedded <= 60  # the other half of the passages


def refused(home: Path, *arguments: str) -> str:
    ended = CliRunner(env={"SEARCHKIT_HOME": str(home)}).invoke(cli, ["train", "adapter", *arguments])
    assert ended.exit_code == 1
    assert isinstance(ended.exception, SearchkitError)
    return error_text(ended.exception)


def test_collections_and_names_that_cannot_be_are_refused(proved: Path, tmp_path: Path) -> None:
    assert "No collection named 'nowhere'" in refused(proved, "nowhere")
    assert "'nothing' gives no pairs to learn from" in refused(proved, "nothing")
    assert "installed already" in refused(proved, "docs", "--name", BUNDLED)
    for name in ("../up", "a b", "-x", ".hidden", "x" * 200):
        assert "cannot be a model's name" in refused(proved, "docs", f"--name={name}")
    (tmp_path / "empty").mkdir()
    assert "corpus.jsonl" in refused(proved, "docs", "--general", str(tmp_path / "empty"))
    assert "is empty" in refused(proved, "docs", "--queries", str(write(tmp_path / "empty.jsonl", "")))
    assert_unchanged(proved)


def test_a_collection_that_another_process_writes_to_can_be_learned_from(
    proved: Path, copied: Callable[[Path], Path]
) -> None:
    home = copied(proved)
    with Library(home) as library, writing(existing_collection(Home(home), "docs")):
        assert adapt(library).model == MADE
