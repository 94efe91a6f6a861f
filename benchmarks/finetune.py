"""Measures fine-tuning on titles and bodies alone, on judged queries that training never saw.

Usage: python -m benchmarks.finetune FOLDER --base BASE [--method full|lora] [--seeds 0 1 2] [--pairs N] [--home DIR]

FOLDER is in BEIR's layout. Each document's title is a query and its body, without the title, the passage; the judgements are
used for nothing but the figures: nDCG@10 of semantic search with the base and with what was made of it, both in 8 bits, and
the paired difference with its 95 % interval and p. Runs are stored below --home and resume after a stop.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from searchkit.display import size
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import RetrievalData, read_beir
from searchkit.evaluate.metrics import Metric
from searchkit.evaluate.retrieval.evaluation import EvaluationOptions, SetResult, evaluate_set
from searchkit.evaluate.retrieval.results import differences
from searchkit.home import Home
from searchkit.train.finetune.base import Base, find_base
from searchkit.train.finetune.data import prepare_data
from searchkit.train.finetune.finetune import Run, Tuned, finetune
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.options import FinetuneOptions, LossWeights, Method
from searchkit.train.pairs.pair import (
    Kind,
    Pair,
    Split,
    deduplicated,
    is_query,
    of_split,
    sample,
    split_by_document,
    without_beginning,
)
from searchkit.types import Passage, SearchMode

_LEAST_TEXT = 80  # characters of a body


def main() -> None:
    arguments = _arguments()
    data, store = read_beir(arguments.folder), ModelStore(arguments.home / "models")
    base = find_base(store, arguments.base)
    pairs = title_pairs(data, arguments.pairs)
    before = _evaluated(arguments.home, data, store, "base", base.folder)
    print(f"{data.name}, {base.name}: nDCG@10 {_ndcg(before):.4f}; {len(pairs):,} pairs")
    for seed in arguments.seeds:
        options = replace(_options(arguments), seed=seed)
        name = f"{data.name}-{options.method}-{seed}"
        run = RunFolder(arguments.home / "training" / name)
        tuned = fine_tuned(
            base, pairs, options, LossWeights(temperature=arguments.temperature, distillation=arguments.keep), run
        )
        after = _evaluated(arguments.home, data, store, name, tuned.checkpoint)
        found = differences(name, after.scores["semantic"], "base", before.scores["semantic"])
        change = next(each for each in found if each.metric is Metric.NDCG_10)
        print(
            f"seed {seed}: {_ndcg(after):.4f} ({change.mean:+.4f}, {change.low:+.4f} to {change.high:+.4f}, p {change.p:.4f})"
        )
        print(
            f"  validation {tuned.base_score:.4f} → {tuned.score:.4f}, epoch {tuned.epochs}, share {tuned.share};"
            f" {tuned.seconds / 60:.1f} minutes, {size(tuned.peak_bytes)}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = FinetuneOptions()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--base", required=True)
    parser.add_argument("--home", type=Path, default=Path("finetune-benchmark"))
    parser.add_argument("--method", type=Method, default=Method.FULL)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--learning-rate", type=float, default=0.0)
    parser.add_argument("--max-tokens", type=int, default=default.max_tokens)
    parser.add_argument("--temperature", type=float, default=0.05)
    parser.add_argument("--keep", type=float, default=1.0)
    parser.add_argument("--mix", type=float)
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


def _options(arguments: argparse.Namespace) -> FinetuneOptions:
    return FinetuneOptions(
        method=arguments.method,
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        max_tokens=arguments.max_tokens,
        mix=arguments.mix,
        threads=arguments.threads,
    )


def title_pairs(data: RetrievalData, most: int) -> list[Pair]:
    """Pairs of titles and bodies, of which at most `count` train; the validation pairs are those of `train finetune`."""
    found = []
    for document, passage in data.documents.items():
        title = " ".join(passage.title.split())
        body = " ".join(without_beginning(passage.text, title).split())
        if is_query(title) and len(body) >= _LEAST_TEXT:
            found.append(Pair(title, Passage("", body), Kind.TITLE, document))
    pairs = split_by_document(deduplicated(found)[0])
    return [*sample(of_split(pairs, Split.TRAIN), most), *of_split(pairs, Split.VALIDATION)]


def fine_tuned(
    base: Base, pairs: list[Pair], options: FinetuneOptions, weights: LossWeights, folder: RunFolder
) -> Tuned:
    run = Run(base, prepare_data(pairs, base.prompts), options, weights, folder)
    return finetune(run, on_progress=lambda _: None, say=print)


def _evaluated(home: Path, data: RetrievalData, store: ModelStore, name: str, checkpoint: Path) -> SetResult:
    """Evaluate semantic search with a checkpoint in 8 bits, imported if necessary."""
    if name not in store.names():
        store.add(checkpoint, name=name)
    options = EvaluationOptions(modes=(SearchMode.SEMANTIC,), with_latency=False)
    return evaluate_set(Home(home), data, store.open(name), options)


def _ndcg(result: SetResult) -> float:
    return result.report.rows[0].scores[Metric.NDCG_10].mean


if __name__ == "__main__":
    main()
