"""The sources of pairs, which mixtures and soups are made of: each kind of pair in a collection, and each file of the user's.

Pairs are drawn from the sources by weights. In the seed mixture each source has the weight of its pairs, and each is drawn once.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.errors import Action, Option, Remedy, TrainingError
from searchkit.library import Library
from searchkit.reports import ProgressListener
from searchkit.train.adapter.training_data import TrainingData, load_vectors, remarks_on
from searchkit.train.options import AdapterOptions, MixtureOptions
from searchkit.train.pairs.collect import check_pairs, read_or_mine_pairs
from searchkit.train.pairs.pair import (
    Kind,
    Pair,
    PairCounts,
    Split,
    count_pairs,
    deduplicated,
    sample,
    split_by_document,
)
from searchkit.train.pairs.pair_file import read_pairs
from searchkit.train.pairs.vectors import PairVectors
from searchkit_indexes import Ids

LEAST_PAIRS = 60  # to train with, of a source that stands for itself; smaller ones are one source together
REST = "others"
_MOST = {Split.TRAIN: 10_000, Split.VALIDATION: 300, Split.TEST: 500}  # pairs of all sources together


@dataclass(frozen=True, slots=True)
class SourcedPairs:
    """Pairs in order, with the source of each."""

    pairs: tuple[Pair, ...]
    sources: tuple[str, ...]
    counts: PairCounts


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a run learns from and is proven with. `names`: the sources, the one with most pairs first.

    `source_of`: by split, (n,) the number of each pair's source. `identity`: equal for runs with the same pairs, seed and base.
    """

    data: TrainingData
    names: tuple[str, ...]
    source_of: Mapping[Split, Ids]
    identity: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of training pairs of each source."""
        return tuple(int((self.source_of[Split.TRAIN] == number).sum()) for number in range(len(self.names)))

    @property
    def seed_mixture(self) -> tuple[float, ...]:
        """The weights by which every pair is drawn once."""
        return tuple(size / sum(self.sizes) for size in self.sizes)

    def drawn(self, weights: Sequence[float], seed: int) -> PairVectors:
        """Draw as many training pairs as there are, from the sources by these weights, which add up to 1.

        A source that has fewer pairs than its weight asks for gives each of them several times.
        """
        generator = np.random.default_rng(seed)
        rows = []
        for number, weight in enumerate(weights):
            own = np.flatnonzero(self.source_of[Split.TRAIN] == number)
            times, more = divmod(round(weight * sum(self.sizes)), len(own))
            rows += [np.tile(own, times), generator.permutation(own)[:more]]
        return self.data.parts[Split.TRAIN].of_rows(np.sort(np.concatenate(rows)))

    def sentence_share(self, weights: Sequence[float]) -> float:
        """The share of pairs of a sentence and the passage that it was taken out of, in a mixture."""
        return float(sum(weight for name, weight in zip(self.names, weights, strict=True) if name == Kind.SENTENCE))


def load_ingredients(
    library: Library, collection: str, embedder: Embedder, options: MixtureOptions, on_progress: ProgressListener
) -> Ingredients:
    """Load the pairs of all sources as vectors; what is new is embedded and saved.

    Raises TrainingError if there are fewer than two sources, too little to learn from, or no vectors.
    """
    found = collect_sources(library, collection, options.pairs, options.seed)
    check_pairs(found.pairs, found.counts, collection)
    names = source_names(found)
    if len(names) < 2:
        raise TrainingError(
            f"All pairs of '{collection}' are from one source, {names[0]}; there is nothing to mix.",
            remedy=Remedy(
                Action.CHANGE_OPTION, option=Option.PAIRS, sentence="Add pairs of your own as another source"
            ),
        )
    chosen = _limited(_renamed(found, names), len(names), options.seed)
    remarks = remarks_on(library, collection, options.queries, chosen.pairs)
    settings = AdapterOptions(queries=options.queries, general=options.general, seed=options.seed)
    what = (chosen.pairs, found.counts, remarks)
    data = load_vectors(library, collection, embedder, settings, what, on_progress)
    numbers = np.array([names.index(source) for source in chosen.sources], np.int64)
    splits = np.array([pair.split.value for pair in chosen.pairs])
    of = {split: numbers[splits == split.value] for split in Split}
    return Ingredients(data, names, of, _identity(chosen, embedder, options))


def collect_sources(library: Library, collection: str, files: Sequence[Path], seed: int = 0) -> SourcedPairs:
    """Collect a collection's own pairs and those of files, without duplicates, split by document.

    A pair's source is its kind, or the name of its file. What a file says of splits is not kept: its pairs are held out together
    with the collection's pairs of the same documents. Raises TrainingError for files that cannot be read.
    """
    own, counts = read_or_mine_pairs(library, collection, seed=seed)
    found = [(pair, pair.kind.value) for pair in own]
    for file, name in zip(files, _names_of(files), strict=True):
        found += [(replace(pair, split=Split.TRAIN), name) for pair in read_pairs(file)]
    source = {id(pair): name for pair, name in found}
    kept, left_out = deduplicated(pair for pair, _ in found)
    sources = tuple(source[id(pair)] for pair in kept)
    pairs = tuple(split_by_document(kept, seed))
    all_left_out = dict(Counter(counts.left_out) + Counter(left_out))
    return SourcedPairs(pairs, sources, count_pairs(pairs, all_left_out))


def _names_of(files: Sequence[Path]) -> list[str]:
    """A name for each file, none of them a kind's or another file's."""
    names: list[str] = []
    for file in files:
        same = [f"{file.stem}-{number}" for number in range(2, len(files) + 3)]
        names.append(next(name for name in (file.stem, *same) if name not in {*names, *Kind, REST}))
    return names


def source_names(found: SourcedPairs) -> tuple[str, ...]:
    """The sources, the one with most training pairs first; those with too few are together the last one."""
    sizes = Counter(
        source for pair, source in zip(found.pairs, found.sources, strict=True) if pair.split is Split.TRAIN
    )
    large = [name for name, size in sizes.most_common() if size >= LEAST_PAIRS]
    return (*large, REST) if len(large) < len(sizes) else tuple(large)


def _renamed(found: SourcedPairs, names: Sequence[str]) -> SourcedPairs:
    """The same with small sources as one; where none of it trains, its held-out pairs belong to the largest."""
    rest = REST if REST in names else names[0]
    return replace(found, sources=tuple(source if source in names else rest for source in found.sources))


def _limited(found: SourcedPairs, count: int, seed: int) -> SourcedPairs:
    """A sample of each source in each split, so that they can be embedded in reasonable time and judge alike."""
    chosen: list[tuple[Pair, str]] = []
    for split, most in _MOST.items():
        for name in dict.fromkeys(found.sources):
            own = [
                pair
                for pair, source in zip(found.pairs, found.sources, strict=True)
                if source == name and pair.split is split
            ]
            chosen += [(pair, name) for pair in sample(own, most // count, seed)]
    return SourcedPairs(tuple(pair for pair, _ in chosen), tuple(name for _, name in chosen), found.counts)


def _identity(found: SourcedPairs, embedder: Embedder, options: MixtureOptions) -> str:
    """A digest of everything that decides the trials of a search, but not of how many there are."""
    judged = options.queries.read_bytes() if options.queries else b""
    digest = hashlib.sha256(json.dumps([embedder.info.fingerprint, options.seed]).encode() + judged)
    for pair, source in zip(found.pairs, found.sources, strict=True):
        digest.update(json.dumps([asdict(pair), source]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
