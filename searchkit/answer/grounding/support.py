"""Whether a source says what a sentence of an answer says: by its words, by the meaning of the source's sentences, by numbers.

It cannot see a "not" that was dropped, nor who did what to whom; it finds what was made up.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from searchkit.answer.grounding.numbers import are_figures_in, figures_of, has_figure
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.search.lexical.tokens import Stemmer
from searchkit.text import split_sentences
from searchkit.types import Hit, Passage

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder
    from searchkit_indexes import Vectors

_SOURCE = r"(?:sources?|documents?|passages?|excerpts?|context|text)"
_SAY = r"(?:say|state|mention|contain|specify|provide|include|hold|give|tell|answer|cover|address|describe|indicate)"
# Between the source and its verb nothing else may stand: "according to the document it does not …" is a claim.
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


def says_nothing_is_said(sentence: str) -> bool:
    """Whether it says that the sources do not say it, and nothing else: no number, and no "but" behind it."""
    found = _NOT_SAID.search(sentence)
    if found is None or re.search(r"\d", sentence) or _ACCORDING.search(sentence):
        return False
    return not _GOES_ON.search(sentence, found.end())


# Part of a sentence's content words that stand in the source, from which it is supported by its words.
_BY_WORDS = 0.8
# Cosine of the sentence, as a query, and the nearest sentence of the source, as a part of the way from unrelated to matching
# texts (Embedder.similarity_range). Set on 40 pairs of a sentence and a passage, 18 said by it and 22 about the same subject
# but not: 1.2 tells 17 and 21 with EmbeddingGemma, 13 and 18 with the small model (4 of its 5 misses cross languages).
_BY_MEANING = 1.2
_SHORT = 2  # content words; less says nothing that could be checked
_PIECE_CHARACTERS = 400  # of a source's sentence; tables and code have no ends of sentences
_QUOTE_CHARACTERS = 100

OpenEmbedder = Callable[[str], "Embedder | None"]


@dataclass(frozen=True, slots=True)
class Support:
    """What the check found. `words`: part of the content words that stand there, 0 to 1. `meaning`: see _BY_MEANING.

    `numbers`: whether all its numbers stand there.
    """

    words: float
    meaning: float
    numbers: bool

    @property
    def is_enough(self) -> bool:
        """Whether the source says it, as far as that can be told."""
        return self.numbers and (self.words >= _BY_WORDS or self.meaning >= _BY_MEANING)


class SupportChecker:
    """Compares sentences with the sources of one answer. `open_embedder`: the model of a collection, None if it is not there."""

    def __init__(self, sources: Sequence[Hit], open_embedder: OpenEmbedder) -> None:
        self._stemmer = Stemmer()
        self._sources = [_Source(hit, open_embedder, self._stemmer) for hit in sources]

    def close(self) -> None:
        """Free what it holds."""
        self._stemmer.close()

    def is_claim(self, sentence: str) -> bool:
        """Whether there is something to check: no question, no heading of a list, no saying that nothing is said."""
        text = sentence.strip().strip("*_#>-• ")
        if text.endswith(("?", "\uff1f")) or says_nothing_is_said(text):
            return False
        return has_figure(text) or (not text.endswith((":", "\uff1a")) and len(self._content(text)) >= _SHORT)

    def support(self, sentence: str, numbers: Sequence[int]) -> dict[int, Support]:
        """How far each of the numbered sources says a sentence."""
        stems = self._content(sentence)
        return {number: self._sources[number - 1].support(sentence, stems) for number in numbers}

    def nearest(self, question: str, number: int) -> str:
        """What a source says that is nearest to a question, on one line."""
        return " ".join(self._sources[number - 1].nearest(question).split())

    def best_source(self, sentence: str) -> int | None:
        """The number of the source that says it best, None if none does."""
        found = self.support(sentence, range(1, len(self._sources) + 1))
        enough = [number for number, support in found.items() if support.is_enough]
        return max(enough, key=lambda number: (found[number].meaning, found[number].words), default=None)

    def _content(self, text: str) -> frozenset[str]:
        return _content_stems(text, self._stemmer)


class _Source:
    """A source, prepared once it is needed."""

    def __init__(self, hit: Hit, open_embedder: OpenEmbedder, stemmer: Stemmer) -> None:
        self._text = f"{hit.title}\n{hit.text}"
        self._hit = hit
        self._open_embedder = open_embedder
        self._stemmer = stemmer

    def support(self, sentence: str, stems: frozenset[str]) -> Support:
        """How far the source says a sentence."""
        numbers = are_figures_in(sentence, self._figures)
        words = self._part_of_words(stems, are_numbers_there=numbers) if stems else 0.0
        needs_meaning = numbers and words < 1.0
        return Support(words, self._nearness(sentence) if needs_meaning else words * _BY_MEANING, numbers)

    def _part_of_words(self, stems: frozenset[str], *, are_numbers_there: bool) -> float:
        """Numbers, which may be written in other ways, count as what was found of them; if there is nothing else, alone."""
        figures = {stem for stem in stems if stem.isdecimal() and len(stem) > 1}
        if all(stem.isdecimal() for stem in stems):
            return float(are_numbers_there and bool(figures))
        found = stems & self._stems | (figures if are_numbers_there else set())
        return len(found) / len(stems)

    def nearest(self, question: str) -> str:
        """The sentence nearest to a question, and what follows if it is short; without a model, what the search shows."""
        if self._embedder is None:
            return self._hit.snippet
        query = self._embedder.embed_queries([question])[0]
        pieces = _pieces(self._hit.text)
        first = last = int((self._text_vectors @ query).argmax())
        while last + 1 < len(pieces) and len("".join(pieces[first : last + 1])) < _QUOTE_CHARACTERS:
            last += 1
        return "".join(pieces[first : last + 1])

    def _nearness(self, sentence: str) -> float:
        if self._embedder is None:
            return 0.0
        unrelated, matching = self._embedder.info.similarity_range
        query = self._embedder.embed_queries([sentence])[0]
        return (float((self._vectors @ query).max()) - unrelated) / (matching - unrelated)

    @cached_property
    def _embedder(self) -> "Embedder | None":
        return self._open_embedder(self._hit.collection)

    @cached_property
    def _vectors(self) -> "Vectors":
        """(n, dimension), of the source's sentences; headings count, since a sentence may owe them its subject."""
        return self._embedded(self._text)

    @cached_property
    def _text_vectors(self) -> "Vectors":
        return self._embedded(self._hit.text)

    def _embedded(self, text: str) -> "Vectors":
        assert self._embedder is not None
        return self._embedder.embed_documents([Passage("", piece) for piece in _pieces(text)])

    @cached_property
    def _stems(self) -> frozenset[str]:
        return _content_stems(self._text, self._stemmer)

    @cached_property
    def _figures(self) -> frozenset[str]:
        return figures_of(f"{self._text}\n{self._hit.path.name}\n{self._hit.date}")


def _pieces(text: str) -> list[str]:
    """Sentences, those that are too short to say anything with the one behind them."""
    pieces: list[str] = []
    begun = ""
    for sentence in split_sentences(text):
        begun += sentence
        if len(begun.split()) >= 4 or len(begun) >= _PIECE_CHARACTERS:
            pieces += [begun[i : i + _PIECE_CHARACTERS] for i in range(0, len(begun), _PIECE_CHARACTERS)]
            begun = ""
    return [*pieces, begun] if begun.strip() or not pieces else pieces


def _content_stems(text: str, stemmer: Stemmer) -> frozenset[str]:
    words = [(text[span.start : span.end].casefold(), span.stem) for span in stemmer.spans(text)]
    return frozenset(stem for word, stem in words if word not in STOP_WORDS)
