"""`searchkit eval retrieval` and `eval init` with the small model; figures are looked at, never judged."""

import json
from pathlib import Path

import click
import click.testing
import pytest

from searchkit.cli.main import cli
from searchkit.errors import SearchkitError
from searchkit.evaluate.trec import read_run
from tests.support.files import write
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]


@pytest.fixture(scope="module")
def home(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the small model."""
    return copied(small_model, tmp_path_factory.mktemp("home"))


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """Three documents, two judged queries in one split and one in another."""
    folder = tmp_path / "tiny"
    documents = {"a": "Prune the roses in March.", "b": "Bake the bread hot.", "c": "Top up the water of the boiler."}
    corpus = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in documents.items()]
    write(folder / "corpus.jsonl", "\n".join(corpus))
    queries = [{"_id": "1", "text": "when to cut flowers"}, {"_id": "2", "text": "boiler pressure"}]
    write(folder / "queries.jsonl", "\n".join(map(json.dumps, queries)))
    write(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\n1\ta\t1\n2\tc\t1\n")
    write(folder / "qrels" / "dev.tsv", "1\ta\t1\n")
    return folder


def run(home: Path, *arguments: str | Path) -> click.testing.Result:
    environment = {"SEARCHKIT_HOME": str(home)}
    result = click.testing.CliRunner().invoke(cli, ["eval", *map(str, arguments)], env=environment)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def test_the_table_goes_to_stdout_and_the_files_to_a_folder(home: Path, beir: Path, tmp_path: Path) -> None:
    result = run(home, "retrieval", beir, "--out", tmp_path / "runs", "--index", "auto", "--index", "rabitq-1bit-128")
    header = result.stdout.splitlines()[1].split()
    assert header == ["nDCG@10", "recall@10", "recall@100", "MRR@10", "p50", "ms", "p95", "ms", "model", "ms"]
    ways = [
        "lexical",
        *(f"{mode}-{s}" for mode in ("hybrid", "semantic") for s in ("flat-float32-384", "rabitq-1bit-128")),
    ]
    files = {file.name for file in (tmp_path / "runs").iterdir()}
    assert files == {"report.json", "tiny.qrels", "tiny.queries.jsonl", *(f"tiny.{way}.trec" for way in ways)}
    assert read_run(tmp_path / "runs" / "tiny.lexical.trec")["2"][0][0] == "c"
    runs = [tmp_path / "runs" / f"tiny.{way}.trec" for way in ways[:2]]
    judged: list[str | Path] = [
        "--qrels",
        tmp_path / "runs" / "tiny.qrels",
        "--queries",
        tmp_path / "runs" / "tiny.queries.jsonl",
    ]
    assert "nDCG@10" in run(home, "compare", *runs, *judged).stdout
    report = json.loads((tmp_path / "runs" / "report.json").read_text())
    assert [row["way"] for row in report["sets"][0]["rows"]].count("lexical") == 1


def test_json_has_the_chosen_ways_of_the_split(home: Path, beir: Path) -> None:
    arguments = ["--json", "--mode", "semantic", "--dimension", "128", "--split", "dev", "--no-latency", "-k", "5"]
    report = json.loads(run(home, "retrieval", beir, *arguments).stdout)
    (one,) = report["sets"]
    assert (one["name"], one["queries"], one["k"]) == ("tiny-dev", 1, 5)
    assert [(row["way"], row["index"]) for row in one["rows"]] == [("semantic", "flat-float32-128")]


def test_a_collection_of_ones_own_is_begun_and_evaluated(home: Path, docs: Path, tmp_path: Path) -> None:
    environment = {"SEARCHKIT_HOME": str(home)}
    click.testing.CliRunner().invoke(cli, ["index", str(docs), "-c", "own"], env=environment, catch_exceptions=False)
    file = tmp_path / "own.jsonl"
    begun = run(home, "init", "own", "--out", file, "--count", "5")
    assert begun.stdout == f"{file}\n"
    assert f"searchkit eval retrieval -c 'own' --queries '{file}'" in begun.stderr
    assert "nDCG@10" in run(home, "retrieval", "-c", "own", "--queries", file, "--no-latency").stdout


def test_what_makes_no_sense_is_refused(
    home: Path, beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEARCHKIT_HOME", str(home))
    usage: list[tuple[list[str], str]] = [
        ([], "Name a folder"),
        ([str(beir), "-c", "x", "--queries", "y"], "Either folders"),
        (["-c", "x"], "go together"),
        (["--queries", "x"], "go together"),
        (["-c", "x", "--queries", "y", "--split", "dev"], "are for folders"),
        ([str(beir), str(beir)], "one name"),
    ]
    for arguments, message in usage:
        with pytest.raises(click.UsageError, match=message):
            cli(["eval", "retrieval", *arguments], standalone_mode=False)
    refused = [
        ([str(tmp_path)], "There is no file"),
        ([str(beir), "--split", "nix"], "nix.tsv"),
        ([str(beir), "--index", "tree"], "is not the name of an index"),
        ([str(beir), "--model", "nix"], "No model named 'nix'"),
        (["-c", "nix", "--queries", "y"], "No collection named 'nix'"),
    ]
    for arguments, message in refused:
        with pytest.raises(SearchkitError, match=message):
            cli(["eval", "retrieval", *arguments], standalone_mode=False)


def test_judged_documents_that_are_not_there_are_named(home: Path, beir: Path) -> None:
    with (beir / "qrels" / "test.tsv").open("a") as judged:
        judged.write("1\tnowhere\t1\n")

    assert (
        "1 judged document not in corpus.jsonl, such as nowhere" in run(home, "retrieval", beir, "--no-latency").stderr
    )
