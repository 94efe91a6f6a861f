"""Scores matrices on validation pairs, averages them (soups), and measures what an average gains over its ingredients.

The mean of d x d matrices is exactly the mean of the weights of the layers that they are (Wortsman et al. 2022, Model soups).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from searchkit.embedding.adapted_model import Matrix
from searchkit.evaluate.statistics import intervals
from searchkit.train.adapter.learn import MIXES, rejection_reason
from searchkit.train.gate import JudgedQueries, ndcg_by_prefix
from searchkit.train.likelihoods import KnownItems, Values, log_likelihood, ndcg_at_prefixes

SoupKind = Literal["", "uniform", "greedy"]
_REJECTED = 10.0  # nats: more than any likelihood gains
_MOSTLY_SENTENCES = (
    0.9  # share of what a matrix learned from, beyond which it is mixed by half at most, as in `train adapter`
)


@dataclass(frozen=True, slots=True)
class Measured:
    """The effect of a matrix compared with the base.

    `likelihood`: mean gain in log-likelihood of the validation pairs' answers; `ndcg`: their gain in nDCG@10, averaged over the
    prefixes; `judged`: the same of judged queries, which then decide; None without. `rejection_reason`: "" if it may be chosen.
    """

    likelihood: float
    ndcg: float
    judged: float | None = None
    rejection_reason: str = ""

    @property
    def score(self) -> float:
        """What is maximised; a rejected one scores below all others."""
        value = self.likelihood if self.judged is None else self.judged
        return value - _REJECTED if self.rejection_reason else value


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A matrix to average, not mixed with the identity. `sentence_share`: of what it learned from."""

    name: str
    matrix: Matrix
    sentence_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Blend:
    """The mean of the matrices of `members`, mixed with the identity: (1 - mix) I + mix A. `kind`: "" for a single matrix."""

    name: str
    kind: SoupKind
    members: tuple[str, ...]
    mix: float
    matrix: Matrix
    measured: Measured


class Validation:
    """Measures matrices on validation pairs, and on judged queries if there are some to choose by."""

    def __init__(self, items: KnownItems, prefixes: Sequence[int], judged: JudgedQueries | None = None) -> None:
        self._items, self._prefixes, self._judged = items, prefixes, judged
        self._likelihood, self._ndcg = log_likelihood(items), ndcg_at_prefixes(items, prefixes)
        self._judged_ndcg = ndcg_by_prefix(judged, prefixes) if judged else None

    def measure(self, matrix: Matrix) -> Measured:
        """Compare a matrix with the base."""
        items = self._items.under(matrix)
        gains = log_likelihood(items) - self._likelihood
        ndcg = float((ndcg_at_prefixes(items, self._prefixes) - self._ndcg).mean())
        if self._judged is None or self._judged_ndcg is None:
            return Measured(float(gains.mean()), ndcg, None, rejection_reason(ndcg, gains))
        judged = float((ndcg_by_prefix(self._judged.under(matrix), self._prefixes) - self._judged_ndcg).mean())
        reason = "" if judged > 0 else f"nDCG@10 of the judged queries does not rise ({judged:+.4f})"
        return Measured(float(gains.mean()), ndcg, judged, reason)

    def blend(self, name: str, members: Sequence[Ingredient], kind: SoupKind = "") -> Blend:
        """Average matrices, and mix the mean with the identity as scores best."""
        mean: Matrix = np.stack([each.matrix for each in members]).mean(axis=0, dtype=np.float64).astype(np.float32)
        identity = np.eye(len(mean), dtype=np.float32)
        sentences = float(np.mean([each.sentence_share for each in members]))
        most = 0.5 if sentences > _MOSTLY_SENTENCES else 1.0
        mixed = [(mix, (1 - mix) * identity + mix * mean) for mix in MIXES if mix <= most]
        found = [(mix, matrix, self.measure(matrix)) for mix, matrix in mixed]
        mix, matrix, measured = max(found, key=lambda one: one[2].score)
        return Blend(name, kind, tuple(each.name for each in members), mix, matrix, measured)


def soups(ingredients: Sequence[Ingredient], singles: Sequence[Blend], validation: Validation) -> list[Blend]:
    """The uniform and the greedy soup of ingredients. `singles`: the blend of each alone."""

    def of(numbers: Sequence[int], kind: SoupKind) -> Blend:
        return validation.blend(f"{kind} soup", [ingredients[number] for number in numbers], kind)

    members = greedy_members(
        [single.measured.score for single in singles], lambda numbers: of(numbers, "greedy").measured.score
    )
    return [of(range(len(ingredients)), "uniform"), of(members, "greedy")]


def greedy_members(scores: Sequence[float], score_of: Callable[[Sequence[int]], float]) -> list[int]:
    """Choose the members of a greedy soup: from the best on, each that does not lower the soup's score.

    `scores`: of each ingredient alone; `score_of`: of the soup of some of them, by number. Its score is never below the best one's.
    """
    order = sorted(range(len(scores)), key=lambda number: (-scores[number], number))
    members, best = order[:1], scores[order[0]]
    for number in order[1:]:
        score = score_of([*members, number])
        if score >= best:
            members, best = [*members, number], score
    return members


@dataclass(frozen=True, slots=True)
class Difference:
    """What held-out pairs gain by a soup instead of something else: nDCG@10 averaged over the prefixes, and log-likelihood of the
    answers, each with its 95 % interval."""

    instead_of: str
    ndcg: tuple[float, float, float]
    likelihood: tuple[float, float, float]


def differences(soup: Blend, singles: Sequence[Blend], items: KnownItems, prefixes: Sequence[int]) -> list[Difference]:
    """Measure what a soup gains on held-out pairs over the ingredient that validation found best, and over their mean."""
    own, *others = [_by_query(blend, items, prefixes) for blend in (soup, *singles)]
    best = max(range(len(singles)), key=lambda number: singles[number].measured.score)
    mean = tuple(np.mean([each[part] for each in others], axis=0) for part in (0, 1))
    return [
        _difference(f"the best ingredient, {singles[best].name}", own, others[best]),
        _difference("the mean of the ingredients", own, (mean[0], mean[1])),
    ]


def held_out_gains(blend: Blend, items: KnownItems, prefixes: Sequence[int]) -> tuple[float, float]:
    """The gains of held-out pairs over the base: nDCG@10 averaged over the prefixes, and log-likelihood of the answers."""
    ndcg = ndcg_at_prefixes(items, prefixes).mean(axis=0)
    after, likelihood = _by_query(blend, items, prefixes)
    return float((after - ndcg).mean()), float((likelihood - log_likelihood(items)).mean())


def _by_query(blend: Blend, items: KnownItems, prefixes: Sequence[int]) -> tuple[Values, Values]:
    """(n,) nDCG@10 averaged over the prefixes, and (n,) log-likelihood."""
    seen = items.under(blend.matrix)
    return ndcg_at_prefixes(seen, prefixes).mean(axis=0), log_likelihood(seen)


def _difference(name: str, soup: tuple[Values, Values], other: tuple[Values, Values]) -> Difference:
    gains = np.stack([soup[0] - other[0], soup[1] - other[1]])
    (ndcg, likelihood) = (
        (float(each.mean()), low, high) for each, (low, high) in zip(gains, intervals(gains).tolist(), strict=True)
    )
    return Difference(name, ndcg, likelihood)
