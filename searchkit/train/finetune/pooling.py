"""Attention pooling as a module of sentence-transformers, which has none.

A head's probe scores every token, and the vector is the tokens' values, weighted by the softmax of the scores: multi-head attention
with one learned query, as in Gemma Encoder (Suganthan et al. 2025, arXiv 2503.02656), which EmbeddingGemma's report compares with
mean, first and last token. A query and the product that makes its keys occur only multiplied with each other: they are one probe.
"""

from typing import Any, Self

import torch
from sentence_transformers.base.modules import Module
from torch import Tensor, nn

POOLING_TYPE = "searchkit.train.finetune.pooling.AttentionPooling"  # in modules.json


class AttentionPooling(Module):  # type: ignore[misc]
    """Pools by attention. It starts as the mean: the scores are 0, the values the states themselves.

    Raises ValueError if the heads do not divide the dimension.
    """

    config_keys = ("embedding_dimension", "heads")

    def __init__(self, embedding_dimension: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or embedding_dimension % heads:
            raise ValueError(f"{heads} heads do not divide {embedding_dimension} dimensions")
        self.embedding_dimension = embedding_dimension
        self.heads = heads
        self.probes = nn.Parameter(torch.zeros(heads, embedding_dimension))
        self.value = nn.Linear(embedding_dimension, embedding_dimension, bias=False)
        with torch.no_grad():
            self.value.weight.copy_(torch.eye(embedding_dimension))

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Add `sentence_embedding`, (batch, dimension), of the tokens that are no padding."""
        features["sentence_embedding"] = self.pooled(features["token_embeddings"], features["attention_mask"])
        return features

    def pooled(self, states: Tensor, mask: Tensor) -> Tensor:
        """Pool (batch, tokens, dimension) states; `mask`: (batch, tokens), 0 for padding."""
        scores = (states @ self.probes.T).float().masked_fill(mask[:, :, None] == 0, -torch.inf)
        shares = torch.softmax(scores, dim=1).to(states.dtype)
        by_head = self.value(states).unflatten(-1, (self.heads, -1))
        return (by_head * shares[..., None]).sum(dim=1).flatten(1)

    def get_embedding_dimension(self) -> int:
        """The width of the vectors."""
        return self.embedding_dimension

    def save(self, output_path: str, *_: Any, safe_serialization: bool = True, **__: Any) -> None:
        """Write configuration and weights to a folder."""
        self.save_config(output_path)
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **place: Any) -> Self:
        """Read configuration and weights from a folder."""
        names = ("token", "cache_folder", "revision", "local_files_only")
        known = {name: value for name, value in place.items() if name in names}
        config = cls.load_config(model_name_or_path, subfolder=subfolder, **known)
        module = cls(**{name: config[name] for name in cls.config_keys})
        found: Self = cls.load_torch_weights(model_name_or_path, subfolder=subfolder, model=module, **known)
        return found
