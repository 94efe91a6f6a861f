"""The contrastive stage: each start with each pooling is trained on the same pairs and searches the same queries.

The encoders differ in nothing else; all weights are trained, the token table too, because a random one has nothing to lose.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.metrics import ndcg_at
from searchkit.evaluate.statistics import intervals
from searchkit.files import write_atomically
from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.caching import CachedObjective, Embedding
from searchkit.train.finetune.checkpoints import TENSORS, best_states, read_tensors
from searchkit.train.finetune.data import Data
from searchkit.train.finetune.network import compute_dtype, open_plain, put_tensors
from searchkit.train.finetune.objective import RowObjective, Teacher, Validation
from searchkit.train.finetune.trainer import train
from searchkit.train.options import FinetuneOptions, InitOptions, LossWeights, Method, Start, TokenPooling, writing_to
from searchkit.train.pairs.pair import Pair, Split, of_split, one_per_passage, sample
from searchkit_indexes import Vectors

_DEPTH = 10
_QUERIES, _POOL = 300, 2000  # held-out queries, and passages that they search, at most
_AT_ONCE = 64  # texts tokenized together
_PREFIXES = (512, 256, 128)


@dataclass(frozen=True, slots=True)
class Judged:
    """Queries to search with, all with their prompts. `relevance`: of each query, by the place of the passage."""

    name: str
    queries: tuple[str, ...]
    passages: tuple[str, ...]
    relevance: tuple[Mapping[str, int], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One encoder of the comparison."""

    start: Start
    pooling: TokenPooling
    seed: int

    @property
    def name(self) -> str:
        """The cell's name in files."""
        return f"{self.start}-{self.pooling}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Measured:
    """What an encoder finds. `validation`: nDCG@10 on the validation pairs; `scores`: nDCG@10 of each query, by set."""

    validation: float
    scores: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: a start with a pooling on one set, means over seeds and queries.

    `low`, `high`: the 95 % interval of the mean over queries. `gain`, `gain_low`, `gain_high`: over the first line, by query.
    `by_seed`: the mean of each seed.
    """

    set: str
    start: Start
    pooling: TokenPooling
    ndcg: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    by_seed: tuple[float, ...]


def cells(options: InitOptions) -> Iterator[Cell]:
    """The encoders to compare, seed by seed, so that a run that was stopped has whole tables."""
    for seed in range(options.seed, options.seed + options.seeds):
        for start in options.starts:
            for pooling in options.poolings:
                yield Cell(start, pooling, seed)


def held_out(
    pairs: Sequence[Pair], of_query: Callable[[str], str], of_passage: Callable[[Any], str], seed: int
) -> Judged:
    """The test pairs, each query with its own passages among those of all pairs."""
    test = sample(one_per_passage(of_split(pairs, Split.TEST)), _QUERIES, seed)
    own = [pair.passage for pair in test]
    others = sample([pair for pair in pairs if pair.split is not Split.TEST], max(0, _POOL - len(own)), seed)
    pool = list(dict.fromkeys([*own, *(pair.passage for pair in others)]))
    places = {passage: str(place) for place, passage in enumerate(pool)}
    answers: dict[str, dict[str, int]] = {}
    for pair in test:
        answers.setdefault(pair.query, {})[places[pair.passage]] = 1
    return Judged(
        "held-out pairs", tuple(map(of_query, answers)), tuple(map(of_passage, pool)), tuple(answers.values())
    )


def judged_folder(folder: Path, of_query: Callable[[str], str], of_passage: Callable[[Any], str]) -> Judged:
    """A folder in BEIR's layout; what is longer than a training text is cut. Raises EvaluationDataError."""
    data = read_beir(folder)
    places = {document: str(place) for place, document in enumerate(data.documents)}
    relevance = tuple({places.get(name, name): value for name, value in found.items()} for found in data.qrels.values())
    queries = tuple(of_query(data.queries[query]) for query in data.qrels)
    return Judged(data.name, queries, tuple(map(of_passage, data.documents.values())), relevance)


@dataclass(frozen=True, slots=True)
class ContrastiveStage:
    """What the encoders have in common. `folder`: of results, states and the best tensors by cell."""

    data: Data
    sets: tuple[Judged, ...]
    options: InitOptions
    folder: Path

    def measure(self, cell: Cell, start: Path, on_progress: ProgressListener) -> Measured:
        """Train the encoder in the folder `start` and measure it, or read what was measured before; keeps its best tensors."""
        if (known := self._known(cell)) is not None:
            return known
        options = self._options(cell)
        network = open_plain(start, options)
        network.requires_grad_(True)
        embedding = Embedding(network, tokens_at_once=options.tokens_at_once, dtype=compute_dtype(options.precision))
        rows = self.data.train
        nothing = np.zeros((len(rows), 1), np.float32)
        weights = LossWeights(distillation=0.0, temperature=self.options.temperature)
        width = int(network.get_embedding_dimension())
        prefixes = (width, *(prefix for prefix in _PREFIXES if prefix < width))
        objective = RowObjective(rows, Teacher(nothing, nothing, nothing), weights, prefixes)
        states = self.folder / "states" / cell.name
        train(
            network,
            rows,
            CachedObjective(embedding, objective),
            Validation(self.data.validation, rows, embedding, self.options.seed),
            options,
            states,
            on_progress=lambda now: on_progress(
                Progress(f"Training {cell.name}", now.done, now.total, now.unit, note=now.note)
            ),
            on_score=lambda _epoch, _score: None,
        )
        (best,) = best_states(states, 1)
        put_tensors(network, read_tensors(best.folder))
        on_progress(Progress(f"Measuring {cell.name}", 0, None, ""))
        measured = Measured(best.score or 0.0, {one.name: _scores(one, embedding) for one in self.sets})
        with writing_to(self.folder, "The result of an encoder"):
            shutil.copyfile(best.folder / TENSORS, part := self.tensors(cell).with_suffix(".part"))
            part.replace(self.tensors(cell))
            write_atomically(self._result(cell), json.dumps(asdict(measured)).encode())
        shutil.rmtree(states, ignore_errors=True)
        return measured

    def tensors(self, cell: Cell) -> Path:
        """The file with a cell's best tensors, by their names in the network."""
        return self.folder / f"{cell.name}.safetensors"

    def _result(self, cell: Cell) -> Path:
        return self.folder / f"{cell.name}.json"

    def _known(self, cell: Cell) -> Measured | None:
        try:
            return Measured(**json.loads(self._result(cell).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def _options(self, cell: Cell) -> FinetuneOptions:
        chosen = self.options
        return FinetuneOptions(
            method=Method.FULL,
            epochs=chosen.epochs,
            batch_size=chosen.batch_size,
            learning_rate=chosen.contrastive_rate,
            max_tokens=chosen.max_tokens,
            tokens_at_once=chosen.tokens_at_once,
            precision=chosen.precision,
            seed=cell.seed,
            threads=chosen.threads,
            checkpoint_minutes=chosen.checkpoint_minutes,
        )


def table(results: Mapping[Cell, Measured]) -> list[Line]:
    """The comparison, set by set, in the order of the cells. Empty for no results."""
    kinds = list(dict.fromkeys((cell.start, cell.pooling) for cell in results))
    names = list(next(iter(results.values())).scores) if results else []
    return [line for name in names for line in _lines(name, kinds, results)]


def _lines(name: str, kinds: Sequence[tuple[Start, TokenPooling]], results: Mapping[Cell, Measured]) -> Iterator[Line]:
    values: list[npt.NDArray[np.float64]] = []  # (seeds, queries) of each kind
    for kind in kinds:
        found = [one.scores[name] for cell, one in results.items() if (cell.start, cell.pooling) == kind]
        values.append(np.array(found, np.float64))
    means = np.stack([each.mean(axis=0) for each in values])
    gains = means - means[0]
    for (start, pooling), each, mean, own, gain, over in zip(
        kinds, values, means, intervals(means), gains, intervals(gains), strict=True
    ):
        yield Line(
            name,
            start,
            pooling,
            ndcg=float(mean.mean()),
            low=float(own[0]),
            high=float(own[1]),
            gain=float(gain.mean()),
            gain_low=float(over[0]),
            gain_high=float(over[1]),
            by_seed=tuple(float(value) for value in each.mean(axis=1)),
        )


# Mean over the tasks of MTEB (multilingual, v2): EmbeddingGemma's report, arXiv 2509.20354.
PUBLISHED: Mapping[tuple[Start, TokenPooling], float] = {
    (Start.ENCODER_DECODER, TokenPooling.MEAN): 60.4,
    (Start.ENCODER_DECODER, TokenPooling.ATTENTION): 60.2,
    (Start.ENCODER_DECODER, TokenPooling.LAST): 59.7,
    (Start.ENCODER_DECODER, TokenPooling.FIRST): 59.9,
    (Start.DECODER, TokenPooling.MEAN): 59.7,
    (Start.RANDOM, TokenPooling.MEAN): 45.2,
}


def comparison_table(lines: Sequence[Line]) -> str:
    """The comparison as Markdown, beside the published figures, which are of another model, corpus and measure."""
    found = [
        "| set | start | pooling | nDCG@10 (95 %) | over the first (95 %) | by seed | the report's |",
        "|" + "---|" * 7,
    ]
    for line in lines:
        values = (
            line.set,
            line.start,
            line.pooling,
            f"{line.ndcg:.4f} ({line.low:.4f} to {line.high:.4f})",
            f"{line.gain:+.4f} ({line.gain_low:+.4f} to {line.gain_high:+.4f})" if line.gain or line.gain_high else "",
            ", ".join(f"{value:.4f}" for value in line.by_seed),
            str(PUBLISHED.get((line.start, line.pooling), "")),
        )
        found.append(f"| {' | '.join(values)} |")
    return "\n".join(found)


def _scores(judged: Judged, embedding: Embedding) -> list[float]:
    """The nDCG@10 of each query."""
    queries, passages = (embed_all(embedding, texts) for texts in (judged.queries, judged.passages))
    ranked = np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :_DEPTH]
    return [
        ndcg_at(_DEPTH, [str(place) for place in row], one) for row, one in zip(ranked, judged.relevance, strict=True)
    ]


def embed_all(embedding: Embedding, texts: Sequence[str]) -> Vectors:
    """Embed texts with their prompts, those of similar length together: (n, dimension) float32 unit vectors."""
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    parts = [
        embedding.embed_texts([texts[number] for number in order[start : start + _AT_ONCE]])
        for start in range(0, len(order), _AT_ONCE)
    ]
    found: Vectors = np.empty((len(texts), parts[0].shape[1]), np.float32)
    found[order] = np.concatenate(parts)
    return found
