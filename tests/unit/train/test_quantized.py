"""Rounded numbers in training: to the bit those of the graph that an import writes, in every form and family."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")
pytest.importorskip("peft", reason="peft is not installed (extra [train])")

import torch

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import write_encoder
from searchkit.embedding.graph.quantize import quantize_blocks, quantize_columns
from searchkit.embedding.graph.trained_form import FORM_FILE, TrainedForm, read_form, write_form
from searchkit.embedding.graph.weights import Weights
from searchkit.embedding.import_model import FAMILIES, form_for, import_model
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.prepare_form import prepare_form
from searchkit.embedding.store import ModelStore
from searchkit.errors import ModelError, UnsupportedCheckpointError
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.network import (
    TOKEN_TABLES,
    encoder_of,
    merged_tensors,
    open_network,
    open_plain,
    put_tensors,
    trained_tensors,
)
from searchkit.train.finetune.quantized import RoundedProduct, place_of, prepared_base, round_blocks, round_columns
from searchkit.train.finetune.weights import write_tuned
from searchkit.train.options import FinetuneOptions, Method, Precision
from tests.support.errors import refused
from tests.support.processor import may_saturate
from tests.support.random_checkpoints import RECIPES, write_random
from tests.support.reference_texts import DOCUMENTS

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # the libraries warn of each other
Floats = npt.NDArray[np.float32]
INT8, MIXED, INT4 = Quantization.INT8, Quantization.MIXED, Quantization.INT4
EVERY_FORM = pytest.mark.parametrize("quantization", [INT8, MIXED, INT4])
EVERY_FAMILY = pytest.mark.parametrize("recipe", ["tiny-leaf", "tiny-embeddinggemma"])
EXACT = FinetuneOptions(precision=Precision.FLOAT32, max_tokens=64, lora_rank=4)
TEXTS = [text[:200] for text in DOCUMENTS[:6]]
matrices = arrays(
    np.float32,
    st.tuples(st.integers(2, 5), st.sampled_from([32, 64, 160])),
    elements=st.floats(-100, 100, width=16, allow_subnormal=False),  # few digits, so that magnitudes are often equal
)


class Recording(GraphBuilder):
    """Keeps the constants of a graph."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.constants: dict[str, Any] = {}

    def constant(self, name: str, value: Any) -> str:
        self.constants.setdefault(name, value)
        return super().constant(name, value)


def shipped(folder: Path, target: Path, form: TrainedForm) -> Mapping[str, Floats]:
    """The numbers that the graph of a checkpoint multiplies by: (out, in) by the product's name."""
    checkpoint = Checkpoint(folder)
    target.mkdir()
    with Recording(target) as graph:
        weights = Weights(graph, form.quantization, floats=form.floats, trained=form)
        write_encoder(FAMILIES[checkpoint.model_type].encoder(graph, weights, checkpoint))
    found: dict[str, Floats] = {}
    for name, codes in graph.constants.items():
        product, _, kind = name.rpartition(".")
        if kind == "codes" and f"{product}.scales" in graph.constants:
            found[product] = (codes * graph.constants[f"{product}.scales"]).T
        elif kind == "codes" and name.endswith(".scales.codes"):
            owner = product.removesuffix(".scales")
            packed, steps = graph.constants[f"{owner}.codes"], graph.constants[f"{owner}.scales.steps"]
            by_block = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*codes.shape, -1).astype(np.float32) - 8
            scales = codes.astype(np.float32) * steps
            found[owner] = (by_block * scales[:, :, None]).reshape(len(steps), -1)
    return found


def rounded_products(network: Any) -> Mapping[str, Floats]:
    with torch.no_grad():
        return {
            place.product: module.forward.weight().numpy()
            for name, module in encoder_of(network).named_modules()
            if (place := place_of(name)) and isinstance(module.forward, RoundedProduct)
        }


def options(quantization: Quantization, method: Method = Method.FULL) -> FinetuneOptions:
    return replace(EXACT, quantize=quantization, method=method)


@given(matrices)
def test_rounded_weights_are_those_of_the_graph_to_the_bit(matrix: Floats) -> None:
    codes, scales = quantize_columns(matrix.T)
    assert np.array_equal(round_columns(torch.from_numpy(matrix)).numpy(), (codes * scales).T)
    assert np.array_equal(round_blocks(torch.from_numpy(matrix)).numpy(), quantize_blocks(matrix).decoded())


@pytest.mark.parametrize("seed", range(4))
def test_weights_of_very_different_size_are_rounded_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = (rng.standard_t(2, (64, 256)) * np.exp(rng.standard_normal((64, 1)))).astype(np.float32)
    matrix[3], matrix[:, 32:64] = 0, matrix[:, 32:64] / 500
    codes, scales = quantize_columns(matrix.T)
    assert np.array_equal(round_columns(torch.from_numpy(matrix)).numpy(), (codes * scales).T)
    assert np.array_equal(round_blocks(torch.from_numpy(matrix)).numpy(), quantize_blocks(matrix).decoded())


@EVERY_FAMILY
@EVERY_FORM
def test_each_product_is_rounded_to_what_the_graph_has(tmp_path: Path, recipe: str, quantization: Quantization) -> None:
    base = prepared_base(write_random(tmp_path / "base", RECIPES[recipe]), tmp_path / "prepared", quantization)
    form = read_form(base)
    assert form is not None
    floats = {"tiny-leaf": ("encoder.layer.1.up",), "tiny-embeddinggemma": ("0.qkv", "1.gate_up", "2.down")}[recipe]
    kept = replace(form, floats=() if quantization is INT4 else floats)
    write_form(base, kept)
    expected = shipped(base, tmp_path / "graph", kept)
    found = rounded_products(open_plain(base, options(quantization)))
    assert found.keys() == expected.keys()
    assert len(found) > 6
    for name, weight in expected.items():
        assert np.array_equal(found[name], weight), name


@EVERY_FAMILY
@EVERY_FORM
def test_training_starts_from_the_numbers_that_an_import_stores(
    tmp_path: Path, recipe: str, quantization: Quantization
) -> None:
    source = write_random(tmp_path / "base", RECIPES[recipe])
    prepared = prepared_base(source, tmp_path / "prepared", quantization)
    models = [tmp_path / "plain", tmp_path / "start"]
    for folder, model in zip((source, prepared), models, strict=True):
        import_model(folder, model, quantization=quantization)
    plain, start = (np.fromfile(model / "weights.bin", np.uint8) for model in models)
    assert (plain == start).mean() > 0.99
    vectors = [OnnxEmbedder(model).embed_many(TEXTS) for model in models]
    assert (vectors[0] * vectors[1]).sum(axis=1).min() > 0.997  # in int4 the random Gemma is at .8 to its floats


@EVERY_FAMILY
@EVERY_FORM
def test_the_network_in_training_gives_the_vectors_of_the_imported_model(
    tmp_path: Path, recipe: str, quantization: Quantization
) -> None:
    if may_saturate() and quantization is not Quantization.INT4:
        pytest.skip("this processor cuts sums of products of bytes, which training does not")
    source = write_random(tmp_path / "base", RECIPES[recipe])
    base = prepared_base(source, tmp_path / "prepared", quantization)
    store = ModelStore(tmp_path / "models")
    card = store.add(base, name="model", quantization=quantization)
    assert card.source["trained_in"] == quantization.value
    true = store.open("model").embed_many(TEXTS)
    network = open_plain(base, options(quantization))
    found = Embedding(network, tokens_at_once=400, dtype=None).embed_texts(TEXTS)  # several texts at once, with padding
    exact = Embedding(open_plain(source, EXACT), tokens_at_once=400, dtype=None).embed_texts(TEXTS)
    near, far = (1 - (vectors * true).sum(axis=1).min() for vectors in (found, exact))
    assert near < 5e-5  # a rounding that is a tie up to the order of a sum
    assert near < far / 50


@EVERY_FAMILY
@EVERY_FORM
@pytest.mark.parametrize("method", Method)
def test_what_is_rounded_is_the_merged_weight_and_gradients_pass_through(
    tmp_path: Path, recipe: str, quantization: Quantization, method: Method
) -> None:
    base = prepared_base(write_random(tmp_path / "base", RECIPES[recipe]), tmp_path / "prepared", quantization)
    network = open_network(base, options(quantization, method))
    network.train()
    _move(network)
    embedding = Embedding(network, tokens_at_once=400, dtype=None)
    vectors = embedding.embed(embedding.tokenized(TEXTS))
    (vectors[:3] * vectors[3:]).sum().backward()
    silent = [
        name for name, p in network.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert not [name for name in silent if "pooler" not in name and "key.bias" not in name]
    expected = embedding.embed_texts(TEXTS)
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    merged = merged_tensors(network, base)
    merged[""] = {name: value for name, value in merged[""].items() if not name.endswith(TOKEN_TABLES)}  # as in a run
    write_tuned(base, tuned, merged)
    write_form(tuned, read_form(base) or TrainedForm(quantization))
    assert np.allclose(embedding.embed_texts(TEXTS), expected, atol=1e-5)  # merged, it is the same network
    opened = Embedding(open_plain(tuned, options(quantization)), tokens_at_once=400, dtype=None).embed_texts(TEXTS)
    assert (opened * expected).sum(axis=1).min() > 0.9999


@EVERY_FAMILY
@EVERY_FORM
def test_a_step_of_the_optimizer_is_rounded_anew(tmp_path: Path, recipe: str, quantization: Quantization) -> None:
    base = prepared_base(write_random(tmp_path / "base", RECIPES[recipe]), tmp_path / "prepared", quantization)
    for method, fused in itertools.product(Method, (True, False)):
        network = open_network(base, options(quantization, method))
        trained = [weight for weight in network.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=0.05, fused=fused, foreach=not fused)
        embedding = Embedding(network, tokens_at_once=400, dtype=None)
        for _ in range(2):
            embedding.embed(embedding.tokenized(TEXTS)).sum().backward()
            optimizer.step()
        other = open_network(base, options(quantization, method))
        put_tensors(other, trained_tensors(network))
        expected = Embedding(other, tokens_at_once=400, dtype=None).embed_texts(TEXTS)
        assert np.array_equal(embedding.embed_texts(TEXTS), expected)


def _move(network: Any) -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.02)


@EVERY_FORM
def test_a_checkpoint_that_was_trained_in_a_form_keeps_it(tmp_path: Path, quantization: Quantization) -> None:
    """Prepared once more, its weights and choices stay, so that training can go on; in another form it is like any other."""
    base = prepared_base(write_random(tmp_path / "base", RECIPES["tiny-leaf"]), tmp_path / "first", quantization)
    again = prepared_base(base, tmp_path / "again", quantization)
    for name in ("model.safetensors", FORM_FILE):
        assert (again / name).read_bytes() == (base / name).read_bytes()
    other = INT8 if quantization is not INT8 else INT4
    assert form_for(base, other) is None
    assert (prepare_form(base, other)).form.quantization is other


def test_what_a_network_or_a_form_cannot_be_trained_in_is_refused(tmp_path: Path) -> None:
    narrow = replace(RECIPES["tiny-leaf"], config={**RECIPES["tiny-leaf"].config, "intermediate_size": 80})
    base = write_random(tmp_path / "narrow", narrow)
    with pytest.raises(UnsupportedCheckpointError, match="products with 80 inputs"):
        prepare_form(base, INT4)
    assert prepare_form(base, INT8).form.quantization is INT8
    with pytest.raises(UnsupportedCheckpointError, match="A modernbert model cannot be trained in int8"):
        prepare_form(write_random(tmp_path / "other", RECIPES["tiny-modernbert"]), INT8)
    with pytest.raises(UnsupportedCheckpointError, match="Nothing is trained in fp32"):
        prepare_form(base, Quantization.FP32)
    with pytest.raises(ModelError, match="was not prepared"):
        open_plain(base, options(INT8))


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"quantization": "int5", "floats": [], "smoothing": {}}',
        '{"quantization": "fp32", "floats": [], "smoothing": {}}',
        '{"quantization": "int8", "floats": [], "smoothing": {"0.qkv": [1, -1]}}',
    ],
)
def test_a_form_that_cannot_be_read_is_no_form(tmp_path: Path, content: str) -> None:
    (tmp_path / FORM_FILE).write_text(content)
    with refused(UnsupportedCheckpointError, "Remove the file"):
        read_form(tmp_path)
