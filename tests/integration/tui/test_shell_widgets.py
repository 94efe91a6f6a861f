"""Ctrl-T in real shells: what is chosen in the UI stands on the command line, as words of that shell."""

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from searchkit.library import Library
from tests.support.driving import write_files
from tests.support.files import ROOT
from tests.support.terminal import at_a_terminal

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has other shells")

HOSTILE = "-n $(touch owned)\n'; touch owned #.md"
SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}


@pytest.mark.parametrize("shell", list(SHELLS))
def test_ctrl_t_puts_what_is_chosen_on_the_command_line(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    docs = write_files(tmp_path / "docs", {"plain.md": "The kingfisher nests.\n", HOSTILE: "A heron stands still.\n"})
    command = tmp_path / "bin" / "searchkit"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m searchkit "$@" --mode lexical\n')
    command.chmod(0o755)
    with Library(tmp_path / "home") as library:
        library.index(docs, collection="docs")
    environment = {
        **os.environ,
        "PATH": f"{command.parent}:{os.environ['PATH']}",
        "SEARCHKIT_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "PS1": "ready> ",
    }
    folder = tmp_path / "here"
    folder.mkdir()
    with at_a_terminal(SHELLS[shell], environment, folder=folder) as user:
        user.type(f"source {ROOT}/docs/shell/searchkit.{shell}; echo sour''ced\r")
        user.until("sourced")
        time.sleep(0.5)  # until the prompt is back, which looks different in each shell
        user.type("printf '<%s>' ")
        user.type("\x14")
        user.until("prints its path")
        user.type("heron OR kingfisher")
        user.until("plain.md", "touch owned")
        user.type("\x1b[Z")
        user.until("1 marked")
        user.type("\x1b[Z")
        user.until("2 marked")
        user.type("\r")
        user.until("printf", "plain.md")
        user.type(f"> {tmp_path}/said\r")
        deadline = time.monotonic() + 30
        while not (tmp_path / "said").exists() or not (tmp_path / "said").read_bytes():
            assert time.monotonic() < deadline, user.until()
            time.sleep(0.1)
        time.sleep(0.2)
    said = (tmp_path / "said").read_bytes()
    assert sorted(said.strip(b"<>").split(b"><")) == sorted(os.fsencode(docs / name) for name in (HOSTILE, "plain.md"))
    assert not list(folder.iterdir())
