"""The ways in which weights can be stored."""

from enum import StrEnum


class Quantization(StrEnum):
    """32-bit floats as in the checkpoint, or 8-bit integers with a scale a channel."""

    INT8 = "int8"
    FP32 = "fp32"
