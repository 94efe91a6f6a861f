"""Measures soups of adapters and mixtures of sources on real judged queries, beside their ingredients.

    python -m benchmarks.soup ~/beir/cranfield ~/beir/cisi --seeds 3 --out soup.json

Each folder in BEIR's layout is indexed once below the data directory. The sources are titles, sentences taken out of passages,
and what half of the judged queries say (as hits that were opened would); the other half judges. An adapter is learned from each;
validation pairs choose its pull, its mix with the identity, and what is in a greedy soup. `--trials N` also searches mixtures.
What is done is kept in the file of `--out`: the same command continues.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np

from benchmarks.adapter import labelled, ndcg
from searchkit.catalog.connection import reading
from searchkit.embedding.embedder import Embedder
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.home import Home
from searchkit.library import Library
from searchkit.train.adapter.training_data import TrainingData
from searchkit.train.gate import JudgedQueries
from searchkit.train.judged_sets import judged_folder, known_items
from searchkit.train.mixtures.blends import Blend, Validation, soups
from searchkit.train.mixtures.run import adapters_of_sources
from searchkit.train.mixtures.search import TrialFolder, best_ingredients, search_mixtures
from searchkit.train.mixtures.sources import Ingredients
from searchkit.train.pairs.mining import mine_pairs, mine_sentences
from searchkit.train.pairs.pair import Kind, Split, count_pairs, deduplicated, split_by_document
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors, VectorCache, vectors_of_pairs
from searchkit_indexes import Code, IndexSpec, Structure

_SOURCES = (Kind.TITLE, Kind.SENTENCE, Kind.OPENED)
_MOST_VALIDATION = 100  # pairs of each source
_APART = 10_000_000  # added to the ids of labels, which are numbered by themselves


@dataclass(frozen=True, slots=True)
class Set:
    """A set with everything embedded; `judged`: the half of the queries that judges."""

    name: str
    ingredients: Ingredients
    validation: Validation
    judged: JudgedQueries
    prefixes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One matrix: which of its kind, gains in nDCG@10 of the judged queries by prefix, its score on validation, its mix."""

    set: str
    seed: int
    group: str
    way: str
    members: tuple[str, ...]
    gains: tuple[float, ...]
    score: float
    mix: float


def prepare(home: Path, folder: Path, embedder: Embedder, seed: int) -> Set:
    data = read_beir(folder)
    name = folder.resolve().name
    made = corpus_collection(Home(home), Corpus(data.name, data.documents), embedder)
    cache = VectorCache(home / "train" / f"benchmark-{name}.bin", embedder)
    with reading(made.folder) as catalog:
        pairs, _ = deduplicated([*mine_pairs(catalog), *mine_sentences(catalog)])
        pairs = split_by_document([pair for pair in pairs if pair.kind in _SOURCES], seed)
        corpus = CorpusVectors.read(catalog, embedder)
        try:
            vectors = vectors_of_pairs(pairs, corpus, cache)
        finally:
            cache.save()
    judged = judged_folder(Home(home), folder, embedder, lambda _: None)
    taught, asked = np.array_split(np.random.default_rng(seed).permutation(len(judged.queries)), 2)
    held = np.array_split(taught, 4)[0]
    kinds, splits = (np.array([getattr(pair, what) for pair in pairs]) for what in ("kind", "split"))
    parts: dict[Split, PairVectors] = {}
    sources = {}
    for split, rows in ((Split.TRAIN, np.setdiff1d(taught, held)), (Split.VALIDATION, held)):
        most = None if split is Split.TRAIN else _MOST_VALIDATION
        own = [vectors.of_rows(np.flatnonzero((kinds == kind) & (splits == split))[:most]) for kind in _SOURCES[:2]]
        own.append(_placed(labelled(judged, rows), corpus, most))
        parts[split] = joined(own)
        sources[split] = np.repeat(np.arange(len(own)), [len(each) for each in own])
    spec = IndexSpec(Structure.FLAT, Code.FLOAT32, embedder.info.dimension)
    loaded = TrainingData(count_pairs(pairs, {}), (), parts, corpus, None, (), 0, spec)
    ingredients = Ingredients(loaded, tuple(kind.value for kind in _SOURCES), sources, f"{name}, seed {seed}")
    prefixes = tuple(embedder.info.prefix_dimensions)
    validation = Validation(known_items(parts[Split.VALIDATION], corpus), prefixes)
    return Set(name, ingredients, validation, judged.of_rows(asked), prefixes)


def _placed(labels: PairVectors, corpus: CorpusVectors, most: int | None) -> PairVectors:
    """Labels with the rows that their passages have in the collection, and ids of their own."""
    labels = labels.of_rows(np.arange(len(labels))[:most])
    nearest = np.argmax(labels.passages @ corpus.vectors.T, axis=1)  # the passage itself
    ids = {name: getattr(labels, name) + _APART for name in ("query_ids", "passage_ids")}
    return replace(labels, rows=nearest, is_sentence=np.zeros(len(labels), bool), **ids)


def joined(parts: Sequence[PairVectors]) -> PairVectors:
    return PairVectors(*(np.concatenate([getattr(part, name) for part in parts]) for name in PairVectors.__slots__))


def measure(found: Set, seed: int, trials: int, kept: Path) -> list[Row]:
    """The adapters of the sources with their soups, then the best mixtures with theirs."""
    base = ndcg(found.judged, found.prefixes, None)

    def rows(group: str, blends: Sequence[Blend]) -> list[Row]:
        gains = [np.subtract(ndcg(found.judged, found.prefixes, blend.matrix), base).tolist() for blend in blends]
        return [
            Row(found.name, seed, group, b.name, b.members, tuple(gain), b.measured.likelihood, b.mix)
            for b, gain in zip(blends, gains, strict=True)
        ]

    groups = {"sources": adapters_of_sources(found.ingredients, found.validation, found.prefixes, seed=seed)}
    if trials:
        folder = TrialFolder(kept / f"{found.name}-{seed}", found.ingredients.identity)
        tried = search_mixtures(found.ingredients, found.validation, folder, trials, found.prefixes, seed=seed)
        groups["mixtures"] = best_ingredients(found.ingredients, folder, tried)
    result = []
    for group, members in groups.items():
        singles = [found.validation.blend(each.name, [each]) for each in members]
        result += rows(group, [*singles, *soups(members, singles, found.validation)])
    return result


def table(rows: Sequence[Row], prefixes: Sequence[int]) -> str:
    """Markdown: gains over the base by set and seed, and what the soups gain over their ingredients."""
    lines = [
        f"| set | seed | of | {' | '.join(f'{prefix}-d' for prefix in prefixes)} | mix | validation |",
        "|---|---|---|" + "---|" * (len(prefixes) + 2),
    ]
    for row in rows:
        cells = " | ".join(f"{gain:+.4f}" for gain in row.gains)
        what = row.way if "soup" not in row.way else f"**{row.way}** of {row.group} ({len(row.members)})"
        lines.append(f"| {row.set} | {row.seed} | {what} | {cells} | {row.mix:g} | {row.score:+.3f} |")
    lines += [
        "",
        "| set | seed | soup | over the best on validation | over the best in hindsight | over the mean |",
        "|---|---|---|---|---|---|",
    ]
    for (name, seed, group), own in _grouped(rows).items():
        singles = [row for row in own if "soup" not in row.way]
        gains = np.array([row.gains for row in singles])
        chosen = gains[int(np.argmax([row.score for row in singles]))]
        for row in own:
            if row not in singles:
                over = [
                    np.subtract(row.gains, other) for other in (chosen, gains[np.argmax(gains[:, 0])], gains.mean(0))
                ]
                cells = " | ".join(f"{each[0]:+.4f}, {each.mean():+.4f}" for each in over)
                lines.append(f"| {name} | {seed} | {row.way} of {group} | {cells} |")
    return "\n".join([*lines, "", f"Each difference: at {prefixes[0]} dimensions, and averaged over the prefixes."])


def _grouped(rows: Sequence[Row]) -> Mapping[tuple[str, int, str], list[Row]]:
    found: dict[tuple[str, int, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.set, row.seed, row.group), []).append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=0, help="mixtures to try for each set and seed")
    parser.add_argument("--model", default="", help="an installed model (default: the best)")
    parser.add_argument("--out", type=Path, default=Path("soup.json"))
    options = parser.parse_args()
    rows = [_row(each) for each in json.loads(options.out.read_text())] if options.out.is_file() else []
    with Library() as library:
        embedder = library.models.open(options.model or library.models.best())
        for seed in range(options.seeds):
            for folder in options.folders:
                groups = {row.group for row in rows if (row.set, row.seed) == (folder.resolve().name, seed)}
                if "mixtures" in groups or (groups and not options.trials):
                    continue
                started = monotonic()
                found = prepare(library.home.path, folder, embedder, seed)
                sizes = dict(zip(found.ingredients.names, found.ingredients.sizes, strict=True))
                print(f"{found.name}, seed {seed}: {sizes}, {monotonic() - started:.0f} s to prepare", flush=True)
                kept = options.out.with_suffix("")
                rows = [row for row in rows if (row.set, row.seed) != (found.name, seed)]
                rows += measure(found, seed, options.trials, kept)
                options.out.write_text(json.dumps([asdict(row) for row in rows], indent=1))
                print(f"  {monotonic() - started:.0f} s", flush=True)
        print(table(sorted(rows, key=lambda row: (row.set, row.seed)), embedder.info.prefix_dimensions))


def _row(fields: dict[str, object]) -> Row:
    lists = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return Row(**{**fields, **lists})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
