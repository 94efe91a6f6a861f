"""Judged corpora as collections of their own, evaluated; and a user's own collection with judged queries."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from searchkit.catalog.connection import reading, writing
from searchkit.catalog.documents import chunks_of_document
from searchkit.errors import CollectionBusyError, EvaluationDataError, UsageError
from searchkit.evaluate.beir import RetrievalData
from searchkit.evaluate.judged import read_judged
from searchkit.evaluate.metrics import Metric, evaluate_search
from searchkit.evaluate.query_suggestions import suggest_queries, write_suggestions
from searchkit.evaluate.retrieval.corpus import Corpus, CorpusCollection, as_document, corpus_collection
from searchkit.evaluate.retrieval.evaluation import EvaluationOptions, evaluate_collection, evaluate_set
from searchkit.evaluate.retrieval.report import report_as_json, report_as_text
from searchkit.evaluate.retrieval.results import report_of
from searchkit.evaluate.retrieval.search import DocumentSearch, RankingEmbedder
from searchkit.home import Home
from searchkit.ingest.extract.readers import extract
from searchkit.library import Library
from searchkit.types import Passage, SearchMode
from searchkit_indexes import Vectors
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

LONG = "\n\n".join(f"Paragraph {number} tells of pumps and valves, of pipes and of tanks." for number in range(40))
DOCUMENTS = {
    "http://x/roses#1": Passage("Roses", "Prune the roses in March, above an outward bud."),
    "b": Passage("", "Knead the dough, let it rest overnight and bake it hot."),
    "zqx": Passage("Long", f"{LONG}\n\nThe gauge shows two bar."),
    "twin": Passage("", "Knead the dough, let it rest overnight and bake it hot."),
}
DATA = RetrievalData(
    name="tiny",
    documents=DOCUMENTS,
    queries={"q1": "when to prune roses", "q2": "bake the dough", "q3": "gauge bar"},
    qrels={"q1": {"http://x/roses#1": 1}, "q2": {"twin": 2, "b": 1}, "q3": {"zqx": 1}},
)
QUICK = EvaluationOptions(with_latency=False)


@pytest.fixture
def made(tmp_path: Path, embedder: HashEmbedder) -> CorpusCollection:
    """The collection of the small corpus."""
    return corpus_collection(Home(tmp_path), Corpus("tiny", DOCUMENTS), embedder)


def ranking(made: CorpusCollection, embedder: HashEmbedder, query: str, mode: SearchMode, k: int = 10) -> list[str]:
    with Library(made.home, embedder=RankingEmbedder(embedder)) as library:
        found = DocumentSearch(library, made.name, mode, made.ids_of)(query, k)
    return [document for document, _ in found]


def test_documents_are_ranked_by_their_best_passage_each_once(made: CorpusCollection, embedder: HashEmbedder) -> None:
    for mode in SearchMode:
        found = ranking(made, embedder, "gauge two bar", mode)
        assert found[0] == "zqx"
        assert len(found) == len(set(found))
        assert ranking(made, embedder, "pumps and valves in pipes", mode, 2)[0] == "zqx"
    assert set(ranking(made, embedder, "pumps and valves in pipes", SearchMode.SEMANTIC)) == set(DOCUMENTS)


def test_documents_with_the_same_text_are_all_found(made: CorpusCollection, embedder: HashEmbedder) -> None:
    for mode in SearchMode:
        assert ranking(made, embedder, "knead the dough", mode)[:2] == ["b", "twin"]


def test_names_and_ids_are_no_words(made: CorpusCollection, embedder: HashEmbedder) -> None:
    for query in ("twin", "http", "00000001", "corpus", "b", "txt md document"):
        assert ranking(made, embedder, query, SearchMode.LEXICAL) == []


def test_a_title_stands_where_a_markdown_files_heading_does(embedder: HashEmbedder) -> None:
    from searchkit.ingest.chunk import chunk_document

    for title, text in (("Roses", "Prune them.\n\nIn March."), ("Only a title", ""), ("", "Only text"), ("Long", LONG)):
        ours = list(chunk_document(as_document(Passage(title, text)), embedder.count_tokens, 512))
        source = f"# {title}\n\n{text}\n" if title else text
        markdown = list(chunk_document(extract("markdown", source.encode()), embedder.count_tokens, 512))
        assert [(one.title, one.text) for one in ours] == [(one.title, one.text) for one in markdown]


def test_text_that_looks_like_markup_stays_as_it_is(
    made: CorpusCollection, tmp_path: Path, embedder: HashEmbedder
) -> None:
    odd = {
        "a": Passage("*T* <b>", "# no heading\n\n- [x](y) ```\n<p>&amp;</p>"),
        "empty": Passage("", " \n"),
        "half": Passage("\ud800", "x\udfff"),
    }
    folder = corpus_collection(Home(tmp_path), Corpus("odd", odd), embedder).folder
    with reading(folder) as connection:
        (first,) = chunks_of_document(connection, 1)
    assert (first.title, first.text) == ("*T* <b>", "# no heading\n\n- [x](y) ```\n<p>&amp;</p>")


def test_a_corpus_is_indexed_once_and_apart(made: CorpusCollection, tmp_path: Path, embedder: HashEmbedder) -> None:
    embedder.embedded.clear()
    again = corpus_collection(Home(tmp_path), Corpus("tiny", DOCUMENTS), embedder)
    assert (again.name, embedder.embedded) == (made.name, [])
    with Library(tmp_path, embedder=embedder) as library:
        assert library.collections() == []
    changed = {**DOCUMENTS, "b": Passage("", "Let the dough rest.")}
    other = corpus_collection(Home(tmp_path), Corpus("tiny", changed), embedder)
    assert other.name != made.name
    assert embedder.embedded == ["Let the dough rest."]  # the other vectors are lent by the first collection


class _Stopping(HashEmbedder):
    """Stops a run at the second group of passages."""

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        if self.embedded:
            raise KeyboardInterrupt
        return super().embed_documents(passages)


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path, embedder: HashEmbedder) -> None:
    corpus = Corpus("many", {f"d{number}": Passage("", f"word{number} tells") for number in range(50)})
    stopping = _Stopping()
    with pytest.raises(KeyboardInterrupt):
        corpus_collection(Home(tmp_path), corpus, stopping)
    assert 0 < len(stopping.embedded) < 50
    made = corpus_collection(Home(tmp_path), corpus, embedder)
    assert len(embedder.embedded) == 50 - len(stopping.embedded)
    assert ranking(made, embedder, "word42", SearchMode.LEXICAL) == ["d42"]


def test_texts_that_are_missing_are_put_in_again(
    made: CorpusCollection, tmp_path: Path, embedder: HashEmbedder
) -> None:
    with writing(made.folder) as connection, connection.transaction():
        connection.execute("DELETE FROM documents WHERE id = 1")
    again = corpus_collection(Home(tmp_path), Corpus("tiny", DOCUMENTS), embedder)
    assert ranking(again, embedder, "prune roses", SearchMode.SEMANTIC)[0] == "http://x/roses#1"


def test_a_set_is_evaluated_in_all_ways_and_indexes(tmp_path: Path, embedder: HashEmbedder) -> None:
    options = EvaluationOptions(indexes=("auto", "rabitq-1bit-32"), dimensions=(16,))
    result = evaluate_set(Home(tmp_path), DATA, embedder, options)
    ways = [row.way for row in result.report.rows]
    specs = ["flat-float32-64", "rabitq-1bit-32", "flat-float32-16"]
    assert sorted(ways) == sorted(["lexical", *(f"{mode}-{spec}" for mode in ("hybrid", "semantic") for spec in specs)])
    assert all(row.latency is not None and row.latency.queries == 3 for row in result.report.rows)
    assert (result.report.documents, result.report.queries, result.report.name) == (4, 3, "tiny")
    pairs = {(one.way, one.other) for one in result.report.differences}
    assert ("hybrid-rabitq-1bit-32", "semantic-rabitq-1bit-32") in pairs
    assert ("semantic-flat-float32-16", "semantic-flat-float32-64") in pairs
    assert result.scores["lexical"].values[Metric.MRR_10].tolist() == [1, 1, 1]
    with Library(tmp_path / "eval", embedder=embedder) as library:
        (name,) = library.collections()
        index = library.status(name).index
    assert index is not None
    assert index.name == "flat-float32-64"


def test_a_report_reads_well_and_is_json(tmp_path: Path, embedder: HashEmbedder) -> None:
    sets = [evaluate_set(Home(tmp_path), DATA, embedder, QUICK, label=name).report for name in ("tiny", "tiny-dev")]
    text = report_as_text(report_of(sets))
    assert text.startswith("tiny: 4 documents in ")
    assert "hybrid − semantic: nDCG@10 " in text
    assert "Mean of 2 sets" in text
    report = json.loads(json.dumps(report_as_json(report_of(sets))))
    assert set(report["means"]["hybrid"]) == {"ndcg@10", "recall@10", "recall@100", "mrr@10"}
    assert report["sets"][1]["name"] == "tiny-dev"
    assert report["sets"][0]["rows"][0]["latency"] is None


def test_a_limit_takes_queries_and_impossible_indexes_are_refused(tmp_path: Path, embedder: HashEmbedder) -> None:
    result = evaluate_set(
        Home(tmp_path), DATA, embedder, EvaluationOptions((SearchMode.LEXICAL,), limit=2, with_latency=False)
    )
    assert result.report.queries == 2
    assert result.report.differences == ()
    for options, message in (
        (EvaluationOptions(indexes=("tree",)), "is not the name of an index"),
        (EvaluationOptions(indexes=("rabitq-1bit-128",)), "64 dimensions"),
        (EvaluationOptions(dimensions=(65,)), "64 dimensions"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate_set(Home(tmp_path), DATA, embedder, options)


def test_what_searches_refuse_finds_nothing(made: CorpusCollection, embedder: HashEmbedder) -> None:
    assert ranking(made, embedder, " \n", SearchMode.HYBRID) == []


def test_two_evaluations_of_one_corpus_do_not_mix(
    made: CorpusCollection, tmp_path: Path, embedder: HashEmbedder
) -> None:
    with FileLock(made.folder.path / "evaluation.lock"), pytest.raises(CollectionBusyError, match="another process"):
        evaluate_set(Home(tmp_path), DATA, embedder, QUICK)


def test_rankings_do_not_depend_on_the_ranking_embedder(made: CorpusCollection, embedder: HashEmbedder) -> None:
    for mode in SearchMode:
        with (
            Library(made.home, embedder=embedder) as plain,
            Library(made.home, embedder=RankingEmbedder(embedder)) as quick,
        ):
            both = [
                evaluate_search(DocumentSearch(library, made.name, mode, made.ids_of), DATA.queries, DATA.qrels)
                for library in (plain, quick)
            ]
        for metric in Metric:
            assert both[0].values[metric].tolist() == both[1].values[metric].tolist() != []


def judged_file(tmp_path: Path, *lines: object) -> Path:
    return write(tmp_path / "judged.jsonl", "\n".join(json.dumps(line) for line in lines))


def test_a_users_own_collection_is_evaluated_and_left_alone(library: Library, docs: Path, tmp_path: Path) -> None:
    library.index(docs, collection="docs")
    file = judged_file(
        tmp_path,
        {"query": "prune roses", "relevant": ["garden/roses.md"], "note": "ignored"},
        {"query": "water gauge", "relevant": [f"{docs}/boiler.md#3", "bread.txt:1"]},
    )
    judged = read_judged(library.home, "docs", file)
    assert judged.queries == {"1": "prune roses", "2": "water gauge"}
    embedder = library.collection("docs").embedder()
    for indexes in ((), ("auto", "flat-int8-32")):
        options = EvaluationOptions(indexes=indexes, with_latency=False)
        scores = evaluate_collection(judged, embedder, options).scores
        assert scores["lexical"].values[Metric.MRR_10].tolist() == [1, 1]
        assert scores["lexical"].values[Metric.RECALL_10].tolist() == [1, 0.5]
    index = library.status("docs").index
    assert index is not None
    assert index.name == "flat-float32-64"
    assert not list((library.home.path / "eval").glob("*"))


def test_a_line_of_a_file_is_its_passage_and_not_another(library: Library, tmp_path: Path) -> None:
    sections = "\n".join(f"## Part {number}\n\n" + f"apples and pears {number} " * 60 + "\n" for number in range(3))
    write(tmp_path / "docs" / "long.md", sections)
    library.index(tmp_path / "docs")
    file = judged_file(tmp_path, {"query": "apples 2", "relevant": ["long.md#9"]})
    judged = read_judged(library.home, "docs", file)
    embedder = library.collection("docs").embedder()
    scores = evaluate_collection(judged, embedder, QUICK).scores
    first = library.search("apples 2", mode="lexical")[0]
    is_first = first.line is not None and first.line <= 9 + 2 <= (first.line_end or 0) + 2
    assert (scores["lexical"].values[Metric.MRR_10][0] == 1) == is_first
    assert scores["lexical"].values[Metric.MRR_10][0] > 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"query": "x", "relevant": ["nowhere.md"]}, "line 2: collection 'docs' has no indexed file 'nowhere.md'"),
        ({"query": "x", "relevant": ["bread.txt#900"]}, "line 2: .* has no passage at #900"),
        ({"query": "x", "relevant": []}, 'line 2: "relevant" must be a list'),
        ({"query": " ", "relevant": ["bread.txt"]}, 'line 2: "query" is missing'),
        ({"query": "first", "relevant": ["bread.txt"]}, "line 2: the query 'first' was there before"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_line(
    library: Library, docs: Path, tmp_path: Path, line: object, message: str
) -> None:
    library.index(docs)
    file = judged_file(tmp_path, {"query": "first", "relevant": ["bread.txt"]}, line)
    with pytest.raises(EvaluationDataError, match=message):
        read_judged(library.home, "docs", file)


def test_proposed_queries_are_headings_of_one_file_each_and_can_be_evaluated(
    library: Library, docs: Path, tmp_path: Path
) -> None:
    pumps = "Pumps are kept beside the door. " * 60  # short sections are joined under the heading above them
    write(docs / "other.md", f"# Boiler\n\n## Summary\n\n{pumps}\n\n## Spare parts\n\n{pumps}more\n")
    write(docs / "third.md", f"# Third\n\n## Summary\n\nAll {pumps}\n")
    library.index(docs)
    suggestions = suggest_queries(library.home, "docs", 20)
    asked = {one.query: one.file for one in suggestions}
    assert asked["Pressure"] == "boiler.md"
    assert asked["Spare parts"] == "other.md"
    assert asked["Knead the dough, let it rest overnight and bake it"] == "bread.txt"
    assert "Summary" not in asked
    file = tmp_path / "proposed.jsonl"
    write_suggestions(file, suggestions, force=False)
    judged = read_judged(library.home, "docs", file)
    assert len(judged.queries) == len(suggestions)
    assert len({one.file for one in suggest_queries(library.home, "docs", 3)}) == 3
    with pytest.raises(UsageError, match="exists already"):
        write_suggestions(file, suggestions, force=False)
    write_suggestions(file, suggestions[:1], force=True)
    assert len(file.read_text().splitlines()) == 1
