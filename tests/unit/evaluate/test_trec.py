"""TREC files, and two runs compared."""

import json
from pathlib import Path

import click.testing
import pytest

from searchkit.cli.main import cli
from searchkit.errors import EvaluationDataError
from searchkit.evaluate.metrics import Metric
from searchkit.evaluate.retrieval.compare import compare_runs, comparison_as_text
from searchkit.evaluate.trec import read_qrels, read_run, write_run
from tests.support.files import write


def test_a_run_has_six_columns_and_comes_back_in_its_order(tmp_path: Path) -> None:
    rankings = {"q1": [("b", 0.5), ("a", 0.5), ("c", 0.1)], "q2": [("a", 1e-9), ("b", 0.0), ("c", 0.0)]}
    write_run(tmp_path / "run.trec", rankings, "searchkit-hybrid")
    lines = [line.split(" ") for line in (tmp_path / "run.trec").read_text().splitlines()]
    assert lines[0] == ["q1", "Q0", "b", "1", "0.5", "searchkit-hybrid"]
    assert {len(line) for line in lines} == {6}
    assert [line[3] for line in lines] == ["1", "2", "3", "1", "2", "3"]
    back = read_run(tmp_path / "run.trec")
    assert {query: [document for document, _ in ranking] for query, ranking in back.items()} == {
        "q1": ["b", "a", "c"],
        "q2": ["a", "b", "c"],
    }


def test_equal_scores_are_read_as_trec_eval_orders_them(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "r", "q Q0 a 1 0.5 t\nq Q0 b 2 0.5 t\nq\tQ0\tc 3 0.9 t\n\n"))
    assert [document for document, _ in run["q"]] == ["c", "b", "a"]


def test_blanks_in_ids_do_not_part_columns(tmp_path: Path) -> None:
    write_run(tmp_path / "run", {"a query": [("my file.txt", 1.0), ("100%.txt", 0.5)]}, "tag")
    assert [document for document, _ in read_run(tmp_path / "run")["a%20query"]] == ["my%20file.txt", "100%.txt"]
    qrels = read_qrels(write(tmp_path / "qrels.tsv", "query-id\tcorpus-id\tscore\na query\tmy file.txt\t2\n"))
    assert qrels == {"a%20query": {"my%20file.txt": 2}}


def test_qrels_are_read_in_both_layouts(tmp_path: Path) -> None:
    assert read_qrels(write(tmp_path / "beir", "q\td\t1\nq2\td\t0\n")) == {"q": {"d": 1}}
    assert read_qrels(write(tmp_path / "trec", "q 0 d 1\nq 0 e -1\n")) == {"q": {"d": 1, "e": -1}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("q Q0 d 1 0.5\n", "line 1: expected 6 columns"),
        ("q Q0 d 1 high t\n", "line 1: expected 6 columns"),
        ("q Q0 d 1 2 t\nq Q0 d 2 1 t\n", "line 2: query q has document d twice"),
        ("\n", "is empty"),
    ],
)
def test_a_run_that_is_none_is_refused_with_the_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(EvaluationDataError, match=message):
        read_run(write(tmp_path / "run", content))


def test_files_that_are_no_qrels_are_refused(tmp_path: Path) -> None:
    for content, message in (
        ("q d\n", "line 1: expected"),
        ("q\td\t0\n", "no query with a relevant"),
        ("q d x 1 2\n", "line 1"),
    ):
        with pytest.raises(EvaluationDataError, match=message):
            read_qrels(write(tmp_path / "qrels", content))
    with pytest.raises(EvaluationDataError, match="cannot be read"):
        read_run(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(EvaluationDataError, match="not UTF-8"):
        read_run(tmp_path / "binary")


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two runs and their judgements: B finds for q1 and q2, A for q3 only; nobody ranks for q4."""
    qrels = write(tmp_path / "qrels.tsv", "".join(f"q{number}\td\t1\n" for number in range(1, 5)))
    a = write(tmp_path / "a.trec", "q1 Q0 x 1 2 t\nq1 Q0 d 2 1 t\nq2 Q0 x 1 1 t\nq3 Q0 d 1 1 t\n")
    b = write(tmp_path / "b.trec", "q1 Q0 d 1 2 t\nq2 Q0 d 1 2 t\nq3 Q0 x 1 1 t\n")
    return a, b, qrels


def test_two_runs_are_compared_query_by_query(runs: tuple[Path, Path, Path]) -> None:
    found = compare_runs(*runs, {"q2": "who"})
    assert (found.run_a, found.run_b, found.queries, found.missing_a, found.missing_b) == ("a", "b", 4, 1, 1)
    assert found.scores_a[Metric.MRR_10].mean == pytest.approx((0.5 + 0 + 1 + 0) / 4)
    assert found.scores_b[Metric.MRR_10].mean == pytest.approx(2 / 4)
    assert [change.query_id for change in found.changes.winners] == ["q2", "q1"]
    assert [change.query_id for change in found.changes.losers] == ["q3"]
    text = comparison_as_text(found)
    assert "4 judged queries; A has no documents for 1 and B has no documents for 1, which count as 0" in text
    assert "0.00 → 1.00  who [q2]" in text


def test_runs_of_other_queries_are_refused(runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    other = write(tmp_path / "other.tsv", "z\td\t1\n")
    with pytest.raises(EvaluationDataError, match="none of the queries"):
        compare_runs(runs[0], runs[1], other, {})


def test_the_command_compares_runs(runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    queries = write(tmp_path / "queries.jsonl", '{"_id": "q2", "text": "who"}\n')
    arguments = ["eval", "compare", str(runs[0]), str(runs[1]), "--qrels", str(runs[2]), "--queries", str(queries)]
    result = click.testing.CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["scores_b"]["mrr@10"]["mean"] == 0.5
    assert report["differences"][0]["metric"] == "ndcg@10"
    plain = click.testing.CliRunner().invoke(cli, arguments)
    assert "  mrr@10      0.3750  0.5000  +0.1250" in plain.stdout
