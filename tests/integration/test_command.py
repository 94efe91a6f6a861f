"""The command as a process of its own, with the small model: output, exit codes, what it imports, what it reaches."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.files import SAMPLE_DOCS, write
from tests.support.homes import copied
from tests.support.terminal import on_a_terminal

HEAVY = ("torch", "transformers", "onnxruntime", "faiss", "textual", "numpy", "sqlite_utils")
NO_NETWORK = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("the network was touched")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from searchkit.cli.main import main
sys.argv = ["searchkit", *sys.argv[1:]]
main()
"""
Result = subprocess.CompletedProcess[str]
pytestmark = pytest.mark.minilm


class Command:
    """Runs the command with a data directory of its own, sockets forbidden."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "SEARCHKIT_HOME": str(home), "COLUMNS": "100"}

    def __call__(self, *arguments: str | Path, code: int = 0) -> Result:
        command = [sys.executable, "-c", NO_NETWORK, *map(str, arguments)]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stderr
        return result


@pytest.fixture(scope="module")
def sample(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """A data directory in which the sample documents are indexed."""
    return Command(copied(samples, tmp_path_factory.mktemp("sample")))


@pytest.fixture
def command(small_model: Path, tmp_path: Path) -> Command:
    """A data directory in which nothing is indexed."""
    return Command(copied(small_model, tmp_path / "home"))


def json_lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("remedies for insomnia", "nights.txt"),
        ("error E07 after warming up", "Corvello-D2-operating-manual.pdf"),
        ("SA-2025-007 notice period", "freelance-contract-stadtarchiv.md"),
    ],
)
def test_the_sample_documents_answer(sample: Command, query: str, name: str) -> None:
    assert name in sample("search", query, "-k", "1").stdout


def test_a_hit_shows_where_why_and_how_well(sample: Command) -> None:
    output = sample("search", "E07", "-k", "1", "--mode", "lexical").stdout
    first, *_ = output.splitlines()
    score, place = first.split("  ", 1)
    assert 0 < float(score) <= 1
    assert re.search(r"/daily-log-2025-03\.md:\d+ |/Corvello-D2-operating-manual\.pdf, page \d+ ", place)  # as good
    assert "«E07»" in output
    assert "words: e07" in output


def test_json_gives_one_documented_object_a_line(sample: Command) -> None:
    hits = json_lines(sample("search", "error E07 after warming up", "-k", "3", "--json"))
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    documented = (SAMPLE_DOCS.parent / "docs" / "json.md").read_text("utf-8")
    assert all(f"`{field}`" in documented for field in hits[0])
    assert {type(hit["page"]) for hit in hits} <= {int, type(None)}
    status = json_lines(sample("status", "--json"))[0]
    assert all(f"`{field}`" in documented for field in status)
    assert status["vectors"] == status["passages"]


def test_a_second_run_says_in_one_line_that_nothing_has_changed(sample: Command) -> None:
    result = sample("index", SAMPLE_DOCS)
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert re.fullmatch(r"sample_docs: nothing has changed in \d+ files, \d+\.\d s", line)


def test_nothing_but_data_goes_into_a_pipe(command: Command, docs: Path) -> None:
    result = command("index", docs, "--json")
    assert json.loads(result.stdout)["added"] == 3
    assert "\r" not in result.stderr
    assert "\x1b" not in result.stderr
    assert "\x1b" not in command("search", "roses").stdout


def test_bad_files_do_not_stop_a_run(command: Command, docs: Path) -> None:
    (docs / "cut.pdf").write_bytes(b"%PDF-1.4\n")
    (docs / "noise.md").write_bytes(bytes(range(256)))
    result = command("index", docs)
    assert "cut.pdf" in result.stderr
    assert "noise.md" in result.stderr
    status = command("status").stdout
    assert "2 skipped" in status
    assert "noise.md: binary content" in status
    assert "bread.txt" in command("search", "dough", "-k", "1").stdout


@pytest.mark.parametrize("name", ["status", "verify", "collections"])
def test_where_nothing_is_indexed_nothing_is_wrong(command: Command, name: str) -> None:
    for arguments in ([name], [name, "--json"]):
        result = command(*arguments)
        assert (result.stdout, result.stderr) == (
            "",
            "Nothing is indexed yet. Index a folder: searchkit index FOLDER\n",
        )
    if name != "collections":
        assert "No collection named" in command(name, "-c", "docs", code=1).stderr


def test_every_wrong_request_gets_one_clear_line(command: Command, docs: Path, tmp_path: Path) -> None:
    cases: list[tuple[list[str | Path], str]] = [
        (["search", "x"], "Nothing is indexed yet. Index a folder: searchkit index FOLDER"),
        (["index"], "Nothing is indexed yet"),
        (["index", docs / "bread.txt"], "is a file. Index the folder that contains it"),
        (["index", tmp_path / "nowhere"], "There is no folder"),
        (["index", docs, tmp_path / "nowhere"], "There is no folder"),
        (["index", ""], "The path is empty"),
        (["index", docs, "--model", "gpt"], "No model named 'gpt'. Installed: all-minilm-l6-v2."),
        (["index", docs, "-c", "../x"], "cannot be a collection's name"),
        (["forget", docs], "Nothing at"),
        (["models", "use", "gpt"], "No model named 'gpt'"),
        (["models", "import", docs], "contains no config.json"),
        (["models", "import", tmp_path / "nowhere"], "is not a folder"),
    ]
    for arguments, message in cases:
        result = command(*arguments, code=1)
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
    command("index", docs)
    assert "No collection named 'x'. Choose from: docs." in command("search", "a", "-c", "x", code=1).stderr
    assert "The query is empty" in command("search", " ", code=1).stderr
    assert "No such command 'serach'. Did you mean 'search'?" in command("serach", code=2).stderr
    assert "No such command" in command("xyzzy", code=2).stderr


def test_nothing_found_is_no_error(command: Command, docs: Path) -> None:
    command("index", docs)
    result = command("search", "xylophone", "--mode", "lexical")
    assert (result.stdout, result.stderr) == ("", "Nothing found.\n")


def test_an_unknown_setting_is_refused_with_the_nearest(command: Command, docs: Path) -> None:
    home = Path(command.environment["SEARCHKIT_HOME"])
    write(home / "config.toml", 'modle = "x"\n')
    assert "Did you mean 'model'?" in command("index", docs, code=1).stderr


def test_models_and_collections_are_listed(tmp_path: Path, docs: Path) -> None:
    command = Command(tmp_path / "empty")  # the small model is converted when it is first used
    assert "all-minilm-l6-v2" in command("models", "list").stdout
    command("index", docs, "-c", "mine")
    assert "384 dimensions" in command("models", "list").stdout
    assert "mine" in command("collections").stdout
    assert json_lines(command("collections", "--json"))[0]["collection"] == "mine"
    command("models", "use", "all-minilm-l6-v2")
    command("models", "use", "all-minilm-l6-v2", "-c", "mine")
    assert "3 files forgotten" in command("forget", docs).stderr


def test_control_characters_of_files_do_not_reach_the_terminal(command: Command, docs: Path) -> None:
    write(docs / "evil.txt", "An escape \x1b]0;owned\x07 and \x1b[2J here.")
    command("index", docs)
    output = command("search", "escape owned", "--mode", "lexical").stdout
    assert "owned" in output
    assert "\x1b" not in output
    assert "\x07" not in output


def loaded_modules(arguments: list[str], environment: dict[str, str]) -> set[str]:
    """Which of the heavy modules a fresh interpreter has loaded when the command ends."""
    code = f"""
import sys
from searchkit.cli.main import cli
cli({arguments!r}, standalone_mode=False)
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["index", "--help"], ["--version"]])
def test_help_is_quick_to_import(arguments: list[str]) -> None:
    assert loaded_modules(arguments, dict(os.environ)) == set()


def test_a_search_by_words_loads_no_model(sample: Command) -> None:
    loaded = loaded_modules(["search", "espresso", "--mode", "lexical"], sample.environment)
    assert loaded == set()


def test_a_small_collection_is_indexed_and_searched_without_faiss(command: Command, docs: Path) -> None:
    for arguments in (["index", str(docs)], ["search", "roses"]):
        code = f"import sys; from searchkit.cli.main import cli; cli({arguments!r}, standalone_mode=False)"
        code += "; print('onnxruntime' in sys.modules, 'faiss' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=command.environment
        )
        assert done.stdout.splitlines()[-1] == "True False"


def progress_of(command: Command, *arguments: str | Path, interrupt_at: str = "") -> tuple[int, str]:
    """Run with stderr on a terminal; returns the exit code and what was drawn. SIGINT once the given text has been seen."""
    typed = [sys.executable, "-m", "searchkit", *map(str, arguments)]
    return on_a_terminal(typed, command.environment, interrupt_at=interrupt_at, is_input=False)


@pytest.fixture
def long_docs(tmp_path: Path) -> Path:
    """Enough text for some seconds of embedding."""
    folder = tmp_path / "long"
    for i in range(3):
        write(folder / f"{i}.txt", "\n\n".join(f"Paragraph {p} of document {i}. " * 30 for p in range(40)))
    return folder


def test_progress_with_rate_and_time_left_is_drawn_on_a_terminal(command: Command, long_docs: Path) -> None:
    code, screen = progress_of(command, "index", long_docs)
    assert code == 0
    assert "Embedding" in screen
    assert "passages" in screen
    assert "/s" in screen


def test_ctrl_c_stops_cleanly_and_keeps_what_is_done(command: Command, long_docs: Path) -> None:
    code, screen = progress_of(command, "index", long_docs, interrupt_at="Embedding")
    assert code == 130
    assert "Stopped. What was stored is kept" in screen
    assert "Traceback" not in screen
    status = json_lines(command("status", "--json"))[0]
    assert status["files"] == 3
    search = command("search", "paragraph of document", "--mode", "hybrid")
    assert "can be found by meaning so far" in search.stderr
    assert "embedded" in command("index", "-c", "long").stderr
    assert "can be found by meaning" not in command("search", "paragraph of document").stderr


def test_an_interrupt_while_modules_are_loaded_is_no_traceback() -> None:
    code = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "searchkit.cli.main":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from searchkit.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


EXTRAS = {"serve": ("starlette", "fastapi", "uvicorn"), "mcp": ("mcp",)}


@pytest.mark.parametrize("name", EXTRAS)
def test_a_command_without_its_packages_names_the_extra_in_one_line(tmp_path: Path, name: str) -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS[name]!r}))"
    code = f"{blocked}; from searchkit.cli.main import main; main()"
    environment = {**os.environ, "SEARCHKIT_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, name],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"[{name}]" in done.stderr
