"""Checks whether a source supports a sentence of an answer: by words, by the meaning of the source's sentences, by numbers.

It finds what was made up, and by the model's vectors what does not answer the question; details.py looks for wrong details.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from searchkit.answer.grounding.details import is_negated, is_swapped
from searchkit.answer.grounding.numbers import has_number, has_only, numbers_of
from searchkit.answer.prompt import as_quoted, without_comments
from searchkit.catalog.fulltext import Stemmer
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.text import split_sentences
from searchkit.types import Hit, Passage

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder
    from searchkit_indexes import Vectors

_SOURCE = r"(?:sources?|documents?|passages?|excerpts?|context|text)"
_SAY = r"(?:say|state|mention|contain|specify|provide|include|hold|give|tell|answer|cover|address|describe|indicate)"
# Nothing else may come between the source and its verb: "according to the document it does not …" is a claim.
_WHICH = r"(?:\s+(?:above|below|here|provided|given|available|retrieved|themselves|alone|\w+ly|and|or|documents?))*"
_KNOWN = r"(?:information|mention|answer|details?|statement|indication)"
_SAGEN = (
    r"(?:(?:sag|nenn|erwähn|enthalten|enthält|beantwort|besag|liefer|steh|find|geht|gehen)\w*\b[^.,]{0,40}\b(?:nicht|nichts|keine?[nrms]?)"
    r"|(?:gibt|geben|macht|machen)\b[^.,]{0,40}\b(?:nicht an|keine?n?\s+(?:auskunft|antwort|hinweise?|informationen|angaben?)))"
)
_NOT_SAID = re.compile(
    rf"\b{_SOURCE}{_WHICH}\s+(?:(?:do(?:es)? not|don['’]t|doesn['’]t)(?:\s+\w+ly)?\s+{_SAY}|{_SAY}s?\s+(?:no|nothing))\b"
    rf"|\b(?:no|none of the|none of these)\s+{_SOURCE}\s+{_SAY}s?\b"
    rf"|\bno {_KNOWN}\b[^.]*\b(?:in|from|by)\s+(?:the|these|your)\s+(?:\w+\s+)?{_SOURCE}"
    rf"|\b(?:quellen?|dokumente?|texte?|auszüge?n?)\s+{_SAGEN}\b|\bquellen\s+nicht\b"
    r"|\bles sources ne (?:le )?(?:disent|mentionnent|précisent|contiennent|donnent|indiquent|permettent)\b"
    r"|\blas fuentes no (?:lo )?(?:dicen|mencionan|contienen|indican|especifican|dan)\b",
    re.IGNORECASE,
)
_ACCORDING = re.compile(r"\b(?:according to|laut|gemäß|zufolge)\b", re.IGNORECASE)
_GOES_ON = re.compile(r";|\b(?:but|however|yet|although|though|aber|jedoch|doch|sondern|mais|pero)\b", re.IGNORECASE)


def is_abstention(sentence: str) -> bool:
    """True if the sentence says that the sources do not say it, and nothing else: no number, and no "but" after it."""
    found = _NOT_SAID.search(sentence)
    if found is None or re.search(r"\d", sentence) or _ACCORDING.search(sentence):
        return False
    return not _GOES_ON.search(sentence, found.end())


# Set on the tuning half of checked_answers.jsonl (docs/benchmarks/answers.md): nearness of a sentence, as a query, to the nearest
# sentence of the source (0 for unrelated, 1 for matching texts: similarity_range), and the share of its content words there.
_ENOUGH, _WORDS = 1.1, 0.6  # nearness + 0.6 words
_CERTAIN = 1.6  # no other source is looked at: that takes as long as all of them are
_BETTER = 0.35  # more, and the other source is the one that says it
_BY_WORDS = 0.8  # share of words, without a model
_ANSWERS = 0.65  # nearness of the question to the sentence, as a document
_ELSEWHERE = 0.2  # share of words that are on another page, from which on both say a sentence
_SHORT = 2  # content words; fewer leave nothing to check
_PIECE_CHARACTERS = 400  # of a source's sentence; tables and code have no sentence ends
_QUOTE_CHARACTERS = 100

OpenEmbedder = Callable[[str], "Embedder | None"]


@dataclass(frozen=True, slots=True)
class Support:
    """The support for a sentence in a source. `words`: share of its content words there, 0 to 1. `meaning`: the nearness of the
    source's nearest sentence, None without a model. `numbers`: True if the source has all its numbers.
    """

    words: float
    meaning: float | None
    numbers: bool

    @property
    def score(self) -> float:
        """What sources are compared by; 0 if a number is missing."""
        return ((self.meaning or 0.0) + _WORDS * self.words) if self.numbers else 0.0

    @property
    def is_enough(self) -> bool:
        """True if the source says it, as far as can be checked."""
        return self.numbers and (self.words >= _BY_WORDS if self.meaning is None else self.score >= _ENOUGH)


class Doubt(StrEnum):
    """What is wrong with a sentence whose source seems to say it: it denies it, has a detail from elsewhere, or answers nothing."""

    NEGATION = "negation"
    DETAIL = "detail"
    BESIDE = "beside the question"


class SupportChecker:
    """Compares sentences with the sources of one answer. `open_embedder`: opens a collection's model, None if it is missing.

    `question`: what they are to answer, understood alone; "" if that is not checked.
    """

    def __init__(self, sources: Sequence[Hit], open_embedder: OpenEmbedder, question: str = "") -> None:
        self._question = question
        self._stemmer = Stemmer()
        self._sources = [_Source(hit, open_embedder, self._stemmer) for hit in sources]

    def close(self) -> None:
        """Free the stemmer."""
        self._stemmer.close()

    def is_claim(self, sentence: str) -> bool:
        """True if there is something to check: not a question, the heading of a list, or an abstention."""
        text = sentence.strip().strip("*_#>-• ")
        if text.endswith(("?", "\uff1f")) or is_abstention(text):
            return False
        return has_number(text) or (not text.endswith((":", "\uff1a")) and len(self._content(text)) >= _SHORT)

    def support(self, sentence: str, numbers: Sequence[int]) -> dict[int, Support]:
        """Measure x of the numbered sources supports a sentence."""
        stems = self._content(sentence)
        return {number: self._sources[number - 1].support(sentence, stems) for number in numbers}

    def nearest(self, question: str, number: int) -> str:
        """Quote what a source says that is nearest to a question, on one line, cleaned as all quotations are."""
        return as_quoted(self._sources[number - 1].nearest(question))

    def better_source(self, sentence: str, cited: Sequence[int]) -> int | None:
        """The number of the source that says it, if none of the cited ones does, or one other clearly rather than they."""
        found = self.support(sentence, cited)
        if any(
            support.is_enough and (support.meaning is None or support.score >= _CERTAIN) for support in found.values()
        ):
            return None
        found |= self.support(sentence, [n for n in range(1, len(self._sources) + 1) if n not in cited])
        best = max(found, key=lambda number: found[number].score, default=None)
        if best is None or best in cited or not found[best].is_enough:
            return None
        enough = [found[number].score for number in cited if found[number].is_enough]
        is_better = all(found[best].score > score + _BETTER for score in enough)
        return best if is_better else None

    def pages(self, sentence: str, number: int) -> frozenset[int]:
        """The pages of joined passages that say a sentence: one, if it alone does, else all; none for other sources."""
        source, stems = self._sources[number - 1], self._content(sentence)
        found = [(part.support(sentence, stems), part.page) for part in source.parts if part.page is not None]
        if not found:
            return frozenset()
        best, page = max(found, key=lambda each: each[0].score)
        if best.is_enough and source.support(sentence, stems).words - best.words < _ELSEWHERE:
            return frozenset([page])
        return frozenset(page for _, page in found)

    def doubt(self, sentence: str, number: int) -> Doubt | None:
        """What is wrong with a sentence that a source seems to say; None if nothing is, or there is no model to judge it."""
        source = self._sources[number - 1]
        if not source.has_model:
            return None
        if is_negated(sentence, source):
            return Doubt.NEGATION
        return Doubt.DETAIL if is_swapped(sentence, source) else None

    def answers(self, sentence: str, number: int) -> bool:
        """True if a sentence that a source says seems to answer the question, or there is no question, or no model."""
        source = self._sources[number - 1]
        return not self._question or not source.has_model or source.nearness_of(self._question, sentence) >= _ANSWERS

    def _content(self, text: str) -> frozenset[str]:
        return content_stems(text, self._stemmer)


class _Source:
    """A source, prepared when it is first needed."""

    def __init__(self, hit: Hit, open_embedder: OpenEmbedder, stemmer: Stemmer) -> None:
        start = max(0, hit.text.find(hit.snippet))
        hit = replace(hit, text=without_comments(hit.text))
        self._snippet = hit.text[start : start + len(hit.snippet)]  # which may begin or end within a comment
        self._text = f"{hit.heading}\n{hit.text}"
        self._hit = hit
        self._open_embedder = open_embedder
        self._stemmer = stemmer

    def support(self, sentence: str, stems: frozenset[str]) -> Support:
        """Measure how far the source supports a sentence."""
        numbers = has_only(sentence, self._numbers)
        words = self._share_of_words(stems, has_numbers=numbers) if stems else 0.0
        if not self.has_model:
            return Support(words, None, numbers)
        return Support(words, float(self.nearness([sentence]).max()) if numbers else 0.0, numbers)

    def _share_of_words(self, stems: frozenset[str], *, has_numbers: bool) -> float:
        """The share of the stems in the source. Numbers, which may be written in other ways, count as found if all were."""
        numbers = {stem for stem in stems if stem.isdecimal() and len(stem) > 1}
        if all(stem.isdecimal() for stem in stems):
            return float(has_numbers and bool(numbers))
        found = stems & self._stems | (numbers if has_numbers else set())
        return len(found) / len(stems)

    def nearest(self, question: str) -> str:
        """The sentence nearest to a question, and the next ones if it is short; without a model, the hit's snippet."""
        if self._embedder is None:
            return self._snippet
        query = self._embedder.embed_queries([question])[0]
        pieces = _pieces(self._hit.text)
        first = last = int((self._text_vectors @ query).argmax())
        while last + 1 < len(pieces) and len("".join(pieces[first : last + 1])) < _QUOTE_CHARACTERS:
            last += 1
        return "".join(pieces[first : last + 1])

    @property
    def page(self) -> int | None:
        """The page that the source begins on."""
        return self._hit.page

    @cached_property
    def parts(self) -> "list[_Source]":
        """What is on each of several pages; of other sources none."""
        return [_Source(part, self._open_embedder, self._stemmer) for part in self._hit.parts]

    @property
    def has_model(self) -> bool:
        """False if only words can be compared."""
        return self._embedder is not None

    def nearness(self, sentences: Sequence[str]) -> "Vectors":
        """(sentences, pieces): how near sentences, as queries, are to the pieces."""
        assert self._embedder is not None
        return self._scaled(self._embedder.embed_queries(sentences) @ self._vectors.T)

    def nearness_of(self, question: str, sentence: str) -> float:
        """How near a question is to a sentence, as a document."""
        assert self._embedder is not None
        document = self._embedder.embed_documents([Passage("", sentence)])[0]
        return float(self._scaled(self._embedder.embed_queries([question])[0] @ document))

    def _scaled(self, cosines: "Vectors") -> "Vectors":
        assert self._embedder is not None
        unrelated, matching = self._embedder.info.similarity_range
        return (cosines - unrelated) / (matching - unrelated)

    @cached_property
    def pieces(self) -> list[str]:
        """Sentences and headings, since a heading may name the subject of a sentence."""
        return _pieces(self._text)

    @cached_property
    def _embedder(self) -> "Embedder | None":
        return self._open_embedder(self._hit.collection)

    @cached_property
    def _vectors(self) -> "Vectors":
        return self._embedded(self.pieces)

    @cached_property
    def _text_vectors(self) -> "Vectors":
        return self._embedded(_pieces(self._hit.text))

    def _embedded(self, pieces: Sequence[str]) -> "Vectors":
        assert self._embedder is not None
        return self._embedder.embed_documents([Passage("", piece) for piece in pieces])

    @cached_property
    def _stems(self) -> frozenset[str]:
        return content_stems(self._text, self._stemmer)

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return numbers_of(f"{self._text}\n{self._hit.path.name}\n{self._hit.date}")


def _pieces(text: str) -> list[str]:
    """Sentences; one that is too short to say anything is joined to the next."""
    pieces: list[str] = []
    begun = ""
    for sentence in split_sentences(text):
        begun += sentence
        if len(begun.split()) >= 4 or len(begun) >= _PIECE_CHARACTERS:
            pieces += [begun[i : i + _PIECE_CHARACTERS] for i in range(0, len(begun), _PIECE_CHARACTERS)]
            begun = ""
    return [*pieces, begun] if begun.strip() or not pieces else pieces


def content_stems(text: str, stemmer: Stemmer) -> frozenset[str]:
    """The stems of a text's words but for stop words."""
    words = [(text[span.start : span.end].casefold(), span.stem) for span in stemmer.spans(text)]
    return frozenset(stem for word, stem in words if word not in STOP_WORDS)
