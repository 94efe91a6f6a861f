"""The ways in which weights can be stored."""

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
