"""From the messages of a chat request to a question and what was said before it."""

import re
from collections.abc import Sequence

from searchkit.answer.grounding.checked_text import UNSUPPORTED
from searchkit.answer.grounding.citations import without_citations
from searchkit.answer.models.language_model import Message
from searchkit.errors import UsageError

SOURCES = "Sources:"
# It begins where a run of line ends begins: else a long run is read over and over.
_SOURCE_LIST = re.compile(rf"(?<!\n)\n+{SOURCES}\n(?:\[\d+\] [^\n]*(?:\n|\Z))+\Z")
_INSTRUCTIONS = ("system", "developer")
_LONGEST = 20_000  # characters of a question; more than any model reads


def question_and_history(messages: Sequence[tuple[str, str]]) -> tuple[str, list[Message]]:
    """The last message, which must be the user's, and whole turns before it, the oldest first.

    `messages`: role and text. Instructions (system, developer) are left out: sources are read under rules of their own.
    Raises UsageError if there is no question.
    """
    said = [(role, text.strip()) for role, text in messages if role not in _INSTRUCTIONS and text.strip()]
    if not said or said[-1][0] != "user":
        raise UsageError("There is no question: the last message must be the user's, with some text.")
    *before, (_, question) = said
    return question[:_LONGEST], _turns(before)


def as_said(answer: str) -> str:
    """An answer of ours as it came back from a client, without the list of its sources and their numbers."""
    return without_citations(_SOURCE_LIST.sub("", answer)).replace(f" {UNSUPPORTED}", "").strip()


def _turns(said: Sequence[tuple[str, str]]) -> list[Message]:
    """Question and answer in turn: of several questions in a row the last, since the others were never answered."""
    turns: list[Message] = []
    asked = ""
    for role, text in said:
        if role == "user":
            asked = text
        elif role == "assistant" and asked and (answer := as_said(text)):
            turns += [Message("user", asked), Message("assistant", answer)]
            asked = ""
    return turns
