"""Pairs of a query and the passage that answers it, for training and its proof. Knows nothing of where pairs come from."""

import hashlib
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from searchkit.types import Passage

_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_NUMBER = re.compile(r"^\s*\d+(?:\.\d+)*\.(?:\d+)?\s+(?=\w)")
_COPIED_WORDS = 3  # in a row, that are a copy and not chance
_LONG_WORD = 12  # letters: a compound of German or Finnish says as much as two words
_MOST_WORDS = 64


def normalize(text: str) -> str:
    """The text's letters and digits in lower case, with one blank between words."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def is_query(text: str) -> bool:
    """True if a text could be a query: two or more words of letters, or as much in a script without blanks."""
    words = [word for word in _WORD.findall(text) if sum(map(str.isalpha, word)) >= 2]
    if len(words) > _MOST_WORDS or "|" in text:  # a table's header
        return False
    return (
        len(words) >= 2
        or any(len(word) >= _LONG_WORD and word.isalpha() for word in words)
        or len(_UNSPACED.findall(text)) >= 4
    )


def without_number(heading: str) -> str:
    """A heading without its number: "Samba" for "11.5. Samba"."""
    return _NUMBER.sub("", heading)


def without_copies(text: str, query: str) -> str:
    """Remove the query's words from a text: everywhere, or, if they are only one or two, where they are alone on a line.

    Navigation and headings that were read as text repeat a title; so may the first sentence.
    """
    words = _WORD.findall(without_number(query))
    if not words:
        return text
    copy = r"\W+".join(map(re.escape, words))
    if len(words) < _COPIED_WORDS:
        return re.sub(rf"^[^\w\n]*{copy}[^\w\n]*$\n?", "", text, flags=re.IGNORECASE | re.MULTILINE)
    return re.sub(rf"(?<!\w)(?:\d+(?:\.\d+)*\.?[^\S\n]+)?{copy}(?!\w)", "", text, flags=re.IGNORECASE)


def without_beginning(text: str, beginning: str) -> str:
    """Remove these words from the beginning of a text, whatever punctuation and line ends are between them."""
    words = _WORD.findall(beginning)
    if not words:
        return text
    match = re.match(r"\W*" + r"\W+".join(map(re.escape, words)) + r"(?!\w)\W*", text, re.IGNORECASE)
    return text[match.end() :] if match else text


_GENERIC = 2  # documents in which a query may occur; one that heads more of them says nothing about any
_VALIDATION, _TEST = 0.1, 0.15  # shares of the pairs
_LEAST_OF_EACH = 12  # pairs, whatever the share


class Kind(StrEnum):
    """The source of a pair. The values are those in pair files."""

    TITLE = "title"
    HEADING = "heading"
    QUESTION = "question"
    DOCSTRING = "docstring"
    LINK = "link"
    CAPTION = "caption"
    SENTENCE = "sentence"  # of the passage that is left without it (an inverse cloze)
    WRITTEN = "written"  # by a language model
    OPENED = "opened"  # a search and the hit that was opened
    USER = "own"  # from the user's file


_DELIBERATE = {Kind.WRITTEN, Kind.OPENED, Kind.USER}  # somebody has put query and passage together


class Split(StrEnum):
    """The use of a pair."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and its passage, from which copies of the query were removed.

    `document`: the file's path. `stored`: hex content hash of the collection's passage that this one was made from, "" for none.
    `negatives`: passages that come near and do not answer.
    """

    query: str
    passage: Passage
    kind: Kind
    document: str
    split: Split = Split.TRAIN
    stored: str = ""
    negatives: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Numbers of pairs by kind and by split, of documents, and of pairs that were left out, by reason."""

    kinds: dict[str, int]
    splits: dict[str, int]
    documents: int
    with_negatives: int
    left_out: dict[str, int]


def deduplicated(pairs: Iterable[Pair]) -> tuple[list[Pair], dict[str, int]]:
    """Leave out useless pairs; the others, in order, and the number left out, by reason.

    Left out: duplicates, queries that head several documents, titles that contain the query, and passages less than twice as
    long as their query, unless somebody has put the two together.
    """
    left_out: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    kept = []
    for pair in pairs:
        query, text = normalize(pair.query), normalize(f"{pair.passage.title} {pair.passage.text}")
        if (query, text) in seen:
            left_out["duplicate"] += 1
        elif not query or query in normalize(pair.passage.title):
            left_out["repeats its query"] += 1
        elif pair.kind not in _DELIBERATE and len(text) < 2 * len(query):
            left_out["hardly longer than its query"] += 1
        else:
            kept.append(pair)
        seen.add((query, text))
    places: dict[str, set[str]] = {}
    for pair in kept:
        places.setdefault(normalize(pair.query), set()).add(pair.document)
    specific = [pair for pair in kept if len(places[normalize(pair.query)]) <= _GENERIC]
    left_out["heads several documents"] = len(kept) - len(specific)
    return specific, {reason: count for reason, count in left_out.items() if count}


def split_by_document(pairs: Sequence[Pair], seed: int = 0) -> list[Pair]:
    """Assign splits by document; documents that share a query or a passage are in the same split.

    The documents' paths and the seed decide which.
    """
    groups = connected_documents(pairs)
    sizes = Counter(groups[pair.document] for pair in pairs)
    order = sorted(
        sizes, key=lambda group: hashlib.blake2b(f"{seed}\0{group}".encode("utf-8", "surrogatepass")).digest()
    )
    split_of = dict.fromkeys(order, Split.TRAIN)
    for split, share in ((Split.TEST, _TEST), (Split.VALIDATION, _VALIDATION)):
        wanted = min(max(_LEAST_OF_EACH, round(share * len(pairs))), len(pairs) // 3)
        for group in order:
            # A group much larger than the split is worth more in training.
            if wanted > 0 and split_of[group] is Split.TRAIN and sizes[group] <= 2 * wanted:
                split_of[group] = split
                wanted -= sizes[group]
    return [replace(pair, split=split_of[groups[pair.document]]) for pair in pairs]


def connected_documents(pairs: Sequence[Pair]) -> dict[str, str]:
    """Name, for each document, the first of those that are connected with it by a query or a passage."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name] = parent[parent[name]]
        return name

    owner: dict[str, str] = {}
    for pair in pairs:
        for text in (f"q{normalize(pair.query)}", f"p{normalize(pair.passage.text)}"):
            one, other = sorted((root(pair.document), root(owner.setdefault(text, pair.document))))
            parent[other] = one
    return {pair.document: root(pair.document) for pair in pairs}


def sample(pairs: Sequence[Pair], count: int, seed: int = 0) -> list[Pair]:
    """A random sample of at most `count` pairs, in order."""
    if len(pairs) <= count:
        return list(pairs)
    chosen = sorted(random.Random(seed).sample(range(len(pairs)), count))  # noqa: S311 - no secret
    return [pairs[i] for i in chosen]


def of_split(pairs: Iterable[Pair], split: Split) -> list[Pair]:
    """The pairs of a split."""
    return [pair for pair in pairs if pair.split is split]


def one_per_passage(pairs: Iterable[Pair]) -> list[Pair]:
    """Of the pairs that were made from the same stored passage the first: to search among the passages of all of them.

    What another pair leaves of the passage still has this one's query in it, and would be found instead.
    """
    firsts: dict[str, Pair] = {}
    for number, pair in enumerate(pairs):
        firsts.setdefault(pair.stored or f"#{number}", pair)
    return list(firsts.values())


def count_pairs(pairs: Sequence[Pair], left_out: dict[str, int]) -> PairCounts:
    """Count the pairs by kind and split."""
    return PairCounts(
        kinds=dict(Counter(pair.kind.value for pair in pairs)),
        splits={split.value: len(of_split(pairs, split)) for split in Split},
        documents=len({pair.document for pair in pairs}),
        with_negatives=sum(bool(pair.negatives) for pair in pairs),
        left_out=left_out,
    )
