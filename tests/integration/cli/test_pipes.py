"""The command among others: every form of its output is read by the program that it is for."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit.library import Library
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder

COMMAND = f"{sys.executable} -m searchkit"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a collection of a few files, one of them with blanks and a line break in its name."""
    place = tmp_path_factory.mktemp("pipes")
    write(place / "docs" / "boiler.md", "# Boiler\n\nThe pressure.\n\n" + "More on the boiler in other words. " * 60)
    write(place / "docs" / "a note\nof mine.txt", "The boiler: ask the plumber.\n")
    write(place / "docs" / "café.txt", "Le café près du boiler.\n")
    with Library(place / "home", embedder=HashEmbedder()) as library:
        library.index(place / "docs")
    return place / "home"


def shell(home: Path, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash in which `sk` is the search command."""
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    text = f'set -o pipefail; sk() {{ {COMMAND} search --mode lexical "$@"; }}; {script}'
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False, env=environment)


def test_files_are_listed_once_each(home: Path) -> None:
    done = shell(home, "sk -l boiler type:markdown")
    assert done.stdout == f"{home.parent / 'docs' / 'boiler.md'}\n"


def test_xargs_gets_every_name_whole(home: Path) -> None:
    done = shell(home, "sk -0 boiler | xargs -0 -n 1 basename -z")
    assert sorted(done.stdout.split("\0"))[1:] == ["a note\nof mine.txt", "boiler.md", "café.txt"]


@pytest.mark.skipif(shutil.which("vim") is None, reason="there is no vim")
def test_vim_jumps_to_the_lines(home: Path, tmp_path: Path) -> None:
    found = shell(home, f"sk --vimgrep pressure type:markdown > {tmp_path}/errors")
    assert found.returncode == 0, found.stderr
    vim = f"vim -u NONE -es -q {tmp_path}/errors -c 'redir! > {tmp_path}/at' -c 'echo expand(\"%:t\") line(\".\")' -c 'qa!'"
    subprocess.run(["bash", "-c", f"{vim} < /dev/null"], check=False, capture_output=True)
    assert (tmp_path / "at").read_text().split() == ["boiler.md", "3"]


def test_the_lines_for_editors_are_path_line_column_and_text(home: Path) -> None:
    line = shell(home, "sk --vimgrep pressure type:markdown").stdout.splitlines()[0]
    path, number, column, text = re.fullmatch(r"(.*?):(\d+):(\d+):(.*)", line).groups()  # type: ignore[union-attr]
    assert (Path(path).name, number, column) == ("boiler.md", "3", "1")
    assert "pressure" in text


@pytest.mark.skipif(shutil.which("jq") is None, reason="there is no jq")
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_jq_reads_json_in_utf8_whatever_the_terminal(home: Path, encoding: str) -> None:
    done = shell(home, "sk café --json -k 1 | jq -r .snippet", PYTHONIOENCODING=encoding)
    assert "Le café près du boiler." in done.stdout


def test_head_may_close_the_pipe(home: Path) -> None:
    done = shell(home, "for i in 1 2 3; do sk boiler --format '{text}'; done | head -c 5")
    assert (done.stdout, "Traceback" in done.stderr, "Error" in done.stderr) == (done.stdout[:5], False, False)


def test_a_template_names_fields(home: Path) -> None:
    done = shell(home, r"sk plumber --format '{rank}\t{collection}\t{{{score:.1f}}}' -k 1")
    assert re.fullmatch(r"1\tdocs\t\{\d\.\d\}\n", done.stdout), done.stdout
    wrong = shell(home, "sk plumber --format '{pat}'")
    assert wrong.returncode == 2
    assert "no field {pat}. Did you mean {path}?" in wrong.stderr
    assert shell(home, "sk plumber --format '{'").returncode == 2


def test_the_query_is_read_from_standard_input(home: Path) -> None:
    assert "mine.txt" in shell(home, "echo ask the plumber | sk - -l").stdout
    assert shell(home, "sk - < /dev/null").returncode == 2


def test_nothing_found_is_an_exit_code_where_it_is_asked_for(home: Path) -> None:
    assert shell(home, "sk zebrafinch").returncode == 0
    assert shell(home, "sk zebrafinch --exit-code").returncode == 1
    assert shell(home, "sk boiler --exit-code").returncode == 0


def test_weak_matches_can_be_left_out_and_are_no_success(home: Path) -> None:
    unrelated = "plumber treaty parliament"
    assert "weak match" in shell(home, f"sk {unrelated}").stdout
    left = shell(home, f"sk {unrelated} -l --no-weak")
    assert (left.stdout, left.returncode) == ("", 0)
    assert left.stderr.startswith("Nothing found that is clearly about it.\n")
    assert shell(home, f"sk {unrelated} -l --exit-code").returncode == 1
    clear = shell(home, "sk ask the plumber -l --no-weak --exit-code")
    assert (clear.stdout.endswith("of mine.txt\n"), clear.returncode) == (True, 0)


@pytest.mark.parametrize(
    ("options", "variables", "is_coloured"),
    [
        ("", {}, False),
        ("--color always", {}, True),
        ("--color always", {"NO_COLOR": "1"}, True),
        ("--color never", {"FORCE_COLOR": "1"}, False),
        ("", {"FORCE_COLOR": "1"}, True),
        ("", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_as_asked_for(home: Path, options: str, variables: dict[str, str], *, is_coloured: bool) -> None:
    done = shell(home, f"sk boiler {options}", **variables)
    assert ("\x1b[" in done.stdout) == is_coloured
    assert ("«boiler»" in done.stdout) != is_coloured
    assert "\x1b]8" not in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="script(1) has other options elsewhere")
def test_a_terminal_gets_links_to_the_files(home: Path) -> None:
    done = shell(home, f"script -qec '{COMMAND} search --mode lexical pressure' /dev/null", TERM="xterm-256color")
    assert f"\x1b]8;;{(home.parent / 'docs' / 'boiler.md').as_uri()}\x1b\\" in done.stdout


def test_a_hit_has_its_date_one_number_and_says_where_it_is_cut(home: Path) -> None:
    lines = shell(home, "sk boiler type:markdown -k 1").stdout.splitlines()
    assert re.match(r"\d\.\d\d  ", lines[0])
    body = "\n".join(lines[1:])
    assert re.search(r"words: boiler.* · \d{4}-\d\d-\d\d", body)
    assert re.search(r" …$", body, re.MULTILINE)
    assert not re.search(r"\d\.\d\d", body)
    assert "BM25" in shell(home, "sk boiler --explain").stdout


def test_two_forms_of_output_are_refused(home: Path) -> None:
    done = shell(home, "sk boiler --json --vimgrep")
    assert done.returncode == 2
    assert "--json and --vimgrep are two forms of output" in done.stderr


def test_json_lines_are_what_they_were(home: Path) -> None:
    rows = [json.loads(line) for line in shell(home, "sk boiler --json").stdout.splitlines()]
    assert [row["rank"] for row in rows] == [*range(1, len(rows) + 1)]
