"""docs/json.md against what the commands print: every field that is printed is documented, and every documented one is printed."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click.testing
import pytest

from searchkit.cli.main import cli
from searchkit.evaluate.chunking.measure import ChunkerRow, ChunkingReport
from searchkit.evaluate.retrieval.compare import RunComparison
from searchkit.evaluate.retrieval.results import Changes, Difference, Latency, RetrievalReport, SetReport, WayRow
from searchkit.evaluate.speed.bench import Report
from searchkit.maintenance.move import MoveReport
from searchkit.maintenance.rename import RenameReport
from searchkit.train.adapter.report import AdapterReport
from tests.support.fake_llm import fake_llm
from tests.support.files import ROOT, write
from tests.support.homes import copied

PAGE = (ROOT / "docs" / "json.md").read_text("utf-8")
FIELD_ROW = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)

# What prints the fields of a dataclass as they are, and takes long to run; its own tests run it.
REPORTS: Mapping[tuple[str, str], type] = {
    ("move", ""): MoveReport,
    ("collections rename", ""): RenameReport,
    ("train adapter", ""): AdapterReport,
    ("eval retrieval", ""): RetrievalReport,
    ("eval retrieval", "sets"): SetReport,
    ("eval retrieval", "rows"): WayRow,
    ("eval retrieval", "latency"): Latency,
    ("eval retrieval", "differences"): Difference,
    ("eval retrieval", "changes"): Changes,
    ("eval compare", ""): RunComparison,
    ("eval chunking", ""): ChunkingReport,
    ("eval chunking", "rows"): ChunkerRow,
    ("bench embed", ""): Report,
}
SCORED_HIT = ("search", "roses", "-k", "1", "--explain", "--json")


def documented(command: str, part: str = "") -> set[str]:
    """The fields in the table of a command's section, or of one of its parts."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    section = next(text for text in sections if f"`searchkit {command} --json`" in text.splitlines()[0])
    parts = re.split(r"^### ", section, flags=re.MULTILINE)
    table = next(text for text in parts if text.startswith(f"`{part}`")) if part else parts[0]
    return {name for row in FIELD_ROW.findall(table) for name in re.findall(r"`(\w+)`", row)}


@pytest.fixture(scope="module")
def home(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with one small collection."""
    folder = copied(small_model, tmp_path_factory.mktemp("home"))
    docs = folder / "docs"
    write(docs / "boiler.md", "# Boiler\n\n## Pressure\n\nTop up the water until the gauge shows two bar.\n")
    write(docs / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    write(docs / "torn.md", "\0\1\2\3" * 99)
    run(folder, "index", str(docs))
    return folder


def run(home: Path, *arguments: str, **environment: str) -> list[dict[str, Any]]:
    """The objects that a command prints."""
    variables = {"SEARCHKIT_HOME": str(home), **environment}
    result = click.testing.CliRunner().invoke(cli, arguments, env=variables, standalone_mode=False)
    assert result.exception is None, result.output
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def objects(value: object, part: str) -> Iterator[dict[str, Any]]:
    """Find the value of a field with that name, wherever it is."""
    if isinstance(value, dict):
        for name, held in value.items():
            if name == part:
                yield from (each for each in (held if isinstance(held, list) else [held]) if each is not None)
            yield from objects(held, part)
    elif isinstance(value, list):
        for each in value:
            yield from objects(each, part)


@pytest.mark.minilm
@pytest.mark.parametrize(
    ("section", "part", "arguments"),
    [
        ("search", "", SCORED_HIT),
        ("search", "explanation", SCORED_HIT),
        ("ask --no-llm", "", ("ask", "roses in March", "--no-llm", "--json")),
        ("status", "", ("status", "--json")),
        ("status", "index", ("status", "--json")),
        ("status --sizes", "", ("status", "--sizes", "--json")),
        ("collections", "", ("collections", "--json")),
        ("index", "", ("index", "--json")),
        ("embed", "", ("embed", "--json")),
        ("models list", "", ("models", "list", "--json")),
        ("models verify", "", ("models", "verify", "--json")),
        ("tune", "", ("tune", "-c", "docs", "--dry-run", "--json")),
        ("tune", "trials", ("tune", "-c", "docs", "--dry-run", "--json")),
        ("verify", "", ("verify", "--json")),
        ("train pairs", "", ("train", "pairs", "docs", "--json")),
        ("rebuild", "", ("rebuild", "-c", "docs", "--json")),
    ],
)
def test_what_is_printed_is_what_is_documented(home: Path, section: str, part: str, arguments: tuple[str, ...]) -> None:
    printed = run(home, *arguments)
    found = list(objects(printed, part)) if part else printed
    assert found
    assert all(each.keys() == documented(section, part) for each in found)


@pytest.mark.minilm
def test_similar_prints_the_fields_of_search_but_its_explanation(home: Path) -> None:
    hits = run(home, "similar", str(home / "docs" / "roses.md"), "--json")
    assert hits
    assert all(hit.keys() == documented("search") - {"explanation"} for hit in hits)


@pytest.mark.minilm
def test_a_rebuild_prints_its_index_run_as_index_does(home: Path) -> None:
    write(home / "docs" / "torn again.md", "\0\1\2\3" * 99)
    [rebuilt] = run(home, "rebuild", "-c", "docs", "--json")
    assert rebuilt["run"].keys() == documented("index")
    assert [problem.keys() for problem in rebuilt["run"]["problems"]] == [{"path", "reason", "remedy"}]


@pytest.mark.minilm
def test_an_answer_has_the_documented_fields(home: Path) -> None:
    with fake_llm() as llm:
        llm.answers("Prune the roses in March [1].")
        [answer] = run(home, "ask", "when are roses pruned", "--json", SEARCHKIT_LLM_URL=llm.base)
    assert answer.keys() == documented("ask")
    assert answer["sources"]
    assert answer["sentences"]
    of_a_source = documented("ask", "sources") | (documented("search") - {"rank", "explanation"})
    assert all(source.keys() == of_a_source for source in answer["sources"])
    assert all(sentence.keys() == documented("ask", "sentences") for sentence in answer["sentences"])


@pytest.mark.parametrize(("section", "part"), REPORTS, ids=[" ".join(key).strip() for key in REPORTS])
def test_the_fields_of_reports_are_documented(section: str, part: str) -> None:
    assert {field.name for field in fields(REPORTS[section, part])} == documented(section, part)


def test_booleans_are_adjectives_without_a_prefix() -> None:
    documented_names = [name for row in FIELD_ROW.findall(PAGE) for name in re.findall(r"`(\w+)`", row)]
    assert documented_names
    assert not [name for name in documented_names if name.startswith("is_")]
