"""Measures a model's own scale: what its cosines mean, by a built-in set of queries with right and wrong passages.

The set was written for this project. In eight languages and code, most queries have a passage that answers them in other
words, and one that repeats their words and answers nothing; the other queries are about things that no passage mentions.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchkit.embedding.embedder import normalized, prefix
from searchkit.embedding.model_folder import JUDGED_FILE, ModelCard
from searchkit.embedding.model_info import Prompts, Scale
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.provisional import ProvisionalVectors, Tokenize, fitted_correction
from searchkit.types import Passage
from searchkit_indexes import Vectors

_FILE = Path(__file__).with_name("judged_set.jsonl")
_KNOWN = 0.5  # share of a language's queries with their answer in front, from which on a model knows the language
# The cuts, in standard deviations above the mean cosine of off-topic queries and passages. 6 recognizes 95 % of off-topic
# queries on real collections (docs/benchmarks/search.md), with EmbeddingGemma and with MiniLM, whose deviation is a quarter
# larger, as that of its best hits there is. Short queries have less similar answers.
_LONG_CUT, _SHORT_CUT = 6.0, 3.8
_WORDS_HELP = 0.75  # chosen with both together with the cuts
_LONG = 2.8  # times the median length of the set's queries; up to the median they count as short
_NOTHING = 1e-6
_GUESS_WEIGHT = 0.3  # as in choosing what the model reads, see search/fusion.py
Cosines = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query of the set. `right`, `wrong`: the passages, "" for a query that nothing answers. `language`: `code` for code."""

    language: str
    query: str
    right: str = ""
    wrong: str = ""


@cache
def judged_set() -> tuple[JudgedQuery, ...]:
    """Read the set: queries with passages first, then those that nothing answers."""
    queries = [JudgedQuery(**json.loads(line)) for line in _FILE.read_text("utf-8").splitlines()]
    return tuple(sorted(queries, key=lambda each: not each.right))


def judged_inputs(prompts: Prompts) -> list[str]:
    """Build a model's inputs for the set: all queries, then all right passages, then all wrong ones."""
    queries = [prompts.of_query(each.query) for each in judged_set()]
    passages = [each.right for each in judged_set() if each.right] + [each.wrong for each in judged_set() if each.right]
    return queries + [prompts.of_passage(Passage("", text)) for text in passages]


def embed_judged_set(embedder: OnnxEmbedder) -> Vectors:
    """Embed the set: (n, dimension), queries, right passages, wrong ones."""
    return embedder.embed_many(judged_inputs(embedder.card.prompts))


def write_judged_vectors(folder: Path, vectors: Vectors) -> None:
    """Store the set's vectors in a model folder, in half precision."""
    np.save(folder / JUDGED_FILE, vectors.astype(np.float16))


def judged_vectors(folder: Path, card: ModelCard) -> Vectors:
    """Read the set's vectors from a model folder; compute them if it has none, or those of another version of the set."""
    if JUDGED_FILE in card.checksums:
        stored = np.load(folder / JUDGED_FILE, allow_pickle=False)
        if stored.shape == (len(judged_inputs(card.prompts)), card.dimension):
            return normalized(stored.astype(np.float32))
    return embed_judged_set(OnnxEmbedder(folder))


def measure_scale(vectors: Vectors, similarity_range: tuple[float, float], count_tokens: Callable[[str], int]) -> Scale:
    """Measure a model's scale, in shares of its `similarity_range`.

    `vectors`: (n, dimension), of `judged_inputs`. `count_tokens`: of a bare text, by the model's tokenizer. Only languages count
    in which the model finds the answers.
    """
    queries = judged_set()
    cosines = vectors[: len(queries)] @ vectors[len(queries) :].T
    languages = np.array([each.language for each in queries])
    answered = sum(1 for each in queries if each.right)
    known = _known_languages(cosines[:answered, :answered], languages[:answered])
    if not known:
        return Scale(languages=())
    off_topic, best = _off_topic(cosines, languages, answered, known)
    mean, deviation = float(off_topic.mean()), float(off_topic.std())
    lengths = [count_tokens(each.query) for each in queries if each.language in known]
    short = max(1, round(float(np.median(lengths))))
    return Scale(
        short_cut=_share(mean + _SHORT_CUT * deviation, similarity_range),
        long_cut=_share(mean + _LONG_CUT * deviation, similarity_range),
        support=_share(float(best.mean()), similarity_range),
        words_help=_WORDS_HELP,
        short_tokens=short,
        long_tokens=max(short + 1, round(_LONG * short)),
        languages=known,
    )


def judged_correction(folder: Path, tokenize: Tokenize, vectors: Vectors) -> Vectors | None:
    """Learn what corrects a model's provisional vectors from the vectors of the set; see `fitted_correction`.

    None if words and provisional vectors together rank the answers lower than words alone, or if `folder` has none.
    """
    guesser = ProvisionalVectors(folder, tokenize)
    queries = judged_set()
    answered = [each for each in queries if each.right]
    texts = [each.right for each in answered] + [each.wrong for each in answered]
    correction, guesses = fitted_correction(
        guesser.uncorrected([Passage("", text) for text in texts]), vectors[len(queries) :]
    )
    asked = prefix(vectors[: len(answered)], guesser.dimension)
    by_guess = asked @ guesses[: len(answered)].T
    words = [set(each) for each in tokenize([each.right for each in answered])]
    asked_words = [set(each) for each in tokenize([each.query for each in answered])]
    rarity = np.log((len(words) + 1) / (np.bincount(np.array([t for each in words for t in each])) + 0.5))
    by_words = np.array([[sum(rarity[t] for t in query & of) for of in words] for query in asked_words])
    together = (1 - _GUESS_WEIGHT) * _by_row(by_words) + _GUESS_WEIGHT * _by_row(by_guess)
    return correction if _mean_reciprocal_rank(together) > _mean_reciprocal_rank(by_words) else None


def _by_row(scores: Cosines) -> Cosines:
    """Scale the scores of each query to 0-1."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    scaled: Cosines = (scores - low) / np.maximum(high - low, _NOTHING)
    return scaled


def _mean_reciprocal_rank(scores: Cosines) -> float:
    """Of each query's own answer, on the diagonal of (n, n) scores."""
    ranks = (scores >= scores.diagonal()[:, None]).sum(axis=1)
    return float((1 / ranks).mean())


def _known_languages(cosines: Cosines, languages: npt.NDArray[np.str_]) -> tuple[str, ...]:
    """List the languages in which a query's own answer is mostly nearer to it than the answers to all others.

    `cosines`: (n, n) of n queries and their answers. Answers repeat few words of their queries, so that words alone do not
    suffice.
    """
    known = []
    for language in dict.fromkeys(languages.tolist()):
        places = np.flatnonzero(languages == language)
        among = cosines[np.ix_(places, places)]
        others = np.where(np.eye(len(places), dtype=bool), -np.inf, among).max(axis=1)
        if (among.diagonal() > others + _NOTHING).mean() >= _KNOWN:
            known.append(language)
    return tuple(known)


def _off_topic(
    cosines: Cosines, languages: npt.NDArray[np.str_], answered: int, known: Sequence[str]
) -> tuple[Cosines, Cosines]:
    """Return the cosines of the queries that nothing answers, in known languages.

    The first array has those with all passages of the query's own language, (pairs,), the second the largest with the passages of
    any known language, (queries,).
    """
    passages, asking = np.tile(languages[:answered], 2), languages[answered:]
    of_none = cosines[answered:]
    pairs = [of_none[np.ix_(asking == language, passages == language)].ravel() for language in known]
    best = of_none[np.ix_(np.isin(asking, known), np.isin(passages, known))].max(axis=1)
    return np.concatenate(pairs), best


def _share(cosine: float, similarity_range: tuple[float, float]) -> float:
    """Return a cosine's place on the way from unrelated (0) to matching (1)."""
    unrelated, matching = similarity_range
    return round((cosine - unrelated) / max(matching - unrelated, _NOTHING), 4)
