"""Measures the worth of each part of the ranking: hybrid search with one part off at a time, on judged sets in BEIR's layout.

Usage: python -m benchmarks.ablation FOLDER [FOLDER ...] [--model NAME] [--queries 1200]

Prints nDCG@10 with everything, then its change without each part; * where a paired randomization test gives p < .05.
Parts that decide what is indexed in the full-text table are removed from a copy of it. Folding near-copies and choosing
snippets do not change which documents are found, and have no row.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from searchkit import text
from searchkit.catalog import fulltext
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import open_for_writing
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.metrics import Metric, QueryScores, rank_queries, score_rankings
from searchkit.evaluate.retrieval.corpus import Corpus, corpus_collection
from searchkit.evaluate.retrieval.results import differences
from searchkit.evaluate.retrieval.search import DocumentSearch, RankingEmbedder, sample
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.fusion import Candidates, rank_by_both
from searchkit.search.lexical import bm25
from searchkit.types import Explanation, SearchMode

_K = 10
_RANK_CONSTANT = 60  # of reciprocal rank fusion, the usual value
_LEXICAL = "searchkit.search.lexical.bm25."
_FULLTEXT = "searchkit.catalog.fulltext."
_TEXT = "searchkit.text."
_FOLDED = (text.fold_word, text._parts_of)  # what is kept of words


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the ranking, and how to remove it: attributes of modules, with the values that replace theirs.

    `is_stored`: the full-text table is rebuilt without it.
    """

    name: str
    instead: Mapping[str, object]
    is_stored: bool = False
    mode: SearchMode = SearchMode.HYBRID

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Remove the part within the block."""
        forget_words()
        with ExitStack() as stack:
            stack.callback(forget_words)
            for target, value in self.instead.items():
                stack.enter_context(patch(target, value))
            yield


def forget_words() -> None:
    """Have words be folded anew."""
    for folded in _FOLDED:
        folded.cache_clear()


def by_ranks(catalog: CatalogReader, query: str, found: Candidates) -> dict[bytes, Explanation]:
    """Fuse the two lists by reciprocal ranks, with literal matches and languages as usual."""
    arms = replace(found, similarities=_of_ranks(found.similarities), bm25=_of_ranks(found.bm25), floor=0.0, trust=1.0)
    return rank_by_both(catalog, query, arms)


def with_one_weight(catalog: CatalogReader, query: str, found: Candidates) -> dict[bytes, Explanation]:
    """Give the words the same weight in every query, however little of it they find."""
    return rank_by_both(catalog, query, replace(found, trust=1.0))


def with_its_share(catalog: CatalogReader, query: str, found: Candidates) -> dict[bytes, Explanation]:
    """Trust the words as far as the best passage by them has the query, however much that is by itself."""
    return rank_by_both(catalog, query, replace(found, trust=found.coverage))


def uncorrected(_catalog: CatalogReader, query: str, *_: object) -> bm25._Corrected:
    """Take every word as it is typed."""
    return bm25._Corrected({}, {}, query)


def once(words: Iterable[str]) -> dict[str, int]:
    """Count each word once, however often a query has it."""
    return dict.fromkeys(words, 1)


def _of_ranks(scores: Mapping[bytes, float]) -> dict[bytes, float]:
    ordered = sorted(scores, key=lambda key: -scores[key])
    return {key: (_RANK_CONSTANT + 1) / (_RANK_CONSTANT + rank) for rank, key in enumerate(ordered, 1)}


def _none(*_: object, **__: object) -> list[object]:
    return []


PARTS = (
    Part("meaning (words alone)", {}, mode=SearchMode.LEXICAL),
    Part("words (meaning alone)", {}, mode=SearchMode.SEMANTIC),
    Part("fusion by scores (reciprocal ranks instead)", {"searchkit.search.searcher.rank_by_both": by_ranks}),
    Part("a weight for each query (one for all)", {"searchkit.search.searcher.rank_by_both": with_one_weight}),
    Part(
        "enough words are enough in a long query (the share alone)",
        {"searchkit.search.searcher.rank_by_both": with_its_share},
    ),
    Part("code told from prose", {"searchkit.search.fusion._OF_CODE": 1.0}),
    Part("literal matches first", {"searchkit.search.searcher.exact_bonuses": lambda *_: {}}),
    Part("the query's language first", {"searchkit.search.fusion._in_other_languages": lambda *_: {}}),
    Part("other forms of words, 20 languages", {f"{_LEXICAL}inflections": lambda *_: {}}),
    Part("half-typed and mistyped words", {f"{_LEXICAL}_corrected": uncorrected}),
    Part("repeated words count", {f"{_LEXICAL}Counter": once}),
    Part(
        "references such as K-54 as one word", {f"{_LEXICAL}_compounds": lambda *_: {}, f"{_LEXICAL}_references": _none}
    ),
    Part(
        "stop words left out",
        {f"{_LEXICAL}STOP_WORDS": frozenset(), f"{_LEXICAL}FUNCTION_WORDS_OF": {}, f"{_LEXICAL}_COMMON": 1.0},
    ),
    Part("headings count double", {f"{_LEXICAL}_WEIGHTS": (1.0, 1.0, 1.0)}),
    Part("headings and file names at all", {f"{_LEXICAL}_WEIGHTS": (0.0, 0.0, 1.0)}),
    Part(
        "English stems",
        {f"{_FULLTEXT}TOKENIZER": "unicode61 remove_diacritics 0 categories 'L* N* Co M*'"},
        is_stored=True,
    ),
    Part(
        "pairs of characters",
        {f"{_TEXT}_UNSPACED": (), f"{_TEXT}_SHAPES": text.Shapes(), f"{_TEXT}_APART": text._Apart()},
        is_stored=True,
    ),
    Part(
        "articles and prepositions written in one with a word (Arabic, Hebrew)",
        {f"{_TEXT}_without_affixes": str, f"{_TEXT}_without_particles": str},
        is_stored=True,
    ),
    Part(
        "traditional characters as simplified ones",
        {f"{_TEXT}_simplified": dict, f"{_TEXT}_LETTERS": text._Letters()},
        is_stored=True,
    ),
    Part("accents and letters folded", {f"{_TEXT}fold_word": str.lower}, is_stored=True),
    Part(
        "names of numbers and dates",
        {
            f"{_FULLTEXT}values": _none,
            f"{_LEXICAL}values": _none,
        },
        is_stored=True,
    ),
)


class AblatedSet:
    """A judged set as a collection, with its scores with and without parts."""

    def __init__(self, folder: Path, home: Path, embedder: Embedder, most_queries: int) -> None:
        self.data = read_beir(folder, "test")
        chosen = sample(list(self.data.qrels), min(most_queries, len(self.data.qrels)))
        self._queries = {key: self.data.queries[key] for key in chosen}
        self._made = corpus_collection(Home(home), Corpus(self.data.name, self.data.documents), embedder)
        self._ranking = RankingEmbedder(embedder, self._queries.values())

    def scores(self, part: Part | None = None) -> QueryScores:
        """Compute the scores by query without a part."""
        if part is None:
            return self._judged(self._made.home.path, SearchMode.HYBRID)
        with part.left_out():
            if not part.is_stored:
                return self._judged(self._made.home.path, part.mode)
            with tempfile.TemporaryDirectory() as place:
                self._refilled(Path(place))
                return self._judged(Path(place), part.mode)

    def _judged(self, home: Path, mode: SearchMode) -> QueryScores:
        with Library(home, embedder=self._ranking) as library:
            search = DocumentSearch(library, self._made.name, mode, self._made.ids_of)
            rankings = rank_queries(search, self._queries, _K)
        return score_rankings(rankings, {key: self.data.qrels[key] for key in self._queries})

    def _refilled(self, home: Path) -> None:
        """Copy the collection to another data directory, with its full-text table rebuilt."""
        copy = home / "collections" / self._made.name
        shutil.copytree(self._made.folder.path, copy)
        with open_for_writing(copy / "catalog.db") as catalog, catalog.transaction():
            catalog.execute("DROP TABLE fulltext")
            fulltext.create(catalog)
            fulltext.refill(catalog)


def main() -> None:
    """Print the table."""
    options = read_options()
    home = Home.default()
    embedder = ModelStore(home.path / "models").open(options.model)
    sets = [AblatedSet(folder, home.path, embedder, options.queries) for folder in options.folders]
    everything = [each.scores() for each in sets]
    print(f"| without | {' | '.join(each.data.name for each in sets)} | mean |")
    print(f"|---|{'---|' * (len(sets) + 1)}")
    print_row(
        "nothing: nDCG@10 with everything", [scores.mean(Metric.NDCG_10) for scores in everything], "{:.3f}".format
    )
    for part in PARTS:
        changes = [differences_in_ndcg(each.scores(part), whole) for each, whole in zip(sets, everything, strict=True)]
        cells = [f"{mean:+.3f}{'*' if p < 0.05 else ''}" for mean, p in changes]
        print(
            f"| {part.name} | {' | '.join(cells)} | {sum(mean for mean, _ in changes) / len(changes):+.3f} |",
            flush=True,
        )


def print_row(name: str, values: Sequence[float], shown: Callable[[float], str]) -> None:
    """Write values and their mean."""
    print(f"| {name} | {' | '.join(map(shown, values))} | {shown(sum(values) / len(values))} |", flush=True)


def differences_in_ndcg(scores: QueryScores, whole: QueryScores) -> tuple[float, float]:
    """The change of the mean nDCG@10 from that with everything, and p."""
    [found] = [each for each in differences("", scores, "", whole) if each.metric is Metric.NDCG_10]
    return found.mean, found.p


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--queries", type=int, default=1200, help="of each set at most, from all over it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
