"""The journeys of a query and a file: the modules that a search runs through, and how often a run opens the catalog."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from searchkit.library import Library
from searchkit.search.request import SearchRequest
from tests.support.files import ROOT
from tests.support.homes import copied
from tests.support.trace_search import Journey

MOST_MODULES = (
    32  # on_demand since a query is embedded once for all collections, vector_codes since vectors have several forms
)
MOST_MODULES_OF_THE_COMMAND = 60  # which opens both, and words the answer


def test_a_search_runs_through_few_modules(library: Library, docs: Path) -> None:
    library.index(docs)
    library.search("prune")  # opens the index
    with Journey() as journey:
        found = library.find(SearchRequest("when to prune the roses"))
    assert found.hits
    assert len(journey.modules) <= MOST_MODULES, listed(journey.modules)


def test_a_search_parses_its_query_once(library: Library, docs: Path) -> None:
    library.index(docs)
    with Journey() as journey:
        library.find(SearchRequest("when to prune the roses"))
    assert journey.parses == 1, f"The query was parsed {journey.parses} times."


@pytest.mark.parametrize("subject", ["query", "file"])
def test_the_documented_journey_is_the_one_that_is_made(subject: str, library: Library, docs: Path) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    table = page.partition(f"## The journey of a {subject}")[2].partition("\n## ")[0]
    steps = [line for line in table.splitlines() if line.startswith("| ") and "In the worker:" not in line]
    named = {name for step in steps for name in re.findall(r"`([a-z_/]+)\.py`", step)}
    ours = {
        f"searchkit.{name.replace('/', '.')}" for name in named if not name.startswith(("cli/", "daemon/", "display"))
    }
    with Journey() as journey:
        library.index(docs)
        if subject == "query":
            library.find(SearchRequest("when to prune the roses"))
    assert len(ours) > 5
    assert ours <= set(journey.modules), listed(sorted(ours - set(journey.modules)))


@pytest.mark.minilm
def test_the_search_command_runs_through_no_more_modules_than_it_did(
    small_model: Path, tmp_path: Path, docs: Path
) -> None:
    environment = {**os.environ, "SEARCHKIT_HOME": str(copied(small_model, tmp_path / "home"))}
    with Library(tmp_path / "home") as library:
        library.index(docs)
    command = [sys.executable, "-m", "tests.support.trace_search", "when to prune the roses"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    modules = json.loads(ended.stdout)["modules"]
    assert "searchkit.cli.search" in modules
    assert len(modules) <= MOST_MODULES_OF_THE_COMMAND, listed(modules)


def test_a_run_in_which_nothing_changed_opens_the_catalog_once(
    library: Library, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(docs)
    opened: list[str] = []
    callers_of_the_test = len(traceback.extract_stack())
    connect = sqlite3.connect

    def connecting(database: str | Path, **options: object) -> sqlite3.Connection:
        callers = [f"{Path(step.filename).name}:{step.lineno} {step.name}" for step in traceback.extract_stack()]
        ours = callers[callers_of_the_test:-1]
        opened.append(" -> ".join(step for step in ours if "contextlib" not in step))
        return connect(database, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connecting)
    report = library.index(docs)
    assert (report.added, report.changed, report.unchanged) == (0, 0, 3)
    assert len(opened) == 1, listed(opened)


def listed(steps: "dict[str, None] | list[str]") -> str:
    return "\n  ".join([f"{len(steps)}, in order:", *steps])
