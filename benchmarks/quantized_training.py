"""Measures what training in a quantization wins back of what the quantization loses, on judged queries that training never saw.

Usage: python -m benchmarks.quantized_training FOLDER… --base BASE [--quantize int4] [--method full|lora] [--epochs 2] [--home DIR]

The FOLDERs, in BEIR's layout, are learned from together: titles are queries and bodies their passages; judgements give the
figures alone. `nothing`: the base. `pairs`: fine-tuning as ever, and quantized afterwards. `pairs, quantized`: the same steps with
rounded weights. `near, quantized`: rounded weights that are only pulled towards the vectors of the base in floats. Each is stored
in the quantization, and in floats for comparison: nDCG@10 of semantic search, and the paired difference from the base in floats
with its 95 % interval. Runs and figures are stored below --home; after a stop the same command continues.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.finetune import fine_tuned, title_pairs
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.beir import RetrievalData, read_beir
from searchkit.evaluate.metrics import Metric
from searchkit.evaluate.retrieval.evaluation import EvaluationOptions, SetResult, evaluate_set
from searchkit.evaluate.retrieval.results import differences
from searchkit.files import write_atomically
from searchkit.home import Home
from searchkit.train.finetune.base import find_base
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.options import FinetuneOptions, LossWeights, Method
from searchkit.train.pairs.pair import Pair, Split, of_split, sample
from searchkit.types import SearchMode


@dataclass(frozen=True, slots=True)
class Way:
    """A way to train. `contrastive`: the weight of that loss."""

    name: str
    contrastive: float
    is_quantized: bool


WAYS = (Way("near, quantized", 0.0, True), Way("pairs, quantized", 1.0, True), Way("pairs", 1.0, False))


class Study:
    """The sets, the base, and what was measured so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.home, self.form = arguments.home, arguments.quantize
        self.store = ModelStore(self.home / "models")
        self.base = find_base(self.store, arguments.base)
        self.sets = [read_beir(folder) for folder in arguments.folders]
        self._exact: dict[str, SetResult] = {}

    def row(self, way: str, checkpoint: Path, form: Quantization) -> None:
        """Print the figures of a checkpoint in a quantization, measured unless they are there."""
        name = "-".join((self.base.name, *way.replace(",", "").split(), form))
        file = self.home / f"{name}.json"
        found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        for data in self.sets:
            if data.name not in found:
                found[data.name] = self._measured(name, checkpoint, form, data)
                write_atomically(file, json.dumps(found).encode())
        cells = [
            f"{each['ndcg']:.4f} | {each['gain']:+.4f} ({each['low']:+.4f} to {each['high']:+.4f})"
            for each in (found[data.name] for data in self.sets)
        ]
        print(f"| {way} | {form} | {' | '.join(cells)} |", flush=True)

    def _measured(self, name: str, checkpoint: Path, form: Quantization, data: RetrievalData) -> dict[str, float]:
        exact = self._base_in_floats(data)
        result = self._evaluated(name, checkpoint, form, data)
        found = differences("it", result.scores["semantic"], "the base in floats", exact.scores["semantic"])
        change = next(each for each in found if each.metric is Metric.NDCG_10)
        ndcg = result.report.rows[0].scores[Metric.NDCG_10].mean
        return {"ndcg": ndcg, "gain": change.mean, "low": change.low, "high": change.high}

    def _base_in_floats(self, data: RetrievalData) -> SetResult:
        if data.name not in self._exact:
            name = f"{self.base.name}-nothing-{Quantization.FP32}"
            self._exact[data.name] = self._evaluated(name, self.base.folder, Quantization.FP32, data)
        return self._exact[data.name]

    def _evaluated(self, name: str, checkpoint: Path, form: Quantization, data: RetrievalData) -> SetResult:
        if name not in self.store.names():
            self.store.add(checkpoint, name=name, quantization=form)
        options = EvaluationOptions(modes=(SearchMode.SEMANTIC,), with_latency=False)
        return evaluate_set(Home(self.home), data, self.store.open(name), options)

    def trained(self, way: Way) -> Path:
        """Train in a way, or go on there; returns the checkpoint."""
        arguments = self.arguments
        options = FinetuneOptions(
            method=arguments.method,
            epochs=arguments.epochs,
            learning_rate=arguments.learning_rate,
            max_tokens=arguments.max_tokens,
            mix=1.0,
            seed=arguments.seed,
            quantize=self.form if way.is_quantized else None,
        )
        form = f"-{self.form}" if way.is_quantized else ""
        folder = RunFolder(self.home / "training" / f"{self.base.name}-{way.name.replace(', ', '-')}{form}")
        kept = folder.path / "checkpoint"
        done = folder.path / "done"
        if not done.is_file():
            weights = LossWeights(temperature=0.05, contrastive=way.contrastive)
            tuned = fine_tuned(self.base, _pairs(self.sets, arguments.pairs), options, weights, folder)
            print(f"{way.name}: {tuned.seconds / 60:.1f} minutes, {tuned.peak_bytes / 1e9:.1f} GB", flush=True)
            done.touch()
        return kept


def main() -> None:
    study = Study(_arguments())
    print(f"| trained | stored in | {' | '.join(f'{data.name} | against floats (95 %)' for data in study.sets)} |")
    for form in (Quantization.FP32, study.form):
        study.row("nothing", study.base.folder, form)
    for way in WAYS:
        if way.name not in study.arguments.ways:
            continue
        checkpoint = study.trained(way)
        for form in (study.form,) if way.is_quantized else (Quantization.FP32, study.form):
            study.row(way.name, checkpoint, form)


def _pairs(sets: Sequence[RetrievalData], most: int) -> list[Pair]:
    """The pairs of all sets, of which at most `most` of each train."""
    found = []
    for data in sets:
        pairs = [replace(pair, document=f"{data.name}/{pair.document}") for pair in title_pairs(data, most)]
        found += [*sample(of_split(pairs, Split.TRAIN), most), *of_split(pairs, Split.VALIDATION)]
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--base", required=True)
    parser.add_argument("--home", type=Path, default=Path("quantized-training"))
    parser.add_argument("--quantize", type=Quantization, default=Quantization.INT4)
    parser.add_argument("--ways", nargs="+", choices=[way.name for way in WAYS], default=[way.name for way in WAYS])
    parser.add_argument("--method", type=Method, default=Method.FULL)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=0.0)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
