"""One fine-tuning run, from pairs to a checked checkpoint; it can be stopped at any time, and the next start resumes it."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from searchkit.display import size
from searchkit.embedding.import_model import prefixes_of
from searchkit.embedding.model_info import Quantization
from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.base import Base, model_card
from searchkit.train.finetune.caching import CachedObjective, Embedding
from searchkit.train.finetune.checkpoints import best_states, history_of
from searchkit.train.finetune.data import Data
from searchkit.train.finetune.history import History
from searchkit.train.finetune.network import compute_dtype, open_network, open_plain
from searchkit.train.finetune.objective import (
    METRIC,
    NDCG,
    NEARNESS,
    RowObjective,
    Teacher,
    Validation,
    base_as_teacher,
)
from searchkit.train.finetune.quantized import prepared_base
from searchkit.train.finetune.result import Mixture, choose_share, tuned_tensors, write_checkpoint
from searchkit.train.finetune.run_folder import RunFolder, check_space, identity_of
from searchkit.train.finetune.trainer import train
from searchkit.train.options import FinetuneOptions, LossWeights, Method, writing_to

_CHECKED_TEXTS = 8
_FLOAT_SCORE = "float_score"  # in the run's manifest


@dataclass(frozen=True, slots=True)
class Tuned:
    """The result of a run. The scores are nDCG@10 on the validation pairs, of the base and of the chosen mixture.

    `share`: of the tuned weights in it. `seconds`: training time of all starts; `peak_bytes`: peak memory of the last start;
    `history`: losses and scores during training. `quantize`: what it was trained in, None for floats; then all scores are in
    that, except `float_score`, of the base in floats. `measure`: what the scores are if they are not nDCG@10.
    """

    checkpoint: Path
    base_score: float
    score: float
    share: float
    epochs: tuple[float, ...]
    seconds: float
    peak_bytes: int
    history: History
    quantize: Quantization | None = None
    float_score: float | None = None
    measure: str = NDCG

    @property
    def helps(self) -> bool:
        """True if it finds the validation pairs' passages better than the base."""
        return self.score > self.base_score


@dataclass(frozen=True, slots=True)
class Run:
    """A run: the base, the pairs, how to train, and the folder of its state. `fresh`: start over instead of resuming.

    `teacher`: the vectors that distillation pulls towards, of the training rows; None for the base's own.
    """

    base: Base
    data: Data
    options: FinetuneOptions
    weights: LossWeights
    folder: RunFolder
    fresh: bool = False
    teacher: Teacher | None = None

    @property
    def is_recovery(self) -> bool:
        """True if the run only wins back what rounding loses: the score is then the nearness to the base in floats."""
        return self.options.quantize is not None and self.weights.contrastive == 0

    @property
    def measure(self) -> str:
        """What the scores are."""
        return NEARNESS if self.is_recovery else NDCG

    @property
    def start(self) -> Path:
        """The checkpoint that training starts from: the base's, or what was prepared of it for a quantization."""
        return self.folder.prepared if self.options.quantize else self.base.folder


def finetune(run: Run, *, on_progress: ProgressListener, say: Callable[[str], None]) -> Tuned:
    """Train, or resume training; choose the best states and how much of the base to mix in; write and check the checkpoint.

    `say` gets a line at each validation. Raises TrainingError for an unfinished run with other options or a disk that is too
    small, UnsupportedCheckpointError for an architecture that cannot be trained, ModelError if the result is not sound. The
    run's folder stays, so that it can be resumed; nothing else is touched.
    """
    is_resumed = run.folder.open(identity_of(run.base, run.data, run.options, run.weights), fresh=run.fresh)
    base_score = _train(run, on_progress, say, is_resumed=is_resumed)
    return _result(run, base_score, on_progress)


def _train(run: Run, on_progress: ProgressListener, say: Callable[[str], None], *, is_resumed: bool) -> float:
    """Train, leaving the best states in the run's folder, and return the base's score."""
    if run.options.quantize:
        _prepare(run, run.options.quantize, on_progress)
    on_progress(Progress("Opening the base", 0, None, ""))
    network = open_network(run.start, run.options)
    trained = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    if not is_resumed:
        check_space(run.folder.path, run.base, trained)
    embedding = _embedding(network, run.options)
    validation = _validation(run, embedding)
    objective = _objective(run, embedding, on_progress)
    base_score = _base_score(run.folder, validation, on_progress)
    verb = "Resuming" if is_resumed else "Training"
    before = f"{run.measure} {base_score:.4f} on validation{_beside_floats(run)}"
    say(f"{verb}: {len(run.data.train):,} pairs, {trained / 1e6:.1f} M weights. Before: {before}.")
    started = time.monotonic()
    earlier = float(run.folder.manifest().get("seconds", 0.0))

    def on_score(epoch: float, score: float) -> None:
        run.folder.note(seconds=earlier + time.monotonic() - started)
        say(f"epoch {epoch:g}: {run.measure} {score:.4f} ({score - base_score:+.4f})")

    train(
        network,
        run.data.train,
        CachedObjective(embedding, objective),
        validation,
        run.options,
        run.folder.states,
        on_progress=on_progress,
        on_score=on_score,
    )
    return base_score


def _prepare(run: Run, quantization: Quantization, on_progress: ProgressListener) -> None:
    """Have the base in floats score and teach, then write the checkpoint to start from; each once."""
    is_taught = run.teacher is not None or run.folder.teacher() is not None
    is_scored = run.folder.manifest().get(_FLOAT_SCORE) is not None and run.folder.wanted() is not None
    if not (is_scored and is_taught):
        check_space(run.folder.path, run.base, 0, copies=3)
        on_progress(Progress("Embedding with the base in floats", 0, None, ""))
        plain = replace(run.options, quantize=None)
        embedding = _embedding(open_plain(run.base.folder, plain), plain)
        if not is_taught:
            run.folder.keep_teacher(base_as_teacher(run.data.train, embedding))
        validation = Validation(run.data.validation, run.data.train, embedding, run.options.seed)
        run.folder.keep_wanted(validation.vectors())
        run.folder.note(**{_FLOAT_SCORE: _validation(run, embedding)()[METRIC]})
    on_progress(Progress(f"Preparing for {quantization}", 0, None, ""))
    with writing_to(run.folder.path, "The checkpoint to start from", SafetensorError):
        prepared_base(run.base.folder, run.folder.prepared, quantization)


def _validation(run: Run, embedding: Embedding) -> Validation:
    wanted = run.folder.wanted() if run.is_recovery else None
    return Validation(run.data.validation, run.data.train, embedding, run.options.seed, wanted)


def _beside_floats(run: Run) -> str:
    """What the base scores in floats, if the run is in a quantization."""
    known = run.folder.manifest().get(_FLOAT_SCORE)
    return "" if known is None else f" in {run.options.quantize}, {known:.4f} in floats"


def _objective(run: Run, embedding: Embedding, on_progress: ProgressListener) -> RowObjective:
    """The loss over the run's rows; the base's vectors, if they are what it pulls towards, are computed once and stored."""
    teacher = run.teacher or run.folder.teacher()
    if teacher is None:
        on_progress(Progress("Embedding with the base", 0, None, ""))
        teacher = base_as_teacher(run.data.train, embedding)
        run.folder.keep_teacher(teacher)
    dimension = teacher.queries.shape[1]
    return RowObjective(run.data.train, teacher, run.weights, prefixes_of(run.base.checkpoint, dimension))


def _base_score(folder: RunFolder, validation: Validation, on_progress: ProgressListener) -> float:
    """The base's score, computed once; a network that is resumed is the base until its state is read."""
    known = folder.manifest().get("base_score")
    if known is None:
        on_progress(Progress("Validating the base", 0, None, ""))
        known = validation()[METRIC]
        folder.note(base_score=known)
    return float(known)


def _result(run: Run, base_score: float, on_progress: ProgressListener) -> Tuned:
    """Make the checkpoint from the best states."""
    on_progress(Progress("Choosing the best state", 0, None, ""))
    options, base = run.options, run.start
    states = best_states(run.folder.states, options.soup)
    mixture = Mixture(base, tuned_tensors(base, states, options), options)
    embedding = _embedding(mixture.network, options)
    choice = choose_share(mixture, _validation(run, embedding), options.mix)
    result = Tuned(
        checkpoint=run.folder.checkpoint,
        base_score=base_score,
        score=choice.score,
        share=choice.share,
        epochs=tuple(saved.epoch for saved in states),
        seconds=float(run.folder.manifest().get("seconds", 0.0)),
        peak_bytes=_peak_memory_bytes(),
        history=history_of(run.folder.states),
        quantize=options.quantize,
        float_score=run.folder.manifest().get(_FLOAT_SCORE),
        measure=run.measure,
    )
    on_progress(Progress("Writing the checkpoint", 0, None, ""))
    texts = [row.positive for row in run.data.validation[:_CHECKED_TEXTS]]
    with writing_to(result.checkpoint, "The tuned checkpoint", SafetensorError):
        write_checkpoint(mixture, result.checkpoint, texts, model_card(run.base, _facts(run, result)))
    return result


def _facts(run: Run, result: Tuned) -> Mapping[str, object]:
    """The rows of the model card's table."""
    options = run.options
    epochs = ", ".join(f"{epoch:g}" for epoch in result.epochs)
    rank = f", rank {options.lora_rank}" if options.method is Method.LORA else ""
    form = {} if options.quantize is None else {"trained in": f"{options.quantize}, the weights rounded at each step"}
    return {
        "pairs": f"{len(run.data.train):,} to train with, {len(run.data.validation):,} to choose with",
        "method": f"{options.method}{rank}; learning rate {options.rate:g}, batches of {options.batch_size}, seed {options.seed}",
        **form,
        "loss": f"contrastive (temperature {run.weights.temperature:g}) {run.weights.contrastive:g}, spread-out"
        f" {run.weights.spread:g}, distillation to the base {run.weights.distillation:g}",
        "mixture": f"{result.share:.0%} the weights of epoch {epochs}, the rest the base's",
        f"{run.measure} on validation pairs": f"{result.base_score:.4f} before, {result.score:.4f} after{_beside_floats(run)}",
        "time, memory": f"{result.seconds / 60:.1f} minutes, {size(result.peak_bytes)} at the peak",
        "weights of the base": f"SHA-256 {run.base.weights_checksum}",
    }


def _embedding(network: Any, options: FinetuneOptions) -> Embedding:
    return Embedding(network, tokens_at_once=options.tokens_at_once, dtype=compute_dtype(options.precision))


def _peak_memory_bytes() -> int:
    """The largest resident size so far; 0 if the system does not say (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
