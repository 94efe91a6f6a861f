"""Soups of fine-tuned checkpoints: the mean of their weights, chosen by validation, proven and installed like a tuned one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")
pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed (extra [train])")

from safetensors.numpy import load_file, save_file

from searchkit.cli.main import cli
from searchkit.embedding.graph.trained_form import TrainedForm, write_form
from searchkit.embedding.model_info import Quantization
from searchkit.errors import ModelError, TrainingError
from searchkit.home import Home
from searchkit.library import Library
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.proof import ProofOptions
from searchkit.train.mixtures.checkpoints import SoupRun, soup_checkpoints
from searchkit.train.pairs.pair import Pair, Split
from tests.support.finetune_runs import tiny_pairs
from tests.support.tiny_checkpoints import write_bert

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]


def pairs() -> tuple[Pair, ...]:
    """The tiny pairs, a fifth of them held out."""
    return tuple(
        replace(pair, split=Split.TEST) if number % 5 == 1 else pair for number, pair in enumerate(tiny_pairs())
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def tuned(base: Path, tmp_path: Path) -> Callable[[str, int, float], Path]:
    """A copy of the base with its layers moved at random, as training would by reason."""

    def make(name: str, seed: int, strength: float) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file in base.rglob("*"):
            if file.is_file():
                (folder / file.relative_to(base)).parent.mkdir(exist_ok=True)
                (folder / file.relative_to(base)).write_bytes(file.read_bytes())
        rng = np.random.default_rng(seed)
        weights = load_file(folder / "model.safetensors")
        moved = {
            key: (value + strength * rng.standard_normal(value.shape)).astype(np.float32) if "layer." in key else value
            for key, value in weights.items()
        }
        save_file(moved, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return make


def run_of(base: Path, folders: tuple[Path, ...]) -> SoupRun:
    return SoupRun(Base(base, "tiny"), folders, pairs(), "soup", ProofOptions(), is_forced=False)


def test_a_soup_has_the_mean_of_the_weights_and_the_base_stays_if_it_does_not_help(
    base: Path, tuned: Callable[[str, int, float], Path], tmp_path: Path
) -> None:
    folders = (tuned("one", 1, 0.05), tuned("two", 2, 0.05))
    home = tmp_path / "home"
    with Library(home) as library:
        found = soup_checkpoints(library, run_of(base, folders))
        assert library.models.names() == [name for name in library.models.names() if name != "soup"]
    assert [one.name for one in found.singles] == ["one", "two"]
    uniform, greedy = found.soups
    assert uniform.members == (0, 1)
    assert greedy.validation >= max(one.validation for one in found.singles)
    over_best, over_mean = found.over(uniform)
    assert over_mean == pytest.approx(uniform.held_out - np.mean([one.held_out for one in found.singles]))
    assert over_best <= over_mean or found.singles[0].held_out != found.singles[1].held_out
    assert found.outcome.model == "" or found.outcome.proof.verdict.passed
    written = load_file(Home(home).finetuning / "soup" / "checkpoint" / "model.safetensors")
    before, *after = (load_file(folder / "model.safetensors") for folder in (base, *folders))
    share = found.outcome.tuned.share
    for name, value in written.items():
        mean = np.mean([after[number][name] for number in found.chosen.members], axis=0)
        assert value == pytest.approx(before[name] + share * (mean - before[name]), abs=1e-5)
    card = (Home(home).finetuning / "soup" / "checkpoint" / "README.md").read_text()
    assert f"| soup | the {found.chosen.name} of " in card and "nDCG@10, two" in card
    report = json.loads((found.outcome.report / "report.json").read_text())
    assert report["model"] is None


def test_weights_that_were_trained_in_four_bits_are_not_averaged(
    base: Path, tuned: Callable[[str, int, float], Path], tmp_path: Path
) -> None:
    folders = (tuned("one", 1, 0.05), tuned("two", 2, 0.05))
    write_form(folders[1], TrainedForm(Quantization.INT4))
    with Library(tmp_path / "home") as library, pytest.raises(TrainingError, match="was trained in int4"):
        soup_checkpoints(library, run_of(base, folders))


def test_checkpoints_of_another_base_and_single_ones_are_refused(
    base: Path, tuned: Callable[[str, int, float], Path], tmp_path: Path
) -> None:
    first, second = tuned("one", 1, 0.05), tuned("two", 2, 0.05)
    config = json.loads((second / "config.json").read_text())
    (second / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 32}))
    with Library(tmp_path / "home") as library:
        with pytest.raises(TrainingError, match="two checkpoints"):
            soup_checkpoints(library, run_of(base, (first, first)))
        with pytest.raises(ModelError, match="is not the base's: max_position_embeddings"):
            soup_checkpoints(library, run_of(base, (first, second)))


def test_folders_and_models_are_not_averaged_together(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for wrong in (
        ["--of", str(tmp_path / "one"), "--of", "a-model"],
        ["--of", str(tmp_path / "one"), "--of", str(tmp_path / "one"), "--out", str(tmp_path / "report")],
        ["--base", "a-model"],
    ):
        ended = CliRunner(env={"SEARCHKIT_HOME": str(tmp_path / "home")}).invoke(cli, ["train", "soup", "docs", *wrong])
        assert ended.exit_code == 2, ended.output
