"""The facts about a model, importable without NumPy: its sizes, how its weights are stored, its prompts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from searchkit.errors import UnsupportedCheckpointError
from searchkit.types import Passage

CONTENT = "{content}"
TITLE = "{title}"
_UNTITLED_SLOT = "title: none"  # how EmbeddingGemma's authors write a document without a title


class Quantization(StrEnum):
    """The precision of stored weights: 8-bit, 8-bit with a 4-bit token table, 4-bit, or floats as in the checkpoint.

    `weights8`: 8-bit with a scale for each 32 weights and for each 32 values of a product's input, for checkpoints that one
    scale for each input does not suit.
    """

    INT8 = "int8"
    MIXED = "mixed"
    INT4 = "int4"
    WEIGHTS8 = "weights8"
    FP32 = "fp32"

    @property
    def has_small_table(self) -> bool:
        """True if the token table takes 4 bits per value."""
        return self in (Quantization.MIXED, Quantization.INT4)

    @property
    def has_one_scale(self) -> bool:
        """True if the input of a product is quantized with one scale for all of its tokens."""
        return self in (Quantization.INT8, Quantization.MIXED)

    @property
    def is_fitted(self) -> bool:
        """True if the result depends on the calibration texts."""
        return self.has_one_scale or self is Quantization.INT4


TRAINABLE = (Quantization.INT8, Quantization.INT4, Quantization.MIXED)  # what `train finetune --quantize` offers
CLOSE_ENOUGH = 0.995  # mean cosine to the model's own floats; rankings of models above it do not differ measurably


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How close a quantized model's vectors were to its own floats at the import: cosines over the calibration texts.

    `floats`: the groups of products that stay in floats, since 8 bits would cost them too much.
    """

    mean_cosine: float
    worst_cosine: float
    floats: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """True if the vectors are as good as those in floats."""
        return self.mean_cosine >= CLOSE_ENOUGH


@dataclass(frozen=True, slots=True)
class Scale:
    """The cosines that divide answers from other texts, as shares of the way through a model's `similarity_range`.

    `short_cut`: below it stay the best hits of off-topic queries of at most `short_tokens`; `long_cut`: those of at least
    `long_tokens`; between them the cut rises evenly. `support`: from here on a cosine supports what the words say.
    `words_help`: how much lower the cut is for a passage with all words of the query, compared with one that has few.
    `languages`: those of the built-in judged set in which the model finds the answers, none for a model that does not
    distinguish texts; None if that was not measured.

    The defaults were measured with EmbeddingGemma, and are those of models imported before each was measured by itself.
    """

    short_cut: float = 0.65
    long_cut: float = 0.85
    short_tokens: int = 5
    long_tokens: int = 13
    support: float = 0.5
    words_help: float = 0.0
    languages: tuple[str, ...] | None = None

    @property
    def is_meaningless(self) -> bool:
        """True if the model's cosines do not distinguish answers from other texts in any language."""
        return self.languages == ()

    def cut(self, query_tokens: int) -> float:
        """The cut for a query of so many tokens."""
        length = min(1.0, max(0.0, (query_tokens - self.short_tokens) / (self.long_tokens - self.short_tokens)))
        return self.short_cut + (self.long_cut - self.short_cut) * length


UNMEASURED = Scale()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The facts about a model.

    `name`: as users know it. `dimension`: components of a full vector. `prefix_dimensions`: the Matryoshka prefixes that the
    model was trained for, largest first. `fingerprint`: changes whenever the same text could get another vector (weights,
    head, prompts, tokenizer). `root_fingerprint`: that of the model that this one was adapted from, which splits texts into
    the same tokens; the model's own if it was adapted from none. `max_tokens`: inputs are cut to this length, prompt and
    special tokens included. `similarity_range`: mean cosines of unrelated and of matching pairs; maps similarity to 0-1.
    `scale`: where its cosines divide answers from other texts.
    """

    name: str
    dimension: int
    prefix_dimensions: tuple[int, ...]
    fingerprint: str
    root_fingerprint: str
    max_tokens: int
    similarity_range: tuple[float, float]
    scale: Scale = UNMEASURED


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompt templates, with the slots {content} and {title}; `untitled` replaces `document` for passages without title."""

    query: str
    document: str
    untitled: str

    def of_query(self, query: str) -> str:
        """Build the model's input for a query."""
        return _fill(self.query, content=query)

    def of_passage(self, passage: Passage) -> str:
        """Build the model's input for a passage."""
        if not passage.title:
            return _fill(self.untitled, content=passage.text)
        return _fill(self.document, content=passage.text, title=passage.title)


def _fill(template: str, *, content: str, title: str = "") -> str:
    """Fill the slots literally: braces in the content stay as they are. The title's slot comes before the content's."""
    head, _, tail = template.partition(CONTENT)
    return head.replace(TITLE, title) + content + tail


def prompts_of_checkpoint(prompts: Mapping[str, str]) -> Prompts:
    """Derive templates from the prompts of a sentence-transformers checkpoint, which are prefixes.

    A document prompt that contains "title: none" gets a real title slot. Other models see the title as the first line, so
    that the words of the heading are part of the passage.

    Raises UnsupportedCheckpointError if a prompt is not text.
    """
    query, document = prompts.get("query", ""), prompts.get("document", prompts.get("passage", ""))
    if not (isinstance(query, str) and isinstance(document, str)):
        raise UnsupportedCheckpointError("The checkpoint's prompts are not text (config_sentence_transformers.json).")
    if _UNTITLED_SLOT in document:
        titled = document.replace(_UNTITLED_SLOT, f"title: {TITLE}") + CONTENT
    else:
        titled = f"{document}{TITLE}\n{CONTENT}"
    return Prompts(query=query + CONTENT, document=titled, untitled=document + CONTENT)
