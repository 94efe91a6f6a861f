"""The Python in the documents runs as it is printed there, with the small model and what else it needs on this machine."""

import re
from pathlib import Path

import pytest

from tests.support.fake_llm import fake_llm
from tests.support.files import ROOT, write
from tests.support.homes import copied

pytestmark = pytest.mark.minilm


@pytest.fixture
def user(small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with documents about a lease in ~/docs, and a data directory of its own."""
    write(tmp_path / "docs" / "lease.md", "# Lease\n\nThe lease ends on 31 March 2026, at noon.\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SEARCHKIT_HOME", str(copied(small_model, tmp_path / "home")))
    return tmp_path


def run_block(page: str, beginning: str) -> None:
    """Run the block of a page that begins like that."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    [block] = [block for block in blocks if block.startswith(beginning)]
    exec(compile(block, page, "exec"), {})


def test_the_readmes_block_indexes_and_finds(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_block("README.md", "from searchkit import Library")
    assert str(user / "docs" / "lease.md") in capsys.readouterr().out


def test_the_block_about_answers_answers(
    user: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from searchkit import Library

    with Library() as library, fake_llm() as llm:
        library.index(user / "docs", collection="notes")
        llm.answers("The lease ends on 31 March 2026 [1].")
        monkeypatch.setenv("SEARCHKIT_LLM_URL", llm.base)
        run_block("docs/ask.md", "from searchkit import Library")
    assert capsys.readouterr().out.startswith("The lease ends on 31 March 2026 [1].")
