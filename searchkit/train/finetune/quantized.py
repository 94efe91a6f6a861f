"""Rounds a network's numbers while it trains, to those of the graph that an import will make of it.

Each product computes with rounded weights and inputs; gradients pass through the rounding as if it were
not there (Bengio et al. 2013, arXiv 1308.3432; Jacob et al. 2018, arXiv 1712.05877). With LoRA the sum of weight and update is
rounded, since that is what is shipped. The token table, which is not trained, is rounded once. What a graph keeps in floats
stays in floats. The arithmetic is that of `searchkit.embedding.graph.quantize`, operation by operation.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.graph.quantize import BLOCK, BLOCK_ROOM, BLOCK_SHARES, LARGEST
from searchkit.embedding.graph.trained_form import TrainedForm, write_form
from searchkit.embedding.graph.weights import rows_rounder
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.prepare_form import prepare_form
from searchkit.embedding.weights_file import read_header
from searchkit.errors import ModelError
from searchkit.files import new_folder
from searchkit.train.finetune.weights import write_tuned

_TABLES = ("embed_tokens", "word_embeddings")
_LARGEST_BYTE = 255
_ROWS_AT_A_TIME = 16384
_NO_SIZE = 1e-20  # as in graph.weights: divisor for a token of zeros


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network's product is in the graph: its name there, its group, and whether its input's tokens are evened.

    `divided_by`: the group whose smoothing scales its outputs are divided by, "" for none.
    """

    product: str
    group: str
    is_even: bool
    divided_by: str = ""


def place_of(name: str) -> Place | None:
    """Find a product's place by the name of its module, None for what is no product of a layer."""
    if found := re.fullmatch(r"(?:.*\.)?layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)_proj", name):
        layer, part = found.groups()
        groups = {"q": "qkv", "k": "qkv", "v": "qkv", "gate": "gate_up", "up": "gate_up"}
        divided_by = f"{layer}.down" if part == "up" else ""
        return Place(f"{layer}.{part}", f"{layer}.{groups.get(part, part)}", part in ("o", "down"), divided_by)
    if found := re.fullmatch(r"(?:.*\.)?(encoder\.layer\.\d+\.)(.+)", name):
        at, part = found.groups()
        if part in ("attention.self.query", "attention.self.key", "attention.self.value"):
            return Place(at + part, at + "qkv", is_even=False)
        if part == "intermediate.dense":
            return Place(at + "up", at + "up", is_even=True)
        if part in ("attention.output.dense", "output.dense"):
            return Place(at + part, at + part, is_even=True)
    return None


def prepared_base(source: Path, target: Path, quantization: Quantization) -> Path:
    """Write the checkpoint that training in a quantization starts from, unless it is there; returns its folder, `target`.

    Raises UnsupportedCheckpointError if `source` cannot be trained so.
    """
    if not target.is_dir():
        prepared = prepare_form(source, quantization)
        names = [
            name for file in source.glob("*.safetensors") for name in read_header(file) if name.endswith(".weight")
        ]
        places = {name: place_of(name.removesuffix(".weight")) for name in names}
        weights = {
            name: torch.from_numpy(prepared.compensated[place.product])
            for name, place in places.items()
            if place is not None and place.product in prepared.compensated
        }
        if len(weights) != len(prepared.compensated):
            raise ModelError(f"{source} has products that are not found by their names.")
        with new_folder(target) as folder:
            write_tuned(source, folder, {"": weights, **{place: {} for place in Checkpoint(source).module_folders}})
            write_form(folder, prepared.form)
    return target


def round_network(network: Any, encoder: nn.Module, heads: Sequence[nn.Module], form: TrainedForm) -> None:
    """Have a SentenceTransformer compute with the numbers of a form. `heads`: its Dense modules, in their order."""
    texts = _Texts()
    _Steps.watch()
    network[0].register_forward_pre_hook(lambda _, arguments: texts.note(arguments[0]))
    with torch.no_grad():
        for name, module in encoder.named_modules():
            if name.rpartition(".")[2] in _TABLES and isinstance(module, nn.Embedding):
                _round_table(module, form.quantization)
    for name, module in encoder.named_modules():
        place = place_of(name)
        if place is not None and place.group not in form.floats:
            module.forward = RoundedProduct(module, place, form, texts)
    if form.quantization.has_small_table and heads:
        _round_heads(heads)


class RoundedProduct:
    """A product with a rounded weight, in place of a module's own `forward`."""

    def __init__(self, module: nn.Module, place: Place, form: TrainedForm, texts: "_Texts") -> None:
        self._module = module
        self._form = form
        self._is_even = place.is_even
        self._texts = texts
        self._columns = _scale(form, place.group)
        self._rows = _scale(form, place.divided_by)
        self._rounded = _Kept()

    def __call__(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        """Multiply (batch, tokens, in) by the rounded weight; see `torch.nn.Linear`."""
        base = self._base
        x, weight = self._inputs(x.float()), self.weight()
        if self._rows is None:
            return nn.functional.linear(x, weight, base.bias)
        y = nn.functional.linear(x, weight) * self._rows.to(x.device)
        return y if base.bias is None else y + base.bias

    def weight(self) -> Tensor:
        """The rounded weight (out, in), of the smoothed product; its gradient goes to what it is made of."""
        parts = self._parts()
        with torch.autocast(parts[0].device.type, enabled=False):
            rounded = self._rounded.get(parts, lambda: _round(self._exact(parts).detach(), self._form.quantization))
            return _through(self._exact(parts), rounded) if torch.is_grad_enabled() else rounded

    def _inputs(self, x: Tensor) -> Tensor:
        """The rounded inputs."""
        if not self._form.quantization.has_one_scale:
            return _through(x, round_input_blocks(x.detach()))
        x = x if self._columns is None else x / self._columns.to(x.device)
        return _through(x, round_inputs(x.detach(), self._texts.mask, is_even=self._is_even))

    @property
    def _base(self) -> nn.Linear:
        base: nn.Linear = self._module.base_layer if isinstance(self._module, LoraLayer) else self._module
        return base

    def _parts(self) -> list[Tensor]:
        """The tensors that the weight is made of: itself, or with LoRA's two factors."""
        parts = [self._base.weight]
        if isinstance(self._module, LoraLayer) and not self._module.merged:
            for name in self._module.active_adapters:
                parts += [self._module.lora_B[name].weight, self._module.lora_A[name].weight]
        return parts

    def _exact(self, parts: Sequence[Tensor]) -> Tensor:
        """The smoothed product's weight in floats."""
        weight = parts[0]
        if isinstance(self._module, LoraLayer):
            scalings = [self._module.scaling[name] for name in self._module.active_adapters]
            for scaling, up, down in zip(scalings, parts[1::2], parts[2::2], strict=False):
                weight = weight + up @ down * scaling
        if self._rows is not None:
            weight = weight / self._rows.to(weight.device)[:, None]
        return weight if self._columns is None else weight * self._columns.to(weight.device)


def round_inputs(x: Tensor, mask: Tensor, *, is_even: bool) -> Tensor:
    """Round the inputs (texts, tokens, in) of products in 8 bits as ONNX Runtime does: one scale and zero point for each text.

    `mask`: (texts, tokens), 0 for padding, which has no part in the scale. `is_even`: each token is divided by its largest
    magnitude before, and multiplied by it afterwards.
    """
    size = x.abs().amax(dim=-1, keepdim=True).clamp(min=_NO_SIZE) if is_even else None
    x = x if size is None else x / size
    inside = x * mask[:, :, None].to(x.dtype)
    low = inside.amin(dim=(1, 2), keepdim=True).clamp(max=0)
    high = inside.amax(dim=(1, 2), keepdim=True).clamp(min=0)
    scale = (high - low) / _LARGEST_BYTE
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = (-low / scale).round().clamp(0, _LARGEST_BYTE)
    rounded = (((x / scale).round() + zero).clamp(0, _LARGEST_BYTE) - zero) * scale
    return rounded if size is None else rounded * size


def round_input_blocks(x: Tensor) -> Tensor:
    """Round the inputs (texts, tokens, in) of products in 4 bits as ONNX Runtime does: 8 bits, with a scale for 32 values."""
    blocks = x.unflatten(-1, (-1, BLOCK))
    steps = _steps(blocks.abs().amax(dim=-1, keepdim=True))
    return (_codes(blocks / steps) * steps).flatten(-2)


def round_columns(weight: Tensor) -> Tensor:
    """Round (out, in) weights to 8 bits with a scale for each output, see `graph.quantize.quantize_columns`."""
    steps = _steps(weight.abs().amax(dim=1, keepdim=True))
    return _codes(weight / steps) * steps


def round_blocks(weight: Tensor) -> Tensor:
    """Round (out, in) weights to 4 bits in blocks of 32 inputs, see `graph.quantize.quantize_blocks` without a Gram matrix."""
    outputs, inputs = weight.shape
    steps = _steps(weight.abs().amax(dim=1, keepdim=True) / 8 * BLOCK_ROOM)
    blocks = weight.reshape(outputs, inputs // BLOCK, BLOCK)
    sizes = blocks.abs()
    numbers = torch.arange(BLOCK, device=weight.device)
    largest = sizes == sizes.amax(dim=2, keepdim=True)
    first = torch.where(largest, numbers, BLOCK).amin(dim=2, keepdim=True)  # which argmax does not promise
    extreme = blocks.gather(2, first)[:, :, 0]
    best = torch.full_like(extreme, torch.inf)
    scales = torch.ones_like(extreme)
    for share in BLOCK_SHARES:
        found = _codes(extreme * share / -8 / steps)
        found = torch.where(found == 0, torch.ones_like(found), found)
        scale = (found * steps)[:, :, None]
        squares = ((blocks / scale).round().clamp(-8, 7) * scale - blocks).square()
        error = squares[:, :, 0]
        for number in range(1, BLOCK):  # one by one, as NumPy adds them: near ties are decided alike
            error = error + squares[:, :, number]
        is_better = error < best
        best, scales = torch.where(is_better, error, best), torch.where(is_better, found, scales)
    scale = (scales * steps)[:, :, None]
    return (((blocks / scale).round() + 8).clamp(0, 15) - 8).mul(scale).reshape(outputs, inputs)


def _round(weight: Tensor, quantization: Quantization) -> Tensor:
    return round_blocks(weight) if quantization is Quantization.INT4 else round_columns(weight)


def _steps(largest: Tensor) -> Tensor:
    steps = largest / LARGEST
    return torch.where(steps == 0, torch.ones_like(steps), steps)


def _codes(scaled: Tensor) -> Tensor:
    return scaled.round().clamp(-LARGEST, LARGEST)


def _through(exact: Tensor, rounded: Tensor) -> Tensor:
    """The rounded numbers, to the bit, with the gradient of the exact ones."""
    return rounded + (exact - exact.detach())


def _scale(form: TrainedForm, group: str) -> Tensor | None:
    scale = form.smoothing.get(group)
    return None if scale is None else torch.from_numpy(scale)


class _Texts:
    """The texts that the network reads now: which of their tokens are no padding."""

    def __init__(self) -> None:
        self.mask = torch.ones(1, 1)

    def note(self, features: Any) -> None:
        self.mask = features["attention_mask"]


class _Steps:
    """Counts the steps of all optimizers: fused ones change weights without raising the version that tensors count."""

    count = 0

    @classmethod
    def watch(cls) -> None:
        if not cls.count:
            cls.count = 1
            register_optimizer_step_post_hook(cls._note)

    @classmethod
    def _note(cls, *_: object) -> None:
        cls.count += 1


class _Kept:
    """A rounded weight, until what it is made of changes: a step reads its texts group by group, twice."""

    def __init__(self) -> None:
        self._key: object = None
        self._value = torch.empty(0)

    def get(self, parts: Sequence[Tensor], make: Callable[[], Tensor]) -> Tensor:
        """The weight, made anew if a part is another tensor or has changed."""
        key = (_Steps.count, *((part.data_ptr(), part._version) for part in parts))
        if key != self._key:
            self._key, self._value = key, make()
        return self._value


@dataclass(frozen=True, slots=True)
class _Rows:
    """A token table in memory, as `graph.weights.Table`."""

    weight: Any

    @property
    def shape(self) -> tuple[int, int]:
        rows, width = self.weight.shape
        return rows, width

    def rows(self, wanted: Any) -> Any:
        return self.weight[wanted]


def _round_table(table: nn.Embedding, quantization: Quantization) -> None:
    exact = _Rows(table.weight.detach().cpu().numpy())
    rounded = rows_rounder(exact, quantization)
    for start in range(0, exact.shape[0], _ROWS_AT_A_TIME):
        piece = slice(start, start + _ROWS_AT_A_TIME)
        table.weight[piece] = torch.from_numpy(rounded(exact.rows(piece))).to(table.weight.device)


def _round_heads(heads: Sequence[nn.Module]) -> None:
    """Have the last Dense module compute all of them as the one product that they are folded into, rounded to 8 bits."""
    kept = _Kept()
    weights = [head.linear.weight for head in heads]

    def folded(kind: torch.dtype) -> Tensor:
        product = weights[0].to(kind)
        for weight in weights[1:]:
            product = weight.to(kind) @ product
        return product

    def forward(features: dict[str, Any], **_: Any) -> dict[str, Any]:
        x = features["sentence_embedding"]
        with torch.autocast(x.device.type, enabled=False):
            rounded = kept.get(weights, lambda: round_columns(folded(torch.float64).detach().float()))
            weight = _through(folded(torch.float32), rounded) if torch.is_grad_enabled() else rounded
            bias = None
            for head in heads:
                linear = head.linear
                carried = None if bias is None else linear.weight @ bias
                both = [part for part in (carried, linear.bias) if part is not None]
                bias = sum(both) if both else None
        features["sentence_embedding"] = nn.functional.linear(x, weight, bias)
        return features

    for head in heads[:-1]:
        head.forward = lambda features, **_: features
    heads[-1].forward = forward
