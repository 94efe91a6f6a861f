"""Checkpoints of random weights in the layouts of real repositories, tiny or at their true sizes.

Matrices keep the size of what they multiply, norms and scalars are near one without being it, and biases are not zero, so that
a part that is left out or misplaced shows. Sizes: transformers' defaults for EmbeddingGemma 2, gte-modernbert-base's config.json
and Granite Embedding R2's paper (arXiv 2605.13521) with the sizes of ModernBERT where it says none.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from searchkit.embedding.sample import SAMPLE_PAIRS
from tests.support.reference_texts import DOCUMENTS

GEMMA_PROMPTS = {"query": "task: search result | query: ", "document": "title: none | text: "}
LEAF_PROMPTS = {"query": "Represent this sentence for searching relevant passages: ", "document": ""}
_AFTER = re.compile(r"post_\w+norm\.weight$")
_SHARE = 0.4  # size of what a part of a layer adds; with 1, EmbeddingGemma 2 multiplies the error of its tokens by 80
_TOWERS = ("vision", "audio", "embed_vision", "embed_audio")
_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")
_IDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "cls_token_id": 2, "sep_token_id": 1}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checkpoint to make. `config`: of its encoder; `dense`: (in, out, bias) of each Dense module; `shard_bytes`: 0 for one file.

    `towers`: with an encoder of pictures, as the multimodal repository has; `half`: weights in bfloat16.
    """

    family: str
    config: Mapping[str, Any]
    pooling: str = "mean"
    dense: tuple[tuple[int, int, bool], ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int = 8192
    licence: str = "apache-2.0"
    towers: bool = False
    shard_bytes: int = 0
    half: bool = False


_TINY_GEMMA: Mapping[str, Any] = {
    "vocab_size": 1200,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "global_head_dim": 32,
    "hidden_size_per_layer_input": 32,
    "embedding_dim": 96,
    "sliding_window": 5,
    "sliding_window_pattern": 2,
}
_TINY_MODERNBERT: Mapping[str, Any] = {
    "vocab_size": 1200,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "local_attention": 10,
    "max_position_embeddings": 8192,
}
_MODERNBERT: Mapping[str, Any] = {"max_position_embeddings": 32_768, "hidden_size": 768, "num_hidden_layers": 22}
RECIPES: Mapping[str, Recipe] = {
    "tiny-embeddinggemma-2": Recipe("embedding_gemma2", _TINY_GEMMA, prompts=GEMMA_PROMPTS),
    "tiny-modernbert": Recipe("modernbert", _TINY_MODERNBERT, pooling="cls"),
    "tiny-modernbert-biased": Recipe(
        "modernbert",
        {**_TINY_MODERNBERT, "attention_bias": True, "mlp_bias": True, "norm_bias": True, "hidden_activation": "silu"},
        dense=((64, 48, True), (48, 32, False)),
    ),
    "tiny-leaf": Recipe(
        "bert",
        {
            "vocab_size": 1200,
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 96,
        },
        dense=((64, 96, True),),
        prompts=LEAF_PROMPTS,
        max_tokens=512,
    ),
    "tiny-embeddinggemma": Recipe(
        "gemma3_text",
        {
            "vocab_size": 1200,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 32,
            "sliding_window": 8,
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
            "query_pre_attn_scalar": 32,
            "max_position_embeddings": 2048,
            "use_bidirectional_attention": True,
        },
        dense=((64, 96, False), (96, 64, False)),
        prompts=GEMMA_PROMPTS,
        max_tokens=2048,
        licence="gemma",
    ),
    "embeddinggemma-2": Recipe("embedding_gemma2", {}, prompts=GEMMA_PROMPTS),
    "granite-embedding-311m-multilingual-r2": Recipe(
        "modernbert", {**_MODERNBERT, "vocab_size": 262_152}, pooling="cls", max_tokens=32_768
    ),
    "granite-embedding-97m-multilingual-r2": Recipe(
        "modernbert",
        {
            **_MODERNBERT,
            "vocab_size": 180_000,
            "hidden_size": 384,
            "intermediate_size": 1536,
            "num_hidden_layers": 12,
            "hidden_activation": "silu",
        },
        pooling="cls",
        max_tokens=32_768,
    ),
    "gte-modernbert-base": Recipe("modernbert", {"vocab_size": 50_368}, pooling="cls"),
    "mdbr-leaf-ir": Recipe(
        "bert",
        {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536},
        dense=((384, 768, True),),
        prompts=LEAF_PROMPTS,
        max_tokens=512,
    ),
}


def write_random(folder: Path, recipe: Recipe, seed: int = 0) -> Path:
    """Write a checkpoint; needs torch and transformers."""
    import torch

    model = _model(recipe)
    _randomize(model, seed)
    if recipe.half:
        model = model.to(torch.bfloat16)
    size = {"max_shard_size": recipe.shard_bytes} if recipe.shard_bytes else {}
    model.save_pretrained(folder, **size)
    width = recipe.dense[-1][1] if recipe.dense else _width(model)
    names = ["", "1_Pooling", *(f"{number}_Dense" for number in range(2, 2 + len(recipe.dense)))]
    names.append(f"{len(names)}_Normalize")
    modules = [
        {
            "idx": number,
            "name": str(number),
            "path": name,
            "type": f"sentence_transformers.models.{name.partition('_')[2] or 'Transformer'}",
        }
        for number, name in enumerate(names)
    ]
    _json(folder / "modules.json", modules)
    _json(folder / "1_Pooling" / "config.json", _pooling(recipe.dense[0][0] if recipe.dense else width, recipe.pooling))
    for name, (before, after, bias) in zip(names[2:], recipe.dense, strict=False):
        _write_dense(folder / name, before, after, bias=bias)
    # As sentence-transformers 6 writes it: the longest input is in the tokenizer's configuration.
    _json(folder / "sentence_bert_config.json", {"transformer_task": "feature-extraction"})
    settings = {"prompts": dict(recipe.prompts), "default_prompt_name": None, "similarity_fn_name": "cosine"}
    _json(folder / "config_sentence_transformers.json", settings)
    write_tokenizer(folder, recipe.max_tokens)
    (folder / "README.md").write_text(f"---\nlicense: {recipe.licence}\n---\nRandom weights.\n", "utf-8")
    return folder


def write_tokenizer(folder: Path, max_tokens: int) -> None:
    """Train byte pair encoding on the reference texts, with <bos> before and <eos> behind a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1100,
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        [*(text[:5000] for text in DOCUMENTS), *(each for pair in SAMPLE_PAIRS for each in pair)], trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 2), ("<eos>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    _json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_tokens, **special},
    )


def _model(recipe: Recipe) -> Any:
    import transformers

    if recipe.family == "bert":
        return transformers.BertModel(transformers.BertConfig(**recipe.config))
    if recipe.family == "modernbert":
        return transformers.ModernBertModel(transformers.ModernBertConfig(**_IDS, **recipe.config))
    if recipe.family == "gemma3_text":
        return transformers.Gemma3TextModel(transformers.Gemma3TextConfig(**_IDS, **recipe.config))
    text = transformers.EmbeddingGemma2TextConfig(**recipe.config)
    if not recipe.towers:
        return transformers.EmbeddingGemma2TextModel(text)
    vision = {"model_type": "gemma4_vision", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    vision |= {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
    whole = transformers.EmbeddingGemma2Config(text_config=text.to_dict(), vision_config=vision)
    return transformers.EmbeddingGemma2Model(whole)


def _randomize(model: Any, seed: int) -> None:
    """Draw the weights of the text encoder first, so that a seed gives the same one with and without towers."""
    import torch

    torch.manual_seed(seed)
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    with torch.no_grad():
        for name in sorted(tensors, key=lambda name: (name.startswith(_TOWERS), name)):
            _draw(tensors[name], name)


def _draw(value: Any, name: str) -> None:
    if name.endswith("layer_scalar"):
        value.uniform_(0.7, 1.1)
    elif name.endswith(("q_norm.weight", "k_norm.weight")):  # scores are their product, unscaled
        value.normal_(1, 0.1).mul_(value.numel() ** -0.25)
    elif _AFTER.search(name):
        value.normal_(1, 0.1).mul_(_SHARE)
    elif name.endswith("bias"):
        value.normal_(0, 0.1)
    elif value.ndim == 1 and name.endswith("weight"):
        value.normal_(1, 0.1)
    elif name.endswith(("embed_tokens.weight", "embeddings.weight")):
        value.normal_(0, 0.05)
    elif value.ndim == 2 and name.endswith("weight"):
        value.normal_(0, value.shape[1] ** -0.5)


def _width(model: Any) -> int:
    config = getattr(model.config, "text_config", model.config)
    return int(getattr(config, "embedding_dim", config.hidden_size))


def _pooling(width: int, mode: str) -> dict[str, object]:
    return {
        "word_embedding_dimension": width,
        "pooling_mode_cls_token": mode == "cls",
        "pooling_mode_mean_tokens": mode == "mean",
    }


def _write_dense(folder: Path, before: int, after: int, *, bias: bool) -> None:
    import torch
    from safetensors.torch import save_file

    identity = "torch.nn.modules.linear.Identity"
    _json(
        folder / "config.json",
        {"in_features": before, "out_features": after, "bias": bias, "activation_function": identity},
    )
    tensors = {"linear.weight": torch.randn(after, before) / before**0.5}
    if bias:
        tensors["linear.bias"] = torch.randn(after) * 0.3
    save_file(tensors, folder / "model.safetensors")


def _json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
