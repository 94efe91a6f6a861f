"""A matrix is learned where there is something to learn, the identity stays where there is not, and the gate says which."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from searchkit.embedding.embedder import normalized
from searchkit.evaluate.statistics import intervals
from searchkit.train.gate import NONE_HIDDEN, JudgedQueries, compare, compare_pairs, held_out, judge, judge_recovery
from searchkit.train.judged_sets import known_items
from searchkit.train.likelihoods import KnownItems, log_likelihood, ndcg_at_prefixes, ranks
from searchkit.train.options import Candidate, LossWeights, Taught
from searchkit.train.pairs.vectors import CorpusVectors, PairVectors, best_share
from searchkit_indexes import Vectors

DIMENSION = 32
IDENTITY = np.eye(DIMENSION, dtype=np.float32)


def twisted(count: int, seed: int = 0, *, noise: float = 0.05) -> PairVectors:
    """Pairs that agree in half of the components only; the other half is loud and says nothing."""
    rng = np.random.default_rng(seed)
    meant = rng.standard_normal((count, DIMENSION // 2))
    loud = 2.0 * rng.standard_normal((2, count, DIMENSION // 2))
    queries, passages = (
        normalized(np.concatenate([meant + noise * rng.standard_normal(meant.shape), each], 1).astype(np.float32))
        for each in loud
    )
    numbers = np.arange(count)
    return PairVectors(queries, passages, numbers, numbers, np.full(count, -1), np.zeros_like(queries))


def items(pairs: PairVectors) -> KnownItems:
    return KnownItems(pairs.queries, pairs.passages, np.arange(len(pairs)), pairs.passages)


@pytest.mark.train
def test_what_says_nothing_is_turned_down() -> None:
    pytest.importorskip("torch")
    from searchkit.train.adapter.learn import Validation, choose_matrix

    chosen = choose_matrix(twisted(600), Validation(items(twisted(100, 1))), (DIMENSION, DIMENSION // 2))
    assert chosen.matrix is not None and chosen.trial is not None
    found = compare_pairs("pairs", items(twisted(100, 2)), chosen.matrix, (DIMENSION,))
    assert found.gain > 0 and found.likelihood is not None and found.likelihood[1] > 0
    assert judge([found], []).passed


@pytest.mark.train
@pytest.mark.parametrize(("others", "is_soup"), [(200, True), (40, False)])
def test_sentences_beside_titles_are_averaged_with_what_titles_alone_teach(others: int, is_soup: bool) -> None:
    pytest.importorskip("torch")
    from searchkit.train.adapter.learn import Validation, choose_matrix, train_matrix

    pairs = twisted(600)
    pairs = replace(pairs, is_sentence=np.arange(600) >= others)
    alone, joint = LossWeights(distillation=1.0), LossWeights(distillation=2.0, spread=10.0)
    candidate = Candidate(joint, Taught.ALL, others=alone)
    prefixes = (DIMENSION,)
    chosen = choose_matrix(pairs, Validation(items(twisted(100, 1))), prefixes, candidates=[candidate])
    assert chosen.trial is not None and chosen.matrix is not None
    assert {trial.is_soup for trial in chosen.trials} == {is_soup}
    learned = [train_matrix(pairs, joint, prefixes)]
    if is_soup:
        learned.append(train_matrix(pairs.of_rows(np.arange(others)), alone, prefixes))
    mix = chosen.trial.mix
    np.testing.assert_allclose(chosen.matrix, (1 - mix) * IDENTITY + mix * np.mean(learned, axis=0), atol=1e-5)


@pytest.mark.train
def test_pairs_without_sense_leave_the_identity() -> None:
    pytest.importorskip("torch")
    from searchkit.train.adapter.learn import Validation, choose_matrix

    first, other = twisted(300), twisted(300, 7)
    nonsense = replace(first, passages=other.passages)
    clean = items(twisted(100, 1, noise=0.0))
    quiet = normalized(clean.queries * np.where(np.arange(DIMENSION) < DIMENSION // 2, 1, 0.01).astype(np.float32))
    chosen = choose_matrix(nonsense, Validation(KnownItems(quiet, quiet, clean.rows, quiet)), (DIMENSION,))
    assert chosen.matrix is None
    assert chosen.trials


@pytest.mark.train
def test_few_validation_pairs_are_helped_by_training_pairs_of_other_documents() -> None:
    pytest.importorskip("torch")
    from searchkit.train.adapter.learn import Validation, choose_matrix

    pairs, few = twisted(300), items(twisted(12, 1, noise=2.0))
    assert choose_matrix(pairs, Validation(few), (DIMENSION,)).matrix is None
    documents = np.arange(300) // 3
    held: list[PairVectors] = []

    def held_out(rows: PairVectors) -> KnownItems:
        held.append(rows)
        return items(rows)

    known = replace(pairs, document_ids=documents)
    assert choose_matrix(known, Validation(few, held_out), (DIMENSION,)).matrix is None
    known = replace(known, is_sentence=np.ones(300, bool))
    assert choose_matrix(known, Validation(few, held_out), (DIMENSION,)).matrix is not None
    numbers = np.concatenate([each.query_ids for each in held])
    assert sorted(numbers) == list(range(300))
    of_each = [set(documents[each.query_ids]) for each in held]
    assert sum(map(len, of_each)) == len(set(documents))


@pytest.mark.parametrize(("noise", "is_significant"), [(0.0, True), (3.0, False)])
def test_cross_validated_gains_count_beside_held_out_pairs_that_gain_themselves(
    noise: float, is_significant: bool
) -> None:
    few = items(twisted(8, 2, noise=noise))
    quiet = np.diag(np.where(np.arange(DIMENSION) < DIMENSION // 2, 1, 0.7)).astype(np.float32)
    matrix = quiet if is_significant else IDENTITY * np.float32(1) - 0.9 * quiet
    beside = np.linspace(0.01, 0.3, 300)
    alone = compare_pairs("pairs", few, matrix, (DIMENSION,))
    together = compare_pairs("pairs", few, matrix, (DIMENSION,), beside)
    assert alone.likelihood is not None and together.likelihood is not None
    assert (together.likelihood[1] > 0) is is_significant
    assert (together == alone) is not is_significant


@pytest.mark.train
def test_what_harms_elsewhere_is_no_choice() -> None:
    pytest.importorskip("torch")
    from searchkit.train.adapter.learn import Validation, choose_matrix

    chosen = choose_matrix(
        twisted(300), Validation(items(twisted(80, 1)), regression_of=lambda _: "it harms"), (DIMENSION,)
    )
    assert chosen.matrix is None


@pytest.mark.train
def test_an_interrupt_waits_for_one_step_at_most() -> None:
    pytest.importorskip("torch")
    from searchkit.train.adapter.learn import train_matrix
    from searchkit.train.options import LossWeights

    answers = iter([False, True])
    one_step = train_matrix(twisted(100), LossWeights(), (DIMENSION,), is_interrupted=lambda: next(answers))
    assert 0 < np.abs(one_step - IDENTITY).max() < 0.01


@pytest.mark.train
def test_the_same_seed_gives_the_same_matrix() -> None:
    torch: Any = pytest.importorskip("torch")
    from searchkit.train.adapter.learn import train_matrix
    from searchkit.train.options import LossWeights

    first = train_matrix(twisted(100), LossWeights(), (DIMENSION,), seed=5)
    torch.manual_seed(99)  # nothing hangs on the global one
    assert np.array_equal(first, train_matrix(twisted(100), LossWeights(), (DIMENSION,), seed=5))
    assert not np.array_equal(first, train_matrix(twisted(100), LossWeights(), (DIMENSION,), seed=6))


def test_the_likelihood_is_that_of_a_softmax_over_all_passages() -> None:
    pairs = items(twisted(20))
    logits = (pairs.queries @ pairs.corpus.T).astype(np.float64) / 0.05
    expected = np.diagonal(logits) - np.log(np.exp(logits).sum(axis=1))
    assert log_likelihood(pairs) == pytest.approx(expected, abs=1e-4)


def test_a_query_does_not_see_its_own_title() -> None:
    corpus = np.eye(4, dtype=np.float32)
    own = normalized(np.array([[0.1, 1, 0, 0]], np.float32))
    one = KnownItems(corpus[:1], own, np.array([0]), corpus)
    assert ranks(one).tolist() == [1]  # the stored passage would have been nearer than its own body
    (cell, *_) = compare(held_out("pairs", one), np.eye(4, dtype=np.float32), (4,)).cells
    assert cell.ndcg_before == pytest.approx(1.0)


def test_a_query_does_not_see_what_another_query_leaves_of_its_passage() -> None:
    """A title was found in what a sentence had been taken out of, which still has it, and every map seemed to lose."""
    corpus = normalized(np.array([[1, 1, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0]], np.float32))
    bodies = normalized(np.array([[0.1, 1, 0, 0], [1, 0.1, 0, 0]], np.float32))  # without the title; without a sentence
    queries = np.eye(4, dtype=np.float32)[:2]
    judged = held_out("pairs", KnownItems(queries, bodies, np.array([0, 0]), corpus))
    assert [each.tolist() for each in judged.hidden] == [[0, 4], [0, 3]]
    (cell, *_) = compare(judged.of_rows(np.array([0])), np.eye(4, dtype=np.float32), (4,)).cells
    assert cell.ndcg_before < 1


def test_ndcg_at_prefixes_is_of_the_prefixes_made_unit_length_again() -> None:
    pairs = items(twisted(30))
    queries, passages, corpus = (normalized(v[:, :8]) for v in (pairs.queries, pairs.passages, pairs.corpus))
    cut = KnownItems(queries, passages, pairs.rows, corpus)
    assert np.array_equal(ndcg_at_prefixes(pairs, (8,))[0], ndcg_at_prefixes(cut, (8,))[0])


def judged(name: str, seed: int = 0) -> JudgedQueries:
    pairs = twisted(60, seed)
    relevance = tuple({str(number): 1} for number in range(60))
    return JudgedQueries(name, pairs.queries, pairs.passages, np.arange(60), relevance, (NONE_HIDDEN,) * 60)


def quieter(share: float) -> Vectors:
    """A matrix that turns the loud half down, or up above 1."""
    matrix = IDENTITY.copy()
    matrix[range(DIMENSION // 2, DIMENSION), range(DIMENSION // 2, DIMENSION)] = share
    return matrix


def test_what_wins_back_a_loss_passes_if_it_is_nearer_and_no_worse() -> None:
    better, worse, same = (compare(judged("x"), quieter(share), (DIMENSION,)) for share in (0.3, 2.0, 1.0))
    nearer, uncertain = (0.004, 0.003, 0.005), (0.004, -0.001, 0.005)
    assert same.gain == 0
    for target in (same, better):  # nDCG need not rise: it is the base's function that is won back
        verdict = judge_recovery(target, [same], nearer)
        assert verdict.passed
        assert verdict.reason.startswith(
            f"cosine to the base in floats +0.0040; nDCG@10: x {target.gain:+.4f}, x +0.0000"
        )
    assert "no nearer" in judge_recovery(better, [same], uncertain).reason
    assert "nDCG@10 falls" in judge_recovery(worse, [], nearer).reason
    assert "general check x loses" in judge_recovery(same, [worse], nearer).reason
    refused = [(better, [same], uncertain), (worse, [], nearer), (same, [worse], nearer)]
    assert not any(judge_recovery(*each).passed for each in refused)


def test_the_gate_lets_what_helps_pass_and_nothing_else() -> None:
    prefixes = (DIMENSION, DIMENSION // 2)
    better, worse, same = (compare(judged("x"), quieter(share), prefixes) for share in (0.3, 2.0, 1.0))
    assert better.gain > 0 and better.low > 0
    assert judge([better], [same]).passed
    assert not judge([same], [better]).passed
    assert not judge([worse], []).passed
    assert "general check x loses" in judge([better], [worse]).reason
    assert {(cell.prefix, cell.code) for cell in better.cells} == {
        (prefix, code) for prefix in prefixes for code in ("float32", "int8", "1-bit")
    }


def test_intervals_hold_the_mean_and_narrow_with_more_queries() -> None:
    rng = np.random.default_rng(0)
    few, many = (rng.normal(0.1, 1.0, (2, count)) for count in (20, 500))
    for gains in (few, many):
        found = intervals(gains)
        assert (found[:, 0] < gains.mean(axis=1)).all() and (gains.mean(axis=1) < found[:, 1]).all()
    assert np.ptp(intervals(many)[0]) < 0.4 * np.ptp(intervals(few)[0])
    assert intervals(np.zeros((1, 1))).tolist() == [[0.0, 0.0]]


def test_the_share_of_the_title_is_found_again() -> None:
    pairs = twisted(50)
    body = pairs.passages
    stored = normalized(body + 0.4 * pairs.queries)
    share = best_share(pairs.queries, stored, body)
    assert (normalized(stored - share * pairs.queries) * body).sum(axis=1).min() > 0.999


def test_a_large_corpus_is_sampled_and_keeps_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("searchkit.train.judged_sets._LARGEST_CORPUS", 10)
    rng = np.random.default_rng(0)
    corpus = CorpusVectors(
        tuple(bytes([i]) for i in range(50)), normalized(rng.standard_normal((50, 8)).astype(np.float32))
    )
    rows = np.array([3, 40, -1])
    pairs = PairVectors(corpus.vectors[:3], corpus.vectors[rows], rows, rows, rows, np.zeros((3, 8), np.float32))
    found = known_items(pairs, corpus)
    assert 10 <= len(found.corpus) <= 12
    assert np.array_equal(found.corpus[found.rows[:2]], corpus.vectors[rows[:2]])
    assert found.rows[2] == -1
