"""The options of training: of pairs, of an adapter and of fine-tuning; and the packages that it needs. Imports no PyTorch."""

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from searchkit.embedding.model_info import Quantization
from searchkit.errors import Action, ExtraMissingError, Remedy, TrainingError

# Of a collection, for an adapter: collections of 1,900 passages on gained, a folder of 200 never did (docs/benchmarks/training.md).
ENOUGH_PASSAGES = 1_000
HARDNESS = 5.0  # of equation 3 of EmbeddingGemma's report, see searchkit.train.losses


@dataclass(frozen=True, slots=True)
class PairOptions:
    """The options of collecting pairs.

    `file`: the user's own pairs. `llm`: the language model that writes questions, "auto" for one that is found, "" for none;
    `written`: the number of passages it writes a question for. `negatives`: hard negatives per pair. `seed`: of the split.
    """

    file: Path | None = None
    llm: str = ""
    written: int = 200
    negatives: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LossWeights:
    """The weights of the loss's terms, and its constants.

    `is_floored`: spread-out ends where vectors are spread as random ones would be (Zhang et al. 2017). `masks_own`: follow the
    report literally, whose mask also removes the query's own positive from the denominator. `hardness`: see
    `hardness_weights`; 0 weighs all hard negatives as 1.
    """

    contrastive: float = 1.0
    spread: float = 0.0
    distillation: float = 1.0
    temperature: float = 0.1
    hardness: float = HARDNESS
    is_floored: bool = False
    masks_own: bool = False


class Taught(StrEnum):
    """The pairs that a candidate learns from."""

    ALL = "all"
    SENTENCES = "sentences"  # taken out of their passages
    OTHERS = "others"  # titles, headings, questions, opened hits …


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to learn a matrix. `most_mix`: the most that may be mixed with the identity.

    `others`: the weights with which a second matrix is learned from all pairs but sentences; the candidate is the mean of both, a
    soup (Wortsman et al. 2022), wherever there are enough of these pairs. None for one matrix.
    """

    weights: LossWeights
    taught: Taught = Taught.OTHERS
    most_mix: float = 1.0
    others: LossWeights | None = None


# Of temperatures .02 to .4 and distillation .1 to 3, measured with real queries: docs/benchmarks/training.md. Sentences are near to
# their passages anyway: learned from alone, they may only pull a little, and beside titles a soup keeps what these say.
CANDIDATES = (
    Candidate(LossWeights(distillation=1.0)),
    Candidate(LossWeights(distillation=0.3)),
    Candidate(LossWeights(distillation=1.0, spread=1.0)),
    Candidate(LossWeights(distillation=2.0, spread=10.0), Taught.ALL, others=LossWeights(distillation=1.0)),
    Candidate(LossWeights(distillation=2.0, spread=10.0), Taught.SENTENCES, most_mix=0.5),
)


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """The options of training an adapter.

    `pairs`: a file to use instead of the collection's own pairs. `queries`: a file of judged queries, which become the target.
    `general`: folders in BEIR's layout to check in addition to the bundled one. `name`: of the new model. `is_forced`: make it
    even if it fails the gate. `is_quick`: learn from stored vectors, and embed only what the proof needs. `out`: folder for the
    report.
    """

    pairs: Path | None = None
    queries: Path | None = None
    general: tuple[Path, ...] = ()
    name: str = ""
    seed: int = 0
    is_forced: bool = False
    is_quick: bool = False
    out: Path | None = None
    candidates: Sequence[Candidate] = CANDIDATES


class SoupOf(StrEnum):
    """The ingredients of a soup."""

    SOURCES = "sources"  # an adapter learned from each source of pairs
    MIXTURES = "mixtures"  # the best that `train mixture` kept
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class MixtureOptions:
    """The options of searching mixtures and of making soups of adapters.

    `pairs`: files that are sources beside the collection's own. `queries`: a file of judged queries, of which half choose and the
    other half are the target. `trials`: mixtures to try. `soup_of`: what a soup is made of; `of`: installed adapted models that it
    is made of instead, or folders of fine-tuned checkpoints of `base`, "" for the collection's model. The others are those of
    `AdapterOptions`.
    """

    pairs: tuple[Path, ...] = ()
    queries: Path | None = None
    general: tuple[Path, ...] = ()
    name: str = ""
    seed: int = 0
    is_forced: bool = False
    out: Path | None = None
    trials: int = 30
    soup_of: SoupOf = SoupOf.SOURCES
    of: tuple[str, ...] = ()
    base: str = ""


class Method(StrEnum):
    """The weights that fine-tuning changes."""

    LORA = "lora"  # low-rank updates of the encoder's products, and the Dense heads
    FULL = "full"  # everything but the token table


class Precision(StrEnum):
    """The precision of the encoder. Weights, gradients and the loss are always float32; Gemma overflows float16."""

    AUTO = "auto"
    FLOAT32 = "fp32"
    BFLOAT16 = "bf16"


@dataclass(frozen=True, slots=True)
class FinetuneOptions:
    """The options of fine-tuning a checkpoint.

    `batch_size`: pairs whose positives are each other's negatives. `learning_rate`: 0 for the method's own, see `rate`.
    `max_tokens`: of a training text with its prompt; the model's own limit does not change. `tokens_at_once`: of the texts whose
    activations are in memory together; fewer take less memory and change nothing else. `mix`: share of the tuned weights in
    the result, the rest being the base's (WiSE-FT, Wortsman et al. 2022); None for the share that scores best on the validation
    pairs. `soup`: the number of best checkpoints that are averaged (Wortsman et al. 2022). `threads`: 0 for torch's choice.
    `quantize`: what the result will be stored in, and numbers are rounded to while it is trained; None for floats.
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
    quantize: Quantization | None = None

    @property
    def rate(self) -> float:
        """The learning rate: the one given, or the method's."""
        return self.learning_rate or _RATES[self.method]


# Of a student. Its rate is higher than that of a model that works, because layers are missing; it is not tuned yet.
DISTILLING = FinetuneOptions(
    method=Method.FULL, epochs=3, batch_size=32, learning_rate=1e-4, max_tokens=288, tokens_at_once=2048, mix=1.0
)

# Measured on Cranfield's titles: EmbeddingGemma with LoRA, MiniLM in full (1e-4 gave as much), see docs/benchmarks/training.md.
_RATES = {Method.LORA: 2e-4, Method.FULL: 5e-5}


class Start(StrEnum):
    """The weights that an encoder starts with, in the order of EmbeddingGemma's report."""

    ENCODER_DECODER = "encoder-decoder"
    DECODER = "decoder"
    RANDOM = "random"


class TokenPooling(StrEnum):
    """The way from the states of the tokens to one vector, in the order of EmbeddingGemma's report."""

    MEAN = "mean"
    ATTENTION = "attention"
    LAST = "last"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class InitOptions:
    """The options of making an encoder from a decoder.

    `layers`, `width`: of a new decoder, the width a multiple of 6. `vocabulary`: the most frequent tokens that are kept.
    `max_tokens`: of a training text. `language_steps`, `adaptation_steps`: of the two stages of pretraining, with `texts` texts
    each and at most `rate` as the learning rate. `epochs`, `batch_size`, `contrastive_rate`, `temperature`: of the contrastive
    stage. `starts`, `poolings`: what is compared, each combination with `seeds` seeds. `seed`: the first one. `threads`: 0 for
    torch's choice.
    """

    layers: int = 6
    width: int = 192
    vocabulary: int = 8192
    max_tokens: int = 128
    language_steps: int = 600
    adaptation_steps: int = 600
    texts: int = 32
    rate: float = 1e-3
    epochs: int = 4
    batch_size: int = 64
    contrastive_rate: float = 2e-3  # tuned on a width of 48: docs/benchmarks/training.md
    temperature: float = 0.05
    starts: tuple[Start, ...] = tuple(Start)
    poolings: tuple[TokenPooling, ...] = tuple(TokenPooling)
    seeds: int = 3
    seed: int = 0
    tokens_at_once: int = 8192
    precision: Precision = Precision.AUTO
    threads: int = 0
    checkpoint_minutes: float = 1.0


def require_torch() -> None:
    """Raise ExtraMissingError, which says how to install it, if PyTorch is missing. Imports nothing."""
    if importlib.util.find_spec("torch") is None:
        raise ExtraMissingError(
            "Training needs PyTorch, which searching does not.",
            remedy=Remedy(Action.INSTALL_EXTRA, extra="train"),
        )


def require_optuna() -> None:
    """Raise ExtraMissingError, which says how to install it, if optuna is missing. Imports nothing."""
    if importlib.util.find_spec("optuna") is None:
        raise ExtraMissingError(
            "Searching mixtures needs optuna.",
            remedy=Remedy(Action.INSTALL_EXTRA, extra="train"),
        )


@contextmanager
def writing_to(place: Path, what: str, *also: type[Exception]) -> Iterator[None]:
    """Turn errors of writing into a TrainingError that says what was not written, and where.

    `also`: errors that libraries raise instead of OSError when a disk is full.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except kinds as error:
        first_line = (f"{error}".splitlines() or [repr(error)])[0]
        reason = (isinstance(error, OSError) and error.strerror) or f"the disk seems to be full ({first_line})"
        raise TrainingError(
            f"{what} cannot be written to {place}: {reason}. No model and no collection was changed.",
            remedy="Make room there, or choose another disk (SEARCHKIT_HOME); then the same command continues.",
        ) from error
