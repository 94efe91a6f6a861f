"""Hits that say the same take one place, and those below it are not lost."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from searchkit.cli.main import cli
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from searchkit.types import Hit, SearchMode
from tests.support.files import write
from tests.support.mcp_tool import search_by_mcp

_TAPES = "Remember to carry the backup tapes to the vault."
_OTHERS = (
    "Anna called about the invoice.",
    "The kitchen smells of paint again.",
    "Lunch with Piet at noon, he pays.",
    "The lift is out of order until Friday.",
    "New keys for the bicycle shed came.",
    "Long talk about holidays in Norway.",
    "The printer wants cyan, as always.",
)
_BLOCK = """```yaml
pump:
  pressure: 3.5
  mode: eco
  restart_after_minutes: 15
```
"""
_INTRODUCED = {
    "en": "The pump is configured in this file, where the pressure is in bar:",
    "de": "Die Pumpe wird in dieser Datei eingestellt, der Druck steht in Bar:",
    "fr": "La pompe se règle dans ce fichier, la pression est donnée en bars :",
}


@pytest.fixture
def diary(library: Library, tmp_path: Path) -> Library:
    """Seven daily notes with the same sentence, and a plan that says something else about the same."""
    write_diary(tmp_path / "diary")
    library.index(tmp_path / "diary")
    return library


def write_diary(folder: Path) -> None:
    for day, other in enumerate(_OTHERS, 1):
        write(folder / f"2030-03-0{day}.md", f"# Day {day}\n\n{other}\n\n{_TAPES}\n")
    write(folder / "plan.md", "# Plan\n\nThe backup tapes are replaced by disks; the vault stays.\n")
    write(folder / "numbers.md", "# Numbers\n\nRemember to carry the 12 backup tapes to the vault.\n")


def found(library: Library, query: str, k: int = 10, mode: SearchMode = SearchMode.LEXICAL) -> list[Hit]:
    return list(library.find(SearchRequest(query, k, mode, fold=True)).hits)


@pytest.mark.both_homes
@pytest.mark.parametrize("mode", [SearchMode.LEXICAL, SearchMode.HYBRID])
@pytest.mark.parametrize("k", [3, 10])
def test_a_sentence_of_seven_notes_takes_one_place(diary: Library, k: int, mode: SearchMode) -> None:
    hits = found(diary, "carry backup tapes to the vault", k, mode)
    notes = [hit for hit in hits if hit.path.name.startswith("2030")]
    assert len(notes) == 1
    below = [hit.path.name for hit in notes[0].alike]
    assert len(below) == 6
    assert len({*below, notes[0].path.name}) == 7
    assert all(not hit.alike for hit in notes[0].alike)
    names = {hit.path.name for hit in hits}
    assert len(hits) == 3
    assert names >= {"plan.md", "numbers.md"}, "what says something else, or another number, has its own place"


@pytest.mark.both_homes
def test_what_is_beyond_the_last_place_is_found_too(diary: Library) -> None:
    (first,) = found(diary, "carry backup tapes to the vault path:2030*", k=1)
    assert len(first.alike) == 6


def test_a_note_with_more_of_the_query_has_its_own_place(diary: Library) -> None:
    hits = found(diary, "carry backup tapes vault printer")
    assert hits[0].path.name == "2030-03-07.md"
    below = {hit.path.name for hit in hits[0].alike}
    assert len(below) == 6, "those with less of it go below the one with more"
    diary_of_two = found(diary, "remember kitchen printer backup tapes")
    shown = {hit.path.name for hit in diary_of_two}
    assert {"2030-03-02.md", "2030-03-07.md"} <= shown


def test_without_folding_each_has_its_place(diary: Library) -> None:
    hits = diary.find(SearchRequest("carry backup tapes to the vault", 20, SearchMode.LEXICAL)).hits
    assert len(hits) == 9
    assert not any(hit.alike for hit in hits)


@pytest.mark.parametrize("query", ["pump pressure", "pressure: 3.5", "restart_after_minutes", "pump mode eco"])
def test_translations_of_a_block_take_one_place(library: Library, tmp_path: Path, query: str) -> None:
    for language, introduction in _INTRODUCED.items():
        write(tmp_path / "manual" / language / "pump.md", f"{introduction}\n\n{_BLOCK}")
    other = _BLOCK.replace("eco", "full").replace("3.5", "7.1").replace("15", "40")
    write(tmp_path / "manual" / "large.md", f"The large pump is configured otherwise:\n\n{other}")
    library.index(tmp_path / "manual")

    hits = found(library, query)
    first = next(hit for hit in hits if hit.path.name == "pump.md")
    assert {hit.path.parent.name for hit in (first, *first.alike)} == set(_INTRODUCED)
    assert [hit.path.name for hit in hits].count("pump.md") == 1
    assert "large.md" not in {hit.path.name for hit in first.alike}


def test_what_two_collections_say_alike_takes_one_place(diary: Library, tmp_path: Path) -> None:
    write(tmp_path / "archive" / "old.md", f"# Old\n\nNothing of note.\n\n{_TAPES}\n")
    diary.index(tmp_path / "archive")
    hits = found(diary, "carry backup tapes to the vault", k=2)
    (first,) = [hit for hit in hits if hit.alike]
    assert {hit.collection for hit in (first, *first.alike)} == {"diary", "archive"}
    assert len(first.alike) == 7


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("कल बाज़ार में मीठी रोटी मिलती है", "कल बाज़ार में मीठा रोटी मिलती है"),  # a vowel sign
        ("Bring the 12 boxes to the hall.", "Bring the 21 boxes to the hall."),
        ("Turn the valve on before noon.", "Turn the valve off before noon."),
    ],
)
def test_what_differs_in_a_sign_or_a_digit_has_its_own_place(
    library: Library, tmp_path: Path, one: str, other: str
) -> None:
    write(tmp_path / "notes" / "a.md", f"# A\n\nApples.\n\n{one}\n")
    write(tmp_path / "notes" / "b.md", f"# B\n\nPears.\n\n{other}\n")
    library.index(tmp_path / "notes")
    shared = " ".join(word for word in one.split() if word in other.split())
    assert [len(hit.alike) for hit in found(library, shared)] == [0, 0]


def test_short_sentences_are_said_of_many_things(library: Library, tmp_path: Path) -> None:
    for part in ("boiler", "roof", "garden"):
        write(tmp_path / "todo" / f"{part}.md", f"# The {part}\n\nTo be done.\n\nAsk about the {part} in May.\n")
    library.index(tmp_path / "todo")
    assert len(found(library, "to be done")) == 3


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ("", 1),  # for people
        ("--no-fold", 7),
        ("--json", 7),
        ("--json --fold", 1),
        ("-l", 7),
        ("-l --fold", 7),  # none is lost
        ("--format {path}", 7),
        ("--vimgrep", 7),
    ],
)
def test_the_command_folds_for_people(diary: Library, options: str, lines: int) -> None:
    command = ["search", "--mode", "lexical", *options.split(), "carry backup tapes to the vault path:2030*"]
    run = CliRunner().invoke(cli, command, env={"SEARCHKIT_HOME": str(diary.home.path)})
    assert run.exit_code == 0, run.output
    assert len(re.findall(r"^(?!      ).*2030-03-0\d\.md", run.stdout, re.MULTILINE)) == lines
    is_named = "and 6 more like it (2030-03-0" in run.stdout
    assert is_named == (not options)
    if "--json" in options:
        below = [json.loads(line)["alike"] for line in run.stdout.splitlines()]
        assert [len(each) for each in below] == ([6] if lines == 1 else [0] * 7)


def test_the_server_folds_where_it_is_asked_to_and_each_passage_opens(diary: Library) -> None:
    asked: dict[str, str | bool] = {"query": "carry backup tapes to the vault path:2030*", "mode": "lexical"}
    state = open_state(diary, ServeOptions(workers=1))
    try:
        client = TestClient(make_api(state), headers={"accept": "text/html"})
        each = client.post("/search", json=asked).json()["hits"]
        (folded,) = client.post("/search", json=asked | {"fold": True}).json()["hits"]
        opened = [client.get(f"/passages/{other['id']}").json() for other in folded["alike"]]
        page = client.get("/ui/results", params={"q": str(asked["query"]), "mode": "lexical"}).text
    finally:
        close_state(state, 10)
    assert (len(each), len(folded["alike"])) == (7, 6)
    assert all(_TAPES in passage["passage"]["text"] for passage in opened)
    assert len({passage["document"]["path"] for passage in opened} | {folded["path"]}) == 7
    assert "and 6 more like it" in page
    assert len(set(re.findall(r"/ui/read/[^\"]*", page))) == 7


def test_a_tool_names_what_says_the_same(diary: Library) -> None:
    answer: Any = search_by_mcp(diary, "carry backup tapes to the vault path:2030*", 10)
    (found,) = answer["results"]
    assert len(found["alike"]) == 6
    assert all(other["id"] and other["title"].startswith("2030-03-0") for other in found["alike"])
