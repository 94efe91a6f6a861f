"""`index --storage` and `status --sizes`."""

import re
from pathlib import Path

import pytest

from tests.integration.test_command import Command, json_lines

pytestmark = pytest.mark.minilm


def test_the_command_chooses_and_says_what_each_part_takes(tmp_path: Path, docs: Path) -> None:
    command = Command(tmp_path / "home")
    command("index", docs)
    before = json_lines(command("status", "--sizes", "--json"))[0]
    assert (before["collection"], before["storage"], before["index"]) == ("docs", "standard", 0)
    assert (
        "nothing has changed" in command("index", docs, "--storage", "exact").stderr
    )  # what 8 bits have lost is not to be had
    assert re.search(r"docs: \d+ vectors converted, ", command("index", docs, "--storage", "compact").stderr)
    assert "nothing has changed" in command("index", docs, "--storage", "exact").stderr
    assert json_lines(command("status", "--sizes", "--json"))[0]["storage"] == "exact"
    said = command("status", "--sizes").stdout
    assert "16 bits a component (exact)" in said
    assert "bytes a passage in memory" in said
    assert said.splitlines()[-1].startswith("  in all")
    assert "exact, standard, compact" in command("index", docs, "--storage", "none", code=2).stderr.replace("'", "")
