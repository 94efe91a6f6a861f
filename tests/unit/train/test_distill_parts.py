"""Removal of layers, the written student, the fitted head and the gate of distillation, on tiny random networks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.import_model import import_model
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.errors import UnsupportedCheckpointError
from searchkit.train.gate import Comparison
from searchkit.train.options import FinetuneOptions, Precision
from tests.support.errors import refused
from tests.support.tiny_checkpoints import WIDTH, WORDS, write_bert, write_gemma

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn of each other
Write = Callable[[Path, int], Path]
FAMILIES = pytest.mark.parametrize("write", [write_bert, write_gemma])
EXACT = FinetuneOptions(precision=Precision.FLOAT32, max_tokens=48)


def texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(count)]


def embedding_of(folder: Path, tokens_at_once: int = 200) -> Any:
    from searchkit.train.finetune.caching import Embedding
    from searchkit.train.finetune.network import open_plain

    return Embedding(open_plain(folder, EXACT), tokens_at_once=tokens_at_once, dtype=None)


@FAMILIES
@pytest.mark.parametrize("removed", [[], [1], [4, 0]])
def test_the_cost_of_a_layer_is_what_the_network_without_it_shows(
    tmp_path: Path, write: Write, removed: list[int]
) -> None:
    from searchkit.train.distill.layers import change, removal_costs, remove_layers

    base = write(tmp_path / "base", 5)
    embedding = embedding_of(base)
    embedding.network.eval()
    groups = [part for _, part in embedding.groups(embedding.tokenized(texts(20)))]
    whole = np.concatenate([embedding.vectors(group).detach().numpy() for group in groups])
    costs = removal_costs(embedding, groups, whole, removed)
    assert sorted(costs) == [number for number in range(5) if number not in removed]
    for number, cost in costs.items():
        without = embedding_of(base)
        without.network.eval()
        remove_layers(without.network, [*removed, number])
        vectors = np.concatenate([without.vectors(group).detach().numpy() for group in groups])
        assert cost == pytest.approx(change(vectors, whole), rel=1e-3)


@FAMILIES
def test_the_cheapest_layer_goes_first_and_an_order_that_is_known_is_continued(tmp_path: Path, write: Write) -> None:
    from searchkit.train.distill.layers import removal_order

    embedding = embedding_of(write(tmp_path / "base", 5))
    embedding.network.eval()
    rounds: list[tuple[list[int], dict[int, float]]] = []
    order = removal_order(
        embedding, texts(20), 2, on_round=lambda order, costs: rounds.append((list(order), dict(costs)))
    )
    assert len(set(order)) == 3
    for place, (so_far, costs) in enumerate(rounds):
        assert so_far == order[: place + 1]
        assert costs[order[place]] == min(costs.values())
    again: list[int] = []
    assert removal_order(embedding, texts(20), 2, order[:2], lambda so_far, _: again.append(len(so_far))) == order
    assert again == [3]
    assert removal_order(embedding, texts(20), 4, order) == order[:1]


@FAMILIES
@pytest.mark.parametrize("kept", [[0, 3], [1, 2, 4]])
def test_the_written_student_is_the_network_without_the_layers(tmp_path: Path, write: Write, kept: list[int]) -> None:
    from searchkit.train.distill.layers import remove_layers
    from searchkit.train.distill.student import write_student

    base = write(tmp_path / "base", 5)
    write_student(base, tmp_path / "student", kept)
    expected = embedding_of(base)
    remove_layers(expected.network, [number for number in range(5) if number not in kept])
    found = embedding_of(tmp_path / "student").embed_texts(texts(12))
    assert np.abs(found - expected.embed_texts(texts(12))).max() < 1e-5
    assert Checkpoint(tmp_path / "student").licence == Checkpoint(base).licence
    config = json.loads((tmp_path / "student" / "config.json").read_text())
    assert config["num_hidden_layers"] == len(kept)
    if write is write_gemma:
        assert config["layer_types"] == ["full_attention" if n % 2 else "sliding_attention" for n in kept]


@FAMILIES
def test_the_imported_student_keeps_the_kind_of_each_layer_and_has_one_head(tmp_path: Path, write: Write) -> None:
    """Its texts are longer than the window of 8 tokens, so that a layer of the wrong kind shows."""
    from searchkit.train.distill.student import write_student

    base = write(tmp_path / "base", 5)
    head = np.random.default_rng(0).standard_normal((16, WIDTH)).astype(np.float32)
    write_student(base, tmp_path / "student", [1, 2, 3], head, prefixes=(16, 8))
    imported = import_model(tmp_path / "student", tmp_path / "model", quantization=Quantization.FP32)
    assert (imported.dimension, imported.prefix_dimensions) == (16, (16, 8))
    long = [" ".join(np.random.default_rng(seed).choice(WORDS, 40)) for seed in range(8)]
    found = OnnxEmbedder(tmp_path / "model").embed_many(long)
    expected = embedding_of(tmp_path / "student").embed_texts(long)
    assert (found * expected).sum(axis=1).min() > 0.9999


def test_a_student_keeps_its_source_s_pooling_and_its_weights(tmp_path: Path) -> None:
    from searchkit.train.distill.layers import remove_layers
    from searchkit.train.distill.student import write_student
    from searchkit.train.finetune.pooling import POOLING_TYPE, AttentionPooling

    base = write_gemma(tmp_path / "base", 3)
    pooling = AttentionPooling(WIDTH, 2)
    pooling.probes.data.normal_()
    for file in (base / "1_Pooling").iterdir():
        file.unlink()
    pooling.save(str(base / "1_Pooling"))
    modules = json.loads((base / "modules.json").read_text())
    modules[1]["type"] = POOLING_TYPE
    (base / "modules.json").write_text(json.dumps(modules))
    expected = embedding_of(base)
    remove_layers(expected.network, [1])
    from searchkit.train.distill.head import own_head

    write_student(base, tmp_path / "student", [0, 2], own_head(expected.network, WIDTH))
    found = embedding_of(tmp_path / "student").embed_texts(texts(9))
    assert np.abs(found - expected.embed_texts(texts(9))).max() < 1e-5


def test_a_bare_encoder_gets_pooling_and_a_head(tmp_path: Path) -> None:
    from searchkit.train.distill.student import write_student

    base = write_bert(tmp_path / "base", 2)
    expected = embedding_of(base).embed_texts(texts(9))
    (base / "modules.json").unlink()
    write_student(base, tmp_path / "student", [0, 1], np.eye(WIDTH, dtype=np.float32))
    assert np.abs(embedding_of(tmp_path / "student").embed_texts(texts(9)) - expected).max() < 1e-5


def test_layers_of_a_family_that_is_not_known_are_refused(tmp_path: Path) -> None:
    from searchkit.train.distill.student import check_removable

    base = write_bert(tmp_path / "base", 2)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "model_type": "modernbert"}))
    with refused(UnsupportedCheckpointError, "Layers can be removed from these families: bert, gemma3_text"):
        check_removable(Checkpoint(base))


@FAMILIES
def test_pooled_states_through_the_own_head_are_the_vectors(tmp_path: Path, write: Write) -> None:
    from searchkit.train.distill.head import PooledStates, own_head, pooled_states

    embedding = embedding_of(write(tmp_path / "base", 3))
    pooled = PooledStates(embedding.network, tokens_at_once=200, dtype=None)
    some = texts(300)
    states = pooled_states(pooled, some, tmp_path / "states", lambda _: None)
    vectors = states @ own_head(embedding.network, states.shape[1]).T
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(vectors - embedding.embed_texts(some)).max() < 1e-5


def test_states_that_were_computed_before_a_stop_are_not_computed_again(tmp_path: Path) -> None:
    from searchkit.reports import Progress
    from searchkit.train.distill.head import PooledStates, pooled_states

    pooled = PooledStates(embedding_of(write_bert(tmp_path / "base", 2)).network, tokens_at_once=200, dtype=None)
    some = texts(300)

    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pooled_states(pooled, some, tmp_path / "states", stop)
    (file,) = (tmp_path / "states").iterdir()
    np.save(file, np.full_like(np.load(file), 7))
    assert (pooled_states(pooled, some, tmp_path / "states", lambda _: None) == 7).any()


def test_a_head_that_can_be_fitted_exactly_is_and_few_texts_leave_it_near_where_it_was() -> None:
    from searchkit.train.distill.head import fit_head

    rng = np.random.default_rng(0)
    states, true = rng.standard_normal((200, 12)).astype(np.float32), rng.standard_normal((8, 12)).astype(np.float32)

    def unit(vectors: Any) -> Any:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    states *= rng.uniform(0.2, 5, (200, 1)).astype(np.float32)  # lengths mean nothing
    near = true + 0.1 * rng.standard_normal(true.shape).astype(np.float32)
    wanted = unit(states @ true.T)
    before = (unit(states[100:] @ near.T) * wanted[100:]).sum(axis=1).mean()
    for texts, towards in ((100, near), (6, near)):
        fit = fit_head(states[:texts], wanted[:texts], towards)
        after = (unit(states[100:] @ fit.head.T) * wanted[100:]).sum(axis=1).mean()
        assert after > before
    exact = fit_head(unit(states), unit(states) @ true.T)
    assert np.abs(exact.head - true).max() < 1e-2
    assert exact.error < 1e-6


def test_the_error_of_texts_left_out_is_that_of_fitting_without_each() -> None:
    from searchkit.train.distill.head import _left_out

    rng = np.random.default_rng(1)
    x, y, ridge = rng.standard_normal((15, 4)), rng.standard_normal((15, 3)), 0.7
    errors = []
    for row in range(15):
        rest = np.arange(15) != row
        weights = np.linalg.solve(x[rest].T @ x[rest] + ridge * np.eye(4), x[rest].T @ y[rest])
        errors.append(np.square(x[row] @ weights - y[row]).sum())
    values, directions = np.linalg.eigh(x.T @ x)
    turned = x @ directions
    assert _left_out(turned, values, turned.T @ y, y, ridge) == pytest.approx(np.mean(errors))


def comparison(name: str, gain: float) -> Comparison:
    return Comparison(name, 100, (), gain, gain - 0.01, gain + 0.01)


@pytest.mark.parametrize(
    ("held_out", "bundled", "named", "gain", "reason"),
    [
        (-0.02, -0.2, None, 1.9, "1.90 times the passages per second; nDCG@10 against its teacher: held-out -0.0200"),
        (-0.04, 0.0, None, 1.9, r"held-out: it loses 0\.0400 of nDCG@10 against its teacher; 0\.03 is allowed"),
        (-0.02, 0.0, -0.05, 1.9, r"named: it loses 0\.0500"),
        (0.01, 0.0, 0.0, 1.0, r"not faster than its teacher \(1\.00 times"),
    ],
)
def test_a_student_passes_if_it_is_faster_and_loses_little(
    held_out: float, bundled: float, named: float | None, gain: float, reason: str
) -> None:
    import re

    from searchkit.train.distill.proof import Bargain, Speeds, judge_student

    general = [comparison("bundled", bundled)] + ([] if named is None else [comparison("named", named)])
    verdict = judge_student(comparison("held-out", held_out), general, Speeds(10, 10 * gain, gain), Bargain())
    assert re.search(reason, verdict.reason), verdict.reason
    assert verdict.passed == reason.startswith("1.90")
