"""Reads chat requests: the name of the model says which collections answer, the messages which question."""

import re
from collections.abc import Collection, Sequence

from searchkit.answer.grounding.checked_text import without_check_marks
from searchkit.answer.grounding.citations import without_citations
from searchkit.answer.models.language_model import Message
from searchkit.display import GET_A_MODEL
from searchkit.errors import UsageError

EVERYTHING = "searchkit"
SOURCES = "Sources:"
_PREFIX = f"{EVERYTHING}/"
# It begins where a run of line ends begins: otherwise a long run would be scanned over and over.
_SOURCE_LIST = re.compile(rf"(?<!\n)\n+{SOURCES}\n(?:\[\d+\] [^\n]*(?:\n|\Z))+\Z")
_ADVICE = re.compile(rf"\n\n(?:{re.escape(GET_A_MODEL)}|[^\n]* sources are quoted\.)(?=\n|\Z)")
_INSTRUCTIONS = ("system", "developer")
_MAX_CHARACTERS = 20_000  # of a question; more than any model reads


def chat_models(collections: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """Return the names of chat models: one for all collections, then each collection's; if taken, `searchkit/NAME`."""
    own = [name if name not in (EVERYTHING, *taken) else f"{_PREFIX}{name}" for name in collections]
    return [EVERYTHING, *own] if collections else []


def collections_of(model: str, collections: Sequence[str]) -> tuple[str, ...]:
    """Return the collections that a chat model answers from, () for all. Raises UsageError for an unknown name."""
    if model == EVERYTHING:
        return ()
    name = model.removeprefix(_PREFIX)
    if name not in collections:
        raise UsageError(
            f"There is no chat model '{model[:80]}'. Choose from: {', '.join(chat_models(collections)) or 'none'}."
        )
    return (name,)


def question_and_history(messages: Sequence[tuple[str, str]]) -> tuple[str, list[Message]]:
    """Return the last message, which must be the user's, and the complete turns before it, oldest first.

    `messages`: role and text. Instructions (system, developer) are left out: sources are read under rules of their own.
    Raises UsageError if there is no question.
    """
    said = [(role, text.strip()) for role, text in messages if role not in _INSTRUCTIONS and text.strip()]
    if not said or said[-1][0] != "user":
        raise UsageError("There is no question: the last message must be the user's, with some text.")
    *before, (_, question) = said
    return question[:_MAX_CHARACTERS], _turns(before)


def as_said(answer: str) -> str:
    """Strip the list of sources, the advice and the citations from an answer of ours that a client sends back."""
    return without_check_marks(without_citations(_ADVICE.sub("", _SOURCE_LIST.sub("", answer)))).strip()


def _turns(said: Sequence[tuple[str, str]]) -> list[Message]:
    """Pair questions with answers; of several questions in a row, only the last was answered."""
    turns: list[Message] = []
    asked = ""
    for role, text in said:
        if role == "user":
            asked = text
        elif role == "assistant" and asked and (answer := as_said(text)):
            turns += [Message("user", asked), Message("assistant", answer)]
            asked = ""
    return turns
