"""`searchkit bench embed` with the small model, beside an engine that is a script; figures are looked at, never judged."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from searchkit.cli.main import cli
from searchkit.errors import SearchkitError
from tests.support.errors import refused
from tests.support.files import write
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]
FAKE_INTERPRETER = f"""#!{sys.executable} -S
import array, base64, json, sys
memory = {{"resident": 3.0, "anonymous": 1.0, "file": 2.0, "peak": 4.0}}
for line in sys.stdin:
    request = json.loads(line)
    texts = request.get("texts", [])
    print(json.dumps({{
        "load": {{"seconds": 0.5, "version": "fake 1", "memory": memory}},
        "embed": {{"seconds": 60.0 / request.get("batch_size", 1)}},
        "each": {{"seconds": [60.0] * len(texts)}},
        "vectors": {{"rows": len(texts), "vectors": base64.b64encode(
            array.array("f", ([1.0] + [0.0] * 383) * len(texts)).tobytes()).decode()}},
        "ids": {{"ids": [[1, 2, 3]] * len(texts)}},
        "memory": {{"memory": memory}},
    }}[request["op"]]), flush=True)
"""


class Bench:
    """Runs `searchkit bench embed --quick` with a data directory of its own."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "SEARCHKIT_HOME": str(home)}

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "searchkit.cli.main", *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)
        assert result.returncode == 0, result.stderr
        return result

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run("bench", "embed", "--quick", *arguments)

    def json(self, *arguments: str | Path) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self(*arguments, "--json").stdout)
        return report


@pytest.fixture(scope="module")
def bench(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A data directory with the small model and one document."""
    docs = tmp_path_factory.mktemp("docs")
    write(docs / "boiler.md", "# Boiler\n\nTop up the water until the gauge shows two bar.\n")
    command = Bench(copied(small_model, tmp_path_factory.mktemp("home")))
    command.run("index", docs, "-c", "docs")
    return command


@pytest.fixture
def beside(tmp_path: Path) -> list[str]:
    """The options that put the script beside the model, as llama.cpp."""
    interpreter = write(tmp_path / "python", FAKE_INTERPRETER)
    interpreter.chmod(0o755)
    gguf = write(tmp_path / "small.gguf", "none")
    return ["--llama-cpp", str(gguf), "--python-for", f"llama-cpp={interpreter}"]


def test_one_json_object_holds_every_section(bench: Bench, beside: list[str], tmp_path: Path) -> None:
    texts = [{"_id": "a", "title": "Boiler", "text": "water and pressure"}, {"_id": "b", "text": "roses in March"}]
    corpus = write(tmp_path / "tiny" / "corpus.jsonl", "\n".join(map(json.dumps, texts)))
    write(tmp_path / "tiny" / "queries.jsonl", json.dumps({"_id": "q", "text": "when to cut flowers"}))
    write(tmp_path / "tiny" / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\nq\tb\t1\n")
    data = ["--texts", corpus, "--corpus", corpus, "--retrieval", corpus.parent]
    report = bench.json(*map(str, data), "--rounds", "1", "-c", "docs", "--reference", "all-minilm-l6-v2", *beside)

    assert report["subject"] == "all-minilm-l6-v2"
    assert report["machine"]["onnxruntime"]
    assert report["command"].startswith("searchkit bench embed --quick --texts")
    loads = {row["engine"]: row for row in report["load"]}
    assert set(loads) == {"all-minilm-l6-v2", "llama.cpp small"}
    ours = loads["all-minilm-l6-v2"]
    assert 0 < ours["load_seconds"]["median"] < ours["ready_seconds"]["median"]
    assert ours["size_bytes"] > 10_000_000
    fixed, mixed = report["speed"]
    assert fixed["mean_tokens"] == 256
    assert mixed["mean_tokens"] < 20
    rows = {(row["engine"], row["batch_size"]): row for row in fixed["rows"]}
    assert rows["llama.cpp small", 2]["counted"]
    assert not rows["llama.cpp small", 1]["counted"]
    assert rows["llama.cpp small", 2]["subject_ratio"]["median"] > 1
    latencies = [row["median_ms"] for latency in report["latency"] for row in latency["rows"]]
    assert latencies
    assert min(latencies) > 0
    assert {row["mode"] for row in report["search"]} == {"hybrid", "semantic", "lexical"}
    assert [row["engine"] for row in report["cosines"]] == ["llama.cpp small"]
    assert [(row["collection"], row["ndcg_at_10"], row["difference"]) for row in report["retrieval"]] == [
        ("tiny", 1, 0)
    ]
    assert "llama.cpp small reads 2 of 2 texts as other tokens than searchkit does." in report["notes"]


def test_tables_are_for_people_and_a_section_may_be_chosen(bench: Bench, beside: list[str]) -> None:
    result = bench("--only", "speed", "--rounds", "1", "--threads", "2", *beside)
    assert result.stderr == ""
    assert "searchkit bench embed --quick --only speed" in result.stdout
    assert "Speed, inputs of 256 tokens: medians of 1 alternating rounds of 4 texts" in result.stdout
    assert "all-minilm-l6-v2, 1 thread " in result.stdout
    assert "llama.cpp small, batches of 2 " in result.stdout
    assert "Latency" not in result.stdout


def test_what_cannot_be_measured_gets_a_clear_message(
    bench: Bench, beside: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEARCHKIT_HOME", bench.environment["SEARCHKIT_HOME"])
    cases = [
        (["nix"], "No model named 'nix'"),
        (["--reference", "nix"], "No model named 'nix'"),
        (["--texts", str(tmp_path / "nix")], "There is no file"),
        (["--retrieval", str(tmp_path)], "corpus.jsonl"),
        (["-c", "nix"], "No collection named 'nix'"),
        (["--sentence-transformers", str(tmp_path)], "contains no modules.json"),
        (["--exported", str(tmp_path)], "contains no modules.json"),
        (["--llama-cpp", str(tmp_path / "nix")], "Name a GGUF file"),
        (beside[:2], "Name an interpreter that has llama-cpp-python: --python-for llama-cpp=PATH"),
    ]
    for arguments, message in cases:
        with refused(SearchkitError, re.escape(message)):
            cli(["bench", "embed", "--only", "speed", *arguments], standalone_mode=False)
    with pytest.raises(click.UsageError, match="expected one of sentence-transformers, exported, llama-cpp"):
        cli(["bench", "embed", "--python-for", "x=y"], standalone_mode=False)
    assert capsys.readouterr().out == ""
