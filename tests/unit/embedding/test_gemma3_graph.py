"""The Gemma 3 graph against the same encoder written out in plain NumPy, on a small checkpoint of random weights."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from searchkit.embedding.calibrate import calibrate
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS, write_encoder, write_head
from searchkit.embedding.graph.gemma3 import Gemma3Encoder
from searchkit.embedding.graph.weights import Inputs, Weights
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import open_session
from searchkit.errors import UnsupportedCheckpointError
from tests.support.processor import may_saturate

Floats = npt.NDArray[np.float64]
Tensors = dict[str, npt.NDArray[np.float32]]
WIDTH, HEAD, INNER, VOCABULARY = 64, 32, 96, 50
CONFIG: Mapping[str, Any] = {
    "model_type": "gemma3_text",
    "use_bidirectional_attention": True,
    "hidden_size": WIDTH,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": HEAD,
    "intermediate_size": INNER,
    "rms_norm_eps": 1e-6,
    "query_pre_attn_scalar": HEAD,
    "sliding_window": 8,  # four tokens to each side
    "max_position_embeddings": 128,
    "num_hidden_layers": 3,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    "rope_local_base_freq": 10_000.0,
    "rope_theta": 1_000_000.0,
}
LENGTHS = [1, 2, 4, 5, 6, 9, 30, 128]  # around the window's reach, and the longest input


def random_tensors(config: Mapping[str, Any]) -> Tensors:
    """Weights of a small encoder; norm weights around 0, since Gemma stores them less one."""
    rng = np.random.default_rng(7)
    queries, keys = (config[key] * HEAD for key in ("num_attention_heads", "num_key_value_heads"))
    shapes = {
        "self_attn.q_proj": (queries, WIDTH),
        "self_attn.k_proj": (keys, WIDTH),
        "self_attn.v_proj": (keys, WIDTH),
        "self_attn.o_proj": (WIDTH, queries),
        "mlp.gate_proj": (INNER, WIDTH),
        "mlp.up_proj": (INNER, WIDTH),
        "mlp.down_proj": (WIDTH, INNER),
        "self_attn.q_norm": (HEAD,),
        "self_attn.k_norm": (HEAD,),
        "input_layernorm": (WIDTH,),
        "post_attention_layernorm": (WIDTH,),
        "pre_feedforward_layernorm": (WIDTH,),
        "post_feedforward_layernorm": (WIDTH,),
    }
    tensors = {"embed_tokens.weight": rng.normal(0, 0.3, (VOCABULARY, WIDTH)), "norm.weight": rng.normal(0, 0.1, WIDTH)}
    for layer in range(config["num_hidden_layers"]):
        for name, shape in shapes.items():
            tensors[f"layers.{layer}.{name}.weight"] = rng.normal(0, 0.15, shape)
    return {name: values.astype(np.float32) for name, values in tensors.items()}


def write_checkpoint(folder: Path, config: Mapping[str, Any], kind: npt.DTypeLike = np.float32) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")
    save_file({name: t.astype(kind) for name, t in random_tensors(config).items()}, folder / "model.safetensors")
    return folder


def embed(
    folder: Path, ids: list[int], quantization: Quantization, observed: Mapping[str, Inputs] | None = None
) -> Floats:
    """The vector that the graph gives."""
    checkpoint = Checkpoint(folder)
    target = folder / quantization
    target.mkdir(exist_ok=True)
    with GraphBuilder(target) as graph:
        encoder = Gemma3Encoder(graph, Weights(graph, quantization, observed=observed), checkpoint)
        states = write_encoder(encoder)
        embedding = write_head(graph, states, checkpoint.head, small=quantization.has_small_table)
        graph.save({INPUT_IDS: (np.int64, ["batch", "tokens"])}, {"embedding": embedding})
    found: Floats = open_session(target, 1).run(None, {INPUT_IDS: np.array([ids])})[0][0].astype(np.float64)
    return found


class PlainEncoder:
    """Gemma 3 as the report and transformers describe it, a token at a time, in double precision."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.tensors = {name: values.astype(np.float64) for name, values in random_tensors(config).items()}

    def embed(self, ids: list[int]) -> Floats:
        x = self.tensors["embed_tokens.weight"][ids] * WIDTH**0.5
        for layer, kind in enumerate(self.config["layer_types"]):
            x = x + self.norm(self.attention(self.norm(x, layer, "input"), layer, kind), layer, "post_attention")
            fed = self.mlp(self.norm(x, layer, "pre_feedforward"), layer)
            x = x + self.norm(fed, layer, "post_feedforward")
        pooled = self.scaled(x, self.tensors["norm.weight"]).mean(axis=0)
        vector: Floats = pooled / np.linalg.norm(pooled)
        return vector

    def attention(self, x: Floats, layer: int, kind: str) -> Floats:
        tokens, heads = len(x), self.config["num_attention_heads"]
        shared = heads // self.config["num_key_value_heads"]
        base = self.config["rope_theta"] if kind == "full_attention" else self.config["rope_local_base_freq"]
        q, k, v = (self.product(x, layer, f"self_attn.{part}_proj").reshape(tokens, -1, HEAD) for part in "qkv")
        q, k = (
            self.turned(self.scaled(y, self.weight(layer, f"self_attn.{n}_norm")), base)
            for n, y in (("q", q), ("k", k))
        )
        attended = np.empty((tokens, heads, HEAD))
        for head in range(heads):
            for token in range(tokens):
                scores = k[:, head // shared] @ q[token, head] * self.config["query_pre_attn_scalar"] ** -0.5
                if kind == "sliding_attention":
                    scores[np.abs(np.arange(tokens) - token) > self.config["sliding_window"] // 2] = -np.inf
                shares = np.exp(scores - scores.max())
                attended[token, head] = shares / shares.sum() @ v[:, head // shared]
        return self.product(attended.reshape(tokens, -1), layer, "self_attn.o_proj")

    def mlp(self, x: Floats, layer: int) -> Floats:
        gate, up = self.product(x, layer, "mlp.gate_proj"), self.product(x, layer, "mlp.up_proj")
        active = 0.5 * gate * (1 + np.tanh((2 / np.pi) ** 0.5 * (gate + 0.044715 * gate**3)))
        return self.product(active * up, layer, "mlp.down_proj")

    def turned(self, x: Floats, base: float) -> Floats:
        """Rotary positions: the first half of a head is turned against the second."""
        angles = np.arange(len(x))[:, None] * base ** (-np.arange(0, HEAD, 2) / HEAD)
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        first, second = x[..., : HEAD // 2], x[..., HEAD // 2 :]
        return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)

    def norm(self, x: Floats, layer: int, name: str) -> Floats:
        return self.scaled(x, self.weight(layer, f"{name}_layernorm"))

    def scaled(self, x: Floats, weight: Floats) -> Floats:
        scaled: Floats = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.config["rms_norm_eps"]) * (1 + weight)
        return scaled

    def product(self, x: Floats, layer: int, name: str) -> Floats:
        return x @ self.weight(layer, name).T

    def weight(self, layer: int, name: str) -> Floats:
        return self.tensors[f"layers.{layer}.{name}.weight"]


def some_ids(tokens: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(tokens).integers(0, VOCABULARY, tokens)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("gemma") / "tiny", CONFIG)


@pytest.mark.parametrize("tokens", LENGTHS)
def test_the_float_graph_computes_what_the_plain_encoder_does(checkpoint: Path, tokens: int) -> None:
    ids = some_ids(tokens)
    np.testing.assert_allclose(embed(checkpoint, ids, Quantization.FP32), PlainEncoder(CONFIG).embed(ids), atol=2e-5)


@pytest.mark.parametrize("tokens", LENGTHS)
def test_several_heads_of_keys_and_values_are_shared_out_rightly(tmp_path: Path, tokens: int) -> None:
    config = {**CONFIG, "num_key_value_heads": 2}
    folder, ids = write_checkpoint(tmp_path / "two", config), some_ids(tokens)
    np.testing.assert_allclose(embed(folder, ids, Quantization.FP32), PlainEncoder(config).embed(ids), atol=2e-5)


@pytest.mark.parametrize(
    ("quantization", "least"), [(Quantization.INT8, 0.999), (Quantization.MIXED, 0.95), (Quantization.INT4, 0.92)]
)
def test_quantized_graphs_stay_near(checkpoint: Path, quantization: Quantization, least: float) -> None:
    texts = [some_ids(tokens) for tokens in (20, 40, 60, 80)]
    observed = calibrate(Checkpoint(checkpoint), Gemma3Encoder, texts).observed
    for ids in texts:
        nearness = embed(checkpoint, ids, quantization, observed) @ PlainEncoder(CONFIG).embed(ids)
        assert nearness >= least - 0.03 * may_saturate()


def test_calibration_gives_exact_vectors_and_sees_every_product(checkpoint: Path) -> None:
    texts = [some_ids(tokens) for tokens in (3, 30)]
    found = calibrate(Checkpoint(checkpoint), Gemma3Encoder, texts)
    plain = PlainEncoder(CONFIG)
    np.testing.assert_allclose(found.vectors, [plain.embed(ids) for ids in texts], atol=2e-5)
    assert set(found.observed) == {f"{layer}.{name}" for layer in range(3) for name in ("qkv", "o", "gate_up", "down")}
    assert found.observed["0.down"].largest.shape == (INNER,)
    assert found.observed["0.down"].gram.shape == (INNER, INNER)


@pytest.mark.parametrize(
    ("wrong", "tokens"),
    [
        (lambda config: {**config, "sliding_window": 6}, 9),  # a window that reaches one token less far
        (lambda config: {**config, "layer_types": ["full_attention"] * 3}, 9),  # no window at all
        (lambda config: {**config, "rope_theta": 10_000.0}, 30),
        (lambda config: {**config, "query_pre_attn_scalar": 2 * HEAD}, 4),
    ],
)
def test_the_comparison_would_notice(
    checkpoint: Path, wrong: Callable[[Mapping[str, Any]], Mapping[str, Any]], tokens: int
) -> None:
    ids = some_ids(tokens)
    assert np.abs(embed(checkpoint, ids, Quantization.FP32) - PlainEncoder(wrong(CONFIG)).embed(ids)).max() > 1e-3


@pytest.mark.parametrize("kind", [np.float16, ml_dtypes.bfloat16])
def test_weights_in_half_precision_are_computed_with_in_floats(tmp_path: Path, kind: npt.DTypeLike) -> None:
    ids = some_ids(40)
    folder = write_checkpoint(tmp_path / "half", CONFIG, kind)
    found = embed(folder, ids, Quantization.FP32)
    assert np.isfinite(found).all()
    assert found @ PlainEncoder(CONFIG).embed(ids) > 0.999


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"use_bidirectional_attention": False}, "causal"),
        ({"sliding_window": 129}, "halved by repeated saving"),
        ({"hidden_activation": "silu"}, "activation"),
        ({"attn_logit_softcapping": 50.0}, "soft-capping"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 8.0}}, "Scaled rotary"),
    ],
)
def test_what_would_be_computed_wrongly_is_refused(tmp_path: Path, change: Mapping[str, Any], reason: str) -> None:
    folder = write_checkpoint(tmp_path / "odd", CONFIG)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **change}), encoding="utf-8")
    with pytest.raises(UnsupportedCheckpointError, match=reason):
        embed(folder, [1, 2], Quantization.FP32)
