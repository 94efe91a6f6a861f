"""What is said when the machine refuses, while long work goes on without a terminal, and to those who ask for help."""

import errno
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from searchkit.cli.main import cli
from searchkit.cli.output import progress_line
from searchkit.display import ProgressLines, os_error_text
from searchkit.display.runs import left_out_text
from searchkit.reports import LeftOutCount, LeftOutRule, Progress
from tests.support.terminal import on_a_terminal


def refusal(number: int, name: str = "") -> OSError:
    return OSError(number, os.strerror(number), name or None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refusal(errno.ENOSPC), "No space left on device. Free some space, then type the same again"),
        (refusal(errno.EDQUOT, "/data/a"), "/data/a: Disk quota exceeded. Free some space"),
        (
            refusal(errno.EACCES, "/data/a"),
            "/data/a: Permission denied. Make that possible, or choose another data directory",
        ),
        (refusal(errno.EROFS, "/data/a"), "/data/a: Read-only file system. Make that possible"),
        (refusal(errno.EIO, "/data/a"), "/data/a: Input/output error. Nothing done before is lost"),
        (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'"), ("c", "d", "…")]), "Free some space"),
    ],
    ids=str,
)
def test_what_the_machine_refuses_comes_with_what_can_be_done(error: OSError, said: str) -> None:
    text = os_error_text(error)
    assert said in text
    assert "\n" not in text and "[(" not in text


def test_a_current_folder_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "no longer exists. Change to another one" in os_error_text(refusal(errno.ENOENT, "x"))


def test_without_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter((0.0, 1.0, 6.0, 7.0, 17.0))
    monkeypatch.setattr("searchkit.cli.output.ProgressLines", lambda say: ProgressLines(say, lambda: next(now)))
    with progress_line() as listen:
        for done in (0, 10, 30, 40, 140):
            listen(Progress("Embedding", done, 2_400, "passages"))
    assert capsys.readouterr().err == "Embedding: 30 of 2,400 passages\nEmbedding: 140 of 2,400 passages\n"


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("Converting", 65, 100, "%", note="measuring its scale"), "Converting: 65 %, measuring its scale"),
        (Progress("Waiting for process 12", 0, None, ""), "Waiting for process 12 …"),
        (Progress("Finding", 120, None, "files"), "Finding: 120 files"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_each_kind_of_progress_has_its_line(progress: Progress, line: str) -> None:
    said: list[str] = []
    now = 0.0
    listen = ProgressLines(said.append, lambda: now)
    listen(progress)
    now = 6.0
    listen(progress)
    assert said == [line]


@pytest.mark.parametrize("words", [["help"], ["help", "index"]], ids=" ".join)
def test_help_is_what_many_type_for_it(words: list[str]) -> None:
    asked = CliRunner().invoke(cli, words)
    assert asked.exit_code == 0
    assert asked.output == CliRunner().invoke(cli, [*words[1:], "--help"]).output


BESIDE_A_BAR = """
import time
from searchkit.cli.output import progress_line, say
from searchkit.reports import Progress
with progress_line() as listen:
    for done in range(4):
        listen(Progress("Reading", done, 4, "texts"))
        time.sleep(0.2)
        say(f"message {done}")
"""


def test_a_message_beside_a_bar_has_a_line_of_its_own() -> None:
    code, screen = on_a_terminal([sys.executable, "-c", BESIDE_A_BAR], os.environ)
    assert code == 0
    for done in range(4):
        before, _, after = screen.partition(f"message {done}")
        assert re.search(r"(\x1b\[2K|\n|\r)$", before), screen
        assert after.startswith("\r\n")


def test_patterns_of_one_rule_are_counted_together() -> None:
    counts = (
        LeftOutCount(LeftOutRule.SECRET, "", "*.pem", files=2, folders=0),
        LeftOutCount(LeftOutRule.SECRET, "", "id_rsa", files=1, folders=0),
        LeftOutCount(LeftOutRule.LEFTOVER, "", "node_modules/", files=0, folders=1),
        LeftOutCount(LeftOutRule.IGNORED, ".gitignore", "*.pdf", files=4, folders=0),
        LeftOutCount(LeftOutRule.IGNORED, ".gitignore", "*.log", files=1, folders=0),
    )
    assert left_out_text(counts, most=3) == (
        "4 files by .gitignore: *.pdf; 3 files private keys and password stores; 1 folder caches and leftovers; 1 by other rules"
    )
