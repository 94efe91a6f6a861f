"""What is read from the configurations of EmbeddingGemma 2 and ModernBERT, and what is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.attention import Heads
from searchkit.embedding.graph.embedding_gemma2 import embedding_gemma2_shape
from searchkit.embedding.graph.modernbert import modernbert_shape
from searchkit.embedding.tokenizer import FastTokenizer
from searchkit.errors import UnsupportedCheckpointError
from tests.support.errors import refused

WINDOW, EVERYWHERE = "sliding_attention", "full_attention"


def folder_with(folder: Path, **files: object) -> Path:
    """A folder of JSON files, with weights."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    save_file({"embed_tokens.weight": np.zeros((2, 2), np.float32)}, folder / "model.safetensors")
    return folder


def test_what_a_gemma_2_configuration_leaves_out_is_as_in_transformers() -> None:
    shape = embedding_gemma2_shape({"model_type": "embedding_gemma2_text"}, 8192)
    assert (shape.width, shape.signal, shape.reach, shape.max_tokens) == (512, 512, 512, 8192)
    assert [layer for layer, is_global in enumerate(shape.is_global) if is_global] == [5, 11, 17, 23]
    assert shape.heads[0] == Heads(queries=4, keys=2, size=256, scale=1.0)
    assert shape.heads[5] == Heads(queries=4, keys=1, size=512, scale=1.0)
    assert (shape.local_base, shape.global_base) == (10_000, 1_000_000)


def test_layers_may_have_heads_of_their_own_and_the_last_one_sees_everything() -> None:
    given = {
        "layer_types": [WINDOW, WINDOW],
        "num_hidden_layers": 2,
        "per_layer_config": {"01": {"head_dim": 64, "num_key_value_heads": 4}},
    }
    shape = embedding_gemma2_shape(given, 100)
    assert shape.is_global == (False, True)
    assert shape.heads == (Heads(4, 2, 256, 1.0), Heads(4, 4, 64, 1.0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_activation": "silu"}, "activation silu"),
        ({"attention_bias": True}, "attention_bias"),
        ({"attn_logit_softcapping": 30.0}, "attn_logit_softcapping"),
        ({"layer_types": ["chunked_attention", EVERYWHERE]}, "chunked_attention"),
        ({"per_layer_config": {"0": {"intermediate_size": 9}}}, "differ in intermediate_size"),
        ({"num_key_value_heads": 3}, "cannot share 3"),
        (
            {"rope_parameters": {WINDOW: {"rope_theta": 1e4}, EVERYWHERE: {"rope_theta": 1e6, "rope_type": "yarn"}}},
            "Scaled rotary",
        ),
    ],
)
def test_a_gemma_2_variant_is_refused_with_the_reason(change: Mapping[str, Any], reason: str) -> None:
    with refused(UnsupportedCheckpointError, reason):
        embedding_gemma2_shape(change, 8192)


def test_former_and_present_names_of_modernbert_mean_the_same() -> None:
    former = {
        "num_hidden_layers": 4,
        "global_attn_every_n_layers": 2,
        "global_rope_theta": 8e4,
        "local_rope_theta": 9e3,
    }
    present = {
        "num_hidden_layers": 4,
        "layer_types": [EVERYWHERE, WINDOW] * 2,
        "rope_parameters": {EVERYWHERE: {"rope_theta": 8e4}, WINDOW: {"rope_theta": 9e3, "rope_type": "default"}},
    }
    assert modernbert_shape(former) == modernbert_shape(present)
    usual = modernbert_shape({})
    assert (usual.reach, usual.local_base, usual.global_base) == (64, 10_000, 160_000)
    assert usual.is_global[:4] == (True, False, False, True)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_activation": "relu"}, "activation relu"),
        ({"layer_types": ["linear_attention"]}, "linear_attention"),
        ({"num_attention_heads": 7}, "7 heads"),
        ({"local_attention": 1}, "window of 0 tokens"),
        ({"rope_scaling": {"rope_type": "linear"}}, "Scaled rotary"),
        ({"rope_parameters": {EVERYWHERE: {"rope_type": "yarn", "rope_theta": 1e5}}}, "Scaled rotary"),
    ],
)
def test_a_modernbert_variant_is_refused_with_the_reason(change: Mapping[str, Any], reason: str) -> None:
    with refused(UnsupportedCheckpointError, reason):
        modernbert_shape(change)


def test_what_is_no_number_is_refused_with_the_file(tmp_path: Path) -> None:
    checkpoint = Checkpoint(folder_with(tmp_path, config={"hidden_size": "wide"}))
    with refused(UnsupportedCheckpointError, "config.json cannot be read"):
        checkpoint.read(modernbert_shape)


def test_the_text_part_of_a_model_for_several_kinds_of_input_is_read(tmp_path: Path) -> None:
    config = {
        "model_type": "embedding_gemma2",
        "text_config": {"hidden_size": 2},
        "vision_config": {"hidden_size": 3},
        "audio_config": None,
    }
    checkpoint = Checkpoint(folder_with(tmp_path, config=config))
    assert checkpoint.model_type == "embedding_gemma2_text"
    assert checkpoint.config["hidden_size"] == 2
    assert checkpoint.left_out == ("vision",)


@pytest.mark.parametrize(
    ("own", "tokenizer", "expected"),
    [
        ({"max_seq_length": 700}, {"model_max_length": 600}, 700),
        ({}, {"model_max_length": 600}, 600),
        ({}, {"model_max_length": int(1e30)}, 8192),
        ({}, {}, 8192),
        ({}, {"model_max_length": 16_384}, 16_384),
        ({}, {"model_max_length": 64_000}, 32_768),
    ],
)
def test_the_longest_input_is_that_of_sentence_transformers(
    tmp_path: Path, own: Mapping[str, Any], tokenizer: Mapping[str, Any], expected: int
) -> None:
    files = {"config": {"max_position_embeddings": 32_768}, "sentence_bert_config": own, "tokenizer_config": tokenizer}
    assert Checkpoint(folder_with(tmp_path, **files)).max_tokens == expected


@pytest.mark.parametrize(("template", "cut"), [("[C] $A [S]", [0, 2, 1]), ("[C] $A", [0, 2, 2]), ("$A", [2, 2, 2])])
def test_a_text_that_is_cut_keeps_the_special_tokens_behind_it(tmp_path: Path, template: str, cut: list[int]) -> None:
    tokenizer = Tokenizer(models.WordLevel({"[C]": 0, "[S]": 1, "a": 2}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[(name, number) for name, number in (("[C]", 0), ("[S]", 1))]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert FastTokenizer(tmp_path / "tokenizer.json").encode("a a a a a a", 3) == cut
