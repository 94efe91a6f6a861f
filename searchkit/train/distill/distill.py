"""One distillation, from a checkpoint with all of its layers to a student; it can be stopped at any time, and is resumed.

Layers are removed, the head is fitted, the rest is trained as in fine-tuning, towards the teacher's vectors. Each step is
measured on the validation pairs, so that its worth is seen.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from searchkit.files import make_private_folder
from searchkit.reports import Progress, ProgressListener
from searchkit.train.distill.head import PooledStates, fit_head, own_head, pooled_states
from searchkit.train.distill.layers import Costs, removal_order, remove_layers
from searchkit.train.distill.lesson import Lesson
from searchkit.train.distill.student import check_removable, layer_count, write_student
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.finetune import Run, Tuned, finetune
from searchkit.train.finetune.network import compute_dtype, open_plain
from searchkit.train.finetune.objective import HeldOut
from searchkit.train.finetune.run_folder import RunFolder, identity_of
from searchkit.train.options import FinetuneOptions, LossWeights
from searchkit_indexes import Vectors

SAMPLE = 72  # texts on which the removal of layers is tried, two passages to a query
_SAMPLE_TOKENS = 96  # of such a text
_TOKENS_AT_ONCE = 4096  # where no activations are kept
_ORDER = "order"
_FITTED, _TRAINED = "head fitted", "trained"


@dataclass(frozen=True, slots=True)
class Distillation:
    """A run. `source`: the checkpoint that the student is made of; `teacher`: the name of the model that it learns from.

    `layers`: how many stay. `speaks_teacher`: the source is the teacher's own checkpoint, so that its head is a beginning.
    `prefixes`: the Matryoshka prefixes of the teacher's vectors. `folder`: of the run's state. `fresh`: start over instead of
    resuming.
    """

    source: Base
    teacher: str
    lesson: Lesson
    layers: int
    speaks_teacher: bool
    prefixes: tuple[int, ...]
    options: FinetuneOptions
    weights: LossWeights
    folder: RunFolder
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a step came to: nDCG@10 on the validation pairs, and the mean cosine of their texts to the teacher's vectors.

    `cosine`: None where the student has vectors of its own. `seconds`: that it took in the start that ended it, the training in
    all starts.
    """

    name: str
    score: float
    cosine: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Student:
    """The result. `kept`: the numbers of the source's layers that it has; `steps`: the teacher's figures first.

    `tuned`: the training, None if there was none.
    """

    checkpoint: Path
    kept: tuple[int, ...]
    of_layers: int
    steps: tuple[Step, ...]
    tuned: Tuned | None

    @property
    def is_trained(self) -> bool:
        """True if the checkpoint is the training's: it finds no less than before."""
        return self.tuned is not None and self.checkpoint == self.tuned.checkpoint


def distill(run: Distillation, *, on_progress: ProgressListener, say: Callable[[str], None]) -> Student:
    """Remove layers, fit the head, train; `say` gets a line at each step.

    Raises TrainingError for an unfinished run with other options or a disk that is too small, UnsupportedCheckpointError for
    layers that cannot be removed, ModelError if the result is not sound. The run's folder stays; nothing else is touched.
    """
    whole = layer_count(run.source.checkpoint)
    if run.layers < whole:
        check_removable(run.source.checkpoint)
    run.folder.open(_identity(run), fresh=run.fresh)
    measure = _Measure(run, say)
    measure.teacher()
    target = run.folder.path / "student"
    if not target.is_dir():
        on_progress(Progress("Opening the checkpoint", 0, None, ""))
        _make(run, measure, target, on_progress)
    if not measure.knows(_FITTED):  # a start may have ended between the two
        spent = float(run.folder.manifest()["fit_seconds"])
        measure.network(_FITTED, open_plain(target, run.options), time.monotonic() - spent)
    shutil.rmtree(run.folder.path / "states", ignore_errors=True)
    kept = run.folder.manifest()["kept"]
    tuned = _trained(run, measure, target, on_progress, say) if run.options.epochs else None
    checkpoint = tuned.checkpoint if tuned and tuned.score >= tuned.base_score else target
    if tuned and checkpoint == target:
        say("Training finds less than before on validation; the student is taken as it was.")
    return Student(checkpoint, tuple(kept), whole, measure.steps(), tuned)


def _make(run: Distillation, measure: "_Measure", target: Path, on_progress: ProgressListener) -> None:
    """Make the student up to its training."""
    network = open_plain(run.source.folder, run.options)
    network.eval()
    started = time.monotonic()
    removed = _removed(run, network, on_progress)
    if removed:
        remove_layers(network, removed)
    kept = [number for number in range(layer_count(run.source.checkpoint)) if number not in set(removed)]
    measure.network("layers removed" if removed else "as it is", network, started, with_cosine=run.speaks_teacher)
    started = time.monotonic()
    rows, teacher = run.lesson.data.train, run.lesson.teacher
    vectors: dict[str, Vectors] = {}
    for texts, taught in (([r.query for r in rows], teacher.queries), ([r.positive for r in rows], teacher.positives)):
        vectors.update(zip(texts, taught, strict=True))
    states = pooled_states(_pooled(network, run.options), list(vectors), run.folder.path / "states", on_progress)
    wanted = np.stack(list(vectors.values()))
    head = own_head(network, states.shape[1])
    fit = fit_head(
        states, wanted, head if run.speaks_teacher and head.shape == (wanted.shape[1], states.shape[1]) else None
    )
    run.folder.note(kept=kept, ridge=fit.strength, left_out_error=fit.error, fit_seconds=time.monotonic() - started)
    write_student(run.source.folder, target, kept, fit.head, run.prefixes)


def _removed(run: Distillation, network: Any, on_progress: ProgressListener) -> list[int]:
    """The layers to remove, chosen on a sample of the texts; what an earlier start has found is taken up."""
    left, whole = run.layers, layer_count(run.source.checkpoint)
    if left >= whole:
        return []
    known = [int(number) for number in run.folder.manifest().get(_ORDER, [])]
    costs: dict[str, float] = dict(run.folder.manifest().get("costs", {}))

    def on_round(order: Sequence[int], found: Costs) -> None:
        costs[str(order[-1])] = found[order[-1]]
        run.folder.note(**{_ORDER: list(order), "costs": costs})
        on_progress(Progress("Choosing layers", len(order), whole - left, "layers"))

    on_progress(Progress("Choosing layers", len(known), whole - left, "layers"))
    embedding = _plain(network, run.options)
    longest, network.max_seq_length = network.max_seq_length, min(network.max_seq_length, _SAMPLE_TOKENS)
    try:
        return removal_order(embedding, _sample(run), left, known, on_round)
    finally:
        network.max_seq_length = longest


def _sample(run: Distillation) -> list[str]:
    """Texts to try the removal on: passages, and half as many queries."""
    rows = run.lesson.data.train
    chosen = np.random.default_rng(run.options.seed).permutation(len(rows))[: 2 * SAMPLE // 3].tolist()
    texts = [rows[i].positive for i in chosen] + [rows[i].query for i in chosen[::2]]
    return list(dict.fromkeys(texts))


def _trained(
    run: Distillation, measure: "_Measure", student: Path, on_progress: ProgressListener, say: Callable[[str], None]
) -> Tuned:
    """Train the student towards the teacher's vectors, or resume that."""
    base = Base(student, run.folder.path.name)
    folder = RunFolder(run.folder.path / "training")
    make_private_folder(folder.path)
    training = Run(base, run.lesson.data, run.options, run.weights, folder, teacher=run.lesson.teacher)
    tuned = finetune(training, on_progress=on_progress, say=say)
    measure.network(_TRAINED, open_plain(tuned.checkpoint, run.options), time.monotonic() - tuned.seconds)
    return tuned


class _Measure:
    """Measures each step once, notes it in the run's folder, and says it."""

    def __init__(self, run: Distillation, say: Callable[[str], None]) -> None:
        self._run, self._say = run, say
        lesson = run.lesson
        train = zip((row.positive for row in lesson.data.train), lesson.teacher.positives, strict=True)
        self._taught = {**dict(train), **lesson.validation}
        self._held_out = HeldOut(lesson.data.validation, lesson.data.train, run.options.seed)

    def teacher(self) -> None:
        """The teacher's own figures, of its vectors."""
        queries, passages = (self._of_teacher(texts) for texts in (self._held_out.queries, self._held_out.passages))
        self._note(Step(f"teacher ({self._run.teacher})", self._held_out.ndcg(queries, passages), 1.0, 0.0))

    def network(self, name: str, network: Any, started: float, *, with_cosine: bool = True) -> None:
        """The figures of a student; the step began at `started`."""
        seconds = time.monotonic() - started
        embedding, held_out = _plain(network, self._run.options), self._held_out
        queries, passages = embedding.embed_texts(held_out.queries), embedding.embed_texts(held_out.passages)
        taught = np.concatenate([self._of_teacher(held_out.queries), self._of_teacher(held_out.passages)])
        own = np.concatenate([queries, passages])
        is_alike = with_cosine and own.shape == taught.shape
        cosine = float((own * taught).sum(axis=1).mean()) if is_alike else None
        self._note(Step(name, held_out.ndcg(queries, passages), cosine, seconds))

    def knows(self, name: str) -> bool:
        """True if a step was measured."""
        return any(step["name"] == name for step in self._noted())

    def steps(self) -> tuple[Step, ...]:
        """All steps so far."""
        steps = (Step(**step) for step in self._noted())
        return tuple(step for step in steps if step.name != _TRAINED or self._run.options.epochs)

    def _noted(self) -> list[dict[str, Any]]:
        return list(self._run.folder.manifest().get("steps", []))

    def _note(self, step: Step) -> None:
        steps = {each["name"]: each for each in self._noted()}  # one that is made again keeps its place
        self._run.folder.note(steps=list({**steps, step.name: asdict(step)}.values()))
        near = "" if step.cosine is None else f", cosine to the teacher {step.cosine:.4f}"
        self._say(f"{step.name}: nDCG@10 {step.score:.4f} on validation{near}")

    def _of_teacher(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._taught[text] for text in texts])


def _identity(run: Distillation) -> str:
    """A digest that is equal for starts of the same run up to its training, which has an identity of its own."""
    plain = FinetuneOptions(max_tokens=run.options.max_tokens, precision=run.options.precision, seed=run.options.seed)
    of_data = identity_of(run.source, run.lesson.data, plain, LossWeights())
    return hashlib.sha256(json.dumps([of_data, run.teacher, run.layers, run.speaks_teacher]).encode()).hexdigest()[:16]


def _pooled(network: Any, options: FinetuneOptions) -> PooledStates:
    return PooledStates(network, tokens_at_once=_TOKENS_AT_ONCE, dtype=compute_dtype(options.precision))


def _plain(network: Any, options: FinetuneOptions) -> Embedding:
    return Embedding(network, tokens_at_once=_TOKENS_AT_ONCE, dtype=compute_dtype(options.precision))
