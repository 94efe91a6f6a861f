"""A conversation about what is indexed: every question gets sources of its own, found by the question made to stand alone."""

from dataclasses import dataclass, field

from searchkit.answer.answerer import Answerer, Scope
from searchkit.answer.grounding.answer_stream import AnswerStream
from searchkit.answer.grounding.checked_text import UNSUPPORTED
from searchkit.answer.grounding.citations import without_citations
from searchkit.answer.models.language_model import Message
from searchkit.answer.rewrite import standalone_question


@dataclass
class Conversation:
    """Turns with one answerer. `searched_for`: what the last question's sources were found by."""

    answerer: Answerer
    scope: Scope
    history: list[Message] = field(default_factory=list)
    searched_for: str = ""

    def ask(self, question: str) -> AnswerStream:
        """The answer; note it with `remember` when it has ended."""
        self.searched_for = standalone_question(self.answerer.model, self.answerer.window, question, self.history)
        return self.answerer.answer_within(question, self.scope, search_for=self.searched_for, history=self.history)

    def remember(self, question: str, stream: AnswerStream) -> None:
        """Take an answer into the history, as far as it came. One that found nothing is no part of it."""
        report = stream.report
        if report and report.text and report.ending != "not_found":
            said = without_citations(report.text).replace(f" {UNSUPPORTED}", "")  # numbers of sources that come no more
            self.history += [Message("user", question), Message("assistant", said)]

    def begin_anew(self) -> None:
        """Forget what was said."""
        self.history.clear()
        self.searched_for = ""
