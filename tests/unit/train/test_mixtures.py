"""Mixtures are drawn by their weights, trials are kept and repeated, and a soup is the mean of what it is made of."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")
pytest.importorskip("optuna", reason="optuna is not installed (extra [train])")

from searchkit.train.adapter.learn import train_matrices
from searchkit.train.gate import held_out
from searchkit.train.mixtures.blends import Ingredient, Validation, differences, greedy_members, soups
from searchkit.train.mixtures.search import KEPT, TrialFolder, Tried, best_trials, search_mixtures
from searchkit.train.mixtures.sources import REST, Ingredients, SourcedPairs, source_names
from searchkit.train.options import LossWeights
from searchkit.train.pairs.pair import Kind, Pair, Split, count_pairs
from searchkit.types import Passage
from tests.support.files import ROOT
from tests.support.mixed_pairs import DIMENSION, ingredients_of, items_of, mixed, validation_of

pytestmark = pytest.mark.train
PREFIXES = (DIMENSION, DIMENSION // 2)


def searched(folder: Path, count: int, seed: int = 0) -> list[Tried]:
    data = ingredients_of()
    return search_mixtures(data, validation_of(), TrialFolder(folder, data.identity), count, PREFIXES, seed=seed)


def drawn_from(data: Ingredients, weights: Sequence[float]) -> Counter[int]:
    """How often each pair was drawn, by its number."""
    return Counter(data.drawn(weights, 0).query_ids.tolist())


def test_the_seed_mixture_has_every_pair_once() -> None:
    data = ingredients_of()
    assert drawn_from(data, data.seed_mixture) == Counter(range(sum(data.sizes)))


def test_a_source_without_enough_pairs_gives_each_as_often_as_the_others() -> None:
    data = ingredients_of()
    assert data.sizes == (100, 50)
    times = drawn_from(data, (0.0, 1.0))
    assert set(times) == set(range(100, 150)) and set(times.values()) == {3}
    times = drawn_from(data, (0.5, 0.5))
    assert sum(times.values()) == 150
    assert {times[number] for number in range(100, 150)} == {1, 2}


def test_sources_with_few_pairs_are_one_together() -> None:
    kinds = [Kind.TITLE] * 70 + [Kind.LINK] * 20 + [Kind.SENTENCE] * 100 + [Kind.CAPTION] * 10
    pairs = tuple(
        Pair(f"query number {n}", Passage("", "text"), kind, f"{n}.md", Split.TRAIN) for n, kind in enumerate(kinds)
    )
    found = SourcedPairs(pairs, tuple(kind.value for kind in kinds), count_pairs(pairs, {}))
    assert source_names(found) == ("sentence", "title", REST)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Tried]]:
    """A search of 16 trials with its folder: 12 that start it, and 4 that the optimiser asked for."""
    folder = tmp_path_factory.mktemp("whole") / "kept"
    return folder, searched(folder, 16)


def test_the_search_starts_with_the_seed_mixture_and_its_weights_add_up(whole: tuple[Path, list[Tried]]) -> None:
    trials = whole[1]
    assert [trial.number for trial in trials] == list(range(16))
    assert trials[0].weights == pytest.approx((2 / 3, 1 / 3)) and trials[1].weights == trials[0].weights
    assert {trial.pull for trial in trials[:2]} == {"weak", "strong"}
    for trial in trials:
        assert sum(trial.weights) == pytest.approx(1) and min(trial.weights) >= 0
    assert len({trial.weights for trial in trials}) >= 12


def test_another_seed_gives_other_mixtures(tmp_path: Path, whole: tuple[Path, list[Tried]]) -> None:
    assert [trial.weights for trial in searched(tmp_path, 4, seed=1)[2:]] != [trial.weights for trial in whole[1][2:4]]


def test_a_search_that_is_killed_continues_to_the_same_trials(
    tmp_path: Path, whole: tuple[Path, list[Tried]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.mixed_pairs", str(tmp_path / "kept"), "16"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'indexes'}"},
    )
    folder = TrialFolder(tmp_path / "kept", ingredients_of().identity)
    while not folder.trials():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < len(folder.trials()) <= 16
    assert searched(tmp_path / "kept", 16) == whole[1]
    monkeypatch.setattr("searchkit.train.mixtures.search.train_matrices", None)  # it would be called for a trial
    assert searched(tmp_path / "kept", 16) == whole[1]
    assert searched(tmp_path / "kept", 6) == whole[1]  # nothing is thrown away


def test_only_the_best_matrices_are_kept_and_trials_of_other_pairs_are_not_read(
    tmp_path: Path, whole: tuple[Path, list[Tried]]
) -> None:
    shutil.copytree(whole[0], tmp_path / "kept")
    folder, trials = TrialFolder(tmp_path / "kept", ingredients_of().identity), whole[1]
    best = best_trials(trials)
    assert [trial.measured.score for trial in best] == sorted((t.measured.score for t in trials), reverse=True)[:KEPT]
    assert all(folder.matrix(trial.number) is not None for trial in best)
    assert len(list((tmp_path / "kept").glob("*.npy"))) == KEPT
    assert TrialFolder(tmp_path / "kept", "of other pairs").trials() == []
    (tmp_path / "kept" / f"{best[0].number}.npy").unlink()
    assert folder.trials() == []  # it is tried again
    (tmp_path / "kept" / "trials.json").write_text('{"identity": "')
    assert folder.trials() == []


def test_a_soup_is_the_mean_of_the_matrices() -> None:
    rng = np.random.default_rng(0)
    members = [
        Ingredient(str(n), (np.eye(DIMENSION) + 0.1 * rng.standard_normal((DIMENSION, DIMENSION))).astype(np.float32))
        for n in range(3)
    ]
    validation = validation_of()
    blend = validation.blend("soup", members, "uniform")
    mean = np.mean([member.matrix for member in members], axis=0)
    assert blend.matrix == pytest.approx((1 - blend.mix) * np.eye(DIMENSION) + blend.mix * mean, abs=1e-5)
    assert blend.members == ("0", "1", "2")


def test_a_greedy_soup_takes_what_does_not_lower_it_and_is_never_below_the_best() -> None:
    soups_scores = {(1, 2): 0.6, (1, 2, 0): 0.5, (1, 2, 3): 0.6}
    assert greedy_members([0.3, 0.5, 0.4, 0.1], lambda members: soups_scores[tuple(members)]) == [1, 2, 3]
    assert greedy_members([0.3, 0.5], lambda _: 0.1) == [1]


def test_a_soup_of_what_few_pairs_taught_is_better_than_the_mean_of_its_ingredients() -> None:
    validation = validation_of()
    jobs = [(mixed(40, seed, 1), LossWeights(distillation=0.3)) for seed in (7, 8, 9)]
    members = [Ingredient(str(n), matrix) for n, matrix in enumerate(train_matrices(jobs, PREFIXES))]
    singles = [validation.blend(member.name, [member]) for member in members]
    uniform, greedy = soups(members, singles, validation)
    assert uniform.members == ("0", "1", "2") and set(greedy.members) <= {"0", "1", "2"}
    assert greedy.measured.score >= max(single.measured.score for single in singles)
    _, over_mean = differences(uniform, singles, items_of(2), PREFIXES)
    assert 0 < over_mean.likelihood[1] < over_mean.likelihood[0] < over_mean.likelihood[2]
    assert over_mean.ndcg[1] <= over_mean.ndcg[0] <= over_mean.ndcg[2]


def test_what_learned_from_sentences_alone_is_mixed_by_half_at_most() -> None:
    strong = np.diag(np.where(np.arange(DIMENSION) < DIMENSION // 3, 1.0, 0.05)).astype(np.float32)
    validation = validation_of()
    assert validation.blend("x", [Ingredient("x", strong)]).mix > 0.5
    assert validation.blend("x", [Ingredient("x", strong, sentence_share=1.0)]).mix == 0.5


def test_judged_queries_choose_where_there_are_some() -> None:
    good = np.diag(np.where(np.arange(DIMENSION) < DIMENSION // 3, 1.0, 0.1)).astype(np.float32)
    judged = Validation(items_of(1), PREFIXES, held_out("judged", items_of(3)))
    better = judged.measure(good)
    assert better.judged is not None and better.score == better.judged > 0 and not better.rejection_reason
    worse = judged.measure(np.linalg.inv(good))
    assert "does not rise" in worse.rejection_reason and worse.score < better.score
