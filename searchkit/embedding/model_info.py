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
    """The precision of stored weights: 8-bit, 8-bit with a 4-bit token table, 4-bit, or floats as in the checkpoint."""

    INT8 = "int8"
    MIXED = "mixed"
    INT4 = "int4"
    FP32 = "fp32"

    @property
    def has_small_table(self) -> bool:
        """True if the token table takes 4 bits per value."""
        return self in (Quantization.MIXED, Quantization.INT4)

    @property
    def has_one_scale(self) -> bool:
        """True if the input of a product is quantized with one scale for all of its tokens."""
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
