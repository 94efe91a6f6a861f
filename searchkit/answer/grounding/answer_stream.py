"""An answer as it is written: pieces to show, their sources, and at the end what the checks found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from searchkit.answer.context import Context
from searchkit.answer.grounding.checked_text import BESIDE, DIFFERS, UNSUPPORTED, CheckedSentence, CheckedText
from searchkit.answer.grounding.support import Doubt, OpenEmbedder, SupportChecker, is_abstention
from searchkit.answer.models.language_model import LanguageModel, Reply
from searchkit.display import plural
from searchkit.errors import LlmError, WindowTooSmallError
from searchkit.types import Hit

NOTHING_RELEVANT = "Nothing that is indexed is clearly about that, so no answer was written."
NOTHING_MORE = "Your files say nothing more that is clearly about that."
Ending = Literal["complete", "length", "stopped", "broken", "not_found"]
Repack = Callable[[int], Context]


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """The result of a question. `answer`: as it was shown. `cited`: numbers of the sources it cites.

    `removed_citations`: those of sources that do not exist. `ending`: "length" if the token limit cut it, "broken" if the server
    did, "not_found" if no model was asked because nothing relevant was found.
    """

    answer: str
    sentences: tuple[CheckedSentence, ...]
    cited: tuple[int, ...]
    removed_citations: tuple[str, ...]
    ending: Ending

    @property
    def unsupported(self) -> tuple[str, ...]:
        """The sentences that no source supports."""
        return tuple(sentence.text for sentence in self.sentences if sentence.supported is False)

    @property
    def differing(self) -> tuple[str, ...]:
        """The sentences that deny what their source says, or have a number or name from elsewhere in it."""
        return tuple(each.text for each in self.sentences if each.doubt in (Doubt.NEGATION, Doubt.DETAIL))

    @property
    def beside_the_question(self) -> tuple[str, ...]:
        """The sentences that a source says, and that do not seem to answer the question."""
        return tuple(each.text for each in self.sentences if each.doubt is Doubt.BESIDE)

    @property
    def is_unchecked(self) -> bool:
        """True if nothing in the answer could be compared with the sources: code, or a word or two."""
        could_be = any(sentence.supported is not None for sentence in self.sentences)
        return bool(self.sentences) and not could_be and not any(map(_needs_no_check, self.sentences))


def _needs_no_check(sentence: CheckedSentence) -> bool:
    return sentence.text.endswith("?") or is_abstention(sentence.text)


class AnswerStream:
    """Iterate over it once, to get pieces that are safe to show as plain text; joined, they are the answer.

    `sources[i]` is cited as [i + 1]; at the end, joined passages have the pages of what cites them. Iterating raises AnswerCutError
    if the server stops in the middle; the pieces before that stay valid. `report` is set when it has ended.
    """

    def __init__(self, sources: Sequence[Hit], pieces: Callable[["AnswerStream"], Iterator[str]]) -> None:
        self.sources = sources
        self.context: Context | None = None
        self.report: AnswerReport | None = None
        self._pieces = pieces
        self._reply: Reply | None = None
        self.is_stopped = False

    def __iter__(self) -> Iterator[str]:
        return self._pieces(self)

    @property
    def is_cut_short(self) -> bool:
        """True if the token limit ended it."""
        return self._reply is not None and self._reply.is_cut_short

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong with the answer according to the checks, a sentence each; none before it has ended."""
        report = self.report
        if report is None:
            return ()
        found = []
        if report.removed_citations:
            sources = plural(len(self.sources), "source")
            found.append(f"Removed {', '.join(report.removed_citations)} from the answer, which was given {sources}.")
        marked = {
            UNSUPPORTED: (report.unsupported, "no source seems to say so. Check before you rely on it."),
            DIFFERS: (report.differing, "the source seems to say otherwise, or it of something else. Look at it."),
            BESIDE: (report.beside_the_question, "a source says so, and it does not seem to be what you asked."),
        }
        for mark, (sentences, why) in marked.items():
            if sentences:
                is_are = "sentence is" if len(sentences) == 1 else "sentences are"
                found.append(f"{len(sentences)} {is_are} marked {mark}: {why}")
        if report.is_unchecked:
            found.append("Nothing in this answer could be checked. Read its sources before you rely on it.")
        if report.ending == "length":
            found.append("The answer was cut off at the model's limit. Ask for a part of it.")
        return tuple(found)

    def stop(self) -> None:
        """End the answer, from any thread; what was written stays."""
        self.is_stopped = True
        if self._reply:
            self._reply.stop()

    def end_reply(self) -> None:
        """Stop the model; the checks still run to the end of the answer."""
        if self._reply:
            self._reply.stop()

    def follow(self, reply: Reply) -> Reply:
        """Remember the reply that `stop` has to end."""
        self._reply = reply
        if self.is_stopped:
            reply.stop()
        return reply


def nothing_relevant(sentence: str = NOTHING_RELEVANT) -> AnswerStream:
    """Say that there is nothing to answer from; no model is asked."""

    def pieces(stream: AnswerStream) -> Iterator[str]:
        stream.report = AnswerReport(sentence, (), (), (), "not_found")
        yield sentence

    return AnswerStream((), pieces)


def answer_from(
    model: LanguageModel, question: str, context: Context, repack: Repack, open_embedder: OpenEmbedder
) -> AnswerStream:
    """Have a model answer from a context. If no source supports any of its answer, quote the sources.

    `question`: understood alone. `repack`: makes a smaller context for the window that the server mentions.
    """

    def pieces(stream: AnswerStream) -> Iterator[str]:
        support = SupportChecker(context.sources, open_embedder, question)
        checked = CheckedText(len(context.sources), support)
        shown: list[str] = []
        ending: Ending = "broken"
        try:
            written = _showing(checked, _replies(stream, model, context, repack))
            for piece in _with_quotes(written, checked, question, stream):
                shown.append(piece)
                yield piece
            ending = "stopped" if stream.is_stopped else "length" if stream.is_cut_short else "complete"
        except (GeneratorExit, KeyboardInterrupt):
            ending = "stopped"
            stream.stop()
            raise
        finally:
            support.close()
            stream.sources = [
                source.on_pages(pages) if (pages := checked.pages.get(number)) else source
                for number, source in enumerate(stream.sources, 1)
            ]
            cited = tuple(sorted(checked.citations.cited))
            removed = tuple(dict.fromkeys(checked.citations.removed))
            stream.report = AnswerReport("".join(shown), tuple(checked.sentences), cited, removed, ending)

    stream = AnswerStream(context.sources, pieces)
    stream.context = context
    return stream


def _with_quotes(written: Iterator[str], checked: CheckedText, question: str, stream: AnswerStream) -> Iterator[str]:
    for piece in written:
        yield piece
        if checked.is_looping:
            stream.end_reply()
    if checked.is_without_support and not stream.is_stopped:
        yield from checked.quotes(question)


def _showing(checked: CheckedText, written: Iterator[str]) -> Iterator[str]:
    """Yield what is shown of what is written; if that breaks off, the rest before the error."""
    try:
        for piece in written:
            yield from (part for part in checked.feed(piece) if part)
    except LlmError:
        yield from (part for part in checked.finish() if part)
        raise
    yield from (part for part in checked.finish() if part)


def _replies(stream: AnswerStream, model: LanguageModel, context: Context, repack: Repack) -> Iterator[str]:
    """Yield the model's reply; start a second one if the server says that its window is smaller than expected."""
    try:
        yield from stream.follow(model.reply(context.messages, context.reply_tokens))
    except WindowTooSmallError as error:
        if error.window_tokens is None:
            raise
        smaller = repack(error.window_tokens)
        stream.context = smaller
        yield from stream.follow(model.reply(smaller.messages, smaller.reply_tokens))
