"""The randomization test against what can be counted by hand or by trying everything."""

from itertools import product

import numpy as np
import pytest

from searchkit.evaluate.statistics import randomization_p


def by_trying(differences: list[float]) -> float:
    observed = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((1, -1), repeat=len(differences))
    ]
    return sum(value >= observed - 1e-9 for value in sums) / len(sums)


@pytest.mark.parametrize("differences", [[0.3], [0.5, 0.5, -0.1], [0.1, -0.2, 0.3, 0.4, 0.05, 0.7], [1, -1]])
def test_of_few_pairs_every_choice_of_signs_is_counted(differences: list[float]) -> None:
    assert randomization_p(differences, [0.0] * len(differences)) == pytest.approx(by_trying(differences))


def test_of_many_pairs_a_sample_comes_near_to_all_choices() -> None:
    differences = (np.random.default_rng(3).normal(0.15, 0.5, 16)).round(3).tolist()
    assert randomization_p(differences, [0.0] * 16) == pytest.approx(by_trying(differences), abs=0.02)


def test_pairs_that_do_not_differ_say_nothing() -> None:
    assert randomization_p([], []) == 1
    assert randomization_p([0.5, 0.5], [0.5, 0.5]) == 1
    assert randomization_p([1, 0.5], [0, 0.5]) == randomization_p([1], [0])


def test_the_test_has_two_sides_is_repeatable_and_never_0() -> None:
    values = np.random.default_rng(1).random(500)
    others = values - 0.1
    assert randomization_p(values.tolist(), others.tolist()) == randomization_p(others.tolist(), values.tolist())
    assert randomization_p(values.tolist(), others.tolist()) == pytest.approx(1 / 10_001)


def test_very_many_pairs_fit_into_memory_in_parts() -> None:
    values = np.random.default_rng(1).normal(0, 1, 5000).tolist()
    assert 0 < randomization_p(values, [0.0] * 5000) < 1
