"""`searchkit search` with filters and `searchkit similar` as commands, with the small model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_command import Command, json_lines
from tests.support.files import SAMPLE_DOCS
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]
CONTRACT = "freelance-contract-stadtarchiv.md"


@pytest.fixture(scope="module")
def sample(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A data directory in which the sample documents are indexed."""
    return Command(copied(samples, tmp_path_factory.mktemp("sample")))


def found(command: Command, *arguments: str) -> set[str]:
    return {Path(str(hit["path"])).suffix for hit in json_lines(command("search", *arguments, "-k", "50", "--json"))}


def test_options_and_words_in_the_query_filter_alike(sample: Command) -> None:
    assert found(sample, "notice period", "--type", "pdf,eml") == {".pdf", ".eml"}
    assert found(sample, "notice period type:pdf,eml") == {".pdf", ".eml"}
    assert found(sample, "notice period", "--path", "*.pdf", "--path", "*.md") == {".pdf", ".md"}
    assert found(sample, "notice", "--folder", "notes", "--mode", "lexical") <= {".txt", ".md"}
    assert found(sample, "notice", "--since", "2100") == set()


def test_of_filters_alone_the_dates_are_shown_instead_of_scores(sample: Command) -> None:
    lines = sample("search", "--type", "eml", "-k", "2").stdout.splitlines()
    assert lines[0].split("  ")[0] == json_lines(sample("search", "type:eml", "-k", "1", "--json"))[0]["date"]
    assert "meaning" not in lines[-1]


def test_nothing_found_says_what_was_demanded(sample: Command) -> None:
    result = sample("search", '"nowhere to be seen" roof -draft', "--type", "pdf", "--since", "2020")
    assert result.stdout == ""
    assert result.stderr.startswith(
        'Nothing found with "nowhere to be seen" as written; without draft; of type pdf; since 2020-01-01.'
    )


def test_hits_are_grouped_by_file(sample: Command) -> None:
    hits = json_lines(sample("search", "E07", "--group-by", "file", "-k", "20", "--json"))
    assert len({hit["path"] for hit in hits}) == len(hits)
    assert "more passages of this file" in sample("search", "E07", "--group-by", "file").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--type", "banana"], "There is no type of file 'banana'. Types: archive, c,"),
        (["x", "--since", "banana"], "'banana' is not a date. Write one such as 2025"),
        (["x", "--path", ""], "'' is not a path pattern"),
        (["x", "--since", "2025", "--until", "2024"], "Swap them"),
        (["x", "--group-by", "folder"], "'folder' is not 'file'"),
        ([], "Say what you are looking for"),
    ],
)
def test_a_filter_that_makes_no_sense_is_wrong_usage(sample: Command, arguments: list[str], said: str) -> None:
    assert said in " ".join(sample("search", *arguments, code=2).stderr.split())


def test_similar_names_the_other_files(sample: Command) -> None:
    place = str(next(SAMPLE_DOCS.rglob(CONTRACT)))
    hits = json_lines(sample("similar", f"{place}:1", "-k", "3", "--json"))
    assert len(hits) == 3
    assert place not in [hit["path"] for hit in hits]
    assert all(hit["similarity"] == hit["score"] and hit["bm25"] is None for hit in hits)
    assert sample("similar", place, "--type", "mail").stdout.count(".eml") >= 1


def test_similar_to_what_is_not_indexed_says_what_to_do(sample: Command, tmp_path: Path) -> None:
    (tmp_path / "new.md").write_text("new")
    assert f"searchkit index {tmp_path}" in sample("similar", tmp_path / "new.md", code=1).stderr
    assert "There is no file" in sample("similar", "nowhere.md:3", code=1).stderr


def test_a_search_by_words_with_filters_loads_no_model(sample: Command) -> None:
    code = (
        "import sys, json; from searchkit.library import Library;"
        "hits = Library().search('\"notice period\" -draft type:md since:2000', mode='lexical');"
        "print(json.dumps([len(hits), [m for m in ('numpy', 'onnxruntime', 'faiss') if m in sys.modules]]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=sample.environment
    )
    assert json.loads(result.stdout)[1] == []
