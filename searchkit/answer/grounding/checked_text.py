"""Turns what a model writes into what is shown, piece by piece: plain text, citations checked, unsupported sentences marked."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from searchkit.answer.grounding.citations import CitationChecker, cited_in, without_citations
from searchkit.answer.grounding.support import Doubt, SupportChecker
from searchkit.answer.plain_text import FenceStripper, PlainTextStream, ReasoningStripper
from searchkit.answer.prompt import without_marks

UNSUPPORTED, DIFFERS, BESIDE = "(unsupported)", "(differs)", "(beside the question)"
CHECK_MARKS = (UNSUPPORTED, DIFFERS, BESIDE)
NO_SOURCE_SAYS_SO = "\n\nNo source says so. What they say:"
NOTHING_WRITTEN = "The model wrote nothing. What the sources say:"
_MARKS = {Doubt.NEGATION: f" {DIFFERS}", Doubt.DETAIL: f" {DIFFERS}", Doubt.BESIDE: f" {BESIDE}"}
_QUOTED = 2
_OFTEN, _OFTEN_CODE, _LONG_LINE = 3, 6, 16
_ENDS = re.compile(r"[.!?\u3002\uff01\uff1f…][\"'”’»)\]*_]*(?:\s*\[\d{1,2}\])*$")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|z\.B|d\.h|Dr|Mr|Mrs|Nr|No|St|bzw|ca|vs|cf|p|pp|S)|\b[A-Z])\.$")
_SHORT_NUMBER = re.compile(r"\b\d{1,2}\.$")
_ITS_NUMBER = re.compile(r"[\W_]*\d{1,2}\.$|.*\b(?:im|der|den|dem|zum|zur|vom|beim)\s+\d{1,2}\.$", re.DOTALL)
_BEHIND_ORDINAL = re.compile(
    r"[^\W_A-ZÄÖÜ]|(?:Jan|Jän|Feb|Mär|Apr|Jun|Jul|Aug|Sep|Okt|Nov|Dez)\w*|Mai\b"  # a small letter, 3. 5., or a German month
)
_CITATION = re.compile(r"\[\d{1,2}\]")
_LEFT_ALONE = re.compile(r"[.,]")  # after a citation that was removed
_UNIT = re.compile(r"\s*\S+|\s+")
_CODE = re.compile(r"(```|`|\n)")
_INLINE_CODE = re.compile(r"(`[^`]*`)")


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence of an answer. `citations`: as shown; `added_citations`: those of them that the check has added, or put instead.

    `supported`: None if there is nothing to check. `doubt`: what is wrong with one that its source seems to say.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool | None
    added_citations: tuple[int, ...] = ()
    doubt: Doubt | None = None


class CheckedText:
    """The stages in a row; `feed` yields what can be shown. A sentence is judged when the next one begins.

    Until then it is held back from its first citation on, which may turn out to be that of another source.
    """

    def __init__(self, source_count: int, support: SupportChecker) -> None:
        self.citations = CitationChecker(source_count)
        self._source_count = source_count
        self.sentences: list[CheckedSentence] = []
        self.pages: defaultdict[int, set[int]] = defaultdict(
            set
        )  # of joined passages, by source: those that say what cites it
        self._plain = PlainTextStream()
        self._support = support
        self._reasoning = ReasoningStripper()
        self._fences = FenceStripper()
        self._sentence = ""
        self._held = ""
        self._space = ""
        self._in_code = False
        self._cites_first = False
        self._fence = ""

    def feed(self, piece: str) -> Iterator[str]:
        """Take a further piece of the model's text, and yield what can be shown now."""
        yield from self._take(self._plain.feed(self._reasoning.without(piece)))

    def finish(self) -> Iterator[str]:
        """Yield the rest."""
        yield from self._take(self._plain.feed(self._reasoning.rest()) + self._plain.finish())
        yield self._judged()

    @property
    def is_looping(self) -> bool:
        """True if a sentence has been repeated three times: a small model does not find its way out of such a loop.

        Lines of code, and whatever else is not checked, may well be repeated: those must be long, and repeated more often.
        """
        if not self.sentences:
            return False
        last = self.sentences[-1]
        count = sum(sentence.text == last.text for sentence in self.sentences)
        is_checked = last.supported is not None
        return count >= _OFTEN if is_checked else count >= _OFTEN_CODE and len(last.text) >= _LONG_LINE

    @property
    def is_without_support(self) -> bool:
        """True if no sentence is supported by a source, or nothing was written at all."""
        judged = [sentence.supported for sentence in self.sentences]
        return not judged or (False in judged and True not in judged)

    def quotes(self, question: str) -> Iterator[str]:
        """Yield what the first sources say that is nearest to the question, in their own words."""
        yield NO_SOURCE_SAYS_SO if self.sentences else NOTHING_WRITTEN
        for number in range(1, min(_QUOTED, self._source_count) + 1):
            self.citations.cited.add(number)
            yield f"\n“{self._support.nearest(question, number)}” [{number}]"

    def _take(self, text: str) -> Iterator[str]:
        for unit in _UNIT.findall(self._with_checked_citations(self._fences.without(text))):
            word = unit.lstrip()
            space = unit[: len(unit) - len(word)]
            self._space += space
            if not word:
                continue
            if self._space == " " and _LEFT_ALONE.fullmatch(word):
                self._space = ""
            is_citation = bool(_CITATION.match(word))
            if not self.sentences and not self._sentence:
                self._cites_first = is_citation
            is_end = "\n" in self._space or _has_ended(self._sentence, word)
            if self._sentence and is_end and (self._cites_first or not is_citation):
                yield self._judged()
            shown = self._space if self.sentences or self._sentence else ""
            self._space = ""
            is_held = bool(self._held) or (is_citation and not self._cites_first and not self._in_code)
            self._sentence += shown + word if self._sentence else word
            if is_held:
                self._held += shown + word
            else:
                yield shown + word

    def _with_checked_citations(self, text: str) -> str:
        """The text with its citations checked; brackets in code are not citations."""
        parts = []
        for part in _CODE.split(text):
            if part == "```":
                self._fence = "" if self._fence else part
            elif part in ("`", "\n") and self._fence != "```":
                self._fence = "`" if part == "`" and not self._fence else ""
            parts.append(part if self._fence else self.citations.checked(without_marks(part)))
        return "".join(parts)

    def _judged(self) -> str:
        """Judge the sentence that has ended, and return what is still to be shown of it."""
        sentence, held = self._sentence, self._held
        self._sentence = self._held = ""
        if not sentence:
            return ""
        if sentence.startswith("```"):
            self._in_code = not self._in_code
        bare = without_citations(sentence).strip()
        cited = [number for number in cited_in(sentence) if 1 <= number <= self._source_count]  # others are in code
        if self._in_code or sentence.startswith("```") or not self._support.is_claim(bare):
            self.sentences.append(CheckedSentence(sentence, tuple(cited), None))
            return held
        better = self._support.better_source(bare, cited)
        added = (better,) if better else ()
        support = self._support.support(bare, (*added, *cited))
        enough = [number for number, found in support.items() if found.is_enough]
        if better and held:
            wrong = [number for number in cited if number not in enough]
            held = _with_other_citation(held, wrong, better)
            cited = [number for number in cited if number not in wrong]
            before = {number for each in self.sentences for number in each.citations}
            self.citations.cited.difference_update(set(wrong) - before)
        self.citations.cited.update((*cited, *added))
        for number in enough:
            self.pages[number] |= self._support.pages(bare, number)
        doubt = self._doubt(bare, enough)
        self.sentences.append(CheckedSentence(bare, (*cited, *added), bool(enough), added, doubt))
        mark = _MARKS[doubt] if doubt else "" if enough else f" {UNSUPPORTED}"
        shown = "" if f"[{better}]" in held else f" [{better}]" if better else ""
        return held + shown + mark

    def _doubt(self, sentence: str, saying: Sequence[int]) -> Doubt | None:
        """What is wrong with a sentence according to all the sources that seem to say it.

        What follows a sentence that answers the question may add to it, and need not answer it too.
        """
        if not saying:
            return None
        doubts = [self._support.doubt(sentence, number) for number in saying]
        if all(doubts):
            return doubts[0]
        has_answered = any(each.supported and each.doubt is None for each in self.sentences)
        return None if has_answered or self._support.answers(sentence, saying[0]) else Doubt.BESIDE


def _with_other_citation(text: str, wrong: Sequence[int], better: int) -> str:
    """A text that cites another source instead of those that do not say it; code in it stays as it is."""
    parts = _INLINE_CODE.split(text)  # every second one is code
    for i in range(0, len(parts), 2):
        for number in wrong:
            is_there = any(f"[{better}]" in part for part in parts[::2])
            instead = "" if is_there else rf"\g<blank>[{better}]"
            parts[i] = re.sub(rf"(?P<blank>\s*)\[{number}\]", instead, parts[i], count=1)
            parts[i] = re.sub(rf"\s*\[{number}\]", "", parts[i])
    return "".join(parts)


def without_check_marks(text: str) -> str:
    """An answer as it was before it was checked."""
    for mark in CHECK_MARKS:
        text = text.replace(f" {mark}", "")
    return text


def _has_ended(sentence: str, word: str) -> bool:
    """True if a word begins a new sentence; a short number with a dot may be an ordinal, or number a list."""
    if not _ENDS.search(sentence) or _ABBREVIATION.search(sentence):
        return False
    is_its_number = _SHORT_NUMBER.search(sentence) and (_ITS_NUMBER.match(sentence) or _BEHIND_ORDINAL.match(word))
    return not is_its_number
