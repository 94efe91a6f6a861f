"""The examples run as they are, with the small model, and print what they promise; sockets lead to this machine alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fake_llm import fake_llm
from tests.support.files import ROOT, write
from tests.support.homes import copied

pytestmark = pytest.mark.minilm
NO_NETWORK = """
import runpy, socket, sys
connect = socket.socket.connect
def refuse(self, address, *rest):
    assert not isinstance(address, tuple) or address[0] == "127.0.0.1", "the network was touched"
    return connect(self, address, *rest)
socket.socket.connect = refuse
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def folder(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two documents, indexed by the first example into a data directory beside it."""
    folder = tmp_path_factory.mktemp("examples") / "docs"
    copied(small_model, folder.parent / "home")
    write(folder / "lease.md", "# Lease\n\nThe lease of the flat ends on 31 March 2026.\n")
    write(folder / "roses.md", "# Roses\n\nPrune the roses in March.\n")
    run(folder, "index_and_search", str(folder), "when is the flat given back")
    return folder


def run(folder: Path, name: str, *arguments: str, **environment: str) -> str:
    """Run an example, and return its output."""
    command = [sys.executable, "-c", NO_NETWORK, str(ROOT / "examples" / f"{name}.py"), *arguments]
    variables = {**os.environ, "SEARCHKIT_HOME": str(folder.parent / "home"), **environment}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_folder_is_indexed_and_searched(folder: Path) -> None:
    first, best, *_ = run(folder, "index_and_search", str(folder), "when is the flat given back").splitlines()
    assert first == "docs: 0 files added, 2 unchanged, 2 passages"
    assert "lease.md, line" in best


def test_a_request_has_filters_and_its_response_notes(folder: Path) -> None:
    printed = run(folder, "filters_and_notes", '"ends on 31 March"')
    assert [line.split()[1] for line in printed.splitlines()] == ["lease.md"]
    assert "note: phrases" in run(folder, "filters_and_notes", 'is there any "nowhere to be seen" about the roses here')


def test_progress_is_shown(folder: Path) -> None:
    write(folder / "late.md", "# Late\n\nA document that came later.\n")
    printed = run(folder, "watch_progress", str(folder))
    assert "Reading: 1 of 1 files" in printed
    assert "Embedding: 1 of 1 passages" in printed
    assert "3 of 3 passages can be found by meaning" in printed


def test_a_question_is_answered_with_its_sources(folder: Path) -> None:
    with fake_llm() as llm:
        llm.answers("It ends on 31 March 2026 [1].")
        printed = run(folder, "ask_with_sources", "when does the lease end", SEARCHKIT_LLM_URL=llm.base)
    assert printed.startswith("It ends on 31 March 2026 [1].\n[1] ")
    assert "lease.md" in printed


def test_prefixes_of_vectors_are_compared(folder: Path) -> None:
    lines = run(folder, "embed_with_prefixes", "docs").splitlines()
    assert [line.split()[0] for line in lines] == ["384"] or len(lines) > 1
    assert all("cosine" in line for line in lines)


def test_every_example_is_run_and_described() -> None:
    described = (ROOT / "examples" / "README.md").read_text("utf-8")
    tested = Path(__file__).read_text("utf-8")
    for example in (ROOT / "examples").glob("*.py"):
        assert f"[{example.name}]({example.name})" in described
        assert f'"{example.stem}"' in tested
        assert example.read_text("utf-8").count("\n") <= 30
