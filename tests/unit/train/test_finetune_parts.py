"""Gradient caching, batches, weights and states of fine-tuning, on tiny random networks."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

import torch

from searchkit.embedding.model_info import Prompts
from searchkit.errors import ModelError, SearchkitError, TrainingError
from searchkit.train.finetune.data import prepare_data
from searchkit.train.options import FinetuneOptions, Method, Precision
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.types import Passage
from tests.support.errors import refused
from tests.support.tiny_checkpoints import WORDS, write_bert, write_gemma

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn of each other
Write = Callable[[Path], Path]
FAMILIES = pytest.mark.parametrize("write", [write_bert, write_gemma])
EXACT = FinetuneOptions(precision=Precision.FLOAT32, max_tokens=32)
PLAIN = Prompts("{content}", "{title}\n{content}", "{content}")


def texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 20))) for _ in range(count)]


def tokenized(network: Any, count: int, seed: int) -> dict[str, Any]:
    return dict(network.preprocess(texts(count, seed)))


class Contrast:
    """A loss that any vector of the batch has a part in."""

    def __init__(self) -> None:
        self.parts: Mapping[str, float] = {}

    def __call__(self, columns: Sequence[Any], rows: Any) -> Any:  # noqa: ARG002 - the protocol's
        queries, positives = columns[:2]
        loss = torch.nn.functional.cross_entropy(queries @ positives.T / 0.1, torch.arange(len(queries)))
        spread = (queries @ queries.T).square().mean()
        self.parts = {"contrast": float(loss), "spread": float(spread)}
        return loss + spread


@FAMILIES
@pytest.mark.parametrize("tokens_at_once", [1, 40, 100_000])
def test_cached_gradients_are_those_of_the_whole_batch(tmp_path: Path, write: Write, tokens_at_once: int) -> None:
    from searchkit.train.finetune.caching import CachedObjective, Embedding
    from searchkit.train.finetune.network import open_network

    network = open_network(write(tmp_path / "base"), FinetuneOptions(method=Method.FULL, max_tokens=32))
    network.train()
    columns = [tokenized(network, 7, 1), tokenized(network, 7, 2)]
    vectors = [torch.nn.functional.normalize(network(dict(c))["sentence_embedding"], dim=-1) for c in columns]
    Contrast()(vectors, None).backward()
    whole = {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()

    cached = CachedObjective(Embedding(network, tokens_at_once=tokens_at_once, dtype=None), Contrast())
    parts = cached(columns, torch.arange(7))
    torch.stack(list(parts.values())).sum().backward()
    grouped = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    assert set(parts) == {"contrast", "spread"}
    assert grouped.keys() == whole.keys()
    for name, gradient in whole.items():
        assert (grouped[name] - gradient).norm() <= 1e-5 * gradient.norm() + 1e-6, name


@FAMILIES
@pytest.mark.parametrize("method", Method)
def test_the_token_table_is_frozen_and_the_heads_are_not(tmp_path: Path, write: Write, method: Method) -> None:
    from searchkit.train.finetune.network import TOKEN_TABLES, open_network

    network = open_network(write(tmp_path / "base"), FinetuneOptions(method=method, max_tokens=32))
    trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert trained
    assert not [name for name in trained if name.endswith(TOKEN_TABLES)]
    assert ("2.linear.weight" in trained) == (write is write_gemma)
    adapters = {name for name in trained if "lora_" in name}
    layers = {name for name in trained if ".linear." not in name} - adapters
    assert (bool(adapters), bool(layers)) == ((True, False) if method is Method.LORA else (False, True))


@FAMILIES
@pytest.mark.parametrize("method", Method)
def test_merged_and_written_weights_give_the_vectors_of_the_trained_network(
    tmp_path: Path, write: Write, method: Method
) -> None:
    from searchkit.train.finetune.caching import Embedding
    from searchkit.train.finetune.network import merged_tensors, open_network, open_plain
    from searchkit.train.finetune.weights import check_same_shape, write_tuned

    base, options = write(tmp_path / "base"), FinetuneOptions(method=method, max_tokens=32)
    network = open_network(base, options)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.1)
    expected = Embedding(network, tokens_at_once=100, dtype=None).embed_texts(texts(9))
    (tmp_path / "tuned").mkdir()
    write_tuned(base, tmp_path / "tuned", merged_tensors(network, base))
    check_same_shape(base, tmp_path / "tuned")
    found = Embedding(open_plain(tmp_path / "tuned", options), tokens_at_once=100, dtype=None).embed_texts(texts(9))
    before = Embedding(open_plain(base, options), tokens_at_once=100, dtype=None).embed_texts(texts(9))
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found - before).max() > 0.01
    for name in ("config.json", "config_sentence_transformers.json", "sentence_bert_config.json", "tokenizer.json"):
        assert (tmp_path / "tuned" / name).read_bytes() == (base / name).read_bytes()


def test_a_changed_window_is_noticed(tmp_path: Path) -> None:
    from searchkit.train.finetune.weights import check_same_shape, write_tuned

    base, tuned = write_gemma(tmp_path / "base"), tmp_path / "tuned"
    tuned.mkdir()
    write_tuned(base, tuned, {})
    for file in base.rglob("model.safetensors"):
        (tuned / file.relative_to(base)).write_bytes(file.read_bytes())
    check_same_shape(base, tuned)
    config = json.loads((tuned / "config.json").read_text())
    (tuned / "config.json").write_text(json.dumps({**config, "sliding_window": 4}))
    with pytest.raises(ModelError, match="sliding_window"):
        check_same_shape(base, tuned)


def test_a_soup_is_the_mean_and_a_mixture_lies_between() -> None:
    from searchkit.train.finetune.weights import mean_of, mixed

    one, other = torch.tensor([0.0, 2.0]), torch.tensor([4.0, 4.0])
    assert mean_of([{"w": one}, {"w": other}])["w"].tolist() == [2.0, 3.0]
    assert mixed(one, other, 0.25).tolist() == [1.0, 2.5]
    assert mixed(one, other, 1.0).tolist() == other.tolist()


def test_an_epoch_takes_every_row_once_and_one_source_a_batch() -> None:
    from searchkit.train.finetune.data import SourceBatches

    sources = ["title"] * 37 + ["link"] * 20 + ["caption"] * 3 + ["question"] * 2
    batches = SourceBatches(sources, 16, seed=5)
    epoch = list(batches)
    assert sorted(row for batch in epoch for row in batch) == list(range(62))
    assert len(batches) == len(epoch)
    assert max(map(len, epoch)) <= 16
    assert min(map(len, epoch)) >= 5
    kinds = [{sources[row] for row in batch} for batch in epoch]
    assert all(len(kind) == 1 or kind == {"caption", "question"} for kind in kinds)


def test_the_order_of_an_epoch_follows_from_seed_and_epoch_alone() -> None:
    from searchkit.train.finetune.data import SourceBatches

    def order(seed: int, epoch: int) -> list[list[int]]:
        batches = SourceBatches(["title"] * 40, 8, seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_states_that_were_cut_short_are_not_gone_on_from(tmp_path: Path) -> None:
    from searchkit.train.finetune.checkpoints import best_states, complete_states, prune, remove_unfinished

    looks = [{"step": 10, "epoch": 1.0, "eval_ndcg_10": 0.5}, {"step": 20, "epoch": 2.0, "eval_ndcg_10": 0.7}]
    looks.append({"step": 30, "epoch": 3.0, "eval_ndcg_10": 0.6})
    for step in (10, 20, 25, 30):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").write_bytes(b"numbers")
        (folder / "trainer_state.json").write_text(json.dumps({"log_history": looks}))
    (tmp_path / "checkpoint-40").mkdir()
    (tmp_path / "checkpoint-40" / "trainer_state.json").write_text('{"log_his')
    remove_unfinished(tmp_path)
    assert [saved.step for saved in complete_states(tmp_path)] == [10, 20, 25, 30]
    assert [(saved.step, saved.score) for saved in best_states(tmp_path, 2)] == [(20, 0.7), (30, 0.6)]
    prune(tmp_path, keep=1)
    assert [saved.step for saved in complete_states(tmp_path)] == [20, 30]
    assert not (tmp_path / "checkpoint-20" / "optimizer.pt").exists()
    assert (tmp_path / "checkpoint-30" / "optimizer.pt").exists()


def pairs(train: int, validation: int, *, documents: int = 1000, same: bool = False) -> list[Pair]:
    def one(number: int, split: Split) -> Pair:
        told = 0 if same else number
        return Pair(f"query {told}", Passage("", f"passage {told}"), Kind.TITLE, f"d{number % documents}", split)

    return [one(i, Split.TRAIN) for i in range(train)] + [one(train + i, Split.VALIDATION) for i in range(validation)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (pairs(5, 10), "There are 5 training pairs; at least 32 are needed"),
        (pairs(50, 10, same=True), r"There are 1 training pairs \(left out: 49 copies\)"),
        (pairs(50, 10, documents=1), "from 1 document"),
        (pairs(50, 0), "There are 0 validation pairs"),
        (pairs(50, 3), "There are 3 validation pairs"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(bad: list[Pair], reason: str) -> None:
    with pytest.raises(TrainingError, match=reason):
        prepare_data(bad, PLAIN)


def test_rows_carry_the_base_s_prompts_and_say_their_source() -> None:
    good = pairs(40, 8)
    hard = Pair("q", Passage("Lease", "text"), Kind.LINK, "d", negatives=(Passage("", "other"),))
    prompts = Prompts("query: {content}", "title: {title} | text: {content}", "title: none | text: {content}")
    row = prepare_data([*good, hard], prompts).train[-1]
    assert (row.query, row.positive, row.negative) == (
        "query: q",
        "title: Lease | text: text",
        "title: none | text: other",
    )
    assert row.source == "link with negatives"


def _searched(made: Sequence[Pair], split: Split) -> Sequence[str]:
    """The passages that each place which searches held-out pairs looks through, as texts."""
    from searchkit.train.finetune.proof import held_out_pool
    from searchkit.train.init.comparison import held_out

    if split is Split.VALIDATION:
        return [row.positive for row in prepare_data(made, PLAIN).validation]
    searched = held_out(made, PLAIN.of_query, PLAIN.of_passage, 0).passages
    return [*searched, *(passage.text for passage in held_out_pool(made, 0))]


@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_no_held_out_query_is_left_in_another_form_of_its_passage(split: Split) -> None:
    made = [*pairs(40, 8)]
    for number in range(20):
        title, sentence, rest = f"title {number}", f"sentence {number}", f"rest {number}"
        made += [
            Pair(title, Passage("", f"{sentence} {rest}"), Kind.TITLE, f"{number}.md", split, f"hash {number}"),
            Pair(sentence, Passage(title, f"{title} {rest}"), Kind.SENTENCE, f"{number}.md", split, f"hash {number}"),
        ]
    searched = _searched(made, split)
    assert any("sentence 7" in text for text in searched)
    assert not any("title 7" in text for text in searched)


def test_lora_of_an_unknown_architecture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from searchkit.train.finetune import network

    monkeypatch.setattr(network, "_LORA_TARGETS", {})
    with refused(SearchkitError, "--method full"):
        network.open_network(write_bert(tmp_path / "base"), EXACT)
