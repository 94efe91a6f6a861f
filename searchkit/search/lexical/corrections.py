"""Finds what was meant by a word that a collection does not have: one that begins so, or one that differs by a slip of the keys.

The collection's own vocabulary says what there is. With two slips, the first half of a word has at most one of them, or else its
second half is as it should be and the first letters are looked for as they are: so the words that begin like one of the
first half's variants are all that is compared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import Stemmer, chunks_matching, terms_beginning
from searchkit.catalog.passages import words_of_chunks
from searchkit.text import fold_word, is_in_unspaced_script

_SHORTEST_BEGINNING = 2  # letters of a half-typed word
_SHORTEST = 4  # letters of a word that can be corrected
_SHORTEST_MEANT = 3  # of the stem of what was meant: co, of co-op, is a scrap to which any ending can be put
_TWO_SLIPS = 8  # letters from which on two are corrected
_LONGEST = 40
_BEGINNING = 5  # letters of which variants are looked for, where one slip is allowed
_STEM_OF_TWO_SLIPS = 6  # letters of its stem
_MOST_TERMS = 400  # of the vocabulary, for each beginning that is looked for
_MOST_BEGUN = 60  # words that a half-typed one may be
_KEPT = 3  # corrections of a word that are as likely
_AS_LIKELY = 0.3  # more of an edit than the likeliest takes
_NEAR_KEY, _SWAPPED, _DOUBLED, _ELSE, _FIRST = (
    0.7,
    0.7,
    0.5,
    1.0,
    0.4,
)  # what slips count; the last in addition, for the first letter
_KEYS = ("qwertzuiop", "qwertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю")
_FAR = 99.0
_NEAR = {pair for row in _KEYS for one, other in pairwise(row) for pair in (one + other, other + one)}
_ALPHABETS = tuple(
    "".join(map(chr, span))
    for span in (range(97, 123), range(0x3B1, 0x3CA), range(0x430, 0x460), range(0x5D0, 0x5EB), range(0x621, 0x64B))
)
_INDIC_BLOCK = 0x80
# What the English stemmer takes off; "-" stands for a letter of the stem that is not the word's (boundari, boundary).
_ENDINGS = (
    *(
        "",
        "e",
        "s",
        "-y",
        "y",
        "-ies",
        "es",
        "ed",
        "d",
        "ing",
        "ly",
        "er",
        "ion",
        "ions",
        "ic",
        "ical",
        "ically",
        "al",
        "ally",
    ),
    *(
        "ent",
        "ence",
        "ance",
        "able",
        "ity",
        "ous",
        "ive",
        "ness",
        "ment",
        "ate",
        "ates",
        "ated",
        "ation",
        "ations",
        "ating",
        "ize",
    ),
)
_PLAIN_ENDINGS = 6
_LONGEST_TAKEN_OFF = max(map(len, _ENDINGS))
_LONGEST_ENDING = 4  # of words in which one slip is corrected


@dataclass(frozen=True, slots=True)
class Correction:
    """What a word is taken for. `stems`: of the words that are searched for instead; `words`: with these stems, likeliest first.

    `written`: the likeliest, as a passage has it. `count`: an upper bound of the chunks with any. `is_begun`: the word is their
    beginning, and `written` too.
    """

    stems: tuple[str, ...]
    words: tuple[str, ...]
    written: str
    count: int
    is_begun: bool = False


def correct(catalog: CatalogReader, word: str, stemmer: Stemmer, *, is_last: bool) -> Correction | None:
    """Correct a word that the full-text table does not have, None if nothing is near it. `is_last`: it may be half typed."""
    folded = fold_word(word)
    if is_in_unspaced_script(folded) or any(map(str.isdigit, folded)) or len(folded) > _LONGEST:
        return None
    if is_last and len(folded) >= _SHORTEST_BEGINNING and (begun := terms_beginning(catalog, [folded], _MOST_BEGUN)):
        return Correction(tuple(begun), (), folded, sum(begun.values()), is_begun=True)
    if len(folded) < _SHORTEST:
        return None
    stem = stemmer.stems([word]).get(word, folded)
    most = 2 if len(folded) >= _TWO_SLIPS and len(stem) >= _STEM_OF_TWO_SLIPS else 1
    counts = _vocabulary(catalog, {folded, stem}, most)
    slips, slips_of_stem = _Slips(folded, most), _Slips(stem, most)
    meant = [
        (cost, -counts[term], term, form)
        for term in sorted(counts)
        for cost, form in _meant(term, slips, slips_of_stem)
    ]
    stems = stemmer.stems({form for *_, form in meant})
    near = sorted(each for each in meant if stems.get(each[3]) == each[2])
    best: dict[str, str] = {}
    for cost, _, term, form in near:
        if len(best) < _KEPT and cost <= near[0][0] + _AS_LIKELY:
            best.setdefault(term, form)
    if not best:
        return None
    first = next(iter(best))
    written = _as_written(catalog, first, best[first], stemmer)
    return Correction(tuple(best), tuple(best.values()), written, sum(counts[term] for term in best))


def _vocabulary(catalog: CatalogReader, forms: Iterable[str], most: int) -> dict[str, int]:
    """The words of the vocabulary that a word may have been meant for, with the number of chunks with each."""
    found: dict[str, int] = {}
    for word in forms:
        whole = len(word) - (_LONGEST_ENDING if word.isascii() else 1)
        half = max(2, len(word) // 2) if most > 1 else max(3, min(whole, _BEGINNING))
        least = len(word) - most - (_LONGEST_TAKEN_OFF if word.isascii() else 0)
        lengths = (max(_SHORTEST_MEANT, least), len(word) + most)
        found |= terms_beginning(catalog, _variants(word[:half]), _MOST_TERMS, lengths)
    return found


def _variants(part: str) -> list[str]:
    """A part of a word with at most one slip."""
    letters = _alphabet(part)
    cuts = [(part[:place], part[place:]) for place in range(len(part) + 1)]
    found = {part}
    found.update(before + after[1:] for before, after in cuts if after)
    found.update(before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1)
    found.update(before + letter + after[1:] for before, after in cuts if after for letter in letters)
    found.update(before + letter + after for before, after in cuts for letter in letters)
    return sorted(variant for variant in found if len(variant) > 1)


def _alphabet(part: str) -> str:
    for letters in _ALPHABETS:
        if part[0] in letters:
            return letters
    block = ord(part[0]) // _INDIC_BLOCK * _INDIC_BLOCK
    return "".join(map(chr, range(block, block + _INDIC_BLOCK))) if block >= 0x900 else ""


@dataclass(frozen=True, slots=True)
class _Compared:
    """A word against the letters of another so far, a row of the table of edits for each letter. `row`: the slips that turn the
    first 0, 1 … letters of the word into them; `before`: the row of one letter less. `letters`: the other's first, and its last.
    """

    before: Sequence[float]
    row: Sequence[float]
    length: int = 0
    letters: tuple[str, str] = ("", "")


class _Slips:
    """The weighted number of slips between a word and others, by the restricted Damerau-Levenshtein distance.

    Only alignments within a band count, and a beginning that already has more than `most` is given up: most of the vocabulary is
    passed over after a few letters. What several begin with is compared once (see `along`).
    """

    def __init__(self, word: str, most: int) -> None:
        self._word, self.most = word, most
        self._dropped = [_ELSE, *(_DOUBLED if one == other else _ELSE for one, other in pairwise(word))]
        self._exchanged: dict[str, list[float]] = {}
        self.length = len(word)
        first = [float(place) for place in range(len(word) + 1)]
        self._last = ""
        self._along: list[_Compared | None] = [_Compared(first, first)]

    def along(self, term: str) -> list[_Compared | None]:
        """Compare the beginnings of a term: none, the first letter, and so on; the last is the term itself.

        What it shares with the term before is not compared again, so that alphabetical order is quickest.
        """
        shared = 0
        while shared < min(len(term), len(self._last)) and term[shared] == self._last[shared]:
            shared += 1
        del self._along[shared + 1 :]
        for letter in term[shared:]:
            so_far = self._along[-1]
            self._along.append(so_far and self.after(so_far, letter))
        self._last = term
        return self._along

    def after(self, so_far: _Compared, letters: str) -> _Compared | None:
        """Compare further letters; None if there are too many slips already."""
        for wanted in letters:
            row = self._next(so_far, wanted)
            if min(row) > self.most:
                return None
            so_far = _Compared(so_far.row, row, so_far.length + 1, (so_far.letters[0] or wanted, wanted))
        return so_far

    def of(self, other: _Compared | None) -> float:
        """The slips between the word and another that ends here; more than `most` if there are too many."""
        if other is None:
            return self.most + 1.0
        return other.row[-1] + (_FIRST if other.letters[0] != self._word[0] else 0.0)

    def _next(self, so_far: _Compared, wanted: str) -> list[float]:
        word, above, length = self._word, so_far.row, so_far.length + 1
        if wanted not in self._exchanged:
            self._exchanged[wanted] = [_exchange(letter, wanted) for letter in word]
        exchanged, last = self._exchanged[wanted], so_far.letters[1]
        added = _DOUBLED if last == wanted else _ELSE
        row = [_FAR] * (len(word) + 1)
        row[0] = float(length)
        for i in range(max(1, length - self.most - 1), min(len(word), length + self.most + 1) + 1):
            cost = above[i - 1] + exchanged[i - 1]
            cost = min(cost, row[i - 1] + self._dropped[i - 1], above[i] + added)
            if i > 1 and length > 1 and word[i - 1] == last and word[i - 2] == wanted:
                cost = min(cost, so_far.before[i - 2] + _SWAPPED)
            row[i] = cost
        return row


def _meant(term: str, word: _Slips, stem: _Slips) -> Iterator[tuple[float, str]]:
    """The words with a stem of the vocabulary that differ from a word, or its own stem, by few slips; with how many."""
    *_, but_last, whole = (None, *word.along(term))
    for ending in _ENDINGS if whole and term.isascii() else ("",):
        is_changed = ending.startswith("-")
        before, letters = (but_last, ending[1:]) if is_changed else (whole, ending)
        if before is None or abs(before.length + len(letters) - word.length) > word.most:
            continue
        if (cost := word.of(word.after(before, letters))) <= word.most:
            yield cost, (term[:-1] if is_changed else term) + letters
    *_, end = stem.along(term)
    if end and (cost := stem.of(end)) <= stem.most:
        yield from ((cost, term + ending) for ending in _ENDINGS[:_PLAIN_ENDINGS])


def _exchange(letter: str, wanted: str) -> float:
    if letter == wanted:
        return 0.0
    return _NEAR_KEY if letter + wanted in _NEAR else _ELSE


def _as_written(catalog: CatalogReader, stem: str, word: str, stemmer: Stemmer) -> str:
    """A word as the first passage that has its stem has it."""
    for chunk in words_of_chunks(catalog, chunks_matching(catalog, f'"{word}"', 1)):
        for text in (chunk.text, chunk.title, chunk.name, chunk.metadata):
            for span in stemmer.spans(text):
                if span.stem == stem:
                    return text[span.start : span.end].lower()
    return word


def with_corrections(query: str, corrected: Mapping[str, str]) -> str:
    """The query as it is understood: each corrected word replaced by what it is taken for."""
    return " ".join(corrected.get(part.lower().strip(".,;:!?"), part) for part in query.split())
