"""Collects pairs from all sources: a collection's texts, opened searches, the user's file, questions by a language model."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import reading
from searchkit.catalog.documents import content_hash
from searchkit.errors import Action, Option, Remedy, TrainingError
from searchkit.home import Home, existing_collection
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.search.click_log import looked_for, read_opened
from searchkit.train.options import PairOptions
from searchkit.train.pairs.mining import mine_pairs, mine_sentences
from searchkit.train.pairs.negatives import with_negatives
from searchkit.train.pairs.pair import (
    Kind,
    Pair,
    PairCounts,
    Split,
    count_pairs,
    deduplicated,
    is_query,
    of_split,
    split_by_document,
)
from searchkit.train.pairs.pair_file import read_pairs
from searchkit.train.pairs.vectors import CorpusVectors, VectorCache, vectors_of_pairs
from searchkit.types import Passage

LEAST_TRAINING, LEAST_HELD_OUT = 60, 10  # pairs; with fewer, what is learned is chance


def collect_pairs(
    library: Library, collection: str, options: PairOptions, on_progress: ProgressListener = lambda _: None
) -> tuple[list[Pair], PairCounts]:
    """Collect a collection's pairs from every source in the options, without duplicates, split by document.

    Raises CollectionNotFoundError, TrainingError, LlmError.
    """
    folder = existing_collection(library.home, collection)
    with reading(folder) as catalog:
        found = _mined_and_opened(library, collection, catalog)
        if options.file:
            found += read_pairs(options.file)
        if options.llm:
            from searchkit.train.pairs.generated_questions import generate_pairs

            found += generate_pairs(library, collection, catalog, options, on_progress)
        kept, left_out = deduplicated(found)
        kept = split_by_document(kept, options.seed)
        if options.negatives and kept:
            embedder = library.collection(collection).embedder()
            corpus = CorpusVectors.read(catalog, embedder)
            cache = VectorCache(folder.training / "vectors.bin", embedder, on_progress)
            try:
                known = vectors_of_pairs(kept, corpus, cache)
            finally:
                cache.save()
            count = options.negatives
            kept = with_negatives(catalog, kept, known, corpus, count=count, on_progress=on_progress)
    return kept, count_pairs(kept, left_out)


def read_or_mine_pairs(
    library: Library, collection: str, file: Path | None = None, *, seed: int = 0, with_sentences: bool = True
) -> tuple[list[Pair], PairCounts]:
    """Read the pairs of a file, or mine those of a collection, its opened searches included.

    `with_sentences`: also those of a sentence and the passage that it was taken out of. The collection's pairs are split by
    document; so are those of a file that has no splits. Raises TrainingError.
    """
    if file is not None:
        found = read_pairs(file)
    else:
        with reading(existing_collection(library.home, collection)) as catalog:
            found = _mined_and_opened(library, collection, catalog, with_sentences=with_sentences)
    pairs, left_out = deduplicated(found)
    if file is None or {pair.split for pair in pairs} == {Split.TRAIN}:
        pairs = split_by_document(pairs, seed)
    return pairs, count_pairs(pairs, left_out)


def _mined_and_opened(
    library: Library, collection: str, catalog: CatalogReader, *, with_sentences: bool = True
) -> list[Pair]:
    sentences = mine_sentences(catalog) if with_sentences else ()
    return [*mine_pairs(catalog), *sentences, *opened_pairs(library.home, collection)]


def opened_pairs(home: Home, collection: str) -> Iterator[Pair]:
    """Make pairs of a collection's opened searches: the query without filters and exclusions, and the passage."""
    for one in read_opened(home, collection):
        if is_query(query := looked_for(one.query)):
            stored = content_hash(one.title, one.text).hex()
            yield Pair(query, Passage(one.title, one.text), Kind.OPENED, one.path.as_posix(), stored=stored)


def check_pairs(pairs: Sequence[Pair], counts: PairCounts, collection: str, file: Path | None = None) -> None:
    """Raise TrainingError, which says what is missing, unless there are enough pairs to learn from and to prove it with.

    `file`: the file that the pairs are from, None for the collection's own.
    """
    own = Remedy(Action.CHANGE_OPTION, option=Option.PAIRS, sentence="Add some of your own")
    more = (Remedy(sentence="Add some to it") if file else own) | Remedy(Action.WRITE_PAIRS, collection=collection)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.left_out.items())
    without = f" (left out: {reasons})" if reasons else ""
    source = f"{file}" if file else f"'{collection}'"
    if not pairs:
        reason = (
            ""
            if file
            else ": it has no titles, headings or questions with text below them, and no passages of several sentences"
        )
        raise TrainingError(f"{source} gives no pairs to learn from{without}{reason}.", remedy=more)
    if counts.documents == 1:
        raise TrainingError(
            f"All pairs of {source} are from one document{without}. Training and proof need different ones.",
            remedy='Give each of its lines its own "document".' if file else "Index more files.",
        )
    splits = {split: len(of_split(pairs, split)) for split in Split}
    if splits[Split.TRAIN] < LEAST_TRAINING:
        raise TrainingError(
            f"{source} gives {splits[Split.TRAIN]:,} pairs to train with{without}; from fewer than {LEAST_TRAINING} an adapter"
            " learns chance.",
            remedy=more,
        )
    for split in (Split.VALIDATION, Split.TEST):
        if splits[split] < LEAST_HELD_OUT:
            unsplit = Remedy(sentence='Leave "split" out of its lines, and they are split by document')
            raise TrainingError(
                f"The {split} split has {splits[split]:,} pairs; {LEAST_HELD_OUT} are needed to prove anything.",
                remedy=unsplit | more if file else more,
            )
