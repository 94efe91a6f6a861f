"""Checks whether a source supports a sentence of an answer: by words, by the meaning of the source's sentences, by numbers.

It finds what was made up; it cannot see a "not" that was dropped, nor who did what to whom.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from searchkit.answer.grounding.citations import has_number, has_only, numbers_of
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


# Share of a sentence's content words in the source that makes it supported by its words.
_BY_WORDS = 0.8
# Cosine of the sentence, as a query, and the nearest sentence of the source, as a share of the way from unrelated to matching
# texts (similarity_range). Set on 40 pairs of a sentence and a passage, 18 of them supported and 22 about the same subject but
# not: 1.2 gets 17 and 21 right with EmbeddingGemma, 13 and 18 with the small model (4 of its 5 misses cross languages).
_BY_MEANING = 1.2
_SHORT = 2  # content words; fewer leave nothing to check
_PIECE_CHARACTERS = 400  # of a source's sentence; tables and code have no sentence ends
_QUOTE_CHARACTERS = 100

OpenEmbedder = Callable[[str], "Embedder | None"]


@dataclass(frozen=True, slots=True)
class Support:
    """The support for a sentence in a source. `words`: share of its content words there, 0 to 1. `meaning`: see _BY_MEANING.

    `numbers`: True if the source has all its numbers.
    """

    words: float
    meaning: float
    numbers: bool

    @property
    def is_enough(self) -> bool:
        """True if the source says it, as far as can be checked."""
        return self.numbers and (self.words >= _BY_WORDS or self.meaning >= _BY_MEANING)


class SupportChecker:
    """Compares sentences with the sources of one answer. `open_embedder`: opens a collection's model, None if it is missing."""

    def __init__(self, sources: Sequence[Hit], open_embedder: OpenEmbedder) -> None:
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

    def best_source(self, sentence: str) -> int | None:
        """The number of the source that supports the sentence best, None if none does."""
        found = self.support(sentence, range(1, len(self._sources) + 1))
        enough = [number for number, support in found.items() if support.is_enough]
        return max(enough, key=lambda number: (found[number].meaning, found[number].words), default=None)

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
        needs_meaning = numbers and words < 1.0
        return Support(words, self._nearness(sentence) if needs_meaning else words * _BY_MEANING, numbers)

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
        """(n, dimension), of the source's sentences and headings, since a heading may name the subject of a sentence."""
        return self._embedded(self._text)

    @cached_property
    def _text_vectors(self) -> "Vectors":
        return self._embedded(self._hit.text)

    def _embedded(self, text: str) -> "Vectors":
        assert self._embedder is not None
        return self._embedder.embed_documents([Passage("", piece) for piece in _pieces(text)])

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
