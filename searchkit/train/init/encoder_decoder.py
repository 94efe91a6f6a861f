"""The networks: a causal Gemma 3, the encoder-decoder that it is adapted to, and the encoder that is kept of that.

T5Gemma (Zhang et al. 2025, arXiv 2504.06225): encoder and decoder start with the decoder-only weights. The encoder's attention
becomes bidirectional; each layer keeps its kind, so that a layer with a window keeps the window. The decoder stays causal and
gets a cross-attention between self-attention and MLP in each layer, which starts as a copy of the self-attention, norms
included, and sees no positions. Encoder, decoder and output share one token table (as in T5Gemma 2, arXiv 2512.14856).
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from searchkit.train.init.denoising import IGNORED

Weights = Mapping[str, Tensor]
TOKENS = "embed_tokens.weight"
_PATTERN = 6  # every sixth layer is global, and the last one in any case
_WINDOW, _POSITIONS = 512, 2048  # as in EmbeddingGemma
_KEYS = 1  # heads of keys and values
_MLP = 1.5  # times the width


def new_config(*, layers: int, width: int, tokens: int, pad: int) -> Any:
    """The configuration of a causal Gemma 3 in EmbeddingGemma's proportions. `width`: a multiple of 6."""
    from transformers import Gemma3TextConfig

    kinds = [
        "full_attention" if n % _PATTERN == 0 or n == layers else "sliding_attention" for n in range(1, layers + 1)
    ]
    return Gemma3TextConfig(
        vocab_size=tokens,
        hidden_size=width,
        intermediate_size=int(_MLP * width),
        num_hidden_layers=layers,
        num_attention_heads=3,
        num_key_value_heads=_KEYS,
        head_dim=width // 3,
        query_pre_attn_scalar=width // 3,
        sliding_window=_WINDOW,
        max_position_embeddings=_POSITIONS,
        layer_types=kinds,
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=None,
    )


def bidirectional(config: Any) -> Any:
    """The configuration of the encoder made of a causal model: its attention sees both sides, everything else stays."""
    from transformers import Gemma3TextConfig

    described = {**config.to_dict(), "use_bidirectional_attention": True, "use_cache": False}
    return Gemma3TextConfig(**described)


def new_model(config: Any, seed: int, weights: Weights | None = None) -> Any:
    """A Gemma 3 text model in float32 with some weights, or random ones. Raises RuntimeError if they do not fit."""
    from transformers import Gemma3TextModel

    torch.manual_seed(seed)
    model = Gemma3TextModel(config).float()
    if weights is not None:
        model.load_state_dict(dict(weights))
    return model


class CausalModel(nn.Module):  # type: ignore[misc]
    """A decoder-only language model, whose output is the product with its token table."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean cross entropy, in nats per token, of the labels."""
        states = self.model(input_ids=ids, use_cache=False).last_hidden_state
        return _loss(states, self.model.embed_tokens.weight, labels)


class EncoderDecoder(nn.Module):  # type: ignore[misc]
    """An encoder-decoder that starts with the weights of a causal model.

    `extra`: token rows for modes and sentinels, drawn around the mean of the others by `seed`; the result has none of them.
    """

    def __init__(self, causal: Any, extra: int, seed: int) -> None:
        super().__init__()
        table = _with_rows(causal.embed_tokens.weight.detach().cpu(), extra, seed)
        config = copy.deepcopy(causal.config)
        config.vocab_size = len(table)
        weights = {**causal.state_dict(), TOKENS: table}
        self.encoder = new_model(bidirectional(config), seed, weights)
        self.decoder = new_model(config, seed, weights)
        self.decoder.embed_tokens.weight = self.encoder.embed_tokens.weight
        self.crossed = nn.ModuleList(_CrossAttention(layer) for layer in self.decoder.layers)
        self._tokens = len(table) - extra

    def forward(self, ids: Tensor, mask: Tensor, written: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean cross entropy, in nats per token, of the labels."""
        memory = self.encoder(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        seen = mask[:, None, None, :].bool()
        return _loss(self._decode(written, memory, seen), self.encoder.embed_tokens.weight, labels)

    def kept_encoder(self) -> dict[str, Tensor]:
        """The encoder's weights by name, without the rows for modes and sentinels."""
        found = {name: value.detach().clone() for name, value in self.encoder.state_dict().items()}
        found[TOKENS] = found[TOKENS][: self._tokens].clone()
        return found

    def _decode(self, written: Tensor, memory: Tensor, seen: Tensor) -> Tensor:
        """The decoder's states, (batch, tokens, width); padding comes last and sees more than it is seen."""
        decoder = self.decoder
        x = decoder.embed_tokens(written)
        places = torch.arange(written.shape[1], device=written.device)
        distance = places[:, None] - places[None]
        for layer, crossed, kind in zip(decoder.layers, self.crossed, decoder.config.layer_types, strict=True):
            visible = distance >= 0
            if kind == "sliding_attention":
                visible = visible & (distance < decoder.config.sliding_window)
            turned = decoder.rotary_emb(x, places[None], kind)
            attended, _ = layer.self_attn(
                hidden_states=layer.input_layernorm(x),
                position_embeddings=turned,
                attention_mask=visible[None, None],
            )
            x = x + layer.post_attention_layernorm(attended)
            x = crossed(x, memory, seen)
            x = x + layer.post_feedforward_layernorm(layer.mlp(layer.pre_feedforward_layernorm(x)))
        return decoder.norm(x)


class _CrossAttention(nn.Module):  # type: ignore[misc]
    """Adds x + norm(attention(norm(x), memory)); starts as a copy of a layer's self-attention."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.attention = copy.deepcopy(layer.self_attn)
        self.before = copy.deepcopy(layer.input_layernorm)
        self.after = copy.deepcopy(layer.post_attention_layernorm)

    def forward(self, x: Tensor, memory: Tensor, seen: Tensor) -> Tensor:
        """Add attention to the encoder's states `memory`, of which `seen` (batch, 1, 1, tokens) are no padding."""
        part = self.attention

        def by_head(product: Tensor) -> Tensor:
            return product.view(*product.shape[:2], -1, part.head_dim).transpose(1, 2)

        queries = part.q_norm(by_head(part.q_proj(self.before(x))))
        keys = part.k_norm(by_head(part.k_proj(memory)))
        values = by_head(part.v_proj(memory))
        attended = scaled_dot_product_attention(
            queries, keys.to(queries.dtype), values.to(queries.dtype), seen, scale=part.scaling, enable_gqa=True
        )
        flat = attended.transpose(1, 2).reshape(*x.shape[:2], -1)
        return x + self.after(part.o_proj(flat))


def _with_rows(table: Tensor, extra: int, seed: int) -> Tensor:
    """A token table with more rows, drawn around the mean of its own with their spread."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(extra, table.shape[1], generator=generator)
    return torch.cat([table, table.mean(dim=0) + rows * table.std(dim=0)])


def _loss(states: Tensor, table: Tensor, labels: Tensor) -> Tensor:
    """The mean cross entropy of (batch, tokens, width) states; only positions with a label are multiplied with the table."""
    wanted = labels != IGNORED
    logits = states[wanted] @ table.T
    return cross_entropy(logits.float(), labels[wanted])
