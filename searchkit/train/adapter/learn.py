"""Learns a matrix on cached vectors, in seconds, and chooses among several and the identity by pairs not used in training.

A matrix is mixed with the identity, (1-a) I + a A, which is weight interpolation with the base model (WiSE-FT).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Event

import numpy as np
import torch

from searchkit.embedding.adapted_model import Matrix
from searchkit.embedding.onnx_embedder import usable_cores
from searchkit.evaluate.statistics import intervals
from searchkit.reports import never
from searchkit.train.gate import NO_GAINS, PAIRS_LOSS
from searchkit.train.likelihoods import KnownItems, Values, log_likelihood, ndcg_at_prefixes
from searchkit.train.losses import Batch, Objective
from searchkit.train.options import CANDIDATES, Candidate, LossWeights, Taught
from searchkit.train.pairs.vectors import PairVectors
from searchkit_indexes import Ids

MIXES = (0.25, 0.5, 0.75, 1.0)
_BATCH = 512
_EPOCHS = 25
_LEAST_STEPS, _MOST_STEPS = 50, 100
_LEARNING_RATE = 1e-3
_LEAST_PAIRS = 60  # for a candidate to be tried
_FEW = 100  # validation pairs, below which training pairs are held out too, a fold after the other
_FOLDS = 5
_MOSTLY = 0.5  # share of the training pairs


@dataclass(frozen=True, slots=True)
class Trial:
    """A matrix that was tried, and its effect on the validation pairs compared with the base.

    `likelihood`: mean gain in log-likelihood; `ndcg`: gain in nDCG@10, averaged over the prefixes. `rejection_reason`: why it was
    rejected, "" if it was chosen or not considered any more. `is_soup`: whether it is the mean of two matrices.
    """

    weights: LossWeights
    mix: float
    likelihood: float
    ndcg: float
    taught: Taught = Taught.OTHERS
    rejection_reason: str = ""
    is_soup: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The matrix that was chosen with its trial, both None for the identity; and all trials.

    `likeliest`: the matrix with the highest likelihood, even if it was rejected. `crossed`: (n,) what the likelihood of training
    pairs gains by the chosen one in cross-validation; none where there was no need of it.
    """

    matrix: Matrix | None
    trial: Trial | None
    trials: tuple[Trial, ...]
    likeliest: Matrix
    crossed: Values = field(default_factory=NO_GAINS.copy)


def train_matrix(
    pairs: PairVectors,
    weights: LossWeights,
    prefixes: Sequence[int],
    *,
    seed: int = 0,
    is_interrupted: Callable[[], bool] = never,
) -> Matrix:
    """Train a matrix on pairs, starting from the identity. The same pairs, weights and seed give the same matrix.

    If training is interrupted, the matrix is returned as it is then.
    """
    generator = torch.Generator().manual_seed(seed)
    tensors = _tensors(pairs)
    objective = Objective(weights, prefixes)
    matrix = torch.eye(pairs.queries.shape[1]).requires_grad_()
    optimizer = torch.optim.Adam([matrix], lr=_LEARNING_RATE)
    for rows in _batches(len(pairs), generator):
        if is_interrupted():
            break
        loss = objective(_mapped(tensors, matrix, rows))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        optimizer.step()
    found: Matrix = matrix.detach().numpy()
    return found


@dataclass(frozen=True, slots=True)
class Validation:
    """What decides among matrices: pairs not used in training, and what else may not become worse.

    `held_out`: makes training pairs such pairs, for cross-validation where there are few; None if it may not be.
    `regression_of`: says what a matrix makes worse elsewhere, "" for nothing.
    """

    items: KnownItems
    held_out: Callable[[PairVectors], KnownItems] | None = None
    regression_of: Callable[[Matrix], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class _Mixed:
    """A candidate's matrix, mixed with the identity."""

    candidate: Candidate
    mix: float
    matrix: Matrix


@dataclass(frozen=True, slots=True)
class _Gains:
    """The gains of a matrix for each of n queries: in log-likelihood, and in nDCG@10, averaged over the prefixes."""

    likelihood: Values
    ndcg: Values

    def and_of(self, other: "_Gains") -> "_Gains":
        """Both, one after the other."""
        return _Gains(*(np.concatenate([getattr(each, name) for each in (self, other)]) for name in _Gains.__slots__))


def choose_matrix(
    training: PairVectors,
    validation: Validation,
    prefixes: Sequence[int],
    *,
    candidates: Sequence[Candidate] = CANDIDATES,
    seed: int = 0,
) -> Chosen:
    """Train each candidate, mix each, and choose the one that makes the validation pairs' passages likeliest.

    Rejected are those that do not gain likelihood significantly (95 % interval), those that lower nDCG@10, averaged over the
    prefixes, by more than PAIRS_LOSS, and those that make something else worse. If none is left, the identity stays.

    Few validation pairs prove nothing. Where there are fewer than 100 of them, training pairs are searched for too, by what was
    learned from those of other documents (cross-validation in five parts); if most are sentences, which mix by half at most.
    Other pairs of a few documents passed so and lost on the documentation of code (benchmarks/training.md).
    """
    usable = [each for each in candidates if len(_rows_for(training, each.taught)) >= _LEAST_PAIRS] or candidates
    mixed = _mixed(training, usable, prefixes, seed)
    gains = _gains(mixed, validation.items, prefixes)
    of_sentences = training.is_sentence is not None and training.is_sentence.mean() > _MOSTLY
    if validation.held_out is not None and of_sentences and len(validation.items.queries) < _FEW:
        for kept, held in _folds(training, seed):
            of_fold = _mixed(training.of_rows(kept), usable, prefixes, seed)
            more = _gains(of_fold, validation.held_out(training.of_rows(held)), prefixes)
            gains = [one.and_of(other) for one, other in zip(gains, more, strict=True)]
    trials = [
        Trial(
            each.candidate.weights,
            each.mix,
            float(of_it.likelihood.mean()),
            float(of_it.ndcg.mean()),
            each.candidate.taught,
            is_soup=len(_lessons(training, each.candidate)) > 1,
        )
        for each, of_it in zip(mixed, gains, strict=True)
    ]
    order = sorted(range(len(trials)), key=lambda number: -trials[number].likelihood)
    likeliest = mixed[order[0]].matrix
    for number in order:
        matrix, trial = mixed[number].matrix, trials[number]
        reason = rejection_reason(trial.ndcg, gains[number].likelihood) or validation.regression_of(matrix)
        if not reason:
            return Chosen(
                matrix, trial, tuple(trials), likeliest, gains[number].likelihood[len(validation.items.queries) :]
            )
        trials[number] = replace(trial, rejection_reason=reason)
    return Chosen(None, None, tuple(trials), likeliest)


def _mixed(training: PairVectors, candidates: Sequence[Candidate], prefixes: Sequence[int], seed: int) -> list[_Mixed]:
    """The candidates as learned from some pairs, each in every mix that it may have."""
    identity = np.eye(training.queries.shape[1], dtype=np.float32)
    return [
        _Mixed(candidate, mix, (1 - mix) * identity + mix * matrix)
        for candidate, matrix in zip(candidates, _train_all(training, candidates, prefixes, seed), strict=True)
        for mix in MIXES
        if mix <= candidate.most_mix
    ]


def _gains(mixed: Sequence[_Mixed], items: KnownItems, prefixes: Sequence[int]) -> list[_Gains]:
    likelihood, ndcg = log_likelihood(items), ndcg_at_prefixes(items, prefixes)
    found = []
    for each in mixed:
        seen = items.under(each.matrix)
        better = (ndcg_at_prefixes(seen, prefixes) - ndcg).mean(axis=0)
        found.append(_Gains(log_likelihood(seen) - likelihood, better))
    return found


def _folds(training: PairVectors, seed: int) -> Iterator[tuple[Ids, Ids]]:
    """The rows to learn from and those held out, each row held out once. Connected documents are in the same fold."""
    if training.document_ids is None:
        return
    documents, document_of = np.unique(training.document_ids, return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(len(documents)) % _FOLDS
    for fold in range(_FOLDS):
        is_held = fold_of[document_of] == fold
        if is_held.any() and not is_held.all():
            yield np.flatnonzero(~is_held), np.flatnonzero(is_held)


def rejection_reason(ndcg: float, gains: Values) -> str:
    """Why the validation pairs reject a matrix, "" if they do not. `ndcg`: its gain; `gains`: (pairs,) in log-likelihood."""
    low = float(intervals(gains[None])[0, 0])
    if not low > 0:
        return f"log-likelihood gain not significant (95 % lower bound {low:+.3f})"
    return "" if ndcg >= -PAIRS_LOSS else f"nDCG@10 falls ({ndcg:+.4f})"


def _rows_for(training: PairVectors, taught: Taught) -> Ids:
    """The rows of the pairs that a candidate learns from; none for all of them where all are of one sort."""
    of_sentences = np.zeros(len(training), bool) if training.is_sentence is None else training.is_sentence
    if taught is Taught.ALL:
        return np.arange(len(training) if 0 < of_sentences.sum() < len(training) else 0)
    return np.flatnonzero(of_sentences if taught is Taught.SENTENCES else ~of_sentences)


def _train_all(
    training: PairVectors, candidates: Sequence[Candidate], prefixes: Sequence[int], seed: int
) -> list[Matrix]:
    """Train the candidates, each on its pairs, and none twice."""
    lessons = [_lessons(training, candidate) for candidate in candidates]
    different = list(dict.fromkeys(lesson for each in lessons for lesson in each))
    jobs = []
    for taught, weights in different:
        rows = _rows_for(training, taught)
        jobs.append((training.of_rows(rows) if len(rows) else training, weights))
    learned = dict(zip(different, train_matrices(jobs, prefixes, seed), strict=True))
    return [np.mean([learned[lesson] for lesson in each], axis=0, dtype=np.float32) for each in lessons]


def _lessons(training: PairVectors, candidate: Candidate) -> list[tuple[Taught, LossWeights]]:
    """What a candidate is the mean of: the pairs and the weights of each matrix."""
    own = (candidate.taught, candidate.weights)
    if candidate.others is None or len(_rows_for(training, Taught.OTHERS)) < _LEAST_PAIRS:
        return [own]
    return [own, (Taught.OTHERS, candidate.others)]


def train_matrices(
    jobs: Sequence[tuple[PairVectors, LossWeights]], prefixes: Sequence[int], seed: int = 0
) -> list[Matrix]:
    """Train a matrix on each job's pairs, one per core: threads that share a product wait for each other, for minutes on a busy
    machine.

    Those with spread-out take longest and come first, so that no core is left with one at the end.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    stopped = Event()

    def train(number: int) -> Matrix:
        return train_matrix(*jobs[number], prefixes, seed=seed, is_interrupted=stopped.is_set)

    with ThreadPoolExecutor(min(usable_cores(), len(jobs)), "training") as pool:
        try:
            longest_first = sorted(range(len(jobs)), key=lambda number: -jobs[number][1].spread)
            runs = {number: pool.submit(train, number) for number in longest_first}
            return [runs[number].result() for number in range(len(jobs))]
        finally:
            stopped.set()  # an interrupt does not wait for running candidates
            torch.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class _Tensors:
    queries: torch.Tensor
    passages: torch.Tensor
    query_ids: torch.Tensor
    passage_ids: torch.Tensor
    negatives: torch.Tensor | None
    has_negative: torch.Tensor | None


def _tensors(pairs: PairVectors) -> _Tensors:
    has_negative = np.abs(pairs.negatives).max(axis=1, initial=0) > 0
    return _Tensors(
        torch.from_numpy(pairs.queries),
        torch.from_numpy(pairs.passages),
        torch.from_numpy(pairs.query_ids),
        torch.from_numpy(pairs.passage_ids),
        torch.from_numpy(pairs.negatives) if has_negative.any() else None,
        torch.from_numpy(has_negative) if has_negative.any() else None,
    )


def _batches(count: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """The rows of each batch: every pair once per epoch, each time in another order."""
    size = min(_BATCH, count)
    an_epoch = max(1, count // size)
    steps = min(_MOST_STEPS, max(_LEAST_STEPS, _EPOCHS * an_epoch))
    done = 0
    while done < steps:
        order = torch.randperm(count, generator=generator)
        for start in range(0, an_epoch * size, size):
            if done < steps:
                yield order[start : start + size]
                done += 1


def _mapped(tensors: _Tensors, matrix: torch.Tensor, rows: torch.Tensor) -> Batch:
    """The batch mapped by the matrix, with the base's vectors as the teacher's."""
    queries, passages = tensors.queries[rows], tensors.passages[rows]
    negatives = None if tensors.negatives is None else tensors.negatives[rows]
    return Batch(
        queries=queries @ matrix,
        positives=passages @ matrix,
        query_ids=tensors.query_ids[rows],
        passage_ids=tensors.passage_ids[rows],
        negatives=None if negatives is None else negatives @ matrix,
        has_negative=None if tensors.has_negative is None else tensors.has_negative[rows],
        teacher_queries=queries,
        teacher_positives=passages,
        teacher_negatives=negatives,
    )
