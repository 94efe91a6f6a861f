"""`searchkit eval chunking` with the small model; figures are looked at, never judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from searchkit.cli.main import cli
from searchkit.errors import SearchkitError
from tests.support.files import write
from tests.support.homes import copied

pytestmark = pytest.mark.minilm
GARDEN = "# Roses\n\nPrune the roses in March.\n\n# Boiler\n\nTop up the water until the gauge shows two bar.\n"


@pytest.fixture(scope="module")
def home(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the small model."""
    return copied(small_model, tmp_path_factory.mktemp("home"))


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """One document with the answer to one query."""
    folder = tmp_path / "judged"
    answer = "Prune the roses in March."
    start = GARDEN.index(answer)
    write(folder / "documents" / "garden.md", GARDEN)
    write(folder / "queries.jsonl", json.dumps({"_id": "q", "text": "when to cut flowers"}))
    write(folder / "spans.jsonl", json.dumps({"_id": "q", "file": "garden", "spans": [[start, start + len(answer)]]}))
    return folder


def run(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "searchkit.cli.main", "eval", "chunking", *map(str, arguments)]
    environment = {**os.environ, "SEARCHKIT_HOME": str(home)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return result


def test_the_table_goes_to_stdout_and_nothing_into_a_pipe(home: Path, judged: Path) -> None:
    result = run(home, judged, "--windows", "8", "--windows", "256:64", "--windows", "256", "-k", "2")
    assert result.stderr == ""
    title, header, *rows = result.stdout.splitlines()
    assert title == "judged: 1 document, 1 query, all-minilm-l6-v2, the best 2 chunks by exact search"
    assert header.split() == ["chunks", "tokens", "recall", "precision", "IoU"]
    names = ["structure", "windows of 256", "windows of 8", "windows of 256, 64 of them shared"]
    assert [row.strip().split("  ")[0] for row in rows[:4]] == names


def test_one_json_object_holds_every_way(home: Path, judged: Path) -> None:
    report = json.loads(run(home, judged, "--json", "--model", "all-minilm-l6-v2", "-k", "1").stdout)
    assert (report["collection"], report["queries"], report["k"]) == ("judged", 1, 1)
    structure, windows = report["rows"]
    assert (structure["cutting"], windows["cutting"]) == ("structure", report["reference"])
    assert windows["recall"] == {"mean": 1, "difference": None, "low": None, "high": None}
    assert structure["recall"]["difference"] == 0
    assert structure["iou"]["mean"] == pytest.approx(windows["iou"]["mean"] + structure["iou"]["difference"], abs=1e-5)


def test_what_cannot_be_measured_gets_a_clear_message(
    home: Path, judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEARCHKIT_HOME", str(home))
    cases = [([str(judged), "--model", "nix"], "No model named 'nix'"), ([str(tmp_path)], "There is no file in")]
    for arguments, message in cases:
        with pytest.raises(SearchkitError, match=message):
            cli(["eval", "chunking", *arguments], standalone_mode=False)
    for windows in ("8:8", "x", "0", ":3"):
        with pytest.raises(click.UsageError, match="is not a number of tokens, or two such as 512:64"):
            cli(["eval", "chunking", str(judged), "--windows", windows], standalone_mode=False)
    assert capsys.readouterr().out == ""
