"""Searches mixtures of sources: the seed mixture and Dirichlet samples first, then Bayesian optimisation by optuna.

Every trial is kept on the disk as soon as it has ended. A search that was killed lets the optimiser ask again what it asked before,
answers with the scores that were kept, and goes on as if it had not been stopped.
"""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from searchkit.embedding.adapted_model import Matrix
from searchkit.files import make_private_folder, write_atomically
from searchkit.reports import Progress, ProgressListener
from searchkit.train.adapter.learn import train_matrices
from searchkit.train.mixtures.blends import Ingredient, Measured, Validation
from searchkit.train.mixtures.sources import Ingredients
from searchkit.train.options import LossWeights, writing_to

# How a mixture is learned from: those of `train adapter` for titles and the like, and for all kinds with sentences among them.
PULLS = {"weak": LossWeights(distillation=1.0), "strong": LossWeights(distillation=2.0, spread=10.0)}
DIRICHLET = 10  # mixtures that start the search, beside the seed mixture
KEPT = 4  # best mixtures whose matrices are kept
_AT_ONCE = (
    2  # trials; as many on every machine, since the optimiser's next question follows from the answers that it has
)
_LEAST = 1e-9  # of an unweighted share: its logarithm must be finite


@dataclass(frozen=True, slots=True)
class Tried:
    """A mixture that was tried. `weights`: of each source, adding up to 1. `pull`: which of PULLS. `mix`: with the identity."""

    number: int
    weights: tuple[float, ...]
    pull: str
    mix: float
    measured: Measured

    @property
    def name(self) -> str:
        """The name that people know it by."""
        return f"mixture {self.number}"


class TrialFolder:
    """The folder of a search: `trials.json`, and the matrices of the best trials. `identity`: of the search, see Ingredients."""

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self._identity = identity

    def trials(self) -> list[Tried]:
        """The trials that were kept, in their order; none if they are of another search, or not all that is needed can be read."""
        try:
            content = json.loads((self.path / "trials.json").read_text("utf-8"))
            if content["identity"] != self._identity:
                return []
            trials = [_tried(fields) for fields in content["trials"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        return [] if any(self.matrix(trial.number) is None for trial in best_trials(trials)) else trials

    def keep(self, trials: Sequence[Tried], matrices: dict[int, Matrix]) -> None:
        """Keep trials, with the matrices of the best of them; others are removed. Raises TrainingError for a full disk."""
        best = {trial.number for trial in best_trials(trials)}
        with writing_to(self.path, "What was tried"):
            make_private_folder(self.path)
            for number in best & matrices.keys():
                temporary = self.path / f".{number}.tmp.npy"
                np.save(temporary, matrices[number])
                temporary.replace(self._file(number))
            content = {"identity": self._identity, "trials": [asdict(trial) for trial in trials]}
            write_atomically(self.path / "trials.json", json.dumps(content).encode())
        for file in self.path.glob("*.npy"):
            if file not in {self._file(number) for number in best}:
                file.unlink()

    def matrix(self, number: int) -> Matrix | None:
        """The matrix of a trial, not mixed with the identity; None if it is not there."""
        try:
            found: Matrix = np.load(self._file(number), allow_pickle=False)
        except (OSError, ValueError):
            return None
        return found

    def _file(self, number: int) -> Path:
        return self.path / f"{number}.npy"


def _tried(fields: dict[str, Any]) -> Tried:
    return Tried(**{**fields, "weights": tuple(fields["weights"]), "measured": Measured(**fields["measured"])})


def best_trials(trials: Sequence[Tried]) -> list[Tried]:
    """The best trials, the best first; rejected ones only after all others."""
    return sorted(trials, key=lambda trial: (-trial.measured.score, trial.number))[:KEPT]


def best_ingredients(ingredients: Ingredients, folder: TrialFolder, trials: Sequence[Tried]) -> list[Ingredient]:
    """The best trials as ingredients of a soup, the best first; one whose matrix is not there any more is left out."""
    found = [(trial, folder.matrix(trial.number)) for trial in best_trials(trials)]
    return [
        Ingredient(trial.name, matrix, ingredients.sentence_share(trial.weights))
        for trial, matrix in found
        if matrix is not None
    ]


def search_mixtures(  # noqa: PLR0913 - what a search is made of
    ingredients: Ingredients,
    validation: Validation,
    folder: TrialFolder,
    count: int,
    prefixes: Sequence[int],
    *,
    seed: int = 0,
    on_progress: ProgressListener = lambda _: None,
) -> list[Tried]:
    """Try `count` mixtures, those among them that were kept not again. The same ingredients and seed give the same trials.

    If some were kept, they are continued; more than `count` are not thrown away. Raises TrainingError for a full disk.
    """
    optimiser = _Optimiser(ingredients, seed)
    kept, trials = folder.trials(), list[Tried]()
    while len(trials) < max(count, len(kept)):
        asked = [optimiser.ask() for _ in range(_AT_ONCE)]
        if _are_same(asked, kept[len(trials) : len(trials) + _AT_ONCE]):
            found = kept[len(trials) : len(trials) + _AT_ONCE]
        else:  # another release of the optimiser, perhaps: what was kept after this is of no use
            kept = kept[: len(trials)]
            best = max((trial.measured.score for trial in trials), default=0.0)
            note = f"best {best:+.3f}" if trials else ""
            on_progress(Progress("Mixtures", len(trials), count, "trials", note=note))
            found, matrices = _try(ingredients, validation, asked, len(trials), prefixes, seed)
            folder.keep([*trials, *found], matrices)
        optimiser.tell(found)
        trials += found
    return trials


def _are_same(asked: "Sequence[_Question]", kept: Sequence[Tried]) -> bool:
    return len(asked) == len(kept) and all(
        one.pull == other.pull and np.allclose(one.weights, other.weights)
        for one, other in zip(asked, kept, strict=True)
    )


def _try(
    ingredients: Ingredients,
    validation: Validation,
    asked: "Sequence[_Question]",
    first: int,
    prefixes: Sequence[int],
    seed: int,
) -> tuple[list[Tried], dict[int, Matrix]]:
    """Learn from each mixture; the trials, and their matrices by number."""
    jobs = [(ingredients.drawn(one.weights, seed), PULLS[one.pull]) for one in asked]
    matrices = dict(enumerate(train_matrices(jobs, prefixes, seed), first))
    trials = []
    for (number, matrix), one in zip(matrices.items(), asked, strict=True):
        ingredient = Ingredient("", matrix, ingredients.sentence_share(one.weights))
        blend = validation.blend("", [ingredient])
        trials.append(Tried(number, one.weights, one.pull, blend.mix, blend.measured))
    return trials, matrices


@dataclass(frozen=True, slots=True)
class _Question:
    """A mixture to try next."""

    weights: tuple[float, ...]
    pull: str


class _Optimiser:
    """optuna's estimator of Parzen trees over a simplex: weights are -log x of independent uniform x, divided by their sum.

    Uniform x give Dirichlet(1) weights, so that the space is sampled evenly.
    """

    def __init__(self, ingredients: Ingredients, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(logging.ERROR)
        start = _start(ingredients, seed)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=len(start), constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._names = [f"x{number}" for number in range(len(ingredients.names))]
        self._asked: list[Any] = []
        for question in start:
            shares = [min(1.0, max(_LEAST, math.exp(-weight))) for weight in question.weights]
            self._study.enqueue_trial({**dict(zip(self._names, shares, strict=True)), "pull": question.pull})

    def ask(self) -> _Question:
        """The next mixture."""
        trial = self._study.ask()
        self._asked.append(trial)
        logs = [-math.log(trial.suggest_float(name, _LEAST, 1.0)) for name in self._names]
        pull = str(trial.suggest_categorical("pull", sorted(PULLS)))
        total = sum(logs)
        weights = [log / total if total > 0 else 1 / len(logs) for log in logs]
        return _Question(tuple(weights), pull)

    def tell(self, answers: Sequence[Tried]) -> None:
        """Take the scores of the mixtures that were asked for last."""
        for trial, answer in zip(self._asked[-len(answers) :], answers, strict=True):
            self._study.tell(trial, answer.measured.score)


def _start(ingredients: Ingredients, seed: int) -> list[_Question]:
    """The seed mixture with each pull, and Dirichlet samples with one after the other."""
    pulls = sorted(PULLS)
    samples = np.random.default_rng(seed).dirichlet(np.ones(len(ingredients.names)), DIRICHLET)
    return [
        *(_Question(ingredients.seed_mixture, pull) for pull in pulls),
        *(_Question(tuple(sample.tolist()), pulls[number % len(pulls)]) for number, sample in enumerate(samples)),
    ]
