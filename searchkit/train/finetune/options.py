"""What a fine-tuning run can be told."""

from dataclasses import dataclass
from enum import StrEnum


class Method(StrEnum):
    """What is trained."""

    LORA = "lora"  # low-rank updates of the encoder's products, and the Dense heads
    FULL = "full"  # everything but the token table


class Precision(StrEnum):
    """How the encoder computes. Weights, their gradients and the loss are float32 always; Gemma overflows float16."""

    AUTO = "auto"
    FLOAT32 = "fp32"
    BFLOAT16 = "bf16"


@dataclass(frozen=True, slots=True)
class FinetuneOptions:
    """How to train. What is 0 is chosen by the method, see `with_defaults`.

    `batch_size`: pairs whose positives are each other's negatives. `tokens_at_once`: of the texts that are in memory with their
    activations; the smaller, the less memory it takes, and nothing else changes. `max_tokens`: of a training text, prompt
    included; the model's own limit stays as it is. `mix`: share of the tuned weights in the result, the rest is the base's
    (WiSE-FT, Wortsman et al. 2022); None for the share that finds most on the validation pairs. `soup`: how many of the best
    checkpoints are averaged (Wortsman et al. 2022; the report's souping). `threads`: 0 for torch's choice.
    """

    method: Method = Method.LORA
    epochs: int = 4
    batch_size: int = 64
    learning_rate: float = 0.0
    max_tokens: int = 256
    lora_rank: int = 16
    tokens_at_once: int = 1024
    precision: Precision = Precision.AUTO
    mix: float | None = None
    soup: int = 1
    seed: int = 0
    threads: int = 0
    checkpoint_minutes: float = 5.0

    @property
    def rate(self) -> float:
        """The learning rate: the one given, else the method's."""
        return self.learning_rate or _RATES[self.method]


# Measured on Cranfield's titles: EmbeddingGemma with LoRA, MiniLM in full (1e-4 gave as much), see docs/benchmarks/training.md.
_RATES = {Method.LORA: 2e-4, Method.FULL: 5e-5}
