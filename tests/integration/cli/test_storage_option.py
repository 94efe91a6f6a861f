"""`index --storage` and `status --sizes`."""

from pathlib import Path

import pytest

from tests.integration.test_command import Command, json_lines

pytestmark = pytest.mark.minilm


def test_the_command_chooses_and_says_what_each_part_takes(tmp_path: Path, docs: Path) -> None:
    command = Command(tmp_path / "home")
    command("index", docs)
    before = json_lines(command("status", "--sizes", "--json"))[0]
    assert (before["collection"], before["storage"], before["index"]) == ("docs", "standard", 0)
    command("index", docs, "--storage", "exact")
    assert json_lines(command("status", "--sizes", "--json"))[0]["storage"] == "exact"
    said = command("status", "--sizes").stdout
    assert "16 bits a component (exact)" in said
    assert "bytes a passage in memory" in said
    assert said.splitlines()[-1].startswith("  in all")
    assert "exact, standard, compact" in command("index", docs, "--storage", "none", code=2).stderr.replace("'", "")
