"""The words a model was trained to see around a query or a passage."""

from collections.abc import Mapping
from dataclasses import dataclass

from searchkit.errors import UnsupportedCheckpointError
from searchkit.types import Passage

CONTENT = "{content}"
TITLE = "{title}"
_UNTITLED_SLOT = "title: none"  # how EmbeddingGemma's authors write a document without a title


@dataclass(frozen=True, slots=True)
class Prompts:
    """Templates with the slots {content} and {title}; `untitled` is the document's when there is no title."""

    query: str
    document: str
    untitled: str

    def of_query(self, query: str) -> str:
        """The model's input for a query."""
        return _fill(self.query, content=query)

    def of_passage(self, passage: Passage) -> str:
        """The model's input for a passage."""
        if not passage.title:
            return _fill(self.untitled, content=passage.text)
        return _fill(self.document, content=passage.text, title=passage.title)


def _fill(template: str, *, content: str, title: str = "") -> str:
    """Fill the slots literally: braces in the content are content. The title's slot stands before the content's."""
    head, _, tail = template.partition(CONTENT)
    return head.replace(TITLE, title) + content + tail


def prompts_of_checkpoint(prompts: Mapping[str, str]) -> Prompts:
    """Templates from a sentence-transformers checkpoint's prompts (they are prefixes there).

    A document prompt with the slot "title: none" gets a real title slot. A model without one sees the title as a
    first line, which keeps the heading's words in the passage.

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
