"""What a student learns from: the corpus's passages and queries about them, with the teacher's vectors of both.

The collection has the teacher's vectors of its passages already; what it has not, such as those of queries, is embedded once and
kept beside it. Documents of the pairs that choose and prove are left out, so that the proof is about texts that were not
learned from.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchkit.catalog.connection import reading
from searchkit.catalog.documents import content_hash
from searchkit.catalog.passages import all_passages
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.import_model import FAMILIES
from searchkit.embedding.model_info import Prompts
from searchkit.embedding.tokenizer import open_tokenizer
from searchkit.errors import Action, Option, Remedy, TrainingError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.text import split_sentences
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.data import Data, Row, check_validation, row_of
from searchkit.train.finetune.objective import Teacher
from searchkit.train.pairs.collect import read_or_mine_pairs
from searchkit.train.pairs.pair import Pair, Split, of_split, one_per_passage, sample
from searchkit.train.pairs.vectors import CorpusVectors, VectorCache
from searchkit.types import Passage
from searchkit_indexes import Vectors

FEWEST_TEXTS = 64  # passages; with fewer, a head alone has more numbers than it sees
_QUERY_WORDS = (4, 40)
_BEGINNING = 12  # words of a passage without a sentence that could be a query
_MOST_VALIDATION = 200


@dataclass(frozen=True, slots=True)
class Assignment:
    """What to make a lesson of.

    `collection`: its passages, or "" for those of the file `pairs` alone, which is None for the collection's own pairs.
    `folder`: of the run, which keeps vectors that belong to no collection. `passages`: to learn from, at most. `max_tokens`:
    of a text with its prompt; longer ones are left out, because the teacher has read all of them. `with_contrast`: learn from
    pairs only, whose queries are taken out of their passages.
    """

    collection: str
    pairs: Path | None
    folder: Path
    passages: int
    max_tokens: int
    seed: int
    with_contrast: bool = False


@dataclass(frozen=True, slots=True)
class Lesson:
    """The rows to learn from, as the student reads them, with the teacher's vectors; and all pairs, for the proof.

    `validation`: the teacher's vectors by text, for the rows of `data.validation`. `stored`: passages whose vectors the collection
    had; `embedded`: texts that had to be embedded; `too_long`: passages left out.
    """

    data: Data
    teacher: Teacher
    validation: Mapping[str, Vectors]
    pairs: tuple[Pair, ...]
    stored: int
    embedded: int
    too_long: int


@dataclass(frozen=True, slots=True)
class _Item:
    """A passage and a query about it. `stored`: the passage's content hash in the collection, b"" for none."""

    query: str
    passage: Passage
    stored: bytes = b""


def prepare_lesson(
    library: Library,
    assignment: Assignment,
    student: Base,
    teacher: Embedder,
    on_progress: ProgressListener = lambda _: None,
) -> Lesson:
    """Collect the texts and the teacher's vectors of them; new ones are kept, even if the run fails later.

    Raises TrainingError if there is too little to learn from, CollectionNotFoundError.
    """
    pairs, _ = read_or_mine_pairs(library, assignment.collection, assignment.pairs, seed=assignment.seed)
    validation = sample(one_per_passage(of_split(pairs, Split.VALIDATION)), _MOST_VALIDATION, assignment.seed)
    check_validation(validation)
    items = _items(library, assignment, pairs)
    fitting = _fitting(items, student, assignment.max_tokens)
    chosen = [fitting[i] for i in sorted(_shuffled(len(fitting), assignment.seed)[: assignment.passages])]
    if len({item.passage for item in chosen}) < FEWEST_TEXTS:
        raise TrainingError(
            f"There are {len(chosen)} passages to learn from, less those kept for the proof; at least {FEWEST_TEXTS} are needed.",
            remedy=Remedy(sentence="Index more documents")
            | Remedy(Action.CHANGE_OPTION, option=Option.PAIRS, sentence="Name a file of pairs of your own"),
        )
    corpus = _corpus(library, assignment.collection, teacher)
    name = assignment.collection
    folder = existing_collection(library.home, name).training if name else assignment.folder
    cache = VectorCache(folder / "vectors.bin", teacher, on_progress)
    try:
        taught, stored = _taught(chosen, corpus, cache)
        known = _validation_vectors(validation, student.prompts, cache)
    finally:
        cache.save()
    rows = tuple(_row(item, student.prompts) for item in chosen)
    data = Data(rows, tuple(row_of(pair, student.prompts) for pair in validation))
    return Lesson(data, taught, known, tuple(pairs), stored, cache.embedded, len(items) - len(fitting))


def _items(library: Library, assignment: Assignment, pairs: Sequence[Pair]) -> list[_Item]:
    """What could be learned from: the collection's passages, each with a query; or the pairs, if there is no collection."""
    train = of_split(pairs, Split.TRAIN)
    if assignment.with_contrast or not assignment.collection:
        return [_Item(pair.query, pair.passage) for pair in train]
    held_out = {pair.document for pair in pairs if pair.split is not Split.TRAIN}
    asked: dict[str, list[str]] = {}
    for pair in train:
        asked.setdefault(pair.stored, []).append(pair.query)
    return list(_of_collection(library, assignment.collection, held_out, asked))


def _of_collection(
    library: Library, collection: str, held_out: set[str], asked: Mapping[str, Sequence[str]]
) -> Iterator[_Item]:
    """Yield the collection's passages, each once, without those that also stand in a document that is held out."""
    with reading(existing_collection(library.home, collection)) as catalog:
        places: dict[bytes, set[str]] = {}
        texts: dict[bytes, Passage] = {}
        for one in all_passages(catalog):
            places.setdefault(one.content_hash, set()).add(one.path.as_posix())
            texts.setdefault(one.content_hash, Passage(one.title, one.text))
    for key, passage in texts.items():
        if not places[key] & held_out:
            queries = asked.get(key.hex()) or [_own_query(passage, key)]
            yield _Item(queries[key[1] % len(queries)], passage, key)


def _own_query(passage: Passage, key: bytes) -> str:
    """One of the passage's sentences, chosen by its hash; of a passage without sentences, its first words."""
    least, most = _QUERY_WORDS
    sentences = [" ".join(sentence.split()) for sentence in split_sentences(passage.text)]
    said = [sentence for sentence in sentences if least <= len(sentence.split()) <= most]
    words = f"{passage.text} {passage.title}".split()
    return said[key[0] % len(said)] if said else " ".join(words[:_BEGINNING])


def _fitting(items: Sequence[_Item], student: Base, max_tokens: int) -> list[_Item]:
    """The items whose passages the student can read whole."""
    checkpoint = student.checkpoint
    for name, kind in FAMILIES[checkpoint.model_type].tokenizers:
        if (checkpoint.folder / name).is_file():
            tokenizer = open_tokenizer(kind, checkpoint.folder / name)
            limit = min(max_tokens, checkpoint.max_tokens)
            return [
                item
                for item in items
                if len(tokenizer.encode(student.prompts.of_passage(item.passage), limit + 1)) <= limit
            ]
    return list(items)


def _corpus(library: Library, collection: str, teacher: Embedder) -> CorpusVectors:
    """The teacher's vectors that the collection has."""
    if not collection:
        return CorpusVectors((), np.empty((0, teacher.info.dimension), np.float32))
    with reading(existing_collection(library.home, collection)) as catalog:
        return CorpusVectors.read(catalog, teacher)


def _taught(items: Sequence[_Item], corpus: CorpusVectors, cache: VectorCache) -> tuple[Teacher, int]:
    """The teacher's vectors of queries and passages, and the number of passages whose vectors were there."""
    row_of_hash = {key: row for row, key in enumerate(corpus.hashes)}
    rows = np.array(
        [row_of_hash.get(item.stored or content_hash(item.passage.title, item.passage.text), -1) for item in items],
        np.int64,
    )
    queries = cache.queries([item.query for item in items])
    passages = np.empty_like(queries)
    there, missing = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
    passages[there] = corpus.vectors[rows[there]]
    passages[missing] = cache.passages([items[i].passage for i in missing.tolist()])
    return Teacher(queries, passages, np.zeros_like(queries)), len(there)


def _validation_vectors(pairs: Sequence[Pair], prompts: Prompts, cache: VectorCache) -> dict[str, Vectors]:
    """The teacher's vectors of the validation pairs, by the texts that the student reads."""
    queries, passages = cache.queries([pair.query for pair in pairs]), cache.passages([pair.passage for pair in pairs])
    rows = [row_of(pair, prompts) for pair in pairs]
    found = {row.query: vector for row, vector in zip(rows, queries, strict=True)}
    return found | {row.positive: vector for row, vector in zip(rows, passages, strict=True)}


def _row(item: _Item, prompts: Prompts) -> Row:
    return Row(prompts.of_query(item.query), prompts.of_passage(item.passage))


def _shuffled(count: int, seed: int) -> list[int]:
    found: list[int] = np.random.default_rng(seed).permutation(count).tolist()
    return found
