"""Whole fine-tuning runs on tiny checkpoints: what comes out, what a kill leaves, what stands in the way."""

import errno
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")
pytest.importorskip("peft", reason="peft is not installed (extra [train])")

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.import_model import form_for
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import ModelStore
from searchkit.errors import ModelError, TrainingError
from searchkit.reports import Progress
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.network import open_plain
from searchkit.train.options import LossWeights, Method
from tests.support.errors import refused
from tests.support.files import ROOT
from tests.support.finetune_runs import OPTIONS, finetune_tiny, tiny_pairs
from tests.support.processor import may_saturate
from tests.support.tiny_checkpoints import WORDS, write_bert, write_gemma
from tests.support.weights import distance, same_weights

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore"),
]  # the libraries warn of each other


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gemma(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("training asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("write", [write_gemma, pytest.param(write_bert, marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", [Method.LORA, pytest.param(Method.FULL, marks=pytest.mark.slow)])
def test_a_run_gives_a_checkpoint_that_finds_more(
    tmp_path: Path, write: Callable[[Path], Path], method: Method
) -> None:
    base = write(tmp_path / "base")
    options = replace(OPTIONS, method=method, epochs=6, soup=2, learning_rate=5e-3 if method is Method.LORA else 2e-3)
    stages: list[Progress] = []
    tuned = finetune_tiny(base, tmp_path / "run", stages.append, options=options)
    assert tuned.score > tuned.base_score
    assert tuned.helps
    assert len(tuned.epochs) == 2
    assert [look.epoch for look in tuned.history.looks] == [1, 2, 3, 4, 5, 6]
    assert {name: len(values) for name, values in tuned.history.losses.items()} == dict.fromkeys(
        ("contrastive", "spread", "distillation"), tuned.history.looks[-1].step
    )
    trained = [progress for progress in stages if progress.stage == "Training"]
    assert trained[-1].done == trained[-1].total
    assert all(part in trained[-1].note for part in ("contrastive", "spread", "distillation"))
    card = (tuned.checkpoint / "README.md").read_text()
    assert f"license: {Checkpoint(base).licence}" in card
    assert ("Gemma Terms of Use" in card) == (write is write_gemma)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_gives_others(tmp_path: Path, gemma: Path) -> None:
    first = finetune_tiny(gemma, tmp_path / "1").checkpoint
    again = finetune_tiny(gemma, tmp_path / "2").checkpoint
    other = finetune_tiny(gemma, tmp_path / "3", options=replace(OPTIONS, seed=1)).checkpoint
    assert same_weights(first, again)
    assert not same_weights(first, other)


def run_apart(
    base: Path, folder: Path, step: int, limit_bytes: int = -1, quantize: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'indexes'}"}
    command = [
        sys.executable,
        "-m",
        "tests.support.finetune_slowly",
        str(base),
        str(folder),
        str(step),
        *([quantize] if quantize else []),
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path: Path, gemma: Path) -> None:
    whole = finetune_tiny(gemma, tmp_path / "whole")
    # In the middle of the second epoch of three steps, then in the middle of the third; a state lies behind each step.
    assert run_apart(gemma, tmp_path / "killed", 5).returncode == -9
    assert run_apart(gemma, tmp_path / "killed", 8).returncode == -9
    steps: list[int] = []

    def note(progress: Progress) -> None:
        if progress.stage == "Training":
            steps.append(progress.done)

    resumed = finetune_tiny(gemma, tmp_path / "killed", note)
    assert steps[0] == 7
    assert distance(resumed.checkpoint, whole.checkpoint, gemma) < 0.01
    assert resumed.score == pytest.approx(whole.score)


@pytest.mark.slow
def test_a_state_that_was_half_written_is_not_gone_on_from(tmp_path: Path, gemma: Path) -> None:
    whole = finetune_tiny(gemma, tmp_path / "whole")
    assert run_apart(gemma, tmp_path / "killed", 5).returncode == -9
    half = tmp_path / "killed" / "states" / "checkpoint-5"
    half.mkdir()
    (half / "trained.safetensors").write_bytes(b"half")
    assert distance(finetune_tiny(gemma, tmp_path / "killed").checkpoint, whole.checkpoint, gemma) < 0.01


@pytest.mark.slow
def test_a_state_without_its_optimizer_is_not_gone_on_from(tmp_path: Path, gemma: Path) -> None:
    whole = finetune_tiny(gemma, tmp_path / "whole")
    assert run_apart(gemma, tmp_path / "killed", 5).returncode == -9
    for file in (tmp_path / "killed" / "states").rglob("optimizer.pt"):
        file.unlink()
    assert distance(finetune_tiny(gemma, tmp_path / "killed").checkpoint, whole.checkpoint, gemma) < 0.01


@pytest.mark.parametrize("write", [write_gemma, pytest.param(write_bert, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "quantization",
    [Quantization.INT4, *(pytest.param(Quantization(kind), marks=pytest.mark.slow) for kind in ("int8", "mixed"))],
)
@pytest.mark.parametrize("method", [Method.LORA, pytest.param(Method.FULL, marks=pytest.mark.slow)])
def test_a_run_in_a_quantization_gives_a_checkpoint_whose_model_has_the_vectors_of_training(
    tmp_path: Path, write: Callable[..., Path], quantization: Quantization, method: Method
) -> None:
    if may_saturate() and quantization is not Quantization.INT4:
        pytest.skip("this processor cuts sums of products of bytes, which training does not")
    base = write(tmp_path / "base", inner=64)
    rate = 5e-3 if method is Method.LORA else 2e-3
    options = replace(OPTIONS, method=method, epochs=6, learning_rate=rate, quantize=quantization)
    tuned = finetune_tiny(base, tmp_path / "run", options=options)
    assert tuned.quantize is quantization
    contrastive = [value for _, value in tuned.history.losses["contrastive"]]
    assert sum(contrastive[-3:]) < sum(contrastive[:3])
    assert tuned.float_score is not None
    assert (
        f"{tuned.base_score:.4f} before, {tuned.score:.4f} after in {quantization}"
        in (tuned.checkpoint / "README.md").read_text()
    )
    assert form_for(tuned.checkpoint, quantization) is not None
    store = ModelStore(tmp_path / "models")
    card = store.add(tuned.checkpoint, name="model", quantization=quantization)
    assert (card.source["trained_in"], card.quantization) == (quantization, quantization)
    assert card.fidelity is not None
    assert card.fidelity.is_enough
    texts = [" ".join(WORDS[start : start + 7]) for start in range(0, 40, 7)]
    network = open_plain(tuned.checkpoint, options)
    in_training = Embedding(network, tokens_at_once=100, dtype=None).embed_texts(texts)
    assert (in_training * store.open("model").embed_many(texts)).sum(axis=1).min() > 0.9999


@pytest.mark.parametrize("method", [Method.FULL, pytest.param(Method.LORA, marks=pytest.mark.slow)])
def test_without_the_contrastive_loss_a_run_in_a_quantization_comes_nearer_to_the_base_in_floats(
    tmp_path: Path, method: Method
) -> None:
    base = write_bert(tmp_path / "base", inner=64)
    options = replace(OPTIONS, method=method, epochs=4, learning_rate=1e-3, quantize=Quantization.INT4)
    recovered = finetune_tiny(base, tmp_path / "run", options=options, weights=LossWeights(contrastive=0.0))
    assert recovered.measure == "cosine to the base in floats"
    assert recovered.float_score == pytest.approx(1, abs=1e-4)
    assert recovered.base_score < recovered.score < 1
    store = ModelStore(tmp_path / "models")
    for name, checkpoint in (("plain", base), ("recovered", recovered.checkpoint)):
        store.add(checkpoint, name=name, quantization=Quantization.INT4)
    texts = [pair.passage.text for pair in tiny_pairs()]
    exact = Embedding(open_plain(base, OPTIONS), tokens_at_once=500, dtype=None).embed_texts(texts)
    plain, near = ((store.open(name).embed_many(texts) * exact).sum(axis=1).mean() for name in ("plain", "recovered"))
    assert near > plain


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["int4", "mixed"])
def test_a_killed_run_in_a_quantization_goes_on_in_it(tmp_path: Path, quantize: str) -> None:
    base, options = write_gemma(tmp_path / "base", inner=64), replace(OPTIONS, quantize=Quantization(quantize))
    whole = finetune_tiny(base, tmp_path / "whole", options=options)
    assert run_apart(base, tmp_path / "killed", 5, quantize=quantize).returncode == -9
    resumed = finetune_tiny(base, tmp_path / "killed", options=options)
    assert distance(resumed.checkpoint, whole.checkpoint, base) < 0.01
    assert (resumed.float_score, resumed.base_score) == (whole.float_score, whole.base_score)
    for other in (None, Quantization.INT8):
        with refused(TrainingError, "--fresh"):
            finetune_tiny(base, tmp_path / "killed", options=replace(options, quantize=other))


@pytest.mark.slow
def test_a_run_that_is_killed_while_the_base_is_prepared_goes_on(tmp_path: Path) -> None:
    base, options = write_gemma(tmp_path / "base", inner=64), replace(OPTIONS, quantize=Quantization.INT4)

    def stop(progress: Progress) -> None:
        if progress.stage == "Preparing for int4":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune_tiny(base, tmp_path / "stopped", stop, options=options)
    whole = finetune_tiny(base, tmp_path / "whole", options=options)
    assert same_weights(finetune_tiny(base, tmp_path / "stopped", options=options).checkpoint, whole.checkpoint)


def test_an_interrupted_run_goes_on(tmp_path: Path, gemma: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.stage == "Training" and progress.done == 5:
            raise KeyboardInterrupt

    whole = finetune_tiny(gemma, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        finetune_tiny(gemma, tmp_path / "stopped", interrupt)
    assert same_weights(finetune_tiny(gemma, tmp_path / "stopped").checkpoint, whole.checkpoint)


@pytest.mark.slow
def test_a_finished_run_may_be_mixed_anew_without_training(tmp_path: Path, gemma: Path) -> None:
    finetune_tiny(gemma, tmp_path / "run")
    stages: list[str] = []
    half = finetune_tiny(
        gemma, tmp_path / "run", lambda progress: stages.append(progress.note), options=replace(OPTIONS, mix=0.5)
    )
    assert half.share == 0.5
    assert not any("loss" in note for note in stages)


@pytest.mark.slow
def test_a_run_with_other_options_is_not_mixed_into_the_old_one(tmp_path: Path, gemma: Path) -> None:
    finetune_tiny(gemma, tmp_path / "run")
    with refused(TrainingError, "--fresh"):
        finetune_tiny(gemma, tmp_path / "run", options=replace(OPTIONS, seed=9))


def test_a_full_disk_is_told_before_anything_is_trained(
    tmp_path: Path, gemma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TrainingError, match="Training needs"):
        finetune_tiny(gemma, tmp_path / "run")


@pytest.mark.slow
def test_a_disk_that_fills_up_while_a_state_is_written_loses_only_that(
    tmp_path: Path, gemma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    whole = finetune_tiny(gemma, tmp_path / "whole")
    save, saved = safetensors.torch.save_file, []

    def fill(*arguments: Any) -> None:
        saved.append(arguments)
        if len(saved) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", fill)
        with pytest.raises(TrainingError, match=r"The state of the run cannot be written to .*No space left"):
            finetune_tiny(gemma, tmp_path / "full")
    assert same_weights(finetune_tiny(gemma, tmp_path / "full").checkpoint, whole.checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit_bytes", "what"),
    [
        (30, "The run's state"),
        (5_000, "The base's vectors"),
        (20_000, "The state of the run"),
        (50_000, "The state of the run"),
    ],
)
def test_a_full_disk_is_named_and_the_run_goes_on(tmp_path: Path, gemma: Path, limit_bytes: int, what: str) -> None:
    """No file may grow beyond the limit, as on a full disk; a state is written at every step."""
    whole = finetune_tiny(gemma, tmp_path / "whole")
    ended = run_apart(gemma, tmp_path / "full", 0, limit_bytes)
    assert ended.returncode == 1
    assert f"TrainingError: {what} cannot be written to " in ended.stderr, ended.stderr
    assert not (tmp_path / "full" / "checkpoint").exists()
    assert distance(finetune_tiny(gemma, tmp_path / "full").checkpoint, whole.checkpoint, gemma) < 0.01


@pytest.mark.slow
def test_a_checkpoint_that_is_not_what_was_in_memory_is_refused(
    tmp_path: Path, gemma: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from searchkit.train.finetune import result

    def write_the_base(base: Path, target: Path, tuned: object, *, share: float) -> None:
        shutil.copytree(base, target, dirs_exist_ok=True)

    monkeypatch.setattr(result, "write_tuned", write_the_base)
    with pytest.raises(ModelError, match="are not those in memory"):
        finetune_tiny(gemma, tmp_path / "run", options=replace(OPTIONS, learning_rate=2e-2))
    assert not (tmp_path / "run" / "checkpoint").exists()


@pytest.mark.slow
def test_the_manifest_of_a_run_tells_what_it_is(tmp_path: Path, gemma: Path) -> None:
    tuned = finetune_tiny(gemma, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["base_score"] == tuned.base_score
    assert manifest["seconds"] == tuned.seconds > 0
