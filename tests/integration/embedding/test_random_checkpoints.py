"""Graphs of random checkpoints against sentence-transformers: each family, texts short and long, beyond every window."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from searchkit.embedding.calibrate import calibrate
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.encoder import INPUT_IDS, write_encoder, write_head
from searchkit.embedding.graph.weights import Inputs, Weights
from searchkit.embedding.import_model import FAMILIES
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.onnx_embedder import open_session
from searchkit.embedding.openvino_session import OpenVinoSession
from searchkit.embedding.tokenizer import FastTokenizer
from tests.integration.test_command import Command
from tests.support.processor import may_saturate
from tests.support.random_checkpoints import RECIPES, write_random
from tests.support.reference_texts import DOCUMENTS

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore")]
Vectors = npt.NDArray[np.float32]
Make = Callable[..., Path]
TINY = [name for name in RECIPES if name.startswith("tiny")]
LENGTHS = (2, 3, 5, 6, 7, 8, 11, 12, 13, 60, 500)  # around the reach of the windows, which is 5, and of their blocks
LONGEST = 8192


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Writes a random checkpoint, each one once."""

    @cache
    def made(name: str, seed: int = 0, **changes: Any) -> Path:
        folder = tmp_path_factory.mktemp(f"{name}-{seed}") / name
        return write_random(folder, replace(RECIPES[name], **changes), seed)

    return made


def texts(folder: Path, lengths: Sequence[int] = LENGTHS) -> list[list[int]]:
    """Texts in several languages and code as token ids, and one of each length."""
    tokenizer = FastTokenizer(folder / "tokenizer.json")
    most = Checkpoint(folder, with_weights=False).max_tokens
    body = tokenizer.encode(" ".join(DOCUMENTS), LONGEST * 2)[1:-1]
    return [*(tokenizer.encode(text, most) for text in DOCUMENTS[:13]), *([2, *body[: n - 2], 1] for n in lengths)]


def by_sentence_transformers(folder: Path, ids: Sequence[Sequence[int]]) -> Vectors:
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()
    with torch.no_grad():
        return np.concatenate([_vector(model, torch.tensor([each])) for each in ids])


def _vector(model: Any, ids: Any) -> Vectors:
    found: Vectors = model({"input_ids": ids, "attention_mask": ids * 0 + 1})["sentence_embedding"].numpy()
    return found


def by_graph(
    folder: Path,
    ids: Sequence[Sequence[int]],
    quantization: Quantization = Quantization.FP32,
    observed: dict[str, Inputs] | None = None,
) -> Vectors:
    checkpoint = Checkpoint(folder)
    target = folder / quantization
    target.mkdir(exist_ok=True)
    with GraphBuilder(target) as graph:
        weights = Weights(graph, quantization, observed=observed)
        states = write_encoder(FAMILIES[checkpoint.model_type].encoder(graph, weights, checkpoint))
        embedding = write_head(graph, states, checkpoint.head, small=quantization.has_small_table)
        graph.save({INPUT_IDS: (np.int64, ["batch", "tokens"])}, {"embedding": embedding})
    session = open_session(target, 1)
    return np.concatenate([session.run(None, {INPUT_IDS: np.array([each])})[0] for each in ids])


def cosines(found: Vectors, expected: Vectors) -> Vectors:
    return np.asarray((found * expected).sum(axis=1), np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", TINY)
def test_fp32_vectors_equal_those_of_sentence_transformers(make: Make, name: str, seed: int) -> None:
    folder = make(name, seed)
    ids = texts(folder)
    expected = by_sentence_transformers(folder, ids)
    assert np.ptp(expected @ expected.T) > 0.1  # texts differ
    assert cosines(by_graph(folder, ids), expected).min() > 0.99999


@pytest.mark.parametrize("quantization", [Quantization.FP32, Quantization.INT8, Quantization.MIXED])
@pytest.mark.parametrize("name", TINY)
def test_openvino_gives_the_vectors_of_the_same_graph(make: Make, name: str, quantization: Quantization) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    folder = make(name)
    checkpoint, ids = Checkpoint(folder), texts(folder)
    observed = dict(calibrate(checkpoint, FAMILIES[checkpoint.model_type].encoder, ids).observed)
    by_onnx = by_graph(folder, ids, quantization, observed)

    def near(*, in_bytes: bool, in_halves: bool) -> float:
        session = OpenVinoSession(folder / quantization, 2, in_bytes=in_bytes, in_halves=in_halves)
        vectors = np.array([session.vector(np.array([each])) for each in ids])
        return float(cosines(vectors, by_onnx).mean())

    is_exact = quantization is Quantization.FP32
    assert near(in_bytes=False, in_halves=False) > (0.99999 if is_exact else 0.995)
    assert near(in_bytes=True, in_halves=False) > (0.99999 if is_exact else 0.995)
    assert near(in_bytes=False, in_halves=True) > 0.98  # the weights are large, and so is what is rounded


@pytest.mark.parametrize("name", ["tiny-embeddinggemma-2", "tiny-modernbert"])
def test_so_do_those_of_the_longest_texts(make: Make, name: str) -> None:
    folder = make(name)
    ids = texts(folder, [2048, LONGEST])[-2:]
    assert [len(each) for each in ids] == [2048, LONGEST]
    assert cosines(by_graph(folder, ids), by_sentence_transformers(folder, ids)).min() > 0.9999


@pytest.mark.parametrize("name", TINY)
def test_eight_bits_stay_near(make: Make, name: str) -> None:
    folder = make(name)
    checkpoint, ids = Checkpoint(folder), texts(folder)
    found = calibrate(checkpoint, FAMILIES[checkpoint.model_type].encoder, ids)
    near = cosines(by_graph(folder, ids, Quantization.INT8, dict(found.observed)), found.vectors)
    assert near.mean() >= (0.96 if may_saturate() else 0.998)  # random weights are large, so that much is cut there
    assert cosines(found.vectors, by_graph(folder, ids)).min() > 0.9999


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tiny-embeddinggemma-2", {"sliding_window": 4}),
        ("tiny-embeddinggemma-2", {"rms_norm_eps": 1e-2}),
        ("tiny-embeddinggemma-2", {"rope_parameters": None}),  # with the usual bases exchanged below
        ("tiny-modernbert", {"local_attention": 8}),
        ("tiny-modernbert", {"hidden_activation": "silu"}),
    ],
)
def test_the_comparison_would_notice(make: Make, name: str, change: dict[str, Any]) -> None:
    folder = make(name)
    ids = texts(folder)
    right = by_graph(folder, ids)
    path = folder / "config.json"
    kept = path.read_text("utf-8")
    bases = {"sliding_attention": {"rope_theta": 1e6}, "full_attention": {"rope_theta": 1e4}}
    changed = {**json.loads(kept), **({"rope_parameters": bases} if "rope_parameters" in change else change)}
    path.write_text(json.dumps(changed), "utf-8")
    try:
        assert cosines(by_graph(folder, ids), right).min() < 0.9999
    finally:
        path.write_text(kept, "utf-8")


def test_the_text_part_of_a_multimodal_checkpoint_gives_the_vectors_of_the_text_model(make: Make) -> None:
    alone, whole = make("tiny-embeddinggemma-2"), make("tiny-embeddinggemma-2", towers=True)
    ids = texts(alone)
    np.testing.assert_allclose(by_graph(whole, ids), by_graph(alone, ids), atol=1e-6)
    assert Checkpoint(whole).left_out == ("vision",)


def test_an_import_says_that_other_input_was_left_out(make: Make, tmp_path: Path) -> None:
    command = Command(tmp_path / "home")
    said = command("models", "import", make("tiny-embeddinggemma-2", towers=True), "--name", "tiny").stderr
    assert "It embeds text only: its parts for other input (vision) were left out." in said
    assert "left out" not in command("models", "import", make("tiny-embeddinggemma-2"), "--name", "text").stderr


@pytest.mark.parametrize("name", ["tiny-embeddinggemma-2", "tiny-modernbert"])
def test_weights_in_several_files_and_in_half_precision_are_read(make: Make, name: str) -> None:
    folder = make(name, shard_bytes=100_000, half=True)
    assert len(list(folder.glob("*.safetensors"))) > 1
    ids = texts(folder)
    assert cosines(by_graph(folder, ids), by_sentence_transformers(folder, ids)).min() > 0.9999
