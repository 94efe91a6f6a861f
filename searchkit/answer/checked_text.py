"""Turns what a model writes, as it comes, into what is shown: plain text, citations checked, unsupported sentences marked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from searchkit.answer.citations import CitationChecker, cited_in, without_citations
from searchkit.answer.plain_text import PlainTextStream, plain_text
from searchkit.answer.prompt import without_marks
from searchkit.answer.support import SupportChecker

UNSUPPORTED = "(unsupported)"
NO_SOURCE_SAYS_SO = "\n\nNo source says so. What they say:"
NOTHING_CAME = "The model wrote nothing. What the sources say:"
_QUOTED = 2
_ENDS = re.compile(r"[.!?\u3002\uff01\uff1f…][\"'”’»)\]*_]*(?:\s*\[\d{1,2}\])*$")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|z\.B|d\.h|Dr|Mr|Mrs|Nr|No|St|bzw|ca|vs|cf|p|pp|S)|\b\d{1,2}|\b[A-Z])\.$")
_LEFT_ALONE = re.compile(r"[.,]")  # behind a citation that was taken out
_UNIT = re.compile(r"\s*\S+|\s+")
_CODE = re.compile(r"(```|`|\n)")


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of an answer. `citations`: as shown; `added`: of those, the ones that the check has found.

    `is_supported`: None where there is nothing to check.
    """

    text: str
    citations: tuple[int, ...]
    is_supported: bool | None
    added: tuple[int, ...] = ()


class CheckedText:
    """The stages one after the other; `feed` gives what can be shown. Sentences are judged when the next one begins."""

    def __init__(self, source_count: int, support: SupportChecker) -> None:
        self.citations = CitationChecker(source_count)
        self._source_count = source_count
        self.sentences: list[CheckedSentence] = []
        self._plain = PlainTextStream()
        self._support = support
        self._thoughts = _Thoughts()
        self._sentence = ""
        self._space = ""
        self._in_code = False
        self._fence = ""

    def feed(self, piece: str) -> Iterator[str]:
        """What a further piece of the model's text lets be shown."""
        yield from self._take(self._plain.feed(self._thoughts.without(piece)))

    def finish(self) -> Iterator[str]:
        """The rest."""
        yield from self._take(self._plain.feed(self._thoughts.rest()) + self._plain.finish())
        yield self._judged()

    @property
    def is_looping(self) -> bool:
        """Whether the same sentence has come three times: a small model that has lost its way does not find back."""
        said = [sentence.text for sentence in self.sentences if sentence.is_supported is not None]
        return bool(said) and said.count(said[-1]) >= 3

    @property
    def is_without_support(self) -> bool:
        """Whether it has stated nothing that a source says; also if it has written nothing at all."""
        judged = [sentence.is_supported for sentence in self.sentences]
        return not judged or (False in judged and True not in judged)

    def quotes(self, question: str) -> Iterator[str]:
        """What the first sources say that is nearest to the question, in their own words."""
        yield NO_SOURCE_SAYS_SO if self.sentences else NOTHING_CAME
        for number in range(1, min(_QUOTED, self._source_count) + 1):
            self.citations.cited.add(number)
            yield f"\n“{plain_text(self._support.nearest(question, number))}” [{number}]"

    def _take(self, text: str) -> Iterator[str]:
        for unit in _UNIT.findall(self._with_checked_citations(without_marks(text))):
            word = unit.lstrip()
            space = unit[: len(unit) - len(word)]
            self._space += space
            if not word:
                continue
            if self._space == " " and _LEFT_ALONE.fullmatch(word):
                self._space = ""
            is_end = "\n" in self._space or (_ENDS.search(self._sentence) and not _ABBREVIATION.search(self._sentence))
            if self._sentence and is_end and not re.match(r"\[\d{1,2}\]", word):
                yield self._judged()
            shown = self._space if self.sentences or self._sentence else ""
            self._space = ""
            self._sentence += shown + word if self._sentence else word
            yield shown + word

    def _with_checked_citations(self, text: str) -> str:
        """Brackets in code are no citations."""
        parts = []
        for part in _CODE.split(text):
            if part == "```":
                self._fence = "" if self._fence else part
            elif part in ("`", "\n") and self._fence != "```":
                self._fence = "`" if part == "`" and not self._fence else ""
            parts.append(part if self._fence else self.citations.checked(part))
        return "".join(parts)

    def _judged(self) -> str:
        """What is added behind the sentence that has ended."""
        sentence, self._sentence = self._sentence, ""
        if not sentence:
            return ""
        if sentence.startswith("```"):
            self._in_code = not self._in_code
        bare, cited = without_citations(sentence), cited_in(sentence)
        if self._in_code or sentence.startswith("```") or not self._support.is_claim(bare):
            self.sentences.append(CheckedSentence(sentence, tuple(cited), None))
            return ""
        is_supported = any(found.is_enough for found in self._support.support(bare, cited).values())
        best = None if cited else self._support.best_source(bare)
        added = (best,) if best else ()
        self.citations.cited.update(added)
        is_supported = is_supported or bool(added)
        self.sentences.append(CheckedSentence(bare, (*cited, *added), is_supported, added))
        mark = "" if is_supported else f" {UNSUPPORTED}"
        return "".join(f" [{number}]" for number in added) + mark


class _Thoughts:
    """Leaves out what reasoning models think aloud at the beginning: <think> … </think>."""

    _OPEN, _CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held = ""
        self._state = "unknown"

    def without(self, piece: str) -> str:
        """What of a further piece is no thought."""
        if self._state == "over":
            return piece
        self._held += piece
        head = self._held.lstrip()
        if self._state == "unknown":
            if self._OPEN.startswith(head[: len(self._OPEN)]) and len(head) < len(self._OPEN):
                return ""
            self._state = "inside" if head.startswith(self._OPEN) else "over"
        if self._state == "inside":
            if self._CLOSE not in self._held:
                return ""
            self._held = self._held.split(self._CLOSE, 1)[1].lstrip()
            self._state = "over"
        return self.rest()

    def rest(self) -> str:
        """What was held back, unless it is a thought that never ended."""
        held, self._held = self._held, ""
        return "" if self._state == "inside" else held
