"""What is typed nearly right is answered with what was meant; an interruption says only what is true."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from searchkit.cli import main as command
from searchkit.cli.completion import NearestGroup
from searchkit.library import Library
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("notes", "drafts"):
        write(tmp_path / name / "roses.md", "Prune the roses.")
        with Library(tmp_path / "home", embedder=HashEmbedder()) as library:
            library.index(tmp_path / name)
    return tmp_path / "home"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command.cli, arguments, env={"SEARCHKIT_HOME": str(home)})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["serach", "x"], "'search'"),
        (["models", "verfiy"], "'verify'"),
        (["train", "adaptor"], "'adapter'"),
        (["eval", "retreival"], "'retrieval'"),
        (["search", "x", "--jsno"], "--json"),
    ],
)
def test_a_misspelt_command_or_option_is_answered_with_the_nearest(home: Path, typed: list[str], meant: str) -> None:
    result = run(home, *typed)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert meant in result.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("add notes", "index"),
        ("find roses", "search"),
        ("list", "collections"),
        ("rm notes", "forget"),
        ("version", "--version"),
        ("completion", "docs install"),
        ("collections list", "searchkit collections"),
        ("collections remove notes", "searchkit forget -c NAME"),
        ("models rm x", "remove"),
        ("search roses --limit 3", "-k"),
        ("search roses -n 3", "-k"),
        ("similar notes/roses.md --top 3", "-k"),
    ],
)
def test_a_word_that_other_programs_have_for_it_is_answered_with_what_to_type(
    home: Path, typed: str, meant: str
) -> None:
    result = run(home, *typed.split())
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr


def test_number_of_results_is_not_offered_where_there_is_none(home: Path) -> None:
    assert "-k" not in run(home, "status", "--limit", "3").stderr


def test_what_is_answered_can_be_typed() -> None:
    for name, group in _groups(command.cli):
        for word, meant in group._meant.items():  # a table, which only its readers need
            first, *rest = meant.removeprefix("searchkit ").split()
            of = command.cli if meant.startswith("searchkit ") else group
            found = of.get_command(click.Context(of), first)
            assert found or first == "--version", (name, word)
            if rest and isinstance(found, click.Group):
                assert found.get_command(click.Context(found), rest[0]), (name, word)
            assert word not in group.list_commands(click.Context(group)), (name, word)


def test_no_list_of_commands_is_cut() -> None:
    for name, _ in _groups(command.cli):
        shown = CliRunner().invoke(command.cli, [*name.split()[1:], "--help"], terminal_width=80).output
        assert "..." not in shown.partition("Commands:")[2], name


def _groups(group: click.Group, name: str = "searchkit") -> Iterator[tuple[str, NearestGroup]]:
    if isinstance(group, NearestGroup):
        yield name, group
    for each in group.list_commands(context := click.Context(group)):
        if isinstance(inner := group.get_command(context, each), click.Group):
            yield from _groups(inner, f"{name} {each}")


def test_a_misspelt_type_of_files_is_answered_with_the_nearest(home: Path) -> None:
    assert "Did you mean markdown?" in run(home, "search", "roses", "--type", "markdwon").stderr


@pytest.mark.parametrize("path", [["search"], ["models", "pull"]])
def test_help_is_a_command_for_every_command(home: Path, path: list[str]) -> None:
    assert run(home, "help", *path).output == run(home, *path, "--help").output


def test_a_whole_collection_is_forgotten_by_name_and_its_files_stay(home: Path) -> None:
    with Library(home, embedder=HashEmbedder()) as library:
        assert {hit.collection for hit in library.search("roses")} == {"notes", "drafts"}
    result = run(home, "forget", "-c", "drafts")
    assert (result.exit_code, result.stderr) == (0, "drafts: 1 file forgotten\n")
    assert (home.parent / "drafts" / "roses.md").is_file()
    with Library(home, embedder=HashEmbedder()) as library:
        assert library.collections() == ["notes"]


@pytest.mark.parametrize("arguments", [["forget"], ["forget", "-c", "notes", "/tmp"]])
def test_what_to_forget_must_be_clear(home: Path, arguments: list[str]) -> None:
    assert run(home, *arguments).exit_code == 2
    with Library(home, embedder=HashEmbedder()) as library:
        assert library.collections() == ["drafts", "notes"]


@pytest.mark.parametrize(
    ("typed", "goes_on"),
    [
        (["index", "x"], True),
        (["--debug", "models", "pull"], True),
        (["search", "index"], False),
        (["models", "list"], False),
    ],
)
def test_only_what_continues_says_so_when_it_is_interrupted(
    typed: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, goes_on: bool
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["searchkit", *typed])
    monkeypatch.setattr(command.cli, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 130
    assert ("What was stored is kept" in capsys.readouterr().err) == goes_on


@pytest.mark.parametrize("typed", [["status", "drafts"], ["verify", "drafts"], ["tune", "-c", "drafts", "notes"]])
def test_a_collection_that_is_named_without_its_option_is_answered_with_it(home: Path, typed: list[str]) -> None:
    result = run(home, *typed)
    assert result.exit_code == 2
    assert f"Got unexpected extra argument ({typed[-1]}). A collection is named so: -c NAME." in result.stderr


def test_what_was_forgotten_is_listed_with_what_brings_it_back(home: Path) -> None:
    part = write(home.parent / "notes" / "old" / "tulips.md", "Lift the tulips.").parent
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(home.parent / "notes")
    assert run(home, "forget", str(part)).exit_code == 0
    listed = run(home, "status", "--left-out", "-c", "notes").stdout
    assert f"      {part}/  (to have it: searchkit index {part})" in listed


def test_a_question_is_read_from_standard_input(home: Path) -> None:
    options = ["ask", "-", "--no-llm"]
    result = CliRunner().invoke(command.cli, options, input="prune roses\n", env={"SEARCHKIT_HOME": str(home)})
    assert (result.exit_code, "Question: prune roses" in result.stdout) == (0, True), result.output
