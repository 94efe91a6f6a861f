"""Where encoders start: the decoder's checkpoint, and the folders of sentence-transformers that are trained and imported.

A folder is like EmbeddingGemma's: a bidirectional `gemma3_text`, pooling, normalisation, its prompts and its maximal length.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.errors import UnsupportedCheckpointError
from searchkit.train.finetune.pooling import POOLING_TYPE, AttentionPooling
from searchkit.train.init.encoder_decoder import TOKENS, bidirectional, new_model
from searchkit.train.init.vocabulary import CONFIG, TOKENIZER, Vocabulary
from searchkit.train.options import TokenPooling

PROMPTS = {"query": "task: search result | query: ", "document": "title: none | text: "}
_FAMILY = "gemma3_text"
_POOLING = "1_Pooling"
_MODES = {TokenPooling.MEAN: "mean_tokens", TokenPooling.LAST: "lasttoken", TokenPooling.FIRST: "cls_token"}
_LIBRARY = "sentence_transformers.models."


@dataclass(frozen=True, slots=True)
class Described:
    """What a folder says besides its weights. `config`: of the causal model; `tokenizer`: the folder with its two files."""

    config: Any
    tokenizer: Path
    licence: str

    @property
    def max_tokens(self) -> int:
        """The longest input, in tokens."""
        return int(self.config.max_position_embeddings)


def is_decoder(checkpoint: Checkpoint) -> bool:
    """True if a checkpoint is a decoder-only Gemma 3, whose weights can be adapted; of others only the tokenizer is of use."""
    return checkpoint.model_type == _FAMILY and checkpoint.config.get("use_bidirectional_attention") is not True


def read_decoder(checkpoint: Checkpoint, vocabulary: Vocabulary) -> tuple[Any, dict[str, Tensor]]:
    """Read a decoder-only Gemma 3 with the token rows of a vocabulary: its configuration and its weights in float32.

    Raises UnsupportedCheckpointError if the checkpoint lacks a tensor or has others than Gemma 3's.
    """
    from transformers import Gemma3TextConfig, Gemma3TextModel

    described = {name: value for name, value in checkpoint.config.items() if name not in ("dtype", "torch_dtype")}
    ids = {"pad_token_id": vocabulary.pad, "bos_token_id": None, "eos_token_id": None}
    config = checkpoint.read(lambda _: Gemma3TextConfig(**{**described, **ids, "vocab_size": len(vocabulary)}))
    prefix = checkpoint.prefix_of(TOKENS)
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Gemma3TextModel(config).state_dict().items()}
    weights = {}
    for name, shape in shapes.items():
        whole = checkpoint.tensor(prefix + name)
        rows = whole[list(vocabulary.kept)] if name == TOKENS and max(vocabulary.kept) < len(whole) else whole
        if rows.shape != shape:
            raise UnsupportedCheckpointError(
                f"The tensor {name} in {checkpoint.folder} is {rows.shape}; its configuration and tokenizer need {shape}."
            )
        weights[name] = torch.from_numpy(rows.copy())
    return config, weights


def random_weights(config: Any, seed: int) -> dict[str, Tensor]:
    """The weights of an encoder that nothing was learned into."""
    return {name: value.detach() for name, value in new_model(config, seed).state_dict().items()}


def write_start(folder: Path, weights: Mapping[str, Tensor], pooling: TokenPooling, described: Described) -> None:
    """Write a checkpoint folder for an encoder with these weights; `folder` is new."""
    (folder / _POOLING).mkdir(parents=True)
    config = bidirectional(described.config).to_dict()
    config |= {
        "architectures": ["Gemma3TextModel"],
        "dtype": "float32",
        "sliding_window": described.config.sliding_window,
    }
    _json(folder / "config.json", config)
    save_file(
        {name: value.cpu().contiguous() for name, value in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    width = int(described.config.hidden_size)
    if pooling is TokenPooling.ATTENTION:
        AttentionPooling(width, int(described.config.num_attention_heads)).save(str(folder / _POOLING))
        kind = POOLING_TYPE
    else:
        modes = {f"pooling_mode_{mode}": mode == _MODES[pooling] for mode in _MODES.values()}
        _json(folder / _POOLING / "config.json", {"word_embedding_dimension": width, **modes, "include_prompt": True})
        kind = f"{_LIBRARY}Pooling"
    kinds = {"": f"{_LIBRARY}Transformer", _POOLING: kind, "2_Normalize": f"{_LIBRARY}Normalize"}
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": kind}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    _json(folder / "modules.json", modules)
    settings = {"prompts": PROMPTS, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    _json(folder / "config_sentence_transformers.json", settings)
    _json(folder / "sentence_bert_config.json", {"max_seq_length": described.max_tokens, "do_lower_case": False})
    for name in (TOKENIZER, CONFIG):
        shutil.copyfile(described.tokenizer / name, folder / name)
    (folder / "README.md").write_text(f"---\nlicense: {described.licence}\n---\n", "utf-8")


def _json(file: Path, content: object) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
