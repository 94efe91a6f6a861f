"""Chooses what to show of a passage: the sentence that answers, the words that match, and the stretch around them."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Self

from searchkit.catalog.fulltext import Span, Stemmer
from searchkit.catalog.passages import StoredPassage
from searchkit.catalog.values import values
from searchkit.formats import CODE_SUFFIXES
from searchkit.search.lexical.bm25 import LexicalQuery
from searchkit.search.results.passages import SelectedPassage
from searchkit.search.sentences import Bounds, header_lines, says_something, sentences
from searchkit.text import folded, is_in_unspaced_script, split_sentences
from searchkit.text import words as words_in
from searchkit.types import Evidence, Hit, Passage

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder, TokenVectors
    from searchkit_indexes import Vectors

SNIPPET_CHARACTERS = 320
_SURELY_SHOWN = SNIPPET_CHARACTERS * 3 // 4  # the end may be cut back to a whole word
_BEFORE = SNIPPET_CHARACTERS // 3  # characters shown before the sentence that answers
_JOINS = re.compile(r"[-_./:#@’'·]{1,2}")  # between two parts of an identifier
# Looked for from the beginning of a word only: else a long word takes its length squared.
_IDENTIFIER = re.compile(r"(?<!\w)\w+(?:[-_./:#@]\w+)+")
_REST_OF_NAME = re.compile(r"(?:_[^\W_]+)+")  # of a function, say

Marks = tuple[tuple[int, int], ...]


def sentence_bounds(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the white space after it."""
    pieces = split_sentences(text)
    ends = list(accumulate(len(piece) for piece in pieces))
    bounds = [
        (end - len(piece), end - len(piece) + len(piece.rstrip())) for piece, end in zip(pieces, ends, strict=True)
    ]
    return [(start, end) for start, end in bounds if end > start]


def snippet_by_words(
    text: str, spans: Sequence[Span], stems: Collection[str], places: Sequence[Bounds] | None = None, title: str = ""
) -> tuple[str, Marks]:
    """The stretch of about SNIPPET_CHARACTERS, beginning with a sentence, with most of the distinct stems.

    `places`: to mark, instead of those words. `title`: the passage's headings, which are shown above it: a mail's headers are left
    out if their subject stands there, and nothing else in them matches.
    """
    matching = [span for span in spans if span.stem in stems]
    least = _headers_above(text, title, matching)
    matching = [span for span in matching if span.start >= least]
    starts = [start for start, _ in sentence_bounds(text) if start >= least] or [least]

    def gain(start: int) -> tuple[int, int]:
        inside = [span for span in matching if start <= span.start and span.end <= start + _SURELY_SHOWN]
        return len({span.stem for span in inside}), -start

    start = max(starts, key=gain)
    if matching and gain(start)[0] == 0:  # the words are deep inside one long sentence
        start = _next_word(text, max(0, matching[0].start - SNIPPET_CHARACTERS // 4), matching[0].start)
    return _cut(text, start, _whole(text, matching) if places is None else places)


def _headers_above(text: str, title: str, matching: Sequence[Span]) -> int:
    """The end of a mail's headers if the title says of them what matches, else 0."""
    end, above = header_lines(text), title.casefold()
    is_said = bool(above) and any(line.endswith(above) for line in text[:end].casefold().splitlines())
    seen_above = (text[span.start : span.end].casefold() in above for span in matching if span.start < end)
    return end if is_said and text[end:].strip() and all(seen_above) else 0


def snippet_around(text: str, sentence: Bounds, marks: Sequence[Bounds] = ()) -> tuple[str, Marks]:
    """A stretch with a sentence in it, and a little of what is before it; the sentence is marked unless other places are.

    A mail's headers are left out before its text.
    """
    least = header_lines(text)
    before = [
        start
        for start, end in sentence_bounds(text)
        if least <= start and end <= sentence[0] and sentence[0] - start <= _BEFORE
        if sentence[1] - start <= SNIPPET_CHARACTERS
    ]
    start = min(before, default=sentence[0])
    inside = [mark for mark in marks if sentence[0] <= mark[0] < sentence[1]]
    if inside and inside[0][1] > start + _SURELY_SHOWN:  # deep inside one long sentence
        start = _next_word(text, inside[0][0] - SNIPPET_CHARACTERS // 4, inside[0][0])
    return _cut(text, start, marks or [sentence])


def _whole(text: str, spans: Sequence[Span]) -> list[Bounds]:
    """The places of words; those that an identifier is made of are one place, and two of its parts stand for all of it."""
    found: list[Bounds] = []
    joined: set[int] = set()
    for span in sorted(spans, key=lambda span: span.start):
        if found and span.start < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], span.end))
        elif found and _JOINS.fullmatch(text, found[-1][1], span.start):
            found[-1] = (found[-1][0], span.end)
            joined.add(len(found) - 1)
        else:
            found.append((span.start, span.end))
    for at in joined:
        if rest := _REST_OF_NAME.match(text, found[at][1]):
            found[at] = (found[at][0], rest.end())
    return found


def _places_of(phrase: str, text: str) -> Iterator[Bounds]:
    """Where a text has the words of a phrase one after the other, or the number or the day that it is, in any spelling."""
    wanted, there = [word.text for word in words_in(phrase)], list(words_in(text))
    for at in range(len(there) - len(wanted) + 1) if wanted else ():
        of_it = there[at : at + len(wanted)]
        if [word.text for word in of_it] == wanted:
            yield of_it[0].start, max(word.end for word in of_it)
    for value in values(phrase):
        if value.start == 0 and value.end == len(phrase):
            yield from (each[:2] for each in values(text) if not set(value.names).isdisjoint(each.names))


def _next_word(text: str, start: int, end: int) -> int:
    """The start of the first whole word between start and end; `start` if there is none."""
    if start == 0:
        return 0
    return next((i for i in range(start, end) if text[i - 1].isspace()), end if text[end - 1].isspace() else start)


def _cut(text: str, start: int, places: Sequence[Bounds]) -> tuple[str, Marks]:
    """SNIPPET_CHARACTERS from `start`, to the end of a word, with the places inside it counted from its own start."""
    end = min(len(text), start + SNIPPET_CHARACTERS)
    if end < len(text):
        end = next((i for i in range(end, start + _SURELY_SHOWN, -1) if text[i].isspace()), end)
    inside = [(max(a, start) - start, min(b, end) - start) for a, b in places if a < end and b > start]
    merged: list[tuple[int, int]] = []
    for a, b in sorted(inside):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return text[start:end], tuple(merged)


@dataclass(frozen=True, slots=True)
class Extract:
    """What to show of a passage: a stretch of its text, and (start, end) in the stretch of what shows why it was found.

    `sentence`: (start, end) in the whole text of what answers; None if nothing does clearly.
    """

    snippet: str
    marks: Marks
    sentence: Bounds | None = None


@dataclass(frozen=True, slots=True)
class PassageWords:
    """The words of a passage with their stems; another form of a query's word has that word's stem.

    `spans`: of the text. `matching`: the distinct words that the query asks for, as they are written in the text, the
    headings or the path. `coverage`: see LexicalQuery. `parts`: stems of the query's words that are only parts of a reference or
    a name which the passage has as a whole, and show nothing by themselves.
    """

    spans: tuple[Span, ...]
    matching: tuple[str, ...]
    coverage: float
    parts: frozenset[str] = frozenset()

    @classmethod
    def read(cls, stored: StoredPassage, query: LexicalQuery, stemmer: Stemmer) -> Self:
        """Build them from everything that the full-text table has of the passage."""
        places = [
            (part, query.as_asked(stemmer.spans(part))) for part in (stored.text, stored.title, stored.words_outside)
        ]
        stems = {span.stem for _, spans in places for span in spans}
        names = [name for part, _ in places for name in _names_asked(query.text, part)]
        parts = query.parts_of(stems) | _stems_of_parts(query.text, names, stemmer)
        for run in _unspaced(query.text):
            if whole := [part[start:end] for part, _ in places for start, end in _places_of(run, part)]:
                names += whole
                parts |= {span.stem for span in stemmer.spans(run)}
        matching = [
            part[span.start : span.end]
            for part, spans in places
            for span in spans
            if span.stem in query.weights and span.stem not in parts
        ]
        return cls(
            spans=tuple(places[0][1]),
            matching=tuple(dict.fromkeys(map(_in_lower_case, [*names, *matching]))),
            coverage=query.coverage(stems),
            parts=frozenset(parts),
        )


def _in_lower_case(word: str) -> str:
    return word.replace("İ", "i").lower()  # which Python makes an i with a second dot


def _names_asked(query: str, text: str) -> list[str]:
    """The identifiers of several parts that the query has, as a text writes them; numbers with signs are none."""
    asked = {name.casefold() for name in _IDENTIFIER.findall(query) if any(map(str.isalpha, name))}
    found = (each.group() for each in _IDENTIFIER.finditer(text)) if asked else ()
    return list(dict.fromkeys(name for name in found if name.casefold() in asked))


def _unspaced(query: str) -> list[str]:
    """The runs of a query in scripts without blanks between words, of two characters or more."""
    runs: list[Bounds] = []
    for word in words_in(query):
        if not is_in_unspaced_script(word.text):
            continue
        if runs and word.start < runs[-1][1]:
            runs[-1] = (runs[-1][0], max(word.end, runs[-1][1]))
        else:
            runs.append((word.start, word.end))
    return [query[start:end] for start, end in runs if end - start > 1]


def _is_scrap(text: str, start: int, end: int) -> bool:
    """True for a few letters of a word in an alphabet without blanks between words, such as Thai; two Han characters are a word."""
    return "\u0e00" <= text[start] <= "\u17ff" and end - start < _LETTERS_OF_WORD


def _stems_of_parts(query: str, names: Sequence[str], stemmer: Stemmer) -> set[str]:
    """The stems of the words of some identifiers that the query has nowhere else."""
    if not names:
        return set()
    known = {name.casefold() for name in names}
    rest = _IDENTIFIER.sub(lambda found: " " if found.group().casefold() in known else found.group(), query)
    inside = {span.stem for name in names for span in stemmer.spans(name)}
    return inside - {span.stem for span in stemmer.spans(rest)}


# Has the model read sentences, for as long as there is time: (dimension,) unit vectors by the keys of those that it has read.
ReadSentences = Callable[[Mapping[bytes, Passage]], "Mapping[bytes, Vectors]"]

# Set on one half of the judged passages of benchmarks/answering_sentences.py. Scores are cosines to the query.
_STATIC = 0.3  # of the tokens' nearness, beside the guess at a sentence's vector
_READ_AT_MOST = 3  # sentences of a passage: those that are guessed to be nearest
# Of the way from unrelated to matching texts; a sentence below is marked only for the query's words in it.
_MARGIN = 0.3
_GUESSED_MARGIN = 0.9  # guesses are larger by what _STATIC adds
_ALL = 0.999  # of the query: shares are sums
_MOSTLY_EXACT = 0.5  # of the query's weight in references, numbers and days: nothing else is looked for
_MOST = 0.6  # of those words of the query that any passage has: a sentence with so much has what was typed
_LETTERS_OF_WORD = 5  # in an alphabet without blanks between words
_KEYWORDS = 3  # words that a passage is looked up by, rather than asked about


class Highlighter:
    """Chooses what to show of the hits of one search. Without an `embedder` and the query's `vector`, by words alone.

    `read`: see ReadSentences; where it does not read all that it is asked for, guesses choose the sentence. `phrases`: what
    must occur as written, and is marked.
    """

    def __init__(
        self,
        query: LexicalQuery,
        embedder: "Embedder | None" = None,
        vector: "Vectors | None" = None,
        read: ReadSentences = lambda _: {},
        phrases: Sequence[str] = (),
    ) -> None:
        self._query, self._embedder, self._vector, self._read = query, embedder, vector, read
        self._phrases = phrases

    def extract(self, stored: StoredPassage, words: PassageWords, *, is_weak: bool = False) -> Extract:
        """The stretch around the sentence that answers, with the words marked that show why, else the whole sentence.

        `is_weak`: the passage may be about something else, so that only words are marked.
        """
        text = stored.text
        found = sentences(text, stored.title, is_code=stored.path.suffix.lower() in CODE_SUFFIXES)
        marks = self._matching(text, words)
        if quoted := [place for phrase in self._phrases for place in _places_of(phrase, text)]:
            having = [each for each in found if any(each[0] <= start < each[1] for start, _ in quoted)]
            sentence = self._fullest(having, words.spans)
            return Extract(*snippet_around(text, sentence or min(quoted), sorted([*marks, *quoted])), sentence)
        literally = self._literally(found, words)
        if literally:
            best = self._best(stored, literally, words.spans) if len(literally) > 1 else None
            return Extract(*snippet_around(text, best or literally[0], marks), best or literally[0])
        is_compared = literally is None and found and not (is_weak and marks)
        best = (
            self._best(stored, self._with_what_is_named(stored, found, words.spans), words.spans)
            if is_compared
            else None
        )
        if best is None:
            return self._by_words(stored, words, found)
        has_words = self._query.is_informative(self._stems(best, words.spans))
        shown = snippet_around(text, best, marks if has_words else ())
        return Extract(*shown, best) if not is_weak else Extract(shown[0], ())

    def _with_what_is_named(
        self, stored: StoredPassage, found: Sequence[Bounds], spans: Sequence[Span]
    ) -> Sequence[Bounds]:
        """The sentences with the references that the query names, such as E07; all if none has one, or its title does."""
        about = folded(f"{stored.title} {stored.words_outside}")
        named = {
            stem
            for stem in self._query.exact
            if not stem.isdigit() and any(map(str.isdigit, stem)) and stem not in about
        }
        return [each for each in found if named & self._stems(each, spans)] or found

    def _literally(self, found: Sequence[Bounds], words: PassageWords) -> list[Bounds] | None:
        """The sentences with what was typed, if that rather than an answer is looked for: with every word of the query, or with
        the references, numbers and days that it consists of. None if sentences have to be compared; none of them if the words
        are in no sentence, or not in the same.
        """
        stems = [self._stems(bounds, words.spans) for bounds in found]
        if whole := [each for each, of in zip(found, stems, strict=True) if self._query.coverage(of) >= _ALL]:
            return whole
        everywhere = {span.stem for span in words.spans}
        exact = self._query.exact & everywhere
        if self._query.coverage(exact) >= _MOSTLY_EXACT:
            most = max((len(of & exact) for of in stems), default=0)
            return [each for each, of in zip(found, stems, strict=True) if most and len(of & exact) == most]
        known = self._query.known
        if len(known) > _KEYWORDS:
            return None
        shares = [self._query.coverage(of & known) / max(self._query.coverage(known), 1e-6) for of in stems]
        if max(shares, default=0.0) >= _MOST:
            return [each for each, share in zip(found, shares, strict=True) if share == max(shares)]
        is_looked_up = len(self._query.text.split()) <= _KEYWORDS and self._query.coverage(everywhere) >= _ALL
        return [] if is_looked_up else None

    def _fullest(self, found: Sequence[Bounds], spans: Sequence[Span]) -> Bounds | None:
        """The first sentence with most of the query's words."""
        return max(found, key=lambda each: self._query.coverage(self._stems(each, spans)), default=None)

    def _by_words(self, stored: StoredPassage, words: PassageWords, found: Sequence[Bounds]) -> Extract:
        """The stretch with most of the query's words, and the sentence of it that has most of them."""
        text = stored.text
        stems = self._query.weights.keys() - words.parts
        snippet, marks = snippet_by_words(text, words.spans, stems, self._matching(text, words), stored.title)
        start = text.find(snippet)
        shown = [bounds for bounds in found if start <= bounds[0] < start + len(snippet)]
        sentence = self._fullest(shown, words.spans)
        return Extract(snippet, marks, sentence if sentence and self._stems(sentence, words.spans) else None)

    def _matching(self, text: str, words: PassageWords) -> list[Bounds]:
        """The places of the query's words in a text, and those of its identifiers as wholes."""
        names = set(_names_asked(self._query.text, text))
        whole = [found.span() for found in _IDENTIFIER.finditer(text) if found.group() in names] if names else []
        whole += [place for run in _unspaced(self._query.text) for place in _places_of(run, text)]
        shown = self._query.weights.keys() - words.parts
        found = _whole(text, [span for span in words.spans if span.stem in shown])
        return sorted([*whole, *(place for place in found if not _is_scrap(text, *place))])

    def _best(self, stored: StoredPassage, found: Sequence[Bounds], spans: Sequence[Span]) -> Bounds | None:
        """The sentence that is nearest to the query; None if none is near, or the model cannot say."""
        text = stored.text
        is_whole = len(found) == 1 and found[0][1] - found[0][0] == len(text.strip())  # nothing to choose
        if is_whole or self._embedder is None or self._vector is None:
            return None
        # Under their headings, as they are read, a greeting or a name is as near to a query as these are.
        found = [each for each in found if says_something(text[slice(*each)]) or self._stems(each, spans)] or found
        guesses = self._guesses([text[start:end] for start, end in found])
        if guesses is None:
            return None
        likely = sorted(range(len(found)), key=lambda i: -guesses[i])[:_READ_AT_MOST]
        wanted = {_key(stored.title, text[slice(*found[i])]): i for i in likely}
        read = self._read({key: Passage(stored.title, text[slice(*found[i])]) for key, i in wanted.items()})
        if len(read) < len(wanted):
            nearness, margin = {likely[0]: guesses[likely[0]]}, _GUESSED_MARGIN
        else:
            nearness, margin = {i: float(read[key] @ self._vector) for key, i in wanted.items()}, _MARGIN
        nearest = max(nearness, key=lambda i: nearness[i])
        unrelated, matching = self._embedder.info.similarity_range
        is_near = nearness[nearest] >= unrelated + margin * (matching - unrelated)
        return found[nearest] if is_near or self._stems(found[nearest], spans) else None

    def _guesses(self, texts: Sequence[str]) -> list[float] | None:
        """How near sentences are to the query, guessed from their tokens; None if the model has no vectors of tokens."""
        assert self._embedder is not None and self._vector is not None
        near = [self._nearness(of) for of in self._embedder.token_vectors(texts) or []]
        provisional = self._embedder.provisional
        if provisional is None:
            return near or None
        from searchkit.embedding.embedder import prefix

        query = prefix(self._vector[None], provisional.dimension)[0]
        cosines = provisional.of([Passage("", text) for text in texts]) @ query
        return [float(cosine) + _STATIC * by_tokens for cosine, by_tokens in zip(cosines, near or cosines, strict=True)]

    @cached_property
    def _tokens(self) -> "Vectors | None":
        """The query's token vectors, scaled by their weights, which sum to 1."""
        found: list[TokenVectors] | None = self._embedder.token_vectors([self._query.text]) if self._embedder else None
        if not found or not len(found[0].weights):
            return None
        (of,) = found
        weighted: Vectors = of.vectors * (of.weights / of.weights.sum())[:, None]
        return weighted

    def _nearness(self, sentence: "TokenVectors") -> float:
        """The weighted mean of the cosines of the query's tokens to the nearest of a sentence's."""
        if self._tokens is None or not len(sentence.weights):
            return 0.0
        return float((self._tokens @ sentence.vectors.T).max(axis=1).sum())

    def _stems(self, bounds: Bounds, spans: Sequence[Span]) -> set[str]:
        """The query's words in a sentence."""
        inside = {span.stem for span in spans if bounds[0] <= span.start and span.end <= bounds[1]}
        return inside & self._query.weights.keys()


def _key(title: str, sentence: str) -> bytes:
    """A key of a sentence for the vectors that are remembered; passages have longer ones."""
    return blake2b(f"{title}\0{sentence}".encode("utf-8", "surrogatepass"), digest_size=12).digest()


def hit_of(
    collection: str,
    choice: SelectedPassage,
    evidence: Evidence,
    extract: Extract,
    *,
    score: float | None = None,
) -> Hit:
    """Build a hit. `score`: that of the ranking unless given."""
    stored = choice.stored
    if score is None:
        score = evidence.explanation.total if evidence.explanation else 0.0
    return Hit(
        collection=collection,
        path=stored.path,
        heading=stored.title,
        page=stored.page,
        line=stored.line,
        line_end=stored.line_end,
        score=score,
        text=stored.text,
        snippet=extract.snippet,
        marks=extract.marks,
        evidence=evidence,
        copies_at=choice.copies_at,
        place=stored.place,
        date=stored.date,
        more_in_file=choice.more_in_file,
        sender=stored.sender,
        sentence=extract.sentence,
        lines=stored.lines,
    )


def beginning(choice: SelectedPassage) -> Extract:
    """Show the beginning of a passage, which was not found by its words."""
    return Extract(*snippet_by_words(choice.stored.text, (), (), title=choice.stored.title))
