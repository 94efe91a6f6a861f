"""A conversation about what is indexed: every question is rewritten to be understood alone, and gets sources of its own.

"And the deposit?" alone finds nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from searchkit.answer.answerer import Answerer
from searchkit.answer.context import Window, recent
from searchkit.answer.follow_ups import goes_on, stems, with_subject
from searchkit.answer.grounding.answer_stream import AnswerStream
from searchkit.answer.grounding.checked_text import without_check_marks
from searchkit.answer.grounding.citations import without_citations
from searchkit.answer.models.language_model import LanguageModel, Message
from searchkit.answer.plain_text import plain_text
from searchkit.answer.prompt import as_data
from searchkit.search.request import SearchRequest

_TASK = """\
Rewrite the user's last question so that it can be understood without the conversation: put names in place of words such as \
it, they, there. Keep its language and its meaning. Do not answer it. Write the question alone, on one line."""
_LABEL = re.compile(r"^[\s*_#>]*(?:[\w -]{0,30}question[\w -]{0,20}|[\w -]{0,20}frage)\s*:\s*", re.IGNORECASE)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TURNS, _ANSWER_CHARACTERS = 6, 600
_REPLY_TOKENS = 96
_SEVERAL = re.compile(
    r"(?:\w{4,}\.|[!?…])[\"'”’)\]]*\s+\S|[\u3002\uff01\uff1f]\s*\S"
)  # Dr. and Nr. do not end a sentence
_ASKING = ("?", "\uff1f", "\u061f")


@dataclass
class Conversation:
    """Turns with one answerer. `sources`: how to search for sources; `searched_for`: the query that found the last ones."""

    answerer: Answerer
    sources: SearchRequest
    history: list[Message] = field(default_factory=list)
    searched_for: str = ""

    def ask(self, question: str) -> AnswerStream:
        """Answer a question; when the stream has ended, pass it to `remember`."""
        self.searched_for = standalone_question(self.answerer.model, self.answerer.window, question, self.history)
        sources = replace(self.sources, query=self.searched_for)
        return self.answerer.answer_from(sources, question=question, history=self.history)

    def remember(self, question: str, stream: AnswerStream) -> None:
        """Add an answer to the history, even one that was cut short, but not one that found nothing."""
        report = stream.report
        if report and report.answer and report.ending != "not_found":
            said = without_check_marks(without_citations(report.answer))  # later sources have other numbers
            self.history += [Message("user", question), Message("assistant", said)]

    def start_over(self) -> None:
        """Forget what was said."""
        self.history.clear()
        self.searched_for = ""


def standalone_question(model: LanguageModel | None, window: Window, question: str, history: Sequence[Message]) -> str:
    """Have the model rewrite the question; without a history the question itself, without a model or if what it writes is absurd
    the question with the one before it, if it leans on that.

    Raises LlmError if the model does not answer.
    """
    if not history:
        return question
    if model is None:
        return with_subject(question, history)
    shortened = [Message(turn.role, turn.content[:_ANSWER_CHARACTERS]) for turn in history[-_TURNS:]]
    turns = "\n".join(f"{turn.role}: {as_data(turn.content)}" for turn in recent(shortened, window))
    asked = f"Conversation:\n{turns}\n\nLast question: {question}\n\nThe question, rewritten to stand alone:"
    reply = model.reply([Message("system", _TASK), Message("user", asked)], _REPLY_TOKENS)
    try:
        written = _cleaned("".join(reply))
    finally:
        reply.stop()
    is_usable = is_sane(written, question, [turn.content for turn in shortened])
    return written if is_usable else with_subject(question, history)


def is_sane(written: str, question: str, said: Sequence[str]) -> bool:
    """True for a rewritten question that is a single short sentence about what was asked, in words that were used before.

    It must keep half of the question's content words; three quarters of its own, and all of its numbers, must have occurred
    in the conversation.
    """
    if not written or len(written) > 200 + 2 * len(question) or "\n" in written:
        return False
    if _SEVERAL.search(written) or (
        not goes_on(question) and question.rstrip().endswith(_ASKING) and not written.endswith(_ASKING)
    ):
        return False  # an answer
    known = stems(question) | stems(" ".join(said))
    own, asked = stems(written), set() if goes_on(question) else stems(question)
    if not own or any(any(c.isdigit() for c in word) and word not in known for word in own):
        return False
    is_about_it = len(own & asked) >= len(asked) / 2
    return is_about_it and len(own & known) >= 0.75 * len(own)


def _cleaned(written: str) -> str:
    """The first line that is not empty, without a label, quotes, or anything that a query treats as more than words."""
    lines = [line.strip() for line in plain_text(_THOUGHT.sub("", written)).splitlines()]
    first = _LABEL.sub("", next((line for line in lines if line), ""))
    first = re.sub(r"[\"“”„«»]", "", first).strip(" *_'`")
    return re.sub(r"(?<!\w)-(?=\w)|\b(type|path|folder|since|until):(?=\S)", r"\1 ", first).strip()
