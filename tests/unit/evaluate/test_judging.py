"""Metrics against pytrec_eval's, and rankings judged query by query."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from searchkit.evaluate.metrics import Metric, Ranking, evaluate_search, mrr_at, rank_queries, recall_at, score_rankings
from searchkit.evaluate.retrieval.results import SetReport, WayRow, differences, estimates, most_changed, report_of
from searchkit.evaluate.trec import read_run, write_run


def random_qrels(rng: random.Random, queries: int) -> dict[str, dict[str, int]]:
    """Graded, also negative, judgements of up to thirty documents of two hundred; some queries have none that is relevant."""
    documents = [f"d{number}" for number in range(200)]
    return {
        f"q{number}": {
            document: rng.choice([-1, 0, 0, 1, 2, 3]) for document in rng.sample(documents, rng.randint(1, 30))
        }
        for number in range(queries)
    }


def random_scores(rng: random.Random, qrels: Mapping[str, object]) -> dict[str, dict[str, float]]:
    """Scores of few values, so that many are equal; some rankings are short."""
    return {
        query: {f"d{number}": float(rng.randint(0, 40)) for number in rng.sample(range(200), rng.choice([3, 60, 150]))}
        for query in qrels
    }


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_those_of_pytrec_eval(seed: int, tmp_path: Path) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rng = random.Random(seed)
    qrels = random_qrels(rng, 40)
    scores = random_scores(rng, qrels)
    lines = [f"{q} Q0 {d} 0 {score} tag\n" for q, ranked in scores.items() for d, score in ranked.items()]
    file = tmp_path / "random.trec"
    file.write_text("".join(lines))
    run = read_run(file)
    ours = score_rankings(run, qrels)

    def theirs(name: str, ranked: Mapping[str, Mapping[str, float]]) -> list[float]:
        measured = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut", "recall", "recip_rank"}).evaluate(ranked)
        return [measured[query][name] for query in ours.query_ids]

    first_ten = {query: dict(ranking[:10]) for query, ranking in run.items()}
    expected = {
        Metric.NDCG_10: theirs("ndcg_cut_10", scores),
        Metric.RECALL_10: theirs("recall_10", scores),
        Metric.RECALL_100: theirs("recall_100", scores),
        Metric.MRR_10: theirs("recip_rank", first_ten),
    }
    for metric, values in expected.items():
        assert ours.values[metric].tolist() == pytest.approx(values, abs=1e-9), metric


def test_a_run_that_we_write_is_ranked_by_pytrec_eval_as_it_was_by_us(tmp_path: Path) -> None:
    pytrec_eval = pytest.importorskip("pytrec_eval")
    rng = random.Random(7)
    qrels = random_qrels(rng, 20)
    rankings = {q: [(f"d{n}", 0.25) for n in rng.sample(range(200), 100)] for q in qrels}  # all scores alike
    write_run(tmp_path / "run.trec", rankings, "tag")
    with (tmp_path / "run.trec").open() as file:
        measured = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut"}).evaluate(pytrec_eval.parse_run(file))
    ours = score_rankings(rankings, qrels)
    theirs = [measured[query]["ndcg_cut_10"] for query in ours.query_ids]
    assert ours.values[Metric.NDCG_10].tolist() == pytest.approx(theirs, abs=1e-9)


def test_recall_is_the_share_of_what_is_relevant() -> None:
    relevance = {"a": 3, "b": 1, "c": 0, "d": -1}
    assert recall_at(2, ["c", "a", "b"], relevance) == 0.5
    assert recall_at(3, ["c", "a", "b"], relevance) == 1
    assert recall_at(10, ["a"], {"c": 0}) == 0


def test_mrr_is_the_first_relevant_documents() -> None:
    assert mrr_at(10, ["x", "y", "a", "b"], {"a": 1, "b": 2}) == pytest.approx(1 / 3)
    assert mrr_at(2, ["x", "y", "a"], {"a": 1}) == 0
    assert mrr_at(10, ["d"], {"d": -1}) == 0


def test_any_search_can_be_judged_and_a_query_without_hits_counts_as_0() -> None:
    def search(query: str, k: int) -> Ranking:
        return [(word, 1.0) for word in query.split()[:k]]

    queries, qrels = {"1": "a b", "2": "", "3": "x a"}, {"1": {"a": 1}, "2": {"a": 1}, "3": {"a": 1}}
    scores = evaluate_search(search, queries, qrels)
    assert scores.query_ids == ("1", "2", "3")
    assert scores.values[Metric.MRR_10].tolist() == [1, 0, 0.5]
    assert scores.mean(Metric.MRR_10) == 0.5
    assert rank_queries(search, queries, 1)["1"] == [("a", 1.0)]


def test_differences_and_changes_are_of_the_way_minus_the_other() -> None:
    qrels = {str(number): {"a": 1} for number in range(8)}
    good = score_rankings({query: [("a", 1.0)] for query in qrels}, qrels)
    mixed = score_rankings({query: [("a", 1.0)] if query in "01" else [("x", 1.0)] for query in qrels}, qrels)
    found = {one.metric: one for one in differences("new", good, "old", mixed)}
    assert found[Metric.NDCG_10].mean == 0.75
    assert 0 < found[Metric.NDCG_10].low < 0.75 < found[Metric.NDCG_10].high <= 1
    assert found[Metric.NDCG_10].p == pytest.approx(2 / 2**6)
    changes = most_changed("new", good, "old", mixed, {"2": "why"})
    first = changes.winners[0]
    assert (first.query_id, first.text, first.value, first.other) == ("2", "why", 1, 0)
    assert len(changes.winners) == 5
    assert changes.losers == ()
    other_queries = score_rankings({}, {"z": {"a": 1}})
    with pytest.raises(ValueError, match="not of the same queries"):
        differences("new", good, "old", other_queries)


def test_several_sets_are_summed_up_in_the_mean_of_the_ways_that_all_have() -> None:
    qrels = {"1": {"a": 1}}
    found, missed = score_rankings({"1": [("a", 1.0)]}, qrels), score_rankings({}, qrels)

    def report(ways: Mapping[str, object]) -> SetReport:
        rows = tuple(WayRow(way, way, "", estimates(scores), None) for way, scores in ways.items())  # type: ignore[arg-type]
        return SetReport("set", "hash", 1, 1, 1, 100, rows, (), None)

    both = report_of([report({"lexical": found, "hybrid": found}), report({"lexical": missed})])
    assert {way: means[Metric.NDCG_10] for way, means in both.means.items()} == {"lexical": 0.5}
    assert report_of([report({"lexical": found})]).means == {}
