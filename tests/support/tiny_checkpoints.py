"""Sentence-transformers checkpoints so small that training one takes a second: random weights, words as tokens."""

import json
from pathlib import Path
from typing import Any

WORDS = tuple(
    f"{first}{second}"
    for first in ("bo", "ka", "li", "mu", "ne", "ro", "sa", "ti")
    for second in ("la", "mo", "ri", "su", "ve", "do")
)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WIDTH = 32


def write_bert(folder: Path, layers: int = 2, inner: int = 48) -> Path:
    """An encoder of the BERT family with mean pooling and with dropout; `inner`: the width of its MLPs."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(WORDS) + len(_SPECIAL),
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=inner,
        max_position_embeddings=64,
        hidden_dropout_prob=0.1,
        attention_probs_dropout_prob=0.1,
    )
    return _write(folder, BertModel, config, dense=False, prompts={})


def write_gemma(folder: Path, layers: int = 2, inner: int = 48) -> Path:
    """A bidirectional Gemma 3 encoder with a window of 8 tokens in every other layer, two Dense heads and prompts.

    `inner`: the width of its MLPs.
    """
    from transformers import Gemma3TextConfig, Gemma3TextModel

    config = Gemma3TextConfig(
        vocab_size=len(WORDS) + len(_SPECIAL),
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=inner,
        max_position_embeddings=64,
        sliding_window=8,
        layer_types=["full_attention" if number % 2 else "sliding_attention" for number in range(layers)],
        use_bidirectional_attention=True,
        pad_token_id=0,
    )
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    return _write(folder, Gemma3TextModel, config, dense=True, prompts=prompts)


def _write(folder: Path, kind: Any, config: Any, *, dense: bool, prompts: dict[str, str]) -> Path:
    import torch

    torch.manual_seed(0)
    kind(config).save_pretrained(folder)
    names = ["", "1_Pooling", *(["2_Dense", "3_Dense"] if dense else []), "9_Normalize"]
    kinds = {
        "": "Transformer",
        "1_Pooling": "Pooling",
        "2_Dense": "Dense",
        "3_Dense": "Dense",
        "9_Normalize": "Normalize",
    }
    modules = [
        {"idx": number, "name": str(number), "path": name, "type": f"sentence_transformers.models.{kinds[name]}"}
        for number, name in enumerate(names)
    ]
    _json(folder / "modules.json", modules)
    _json(folder / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    settings = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    _json(folder / "config_sentence_transformers.json", settings)
    _json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True})
    for name, sizes in {"2_Dense": (WIDTH, 2 * WIDTH), "3_Dense": (2 * WIDTH, WIDTH)}.items() if dense else ():
        _write_dense(folder / name, *sizes)
    _write_tokenizer(folder)
    (folder / "README.md").write_text(f"---\nlicense: {'gemma' if dense else 'apache-2.0'}\n---\nTiny.\n", "utf-8")
    return folder


def _write_dense(folder: Path, before: int, after: int) -> None:
    import torch
    from safetensors.torch import save_file

    identity = "torch.nn.modules.linear.Identity"
    _json(
        folder / "config.json",
        {"in_features": before, "out_features": after, "bias": False, "activation_function": identity},
    )
    save_file({"linear.weight": torch.randn(after, before) / before**0.5}, folder / "model.safetensors")


def _write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    numbers = {word: number for number, word in enumerate((*_SPECIAL, *WORDS))}
    tokenizer = Tokenizer(WordLevel(numbers, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    _json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 48, **special},
    )


def _json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
