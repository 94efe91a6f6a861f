"""The facts about a model, importable without NumPy: its name and sizes, and how its weights are stored."""

from dataclasses import dataclass
from enum import StrEnum


class Quantization(StrEnum):
    """How a model's weights are stored: 8-bit, 8-bit with a 4-bit token table, 4-bit, or floats as in the checkpoint."""

    INT8 = "int8"
    MIXED = "mixed"
    INT4 = "int4"
    FP32 = "fp32"

    @property
    def has_small_table(self) -> bool:
        """Whether the token table takes 4 bits a value."""
        return self in (Quantization.MIXED, Quantization.INT4)

    @property
    def has_one_scale(self) -> bool:
        """Whether the input of a product is quantized with a single scale for all of its tokens."""
        return self in (Quantization.INT8, Quantization.MIXED)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts about a model.

    `name`: as users know it. `dimension`: components of a full vector. `prefix_dimensions`: the Matryoshka prefixes that the
    model was trained for, largest first. `fingerprint`: changes whenever the same text could get another vector (weights,
    head, prompts, tokenizer). `root_fingerprint`: that of the model that this one was adapted from, which splits texts into
    the same tokens; the model's own if it was adapted from none. `max_tokens`: inputs are cut to this length, prompt and
    special tokens included. `similarity_range`: mean cosines of unrelated and of matching pairs; maps similarity to 0-1.
    """

    name: str
    dimension: int
    prefix_dimensions: tuple[int, ...]
    fingerprint: str
    root_fingerprint: str
    max_tokens: int
    similarity_range: tuple[float, float]
