"""The gate for a tuned model: held-out pairs and the general checks, embedded by the base and by the tuned model.

Both are imported and quantized in the same way, because that is how they are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchkit.embedding.embedder import Embedder
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.statistics import intervals
from searchkit.home import Home
from searchkit.library import Library
from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.network import open_plain
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.gate import (
    FLOATS,
    NONE_HIDDEN,
    Comparison,
    JudgedQueries,
    Verdict,
    compare_models,
    judge,
    judge_recovery,
)
from searchkit.train.judged_sets import SAMPLE_DOCS, judged_folder
from searchkit.train.options import FinetuneOptions, writing_to
from searchkit.train.pairs.pair import Pair, Split, of_split, one_per_passage, sample
from searchkit.types import Passage
from searchkit_indexes import Vectors

_QUERIES = 300  # held-out ones, at most
_POOL = 600  # passages among which they must find theirs
_TOKENS_AT_ONCE = 4096
_LEAST = 10  # held-out queries; fewer prove nothing
_BEFORE, _AFTER = "base", "tuned"


@dataclass(frozen=True, slots=True)
class Proof:
    """The comparisons of a tuned model with its base on held-out pairs and general checks, and the verdict.

    `in_floats`: the held-out pairs with both checkpoints in floats, if the tuned one was trained in a quantization; it decides
    nothing. `nearer`: the gain in the cosine of their texts to the base in floats, with its 95 % interval; it decides if the
    quantization's loss is all that was to be won back.
    """

    targets: tuple[Comparison, ...]
    general: tuple[Comparison, ...]
    verdict: Verdict
    in_floats: Comparison | None = None
    nearer: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class ProofOptions:
    """The options of a proof.

    `general`: folders in BEIR's layout to check with the bundled one. `quantization`: the model's. `with_floats`: compare the
    checkpoints in floats as well. `is_recovery`: what the quantization loses is all that was to be won back.
    """

    general: tuple[Path, ...] = ()
    quantization: Quantization = Quantization.INT8
    seed: int = 0
    with_floats: bool = False
    is_recovery: bool = False


def prove(
    library: Library,
    base: Base,
    run: RunFolder,
    pairs: Sequence[Pair],
    options: ProofOptions,
    on_progress: ProgressListener = lambda _: None,
) -> Proof:
    """Compare the run's checkpoint with its base. Nothing is installed; the compared models are in the run's folder."""
    if reason := too_few_to_prove(pairs):
        return Proof((), (), Verdict(False, reason))
    store = ModelStore(run.path / "models")
    on_progress(Progress("Converting", 0, None, ""))
    before = _base_model(library, store, base, options.quantization)
    after = converted(store, _AFTER, run.checkpoint, options.quantization)
    models = (before, after)
    stored = _both_held_out(models, pairs, options, on_progress)
    target, general = _compared(library.home, stored, models, options, on_progress)
    if not options.with_floats:
        return Proof((target,), general, judge([target], general))
    exact, tuned = (_held_out_in_floats(base, folder, pairs, options.seed) for folder in (base.folder, run.checkpoint))
    nearer = _nearer(stored, exact)
    verdict = judge_recovery(target, general, nearer) if options.is_recovery else judge([target], general)
    return Proof((target,), general, verdict, compare_models(exact, tuned, _common_prefixes(models)), nearer)


def compare_embedders(
    home: Home,
    models: tuple[Embedder, Embedder],
    pairs: Sequence[Pair],
    options: ProofOptions,
    on_progress: ProgressListener = lambda _: None,
) -> tuple[Comparison, tuple[Comparison, ...]]:
    """Compare two models, the earlier first, on the held-out pairs and on each general set, at the prefixes that both know."""
    stored = _both_held_out(models, pairs, options, on_progress)
    return _compared(home, stored, models, options, on_progress)


def _compared(
    home: Home,
    held_out: tuple[JudgedQueries, JudgedQueries],
    models: tuple[Embedder, Embedder],
    options: ProofOptions,
    on_progress: ProgressListener,
) -> tuple[Comparison, tuple[Comparison, ...]]:
    prefixes = _common_prefixes(models)
    target = compare_models(held_out[0], held_out[1], prefixes)
    general = []
    for folder in [SAMPLE_DOCS, *options.general]:
        old, new = (judged_folder(home, folder, model, on_progress) for model in models)
        general.append(compare_models(old, new, prefixes))
    return target, tuple(general)


def _common_prefixes(models: tuple[Embedder, Embedder]) -> list[int]:
    return [size for size in models[0].info.prefix_dimensions if size in models[1].info.prefix_dimensions]


def _both_held_out(
    models: tuple[Embedder, Embedder], pairs: Sequence[Pair], options: ProofOptions, on_progress: ProgressListener
) -> tuple[JudgedQueries, JudgedQueries]:
    before, after = (_held_out(pairs, model, options.seed, on_progress) for model in models)
    return before, after


def _nearer(stored: tuple[JudgedQueries, JudgedQueries], exact: JudgedQueries) -> tuple[float, float, float]:
    """The gain in the cosine to the exact vectors from the first to the second, with its 95 % interval over all texts."""
    before, after = (
        np.concatenate([(each.queries * exact.queries).sum(axis=1), (each.corpus * exact.corpus).sum(axis=1)])
        for each in stored
    )
    gains = (after - before).astype(np.float64)
    ((low, high),) = intervals(gains[None]).tolist()
    return float(gains.mean()), low, high


def too_few_to_prove(pairs: Sequence[Pair]) -> str:
    """Say why the held-out pairs prove nothing, "" if there are enough."""
    count = len(one_per_passage(of_split(pairs, Split.TEST)))
    return "" if count >= _LEAST else f"there are {count} held-out pairs; {_LEAST} are needed to prove anything"


def _base_model(library: Library, store: ModelStore, base: Base, quantization: Quantization) -> Embedder:
    """The installed base, if it is quantized in the same way; otherwise one converted for the proof."""
    for card in library.models.installed():
        if (card.source.get("sha256"), card.quantization) == (base.weights_checksum, quantization):
            return library.models.open(card.name)
    return converted(store, _BEFORE, base.folder, quantization)


def converted(store: ModelStore, name: str, checkpoint: Path, quantization: Quantization) -> Embedder:
    """Convert a checkpoint; a model that an earlier start left is replaced, because it may be of another checkpoint."""
    if name in store.names():
        store.remove(name)
    with writing_to(checkpoint.parent, "The model to prove"):
        store.add(checkpoint, name=name, quantization=quantization)
    return store.open(name)


def held_out_pairs(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """The pairs that prove."""
    return sample(one_per_passage(of_split(pairs, Split.TEST)), _QUERIES, seed)


def held_out_pool(pairs: Sequence[Pair], seed: int) -> list[Passage]:
    """The passages to search, the held-out ones first, each once."""
    test = held_out_pairs(pairs, seed)
    own = [pair.passage for pair in test]
    others = [pair for pair in pairs if pair.split is not Split.TEST]
    more = sample(others, max(0, _POOL - len(own)), seed)
    return list(dict.fromkeys([*own, *(pair.passage for pair in more)]))


def _held_out(pairs: Sequence[Pair], model: Embedder, seed: int, on_progress: ProgressListener) -> JudgedQueries:
    """The held-out queries and the pool as a model embeds them."""
    on_progress(Progress("Proving", 0, None, ""))
    test, pool = held_out_pairs(pairs, seed), held_out_pool(pairs, seed)
    queries = list(dict.fromkeys(pair.query for pair in test))
    return _judged(test, pool, model.embed_queries(queries), model.embed_documents(pool))


def _held_out_in_floats(base: Base, checkpoint: Path, pairs: Sequence[Pair], seed: int) -> JudgedQueries:
    """The same as a checkpoint embeds them in floats, which needs no conversion."""
    test, pool = held_out_pairs(pairs, seed), held_out_pool(pairs, seed)
    network = open_plain(checkpoint, FinetuneOptions(max_tokens=base.checkpoint.max_tokens))
    embedding = Embedding(network, tokens_at_once=_TOKENS_AT_ONCE, dtype=None)
    queries = [base.prompts.of_query(query) for query in dict.fromkeys(pair.query for pair in test)]
    passages = [base.prompts.of_passage(passage) for passage in pool]
    return _judged(test, pool, embedding.embed_texts(queries), embedding.embed_texts(passages))


def _judged(test: Sequence[Pair], pool: Sequence[Passage], queries: Vectors, passages: Vectors) -> JudgedQueries:
    """The held-out queries, in their order and each once, with its own passages as the answers."""
    numbers = {passage: number for number, passage in enumerate(pool)}
    answers: dict[str, dict[str, int]] = {}
    for pair in test:
        answers.setdefault(pair.query, {})[str(numbers[pair.passage])] = 1
    return JudgedQueries(
        name="held-out pairs",
        queries=queries,
        corpus=passages,
        document_of=np.arange(len(pool), dtype=np.int64),
        relevance=tuple(answers.values()),
        hidden=(NONE_HIDDEN,) * len(answers),
    )


def proof_table(proof: Proof) -> str:
    """The comparisons as Markdown."""
    lines = ["| set | prefix, code | nDCG@10 before | after | gain (95 %) | recall@10 | ANN recall |", "|" + "---|" * 7]
    for comparison in (*proof.targets, *proof.general):
        for cell in comparison.cells:
            gain = f"{cell.gain:+.4f} ({cell.gain_low:+.4f} to {cell.gain_high:+.4f})"
            recall = f"{cell.recall_before:.3f} → {cell.recall_after:.3f}"
            ann = f"{cell.ann_before:.3f} → {cell.ann_after:.3f}"
            values = (
                comparison.name,
                f"{cell.prefix}, {cell.code}",
                f"{cell.ndcg_before:.4f}",
                f"{cell.ndcg_after:.4f}",
            )
            lines.append(f"| {' | '.join((*values, gain, recall, ann))} |")
    return "\n".join(lines)


def floats_table(proof: Proof, quantization: Quantization) -> str:
    """What the quantization costs before and after training in it, on the held-out pairs, as Markdown; "" if not measured."""
    if proof.in_floats is None:
        return ""
    lines = [
        f"| held-out pairs, prefix | base in floats | base in {quantization} | tuned, before rounding | tuned in {quantization} |",
        "|" + "---|" * 5,
    ]
    for stored, exact in zip(proof.targets[0].cells, proof.in_floats.cells, strict=True):
        if stored.code == FLOATS:
            values = (exact.ndcg_before, stored.ndcg_before, exact.ndcg_after, stored.ndcg_after)
            lines.append(f"| {stored.prefix} | {' | '.join(f'{value:.4f}' for value in values)} |")
    return "\n".join(lines)
