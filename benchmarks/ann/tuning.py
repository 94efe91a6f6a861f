"""Tunes synthetic vectors so that the figures of the enlarged set continue those of the real set."""

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np

from benchmarks.ann.realism import Figures, continued, measure
from benchmarks.ann.vectors import Enlarger, Recipe
from searchkit_indexes import Vectors

_TOWARDS = 0.5
_DIMENSIONS = (1, 2)  # of 1, 2, 4 and 8 these fit sets of 100,000 best
_STEPS = 3
_PROBES = 300


def tuned(enlarger: Enlarger, curve: Sequence[Figures], count: int, queries: Vectors) -> tuple[Recipe, Figures]:
    """The recipe whose set of `count` vectors comes closest to the continued curve, and that set's figures.

    The distance to the tenth neighbour comes first, since ten are searched for; then the nearest, and the dimension.
    """
    expected = continued(curve, count)
    tried = [_search(enlarger, expected, dimensions, (count, queries))[-1] for dimensions in _DIMENSIONS]
    return min(tried, key=lambda found: misfit(found[1], expected))


def _search(
    enlarger: Enlarger, expected: dict[str, float], dimensions: float, rest: tuple[int, Vectors]
) -> list[tuple[Recipe, Figures]]:
    """Secant steps on the distance to the tenth neighbour, which grows about as the way aside does."""
    tried: list[tuple[Recipe, Figures]] = []
    aside = 0.9
    for _ in range(_STEPS):
        recipe = Recipe(_TOWARDS, aside, dimensions)
        figures = figures_of(enlarger, recipe, *rest)
        tried.append((recipe, figures))
        ratio = (1 - expected["cosine_10"]) / (1 - figures.cosine_10)
        aside = min(2.0, max(0.05, aside * ratio ** _slope(tried)))
    return tried


def _slope(tried: list[tuple[Recipe, Figures]]) -> float:
    """How the way aside changes with 1 - cosine, both as logarithms: from the last two tries, at first a guess."""
    if len(tried) < 2:
        return 1.0
    (before, old), (after, new) = tried[-2:]
    rise = math.log((1 - new.cosine_10) / (1 - old.cosine_10))
    return min(3.0, max(0.3, math.log(after.aside / before.aside) / rise)) if rise else 1.0


def misfit(figures: Figures, expected: dict[str, float]) -> float:
    """How far a set is from what was expected: differences of logarithms of distances, and of the dimension."""
    off = [math.log((1 - getattr(figures, name)) / (1 - expected[name])) for name in ("cosine_1", "cosine_10")]
    off.append(math.log(figures.intrinsic_dimension / expected["intrinsic_dimension"]))
    return math.hypot(*off)


def figures_of(enlarger: Enlarger, recipe: Recipe, count: int, queries: Vectors) -> Figures:
    """Figures of the set that a recipe makes; probes are real and made ones in the set's own proportion."""
    first = np.concatenate(list(islice(enlarger.blocks(recipe, count), enlarger.real_blocks(count) + 1)))
    real = min(count, enlarger.real_count)
    from_real = math.ceil(_PROBES * real / count)
    from_made = min(_PROBES - from_real, len(first) - real)
    rows = np.concatenate([np.arange(from_real), real + np.arange(from_made)]).astype(np.int64)
    return measure(enlarger.blocks(recipe, count), rows, first[rows], queries)
