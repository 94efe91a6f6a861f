"""Metrics against values computed by hand, and reading of data with judgements."""

import math
from pathlib import Path

import numpy as np
import pytest

from searchkit.errors import EvaluationDataError
from searchkit.evaluate.beir import read_beir, read_passages
from searchkit.evaluate.metrics import ndcg_at, rank_exactly
from searchkit.types import Passage
from tests.support.files import write


def test_ndcg_has_linear_gains_and_logarithmic_discounts() -> None:
    # gained 3/1 + 1/log2(4) = 3.5; ideal 3/1 + 2/log2(3) + 1/log2(4) = 4.76186
    assert ndcg_at(10, ["a", "x", "c"], {"a": 3, "b": 2, "c": 1}) == pytest.approx(3.5 / 4.761859507)


def test_the_best_order_has_an_ndcg_of_1_and_nothing_found_of_0() -> None:
    relevance = {"a": 2, "b": 1, "c": 0}
    assert ndcg_at(10, ["a", "b", "c"], relevance) == 1
    assert ndcg_at(10, ["x", "y"], relevance) == 0
    assert ndcg_at(10, [], relevance) == 0


def test_only_the_first_k_count_in_the_ranking_and_in_the_ideal() -> None:
    assert ndcg_at(2, ["x", "a", "b"], {"a": 1, "b": 1, "c": 1}) == pytest.approx(
        (1 / math.log2(3)) / (1 + 1 / math.log2(3))
    )


def test_without_anything_relevant_ndcg_is_0_and_negative_relevance_is_none() -> None:
    assert ndcg_at(10, ["a"], {}) == 0
    assert ndcg_at(10, ["a"], {"a": 0}) == 0
    assert ndcg_at(10, ["b", "a"], {"a": 1, "b": -1}) == pytest.approx(1 / math.log2(3))


def test_equal_scores_are_ordered_by_id_the_last_one_first() -> None:
    documents = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32)
    queries = np.array([[1, 0], [0.5, 1]], np.float32)
    assert rank_exactly(queries, documents, ["2", "1", "10", "3"], 3) == [["3", "2", "10"], ["1", "3", "2"]]
    assert rank_exactly(queries[:1], documents, ["2", "1", "10", "3"], 99) == [["3", "2", "10", "1"]]


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Two documents, three queries, of which one has a relevant document."""
    folder = tmp_path / "tiny"
    write(folder / "corpus.jsonl", '{"_id": "a", "title": "A", "text": "one"}\n\n{"_id": "b", "text": "two"}\n')
    queries = [f'{{"_id": "{name}", "text": "{name}?", "metadata": {{}}}}' for name in ("q1", "q2", "q3")]
    write(folder / "queries.jsonl", "\n".join(queries))
    write(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\nq1\ta\t2\nq1\tb\t0\nq2\ta\t0\n")
    return folder


def test_a_beir_folder_is_read_with_the_queries_that_have_an_answer(beir: Path) -> None:
    data = read_beir(beir)
    assert data.name == "tiny"
    assert data.documents == {"a": Passage("A", "one"), "b": Passage("", "two")}
    assert data.queries == {"q1": "q1?"}
    assert data.qrels == {"q1": {"a": 2, "b": 0}}


def test_judgements_need_no_header(beir: Path) -> None:
    write(beir / "qrels" / "test.tsv", "q2\tb\t1\n")
    assert read_beir(beir).qrels == {"q2": {"b": 1}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "a", "text": "x"}\n{"_id": "a"', "corpus.jsonl, line 2: not valid JSON"),
        ("corpus.jsonl", "[]", "corpus.jsonl, line 1: expected a JSON object"),
        ("corpus.jsonl", '{"_id": "a"}', 'corpus.jsonl, line 1: "text" is missing'),
        ("corpus.jsonl", '{"_id": 1, "text": "x"}', 'corpus.jsonl, line 1: "_id" is missing or not text'),
        ("corpus.jsonl", '{"_id": "a", "title": 1, "text": "x"}', '"title" is not text'),
        ("queries.jsonl", '{"_id": "a", "text": "x"}\n' * 2, "queries.jsonl, line 2: the _id 'a' was used before"),
        ("qrels/test.tsv", "q1\ta\t1\nq1 a 1\n", "test.tsv, line 2: expected a query's id"),
        ("qrels/test.tsv", "q1\ta\tyes\n", "test.tsv, line 1: expected"),
        ("qrels/test.tsv", "q9\ta\t1\n", "test.tsv, line 1: queries.jsonl has no query 'q9'"),
        ("qrels/test.tsv", "q1\ta\t0\n", "no query with a relevant document"),
    ],
)
def test_a_bad_line_is_named(beir: Path, name: str, content: str, message: str) -> None:
    write(beir / name, content)
    with pytest.raises(EvaluationDataError, match=message.replace("[", r"\[")):
        read_beir(beir)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_a_missing_file_is_named_with_what_should_be_there(beir: Path, name: str) -> None:
    (beir / name).unlink()
    with pytest.raises(EvaluationDataError, match=f"{name}.*contains corpus.jsonl, queries.jsonl, qrels/test.tsv"):
        read_beir(beir)


def test_passages_are_read_from_any_lines_with_a_text(tmp_path: Path) -> None:
    file = write(tmp_path / "texts.jsonl", '{"text": "one"}\n{"text": "two", "title": null, "id": 7}\n')
    assert read_passages(file) == [Passage("", "one"), Passage("", "two")]
    with pytest.raises(EvaluationDataError, match="is empty"):
        read_passages(write(tmp_path / "empty.jsonl", "\n"))
    file.write_bytes(b'{"text": "\xff"}')
    with pytest.raises(EvaluationDataError, match="line 1: not UTF-8"):
        read_passages(file)
