"""A data directory that others can write into is said, where a server starts and where the state is shown."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from searchkit.cli.main import cli
from searchkit.library import Library
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder


@pytest.mark.skipif(os.name == "nt", reason="there are no such modes")
@pytest.mark.parametrize(("mode", "is_said"), [(0o777, True), (0o770, True), (0o755, False), (0o700, False)])
def test_status_says_that_others_can_write(
    mode: int, is_said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "docs" / "boiler.md", "Top up the water.\n")
    home = tmp_path / "home"
    with Library(home, embedder=HashEmbedder()) as library:
        library.index(tmp_path / "docs")
    monkeypatch.setenv("SEARCHKIT_HOME", str(home))
    home.chmod(mode)
    try:
        told = CliRunner().invoke(cli, ["status"])
    finally:
        home.chmod(0o700)
    assert told.exit_code == 0
    assert (f"chmod 700 {home}" in told.stderr) is is_said
