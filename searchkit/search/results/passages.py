"""The passages behind candidates: which of a ranking are shown, and at which of their places."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import StoredPassage, passages_of_hashes
from searchkit.search.query.allowed import AllowedChunks
from searchkit.types import QUOTED

_WORD = re.compile(r"\w+")
_FEWEST = 12  # words; in a shorter passage, one other word can change the meaning
_SAME = 0.9  # share of all words that both have
_ALIKE = 0.75  # difflib's ratio, for two spellings of a word: tenant and tenants, organise and organize; seven, seventeen .71
_SHORTEST = 5  # letters of a word that can be misspelt and still be recognized
_QUOTED_SHARE = 0.8  # of a quotation's words that are in the mail itself: programs add a line, and people cut some out
_REPLY = re.compile(
    r"(?:(?:re|aw|fwd?|wg|sv|vs|antw|tr|rif|ref|res|enc|odp|vá|ynt|回复|答复|转发)(?:\[\d+\])?\s?[:：]\s*)+"
)
_ARTICLES = frozenset(
    "a an the der die das den dem des ein eine einen einem einer eines le la les l un une el los las una il lo gli i o os as um"
    " uma de het een en ett et".split()
)


@dataclass(frozen=True)
class NormalizedText:
    """A passage's heading, and its words as they are written."""

    title: str
    words: tuple[str, ...]

    @classmethod
    def of(cls, title: str, text: str) -> Self:
        """Normalize a text: white space and punctuation do not matter."""
        return cls(_REPLY.sub("", title.casefold()), tuple(_WORD.findall(text)))

    @cached_property
    def counts(self) -> Counter[str]:
        """How often it has each word, whatever the case."""
        return Counter(word.casefold() for word in self.words)

    def is_nearly(self, other: Self) -> bool:
        """True if both say the same. The same words in another order, as in a table, do not."""
        fewer, more = sorted((len(self.words), len(other.words)))
        if self.title != other.title or fewer < max(_FEWEST, _SAME * more):
            return False
        if (self.counts & other.counts).total() < _SAME * more:
            return False
        changes = SequenceMatcher(None, self.words, other.words, autojunk=False).get_opcodes()
        return all(kind == "equal" or _is_harmless(self.words[a:b], other.words[c:d]) for kind, a, b, c, d in changes)

    def contains(self, quotation: Self) -> bool:
        """True if a mail has nearly all words of what another quotes, under the same subject."""
        of_quotation = quotation.counts.total()
        return (
            self.title == quotation.title
            and (self.counts & quotation.counts).total() >= _QUOTED_SHARE * of_quotation > 0
        )


def _is_harmless(words: tuple[str, ...], others: tuple[str, ...]) -> bool:
    here = [word for word in words if word.casefold() not in _ARTICLES]
    there = [word for word in others if word.casefold() not in _ARTICLES]
    return len(here) == len(there) and all(map(_is_spelling, here, there))


def _is_spelling(word: str, other: str) -> bool:
    if word.casefold() == other.casefold():
        return True
    if min(len(word), len(other)) < _SHORTEST or not (word.isalpha() and other.isalpha()) or word[0] != other[0]:
        return False
    is_name = word[0].isupper()
    return not is_name and SequenceMatcher(None, word, other, autojunk=False).ratio() > _ALIKE


_AT_ONCE = 500  # passages read, where all are


@dataclass(frozen=True, slots=True)
class Selection:
    """The rule for choosing hits from a ranking: the first `k`, in the allowed chunks (None: all), one per file if `by_file`.

    `are_near_copies_one`: of passages that say the same in nearly the same words, the first represents all. `named`: words of
    the query that may name a file; of a passage's places, one in such a file is shown.
    """

    k: int
    allowed: AllowedChunks | None = None
    by_file: bool = False
    are_near_copies_one: bool = True
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectedPassage:
    """A passage to show, at the first of its places. `copies_at`: the files of its other places, and of its near copies.

    `more_in_file`: further passages of its file in the ranking, 0 unless chosen by file.
    """

    stored: StoredPassage
    copies_at: tuple[Path, ...] = ()
    more_in_file: int = 0


def select_passages(catalog: CatalogReader, ranked: Iterable[bytes], selection: Selection) -> list[SelectedPassage]:
    """Select the first passages of a ranking of content hashes, in its order."""
    if selection.by_file:
        return _of_each_file(_placed(catalog, ranked, selection, _AT_ONCE))[: selection.k]
    found = _placed(catalog, ranked, selection, selection.k + 1)
    return (
        _without_near_copies(found, selection.k) if selection.are_near_copies_one else list(islice(found, selection.k))
    )


def _placed(
    catalog: CatalogReader, ranked: Iterable[bytes], selection: Selection, at_once: int
) -> Iterator[SelectedPassage]:
    """The passages that have an allowed place, at the first; read as many at once as are wanted."""
    remaining = iter(ranked)
    while batch := list(islice(remaining, at_once)):
        places_of = passages_of_hashes(catalog, batch)
        for content_hash in batch:
            places = places_of.get(content_hash, [])
            if selection.allowed is not None:
                places = [place for place in places if place.id in selection.allowed]
            if places:
                yield _at_first(places, selection.named)


def _at_first(places: Sequence[StoredPassage], named: Sequence[str]) -> SelectedPassage:
    """The passage at the first of its places; those in files whose paths end with a name go before others."""
    if named and len(places) > 1:
        ends = tuple(name.lower() for name in named)
        places = sorted(places, key=lambda place: not str(place.path).lower().endswith(ends))
    return SelectedPassage(places[0], tuple(copy.path for copy in places[1:]))


def _of_each_file(found: Iterable[SelectedPassage]) -> list[SelectedPassage]:
    best: dict[int, SelectedPassage] = {}
    for passage in found:
        document = passage.stored.document_id
        if known := best.get(document):
            best[document] = replace(known, more_in_file=known.more_in_file + 1)
        else:
            best[document] = passage
    return list(best.values())


def _without_near_copies(found: Iterable[SelectedPassage], k: int) -> list[SelectedPassage]:
    """The first k; those that are nearly copies of one before them, or quote it, are counted as its copies.

    A mail takes the place of a quotation of it that came before.
    """
    chosen: list[SelectedPassage] = []
    texts: list[NormalizedText] = []
    by_title: defaultdict[str, list[int]] = defaultdict(list)  # only under the same heading do two say the same
    for passage in found:
        text = NormalizedText.of(passage.stored.title, passage.stored.text)
        before = by_title[text.title]
        same = next((i for i in before if _say_the_same(chosen[i], texts[i], passage, text)), None)
        if same is not None:
            shown, copy = chosen[same], passage
            if _is_quotation(shown) and not _is_quotation(passage):
                shown, copy, texts[same] = passage, shown, text
            copies_at = (*shown.copies_at, copy.stored.path, *copy.copies_at)
            chosen[same] = replace(shown, copies_at=copies_at)
        elif len(chosen) < k:
            before.append(len(chosen))
            chosen.append(passage)
            texts.append(text)
        else:
            break
    return chosen


def _say_the_same(
    one: SelectedPassage, text: NormalizedText, other: SelectedPassage, other_text: NormalizedText
) -> bool:
    if text.is_nearly(other_text):
        return True
    return (_is_quotation(other) and text.contains(other_text)) or (_is_quotation(one) and other_text.contains(text))


def _is_quotation(passage: SelectedPassage) -> bool:
    return passage.stored.place.endswith(QUOTED)
