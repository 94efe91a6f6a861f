"""A tab in the shell: the names of collections, models, types and pages, through the real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit.library import Library
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("completion")
    write(place / "notes" / "a.md", "# A\n\nThe boiler.\n")
    with Library(place / "home", embedder=HashEmbedder()) as library:
        library.index(place / "notes")
        library.index(place / "notes", collection="nothing else")
    (place / "bin").mkdir()
    script = "import sys; sys.argv[0] = 'searchkit'; from searchkit.cli.main import main; main()"
    write(place / "bin" / "searchkit", f'#!/bin/sh\nexec {sys.executable} -c "{script}" "$@"\n')
    (place / "bin" / "searchkit").chmod(0o755)
    return place


def offered(home: Path, typed: str) -> list[str]:
    """What bash offers at the end of a line, after it has read the script as the documentation says."""
    words = typed.split(" ")
    script = (
        'eval "$(_SEARCHKIT_COMPLETE=bash_source searchkit)"; '
        f'COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; _searchkit_completion searchkit; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    environment = {
        **os.environ,
        "SEARCHKIT_HOME": str(home / "home"),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.split("\n")[:-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("searchkit coll", ["collections"]),
        ("searchkit search -c ", ["notes", "'nothing else'"]),
        ("searchkit search -c nothi", ["'nothing else'"]),
        ("searchkit search -c 'nothi", ["'nothing else'"]),
        ("searchkit search -c note", ["notes"]),
        ("searchkit ask -c note", ["notes"]),
        ("searchkit status -c note", ["notes"]),
        ("searchkit forget -c note", ["notes"]),
        ("searchkit collections rename note", ["notes"]),
        ("searchkit search --type pptx", ["pptx"]),
        ("searchkit search --type pdf,pptx", ["pdf,pptx"]),
        ("searchkit search --mode sem", ["semantic"]),
        ("searchkit docs jso", ["json"]),
        ("searchkit setup cur", ["cursor"]),
        ("searchkit models remove nowhere", []),
    ],
)
def test_bash_offers_what_fits(home: Path, typed: str, names: list[str]) -> None:
    assert [name for name in offered(home, typed) if name] == names


def test_a_home_that_cannot_be_read_offers_nothing(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "home" / "home" / "config.toml", "model = [")
    write(tmp_path / "home" / "home" / "collections", "a file")
    shutil.copytree(home / "bin", tmp_path / "home" / "bin")
    assert [name for name in offered(tmp_path / "home", "searchkit search -c ") if name] == []
