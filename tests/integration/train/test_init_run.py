"""Whole runs of `train init` on tiny texts: what comes out, what a kill leaves, what is refused; its poolings as graphs."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

import torch

from searchkit.cli.main import cli
from searchkit.display import error_text
from searchkit.embedding.checkpoint import Checkpoint, Pooling
from searchkit.embedding.store import ModelStore
from searchkit.errors import SearchkitError, TrainingError, UnsupportedCheckpointError
from searchkit.library import Library
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.network import merged_tensors, open_network, open_plain
from searchkit.train.finetune.weights import check_same_shape, write_tuned
from searchkit.train.init.encoder_decoder import new_config, new_model
from searchkit.train.init.prepare import InitRequest, prepare_run
from searchkit.train.init.starts import Described, write_start
from searchkit.train.init.vocabulary import reduce_tokenizer
from searchkit.train.options import FinetuneOptions, Method, Start, TokenPooling
from searchkit.train.pairs.collect import read_or_mine_pairs
from searchkit.train.pairs.pair import Split
from searchkit.train.pairs.pair_file import write_pairs
from tests.integration.embedding.test_random_checkpoints import by_graph, cosines
from tests.support.errors import refused
from tests.support.files import ROOT, write
from tests.support.init_runs import OPTIONS, init_pairs, init_tiny
from tests.support.random_checkpoints import write_tokenizer
from tests.support.reference_texts import DOCUMENTS
from tests.support.tiny_checkpoints import WORDS, write_gemma
from tests.support.weights import same_weights, weights_of

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn of each other
Command = Callable[..., Result]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A checkpoint with a tokenizer of byte pairs, of which nothing else is of use."""
    folder = tmp_path / "base"
    folder.mkdir()
    write_tokenizer(folder, 512)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return folder


def test_a_run_gives_a_checkpoint_like_embedding_gemma_s_that_is_imported(tmp_path: Path, base: Path) -> None:
    made = init_tiny(base, tmp_path / "home", tmp_path / "encoder")
    assert [(line.start, line.pooling) for line in made.lines] == [
        (Start.ENCODER_DECODER, TokenPooling.ATTENTION),
        (Start.RANDOM, TokenPooling.ATTENTION),
    ]
    config = json.loads((tmp_path / "encoder" / "config.json").read_text())
    assert (config["model_type"], config["use_bidirectional_attention"], config["sliding_window"]) == (
        "gemma3_text",
        True,
        512,
    )
    store = ModelStore(tmp_path / "models")
    card = store.add(tmp_path / "encoder", name="mine")
    assert card.dimension == 24
    assert card.prompts.query == "task: search result | query: {content}"
    pair = init_pairs()[0]
    network = open_plain(tmp_path / "encoder", FinetuneOptions(max_tokens=512))
    texts = [card.prompts.of_query(pair.query), card.prompts.of_passage(pair.passage)]
    expected = Embedding(network, tokens_at_once=1, dtype=None).embed_texts(texts)
    found = store.open("mine").embed_many(texts)
    assert (found * expected).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("pooling", TokenPooling)
def test_each_pooling_is_a_graph_that_gives_torch_s_vectors(tmp_path: Path, base: Path, pooling: TokenPooling) -> None:
    reduced, folder = tmp_path / "reduced", tmp_path / "start"
    reduced.mkdir()
    vocabulary = reduce_tokenizer(base, DOCUMENTS[:4], 1000, reduced)
    config = new_config(layers=3, width=24, tokens=len(vocabulary), pad=vocabulary.pad)
    config.layer_types = ["sliding_attention", "full_attention", "sliding_attention"]
    config.sliding_window = 12
    weights = {
        name: value + 0.2 * torch.randn(value.shape, generator=torch.Generator().manual_seed(5))
        for name, value in new_model(config, 0).state_dict().items()
    }
    write_start(folder, weights, pooling, Described(config, reduced, "unknown"))
    network = open_plain(folder, FinetuneOptions(max_tokens=2048))
    if pooling is TokenPooling.ATTENTION:
        with torch.no_grad():
            for weight in network[1].parameters():
                weight.normal_()
        network[1].save(str(folder / "1_Pooling"))
    ids = [network.tokenizer(text)["input_ids"][:length] for text in DOCUMENTS[:4] for length in (2, 7, 40)]
    with torch.no_grad():
        expected = np.concatenate(
            [
                network({"input_ids": torch.tensor([each]), "attention_mask": torch.ones(1, len(each))})[
                    "sentence_embedding"
                ].numpy()
                for each in ids
            ]
        )
    assert np.ptp(expected @ expected.T) > 0.1  # texts differ
    assert cosines(by_graph(folder, ids), expected).min() > 0.99999


def test_other_poolings_are_refused_and_so_are_weights_that_do_not_fit(tmp_path: Path, base: Path) -> None:
    config = new_config(layers=1, width=24, tokens=1100, pad=0)
    write_start(
        tmp_path / "start", new_model(config, 0).state_dict(), TokenPooling.ATTENTION, Described(config, base, "")
    )
    assert Checkpoint(tmp_path / "start").pooling is Pooling.ATTENTION
    from safetensors.torch import save_file

    weights = tmp_path / "start" / "1_Pooling" / "model.safetensors"
    save_file({"probes": torch.zeros(5, 24), "value.weight": torch.zeros(24, 24)}, weights)
    with refused(UnsupportedCheckpointError, "do not fit together"):
        _ = Checkpoint(tmp_path / "start").head
    save_file({"probes": torch.zeros(3, 24)}, weights)
    with refused(UnsupportedCheckpointError, "lacks the tensor value.weight"):
        _ = Checkpoint(tmp_path / "start").head
    write_start(tmp_path / "mean", new_model(config, 0).state_dict(), TokenPooling.MEAN, Described(config, base, ""))
    (tmp_path / "mean" / "1_Pooling" / "config.json").write_text('{"pooling_mode": "weightedmean"}')
    with refused(UnsupportedCheckpointError, "mean, cls and lasttoken"):
        Checkpoint(tmp_path / "mean").check_modules()


@pytest.mark.parametrize("method", Method)
def test_an_encoder_with_attention_pooling_can_be_trained_further(tmp_path: Path, base: Path, method: Method) -> None:
    config = new_config(layers=1, width=24, tokens=1100, pad=0)
    start, tuned = tmp_path / "start", tmp_path / "tuned"
    write_start(start, new_model(config, 0).state_dict(), TokenPooling.ATTENTION, Described(config, base, ""))
    options = FinetuneOptions(method=method, max_tokens=64)
    network = open_network(start, options)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(len(name))))
    assert {name for name, weight in network.named_parameters() if weight.requires_grad} >= {
        "1.probes",
        "1.value.weight",
    }
    expected = Embedding(network, tokens_at_once=1, dtype=None).embed_texts(DOCUMENTS[:3])
    tuned.mkdir()
    write_tuned(start, tuned, merged_tensors(network, start))
    check_same_shape(start, tuned)
    found = Embedding(open_plain(tuned, options), tokens_at_once=1, dtype=None).embed_texts(DOCUMENTS[:3])
    assert np.abs(found - expected).max() < 1e-5


def test_a_decoder_s_own_weights_are_adapted(tmp_path: Path, base: Path) -> None:
    config = new_config(layers=1, width=24, tokens=1100, pad=0)
    decoder = new_model(config, 7)
    decoder.save_pretrained(base)
    options = replace(OPTIONS, language_steps=0, adaptation_steps=0, starts=(Start.DECODER,), epochs=1)
    init_tiny(base, tmp_path / "home", tmp_path / "encoder", options=replace(options, contrastive_rate=1e-9))
    found, own = weights_of(tmp_path / "encoder"), decoder.state_dict()
    for name in ("norm.weight", "layers.0.self_attn.q_proj.weight"):
        assert np.allclose(found[f"model.safetensors/{name}"], own[name].numpy(), atol=1e-6)
    table = found["model.safetensors/embed_tokens.weight"]
    assert len(table) < 1100
    rows = {tuple(np.round(row, 4)) for row in own["embed_tokens.weight"].numpy()}
    assert all(tuple(np.round(row, 4)) in rows for row in table)


@pytest.mark.slow
@pytest.mark.parametrize("step", [4, 7, 12])
def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path: Path, base: Path, step: int) -> None:
    init_tiny(base, tmp_path / "home", tmp_path / "whole")
    arguments = [str(base), str(tmp_path / "other"), str(tmp_path / "killed"), str(step)]
    command = [sys.executable, "-m", "tests.support.init_runs", *arguments]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert killed.returncode == -9, killed.stderr
    assert not (tmp_path / "killed").exists()
    init_tiny(base, tmp_path / "other", tmp_path / "killed")
    assert same_weights(tmp_path / "whole", tmp_path / "killed", atol=1e-5)


def test_a_collection_s_passages_are_read_but_for_those_of_held_out_documents(
    library: Library, tmp_path: Path, base: Path
) -> None:
    for number in range(120):
        words = " ".join(WORDS[(number * 7 + 3 * place) % len(WORDS)] for place in range(30))
        write(
            tmp_path / "docs" / f"{number}.md", f"# Number{number} {words[:12]}\n\nnumber{number} {words}. {words}.\n"
        )
    library.index(tmp_path / "docs", collection="docs")
    run = prepare_run(library, InitRequest("docs", tmp_path / "encoder", base), OPTIONS)
    pairs, _ = read_or_mine_pairs(library, "docs", seed=OPTIONS.seed)
    apart = {pair.document for pair in pairs if pair.split is not Split.TRAIN}
    read = " ".join(run.texts)
    assert len(apart) >= 20
    for number in range(120):
        is_apart = (tmp_path / "docs" / f"{number}.md").as_posix() in apart
        assert (f"number{number} " in read) == (not is_apart), number


def test_a_run_with_other_options_is_not_gone_on_with(tmp_path: Path, base: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        init_tiny(base, tmp_path / "home", tmp_path / "encoder", stop)
    with refused(TrainingError, "unfinished run with other pairs or options"):
        init_tiny(base, tmp_path / "home", tmp_path / "encoder", options=replace(OPTIONS, epochs=2))


def test_too_few_texts_are_refused(tmp_path: Path, base: Path) -> None:
    with refused(TrainingError, "a language model needs 64 at least"):
        init_tiny(base, tmp_path / "home", tmp_path / "encoder", options=replace(OPTIONS, max_tokens=2048), count=80)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("SEARCHKIT_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["train", "init", *arguments])

    return run


def test_the_command_refuses_what_it_cannot_use_and_writes_nothing(tmp_path: Path, command: Command) -> None:
    write_pairs(tmp_path / "few.jsonl", init_pairs(20))
    out = str(tmp_path / "encoder")
    few = command("--pairs", str(tmp_path / "few.jsonl"), "--out", out)
    assert isinstance(few.exception, SearchkitError)
    assert "at least 32 are needed" in error_text(few.exception)
    for arguments, reason in (
        (("--out", out), "Name a collection, or pairs"),
        (("docs",), "Missing option '--out'"),
        (("docs", "--out", str(tmp_path)), "exists already"),
        (("docs", "--out", str(tmp_path / "no" / "where")), "There is no folder"),
        (("docs", "--out", out, "--width", "100"), "no multiple of 6"),
        (("docs", "--out", out, "--pooling", "max"), "'max' is not one of"),
    ):
        found = command(*arguments)
        assert found.exit_code == 2
        assert reason in found.output
    write_pairs(tmp_path / "pairs.jsonl", init_pairs())
    bare = tmp_path / "bare"
    bare.mkdir()
    none = command("--pairs", str(tmp_path / "pairs.jsonl"), "--out", out, "--base", str(bare))
    assert isinstance(none.exception, SearchkitError)
    assert "contains no config.json" in error_text(none.exception)
    assert not (tmp_path / "encoder").exists()
    assert not (tmp_path / "home" / "training").exists()


def test_the_command_makes_an_encoder_and_its_report(tmp_path: Path, command: Command) -> None:
    write_pairs(tmp_path / "pairs.jsonl", init_pairs())
    base = write_gemma(tmp_path / "gemma")  # whose tokenizer knows whole words only
    small = ("--layers", "1", "--width", "12", "--max-tokens", "32", "--decoder-steps", "2", "--adaptation-steps", "2")
    less = ("--epochs", "1", "--seeds", "1", "--start", "encoder-decoder", "--pooling", "last", "--pooling", "mean")
    pairs = ("--pairs", str(tmp_path / "pairs.jsonl"), "--base", str(base), "--out", str(tmp_path / "encoder"))
    found = command(*pairs, *small, *less, "--json")
    assert found.exit_code == 0, found.output
    report = tmp_path / "home" / "train" / "init" / "encoder"
    lines = json.loads((report / "report.json").read_text())["lines"]
    assert [line["pooling"] for line in lines] == ["mean", "last"]
    assert "| held-out pairs | encoder-decoder | mean |" in (report / "report.md").read_text()
    assert "license: gemma" in (tmp_path / "encoder" / "README.md").read_text()
    assert not (tmp_path / "home" / "training" / "init-encoder").exists()
    assert command(*pairs).exit_code == 2  # never over what is there
