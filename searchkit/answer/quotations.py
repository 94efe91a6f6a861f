"""Answers in the sources' own words: the sentences that say it, one quotation on a line, numbered. No language model is needed.

The collection's model reads the likeliest sentences of the best passages, under their headings. Those nearest to the question are
quoted, with what follows a short one; where even they are far from it, nothing is.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from searchkit.answer.grounding.answer_stream import NOTHING_MORE, AnswerReport, AnswerStream, nothing_relevant
from searchkit.answer.grounding.checked_text import CheckedSentence
from searchkit.answer.grounding.support import OpenEmbedder, content_stems
from searchkit.answer.prompt import as_quoted, without_comments
from searchkit.catalog.fulltext import Stemmer
from searchkit.formats import CODE_SUFFIXES
from searchkit.search.lexical.exact_matches import identifiers
from searchkit.search.sentences import Bounds, sentences
from searchkit.text import folded
from searchkit.types import Hit, Passage

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder
    from searchkit_indexes import Vectors

# Set on the tuning half of the questions with known answers (docs/benchmarks/answers.md).
_READ = (
    8,
    4,
    3,
    2,
    2,
    1,
    1,
    1,
)  # sentences that the model reads of each passage, the best first: a fifth of a second in all
_COVER = 0.2  # of the share of the question's words in a sentence, beside its nearness
_RANK = 0.1  # taken off for each passage before its own
_MOST, _NEARLY = 3, 0.4  # quotations, and how much farther than the best one they may be
_SAME_WORDS = 0.6  # of the shorter of two quotations in the other one: versions of the same
_CHARACTERS = 240  # of a quotation: what follows a shorter sentence belongs to it
_MOST_CHARACTERS = 400
_NEAR = 0.62  # of the best sentence; of what is asked about something else nine in ten are farther
_NEAR_BY_WORDS = 0.5  # share of the question's words, without a model,
_NEARLY_BY_WORDS = 0.6  # and of the best sentence's share, for others beside it


@dataclass(frozen=True, slots=True)
class Quotation:
    """A stretch of a passage. `source`: the passage's place in the list that it was chosen from."""

    source: int
    start: int
    end: int


def quote(
    question: str, passages: Sequence[Hit], open_embedder: OpenEmbedder, said: Sequence[str] = ()
) -> AnswerStream:
    """Answer with what passages say that is nearest to a question. If nothing is near, the stream says so and has no sources.

    The passages that are quoted are the first sources, in the order of their numbers; others that are clearly about the question
    follow. `said`: earlier answers, where more is asked for; what they quote is not said again. `open_embedder`: opens a
    collection's model, None if there is none; words alone choose then.
    """
    texts = [without_comments(hit.text) for hit in passages]
    known = " ".join(" ".join(said).split())
    with closing(Stemmer()) as stemmer:
        chosen = _Chooser(question, passages, texts, open_embedder, stemmer).choose(known)
        newer = _newer_versions(chosen, passages, texts, stemmer)
    if not chosen:
        return nothing_relevant(NOTHING_MORE) if known and passages else nothing_relevant()
    quoted = list(dict.fromkeys(each.source for each in chosen))
    others = [i for i, hit in enumerate(passages) if i not in quoted and not hit.weak]
    number_of = {source: number for number, source in enumerate(quoted, 1)}

    def pieces(stream: AnswerStream) -> Iterator[str]:
        written: list[CheckedSentence] = []
        for each in chosen:
            text = f"“{as_quoted(texts[each.source][each.start : each.end])}”"
            number = number_of[each.source]
            shown = f"{text} [{number}]"
            yield f"\n{shown}" if written else shown
            written.append(CheckedSentence(text, (number,), supported=True))
        lines = [f"{each.text} [{each.citations[0]}]" for each in written]
        for new, old in newer:
            dates = f"it is of {passages[new].date}, and [{number_of[old]}] of {passages[old].date}."
            lines.append(f"[{number_of[new]}] is the newer version: {dates}")
            yield f"\n{lines[-1]}"
        whole = "\n".join(lines)
        stream.report = AnswerReport(whole, tuple(written), tuple(sorted(number_of.values())), (), "complete")

    return AnswerStream([passages[i] for i in (*quoted, *others)], pieces)


def _newer_versions(
    chosen: Sequence[Quotation], passages: Sequence[Hit], texts: Sequence[str], stemmer: Stemmer
) -> list[tuple[int, int]]:
    """Pairs of quoted passages that say nearly the same on different days, and not quite: the newer one and the older one."""
    found: dict[tuple[int, int], None] = {}
    said = {each: _one_line(folded(texts[each.source][each.start : each.end])) for each in chosen}
    words = {each: _words(text, stemmer) for each, text in said.items()}
    for pair in combinations(chosen, 2):
        old, new = sorted(pair, key=lambda each: passages[each.source].date)
        before, after = passages[old.source].date, passages[new.source].date
        shared, shorter = len(words[old] & words[new]), min(len(words[old]), len(words[new]))
        is_another_day = bool(before) and not after.startswith(before)
        if is_another_day and shared >= _SAME_WORDS * max(1, shorter) and said[old] not in said[new]:
            found[new.source, old.source] = None
    return list(found)


def _words(text: str, stemmer: Stemmer) -> frozenset[str]:
    """The stems of its words; another amount or day is what versions differ in."""
    return frozenset(word for word in content_stems(text, stemmer) if not any(map(str.isdigit, word)))


@dataclass(slots=True)
class _Sentence:
    """A sentence of a passage. `cover`: the share of the question's words in it. `nearness`: to the question, 0 for what is
    unrelated and 1 for what matches as the model's built-in pairs do; None if it was not read.
    """

    passage: int
    bounds: Bounds
    cover: float
    nearness: float | None = None

    @property
    def score(self) -> float:
        """What sentences are compared by."""
        return (self.nearness or 0.0) + _COVER * self.cover - _RANK * self.passage


class _Chooser:
    """Chooses from passages for one question."""

    def __init__(
        self,
        question: str,
        passages: Sequence[Hit],
        texts: Sequence[str],
        open_embedder: OpenEmbedder,
        stemmer: Stemmer,
    ) -> None:
        self._question, self._passages, self._texts = question, passages, texts
        self._open_embedder = open_embedder
        self._stemmer = stemmer
        self._asked = content_stems(question, stemmer)
        self._named = [folded(name) for name in identifiers(question) if any(map(str.isdigit, name))]  # such as E03

    def choose(self, said: str) -> list[Quotation]:
        """The quotations, the nearest first; none if nothing is near. `said`: what is not said again, on one line."""
        of_each = [self._sentences(i) for i in range(len(self._passages))]
        found = [each for of in of_each for each in of]
        is_read = self._read(found)
        judged = sorted(
            (each for each in found if each.nearness is not None or not is_read), key=lambda each: -each.score
        )
        if not judged or not self._is_near(judged[0], is_read=is_read) or self._lacks_what_is_named():
            return []
        judged = [each for each in judged if self._has_what_is_named(each)] or judged
        least = judged[0].score - _NEARLY
        if not is_read:  # nearness is nothing but words
            judged = [each for each in judged if each.cover >= _NEARLY_BY_WORDS * judged[0].cover]
        chosen: list[Quotation] = []
        for each in judged:
            if len(chosen) == _MOST or each.score < least:
                break
            if not self._is_known(each, chosen) and not (said and as_quoted(self._text(each)) in said):
                chosen.append(self._with_following(each, of_each[each.passage], chosen))
        return chosen

    def _sentences(self, passage: int) -> list[_Sentence]:
        hit, text = self._passages[passage], self._texts[passage]
        found = sentences(text, hit.heading, is_code=hit.path.suffix.lower() in CODE_SUFFIXES)
        stems = [content_stems(text[start:end], self._stemmer) for start, end in found]
        share = max(1, len(self._asked))
        return [
            _Sentence(passage, bounds, len(of & self._asked) / share)
            for bounds, of in zip(found, stems, strict=True)
            if not of or of - self._asked  # a heading that repeats what is asked says nothing
        ]

    def _read(self, found: Sequence[_Sentence]) -> bool:
        """Have each collection's model read the likeliest sentences of its passages. False if there is no model."""
        is_read = False
        for collection in dict.fromkeys(hit.collection for hit in self._passages):
            embedder = self._open_embedder(collection)
            if embedder is None:
                continue
            vector = embedder.embed_queries([self._question])[0]
            own = [each for each in found if self._passages[each.passage].collection == collection]
            likely = self._likely(own, embedder, vector)
            read = embedder.embed_documents(
                [Passage(self._passages[each.passage].heading, self._text(each)) for each in likely]
            )
            unrelated, matching = embedder.info.similarity_range
            for each, cosine in zip(likely, read @ vector, strict=True):
                each.nearness = (float(cosine) - unrelated) / (matching - unrelated)
            is_read = is_read or bool(likely)
        return is_read

    def _likely(self, found: Sequence[_Sentence], embedder: "Embedder", vector: "Vectors") -> list[_Sentence]:
        """Of each passage the sentences that are guessed to be nearest, as many as are read of it."""
        guesses = self._guesses(found, embedder, vector)
        named = [self._has_what_is_named(each) for each in found]
        ordered = sorted(range(len(found)), key=lambda i: (not named[i], -guesses[i] - _COVER * found[i].cover))
        taken: list[_Sentence] = []
        left = dict(enumerate(_READ))
        for i in ordered:
            if left.get(found[i].passage, 0):
                left[found[i].passage] -= 1
                taken.append(found[i])
        return taken

    def _guesses(self, found: Sequence[_Sentence], embedder: "Embedder", vector: "Vectors") -> list[float]:
        """How near sentences are, guessed from their tokens; 0 for all if the model has no such guesses."""
        from searchkit.embedding.embedder import prefix

        guessing = embedder.provisional
        if guessing is None or not found:
            return [0.0] * len(found)
        query = prefix(vector[None], guessing.dimension)[0]
        return [float(cosine) for cosine in guessing.of([Passage("", self._text(each)) for each in found]) @ query]

    def _is_near(self, best: _Sentence, *, is_read: bool) -> bool:
        hit = self._passages[best.passage]
        if is_read:
            return best.score >= _NEAR or hit.evidence.has_every_word
        return best.cover >= _NEAR_BY_WORDS or not hit.weak

    def _has_what_is_named(self, sentence: _Sentence) -> bool:
        """True if it has a thing that the question names, or its passage is about that as a whole."""
        hit = self._passages[sentence.passage]
        text = folded(f"{hit.path} {hit.heading} {self._text(sentence)}")
        return any(name in text for name in self._named)

    def _lacks_what_is_named(self) -> bool:
        """True if the question names things such as E03, and no passage has any of them."""
        if not self._named:
            return False
        return not any(
            name in folded(f"{hit.path} {hit.heading} {text}")
            for hit, text in zip(self._passages, self._texts, strict=True)
            for name in self._named
        ) and not any(hit.evidence.has_every_word for hit in self._passages)

    def _is_known(self, sentence: _Sentence, chosen: Sequence[Quotation]) -> bool:
        """True if a sentence is part of what is quoted, or says the same."""
        text = self._text(sentence)
        return any(
            text in _one_line(self._texts[each.source][each.start : each.end])
            or (each.source == sentence.passage and each.start < sentence.bounds[1] and sentence.bounds[0] < each.end)
            for each in chosen
        )

    def _with_following(
        self, sentence: _Sentence, of_passage: Sequence[_Sentence], chosen: Sequence[Quotation]
    ) -> Quotation:
        """A sentence with those that follow it in its paragraph, while it is short, to where another quotation begins."""
        text, (start, end) = self._texts[sentence.passage], sentence.bounds
        for each in of_passage[of_passage.index(sentence) + 1 :]:
            between = text[end : each.bounds[0]]
            is_over = end - start >= _CHARACTERS or each.bounds[1] - start > _MOST_CHARACTERS
            if is_over or "\n\n" in between or any(map(str.isalnum, between)) or self._is_known(each, chosen):
                break
            end = each.bounds[1]
        return Quotation(sentence.passage, start, min(end, start + _MOST_CHARACTERS))

    def _text(self, sentence: _Sentence) -> str:
        return _one_line(self._texts[sentence.passage][slice(*sentence.bounds)])


def _one_line(text: str) -> str:
    return " ".join(text.split())
