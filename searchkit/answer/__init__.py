"""Answers to questions about what is indexed, from a language model on this machine, with citations that are checked."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from searchkit.answer.answerer import Answerer, open_answerer
    from searchkit.answer.grounding.answer_stream import AnswerReport, AnswerStream
    from searchkit.answer.grounding.checked_text import CHECK_MARKS
    from searchkit.errors import LlmError

__all__ = ["CHECK_MARKS", "AnswerReport", "AnswerStream", "Answerer", "LlmError", "open_answerer"]

_HOMES = {
    "CHECK_MARKS": "searchkit.answer.grounding.checked_text",
    "AnswerReport": "searchkit.answer.grounding.answer_stream",
    "AnswerStream": "searchkit.answer.grounding.answer_stream",
    "Answerer": "searchkit.answer.answerer",
    "LlmError": "searchkit.errors",
    "open_answerer": "searchkit.answer.answerer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'searchkit.answer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
