"""Measures an adapter trained without labels on real judged queries that it never saw, with each term of the loss on and off.

    python -m benchmarks.adapter ~/beir/cranfield ~/beir/cisi --seeds 3 --out adapter.json

Each folder in BEIR's layout is indexed once below the data directory (see `searchkit eval retrieval`). Pairs are the corpus's
own titles and headings; the judged queries are only used afterwards, except for `labels`, where half of them teach and the
other half is judged.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np

from searchkit.catalog.connection import reading
from searchkit.embedding.adapted_model import Matrix
from searchkit.embedding.embedder import Embedder
from searchkit.errors import TrainingError
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.metrics import ndcg_at
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.home import Home
from searchkit.library import Library
from searchkit.train.adapter.learn import Validation, choose_matrix
from searchkit.train.gate import GENERAL_LOSS, JudgedQueries, compare, compare_pairs, judge
from searchkit.train.judged_sets import SAMPLE_DOCS, judged_folder, known_items
from searchkit.train.likelihoods import KnownItems
from searchkit.train.options import CANDIDATES, Candidate, LossWeights, Taught
from searchkit.train.pairs.collect import check_pairs
from searchkit.train.pairs.mining import mine_pairs, mine_sentences
from searchkit.train.pairs.negatives import with_negatives
from searchkit.train.pairs.pair import Pair, Split, count_pairs, deduplicated, split_by_document
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors, Sources, VectorCache, vectors_of_pairs
from searchkit_indexes import Vectors

_BASE = LossWeights()
# Every way to train that is compared: candidates, prefixes (None: the model's), vectors, hard negatives.
_SINGLE: Mapping[str, LossWeights] = {
    "contrastive + distillation": _BASE,
    "no distillation": replace(_BASE, distillation=0.0),
    "no contrastive, spread-out 1": replace(_BASE, contrastive=0.0, spread=1.0),
    "+ spread-out 1": replace(_BASE, spread=1.0),
    "+ spread-out 1, floored": replace(_BASE, spread=1.0, is_floored=True),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A set with everything embedded. `stored`: the same pairs with estimated training vectors; `hard`: with hard negatives."""

    name: str
    judged: JudgedQueries
    pairs: tuple[Pair, ...]
    corpus: CorpusVectors
    exact: PairVectors
    stored: PairVectors
    hard: PairVectors
    prefixes: tuple[int, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """A way on a set with a seed: nDCG@10 by prefix before and after, the mix chosen (0: the base stays), seconds."""

    set: str
    way: str
    seed: int
    before: tuple[float, ...]
    after: tuple[float, ...]
    mix: float
    seconds: float


def prepare(home: Path, folder: Path, embedder: Embedder, seed: int, *, has_titles: bool = True) -> Prepared:
    started = monotonic()
    data = read_beir(folder)
    made = corpus_collection(Home(home), Corpus(data.name, data.documents), embedder)
    cache = VectorCache(home / "train" / f"benchmark-{folder.resolve().name}.bin", embedder)
    with reading(made.folder) as connection:
        mined = mine_pairs(connection) if has_titles else ()
        pairs, left_out = deduplicated([*mined, *mine_sentences(connection)])
        pairs = split_by_document(pairs, seed)
        check_pairs(pairs, count_pairs(pairs, left_out), folder.name)
        corpus = CorpusVectors.read(connection, embedder)
        try:
            exact = vectors_of_pairs(pairs, corpus, cache)
            stored = vectors_of_pairs(pairs, corpus, cache, Sources.STORED)
        finally:
            cache.save()
        hard = vectors_of_pairs(with_negatives(connection, pairs, exact, corpus), corpus, cache)
    judged = judged_folder(Home(home), folder, embedder, lambda _: None)
    name, prefixes = folder.resolve().name, tuple(embedder.info.prefix_dimensions)
    return Prepared(name, judged, tuple(pairs), corpus, exact, stored, hard, prefixes, monotonic() - started)


def part(prepared: Prepared, vectors: PairVectors, split: Split) -> PairVectors:
    rows = np.array([i for i, pair in enumerate(prepared.pairs) if pair.split is split], np.int64)
    return PairVectors(*(getattr(vectors, name)[rows] for name in PairVectors.__slots__))


def ndcg(judged: JudgedQueries, prefixes: Sequence[int], matrix: Matrix | None) -> tuple[float, ...]:
    seen = judged if matrix is None else judged.under(matrix)
    return tuple(float(np.mean(_by_query(seen, prefix))) for prefix in prefixes)


def _by_query(judged: JudgedQueries, dimension: int) -> list[float]:
    """Exact search, each document at its best passage."""
    queries, corpus = judged.queries[:, :dimension], judged.corpus[:, :dimension]
    corpus = corpus / np.linalg.norm(corpus, axis=1, keepdims=True)
    values = []
    for query, relevance in zip(queries, judged.relevance, strict=True):
        order = np.argsort(-(corpus @ query), kind="stable")[:100]
        documents = list(dict.fromkeys(str(judged.document_of[place]) for place in order))
        values.append(ndcg_at(10, documents, relevance))
    return values


def ways(prepared: Prepared, seed: int, general: JudgedQueries) -> Iterator[Row]:
    """One row a way."""
    validation = known_items(part(prepared, prepared.exact, Split.VALIDATION), prepared.corpus)
    before = ndcg(prepared.judged, prepared.prefixes, None)

    def run(
        way: str,
        candidates: Sequence[Candidate],
        vectors: PairVectors,
        prefixes: Sequence[int] = prepared.prefixes,
        check: Callable[[Matrix], str] = lambda _: "",
    ) -> Row:
        started = monotonic()
        training = part(prepared, vectors, Split.TRAIN)
        is_shipped = way.startswith("as shipped")
        held_out = (lambda pairs: known_items(pairs, prepared.corpus)) if is_shipped else None
        checked = Validation(validation, held_out, check)
        chosen = choose_matrix(training, checked, prefixes, candidates=candidates, seed=seed)
        seconds = monotonic() - started
        mix = chosen.trial.mix if chosen.trial else 0.0
        matrix = chosen.matrix
        if is_shipped and matrix is not None:
            test = known_items(part(prepared, prepared.exact, Split.TEST), prepared.corpus)
            targets = [compare_pairs("held-out pairs", test, matrix, prefixes, chosen.crossed)]
            checks = [compare(general, matrix, prefixes)]
            verdict = judge(targets, checks)
            print(
                f"  {prepared.name} {way}: {'passed' if verdict.passed else 'the base stays'}: {verdict.reason}",
                flush=True,
            )
            if not verdict.passed:
                matrix, mix = None, 0.0
        after = ndcg(prepared.judged, prepared.prefixes, matrix)
        return Row(prepared.name, way, seed, before, after, mix, seconds)

    def harm(matrix: Matrix) -> str:
        is_harmless = compare(general, matrix, prepared.prefixes).gain >= -GENERAL_LOSS
        return "" if is_harmless else "the general check loses"

    yield run("as shipped (gate)", CANDIDATES, prepared.exact, check=harm)
    yield run("as shipped, quick (gate)", CANDIDATES, prepared.stored, check=harm)
    for way, weights in _SINGLE.items():
        yield run(way, [Candidate(weights)], prepared.exact)
    yield run("no Matryoshka", [Candidate(_BASE)], prepared.exact, prepared.prefixes[:1])
    yield run("hard negatives", [Candidate(_BASE)], prepared.hard)
    yield run("hard negatives, no hardness", [Candidate(replace(_BASE, hardness=0.0))], prepared.hard)


def labels(prepared: Prepared, seed: int) -> Iterator[Row]:
    """Half of the judged queries teach, the other half is judged; the same the other way round."""
    order = np.random.default_rng(seed).permutation(len(prepared.judged.queries))
    halves = np.array_split(order, 2)
    for taught, asked in (halves, halves[::-1]):
        held = np.array_split(taught, 4)[0]
        training, validation = (labelled(prepared.judged, rows) for rows in (np.setdiff1d(taught, held), held))
        together = _joined(part(prepared, prepared.exact, Split.TRAIN), training)
        judged = prepared.judged.of_rows(asked)
        before = ndcg(judged, prepared.prefixes, None)
        items = KnownItems(validation.queries, validation.passages, validation.rows, prepared.judged.corpus)
        for way, vectors in (("half the labels + titles", together), ("half the labels alone", training)):
            started = monotonic()
            chosen = choose_matrix(
                vectors, Validation(items), prepared.prefixes, candidates=[Candidate(_BASE, Taught.ALL)], seed=seed
            )
            seconds = monotonic() - started
            after = ndcg(judged, prepared.prefixes, chosen.matrix)
            yield Row(prepared.name, way, seed, before, after, chosen.trial.mix if chosen.trial else 0.0, seconds)


def labelled(judged: JudgedQueries, rows: "np.typing.NDArray[np.int64]") -> PairVectors:
    """Each query with each relevant document's passage that is nearest to it."""
    queries: list[int] = []
    passages: list[int] = []
    for row in rows.tolist():
        cosines = judged.corpus @ judged.queries[row]
        for document, value in judged.relevance[row].items():
            own = np.flatnonzero(judged.document_of == int(document)) if document.isdigit() else np.empty(0, np.int64)
            if value > 0 and len(own):
                queries.append(row)
                passages.append(int(own[np.argmax(cosines[own])]))
    chosen, places = np.array(queries, np.int64), np.array(passages, np.int64)
    found: Vectors = judged.corpus[places]
    return PairVectors(judged.queries[chosen], found, chosen, places, places, np.zeros_like(found))


def _joined(first: PairVectors, second: PairVectors) -> PairVectors:
    """Both; the ids of the second are others than those of the first."""
    ids = {
        name: np.concatenate([getattr(first, name), getattr(second, name) + 10_000_000])
        for name in ("query_ids", "passage_ids")
    }
    rest = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("queries", "passages", "rows", "negatives")
    }
    return PairVectors(**rest, **ids)


def table(rows: Sequence[Row], prefixes: Sequence[int]) -> str:
    """Markdown: gains by set and way, means over the seeds, with the least and the largest at the full vector."""
    lines = [
        f"| set | way | {' | '.join(f'{prefix}-d' for prefix in prefixes)} | of seeds | mix | s |",
        f"|---|---|{'---|' * len(prefixes)}---|---|---|",
    ]
    for name, way in dict.fromkeys((row.set, row.way) for row in rows):
        own = [row for row in rows if (row.set, row.way) == (name, way)]
        gains = np.array([np.subtract(row.after, row.before) for row in own])
        cells = " | ".join(f"{gain:+.3f}" for gain in gains.mean(axis=0))
        spread = f"{gains[:, 0].min():+.3f} to {gains[:, 0].max():+.3f}"
        mixes = np.mean([row.mix for row in own])
        lines.append(
            f"| {name} | {way} | {cells} | {spread} | {mixes:.2f} | {np.mean([row.seconds for row in own]):.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--labels", action="store_true", help="also teach with half of the judged queries, and judge by the others"
    )
    parser.add_argument("--model", default="", help="an installed model (default: the best)")
    parser.add_argument("--sentences-only", action="store_true", help="without pairs of titles, headings and the like")
    parser.add_argument("--gate-only", action="store_true", help="the shipped way alone, without ablations and labels")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: list[Row] = []
    with Library() as library:
        embedder = library.models.open(options.model or library.models.best())
        general = judged_folder(library.home, SAMPLE_DOCS, embedder, lambda _: None)
        for folder in options.folders:
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                try:
                    prepared = prepare(library.home.path, folder, embedder, seed, has_titles=not options.sentences_only)
                except TrainingError as error:
                    print(f"{folder.name}: the base stays: {error}", flush=True)
                    break
                print(
                    f"{folder.name}, seed {seed}: {len(prepared.pairs):,} pairs, {prepared.seconds:.0f} s to prepare",
                    flush=True,
                )
                rows += some(prepared, seed, general, gate_only=options.gate_only, with_labels=options.labels)
                if options.out:
                    options.out.write_text(json.dumps([row_as_json(row) for row in rows], indent=1))
    print(table(rows, embedder.info.prefix_dimensions))


def some(prepared: Prepared, seed: int, general: JudgedQueries, *, gate_only: bool, with_labels: bool) -> list[Row]:
    found = []
    for row in ways(prepared, seed, general):
        print(
            f"  {row.way}: {' '.join(f'{b:.4f}→{a:.4f}' for b, a in zip(row.before, row.after, strict=True))}",
            flush=True,
        )
        found.append(row)
        if gate_only and len(found) == 2:
            return found
    return [*found, *(labels(prepared, seed) if with_labels else ())]


def row_as_json(row: Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in Row.__slots__}


if __name__ == "__main__":
    main()
