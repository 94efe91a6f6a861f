"""`searchkit train` and `index --adapt` as a user meets them."""

import json
import time
from pathlib import Path
from threading import Event, Thread

import pytest
from click.testing import CliRunner, Result

from searchkit.cli.main import cli
from searchkit.display import error_text
from searchkit.display.installation import Installation
from searchkit.embedding.store import BUNDLED
from searchkit.errors import ExtraMissingError
from searchkit.library import Library
from searchkit.maintenance.tune_index import set_index
from searchkit_indexes import IndexSpec
from tests.support.files import write
from tests.support.homes import copied
from tests.support.notes import made_notes


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture
def home(small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEARCHKIT_HOME", str(copied(small_model, tmp_path / "home")))
    return tmp_path / "home"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """120 notes, each with a title that its text answers in words of its own."""
    for note in made_notes():
        write(tmp_path / "docs" / note.subject / f"{note.matter}.md", note.markdown)
    return tmp_path / "docs"


@pytest.mark.minilm
def test_pairs_are_counted_shown_and_written(home: Path, docs: Path, tmp_path: Path) -> None:
    assert run("index", str(docs)).exit_code == 0
    out = tmp_path / "pairs.jsonl"
    shown = run("train", "pairs", "docs", "--out", str(out))
    assert shown.exit_code == 0, shown.output
    assert "240 pairs of 120 documents: title 120, sentence 120" in shown.output
    assert "train 180, validation 24, test 36" in shown.output
    assert "title: The" in shown.output
    assert len(out.read_text().splitlines()) == 240
    counts = json.loads(run("train", "pairs", "docs", "--json").stdout.splitlines()[0])
    assert counts["splits"] == {"train": 180, "validation": 24, "test": 36}


@pytest.mark.minilm
@pytest.mark.train
def test_an_adapter_is_made_used_and_undone(home: Path, docs: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run("index", str(docs))
    made = run("train", "adapter", "docs", "--force", "--out", str(tmp_path / "report"))
    assert made.exit_code == 0, made.output
    name = f"{BUNDLED}-docs"
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["model"] == name and report["targets"] and report["general"]  # proven, whatever came of it
    assert report["effort"] is None  # a collection of this size is searched exactly
    assert report["trials"][0].keys() == {
        "weights",
        "taught",
        "mix",
        "likelihood",
        "ndcg",
        "objection",  # as in earlier reports
        "is_soup",
    }
    assert (tmp_path / "report" / "report.md").is_file()
    card = (home / "models" / name / "README.md").read_text()
    assert "Licence, inherited from it: **apache-2.0**" in card and "held-out pairs" in card
    used = run("models", "use", name, "-c", "docs")
    assert "nothing is embedded again" in used.output
    assert run("models", "verify", name).exit_code == 0
    assert json.loads(run("index", "-c", "docs", "--json").stdout)["embedded"] == 0
    assert "nothing is embedded again" in run("models", "use", BUNDLED, "-c", "docs").output
    assert run("models", "remove", name).exit_code == 0


@pytest.mark.minilm
@pytest.mark.train
def test_an_approximate_index_is_compared_before_and_after(home: Path, docs: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run("index", str(docs))
    with Library(home) as library:
        set_index(library.collection("docs"), IndexSpec.parse("rabitq-1bit-384"))
    made = run("train", "adapter", "docs", "--out", str(tmp_path / "report"))
    assert made.exit_code == 0, made.output
    effort = json.loads((tmp_path / "report" / "report.json").read_text())["effort"]
    assert effort["index"] == "rabitq-1bit-384"
    assert effort["needed_before"] >= 10 and effort["points"][-1]["recall_after"] > 0.99
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Candidates that full vectors must score for a recall@10 of 0.99" in text
    assert (tmp_path / "report" / "effort.png").is_file()


@pytest.mark.minilm
@pytest.mark.train
def test_an_index_run_adapts_or_says_why_not(home: Path, docs: Path) -> None:
    pytest.importorskip("torch")
    said = run("index", str(docs), "--adapt")
    assert said.exit_code == 0, said.output
    (line,) = [line for line in said.output.splitlines() if "dapted" in line]
    is_adapted = line.startswith(
        "Adapted to docs"
    )  # or not: vectors in 8 bits, and with them the proof, differ by processor
    assert (f"Undo: searchkit models use {BUNDLED} -c docs" if is_adapted else f"{BUNDLED} stays") in line
    with Library(home) as library:
        assert library.status("docs").model == (f"{BUNDLED}-docs" if is_adapted else BUNDLED)
        assert library.collection("docs").is_covered()
        assert library.search("who looked at the piano for cleaning", k=1)


@pytest.mark.minilm
@pytest.mark.train
def test_auto_waits_for_an_index_run_and_then_uses_what_helps(home: Path, docs: Path) -> None:
    pytest.importorskip("torch")
    run("index", str(docs))
    is_held, order = Event(), list[str]()

    def hold() -> None:
        with Library(home) as library, library.collection("docs").writing():
            is_held.set()
            time.sleep(1)
            order.append("the other process is done")

    other = Thread(target=hold)
    other.start()
    assert is_held.wait(20)
    said = run("train", "adapter", "docs", "--auto", "--json")
    order.append("adapted")
    other.join()
    assert said.exit_code == 0, said.output
    outcome = json.loads(said.stdout)
    assert order == ["the other process is done", "adapted"]
    assert outcome.keys() == {"collection", "model", "outcome"}
    is_adapted = outcome["outcome"].startswith("Adapted to docs")  # see above
    assert is_adapted or f"{BUNDLED} stays" in outcome["outcome"]
    assert outcome["model"] == (f"{BUNDLED}-docs" if is_adapted else "")
    with Library(home) as library:
        assert library.status("docs").model == (outcome["model"] or BUNDLED)
        assert library.collection("docs").is_covered()


@pytest.mark.minilm
@pytest.mark.train
def test_auto_names_what_embeds_passages_without_vectors(home: Path, docs: Path) -> None:
    pytest.importorskip("torch")
    run("index", str(docs), "--lazy")
    said = run("train", "adapter", "docs", "--auto")
    assert said.exit_code == 0
    assert "Not adapted: some passages have no vector yet. They are embedded by searchkit index -c docs" in said.output


@pytest.mark.minilm
def test_a_first_run_says_once_that_a_collection_has_enough_to_learn_from(
    home: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("searchkit.train.options.ENOUGH_PASSAGES", 121)
    assert "--auto" not in run("index", str(docs), "-c", "few").output
    monkeypatch.setattr("searchkit.train.options.ENOUGH_PASSAGES", 120)
    assert "searchkit train adapter many --auto" in run("index", str(docs), "-c", "many").output
    assert "--auto" not in run("index", str(docs), "-c", "many").output


@pytest.mark.minilm
@pytest.mark.train
def test_adapting_by_itself_is_not_tried_again_for_nothing(home: Path, docs: Path) -> None:
    pytest.importorskip("torch")
    write(home / "config.toml", "auto_adapt = true\n")
    run("index", str(docs))
    again = run("index", "-c", "docs")
    assert "dapted" not in again.output


@pytest.mark.minilm
@pytest.mark.train
def test_too_little_is_refused_and_nothing_changes(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    write(tmp_path / "few" / "a.md", "# One title of a note\n\n" + "Something about it. " * 10)
    said = run("index", str(tmp_path / "few"), "--adapt")
    assert said.exit_code == 0
    assert "Not adapted: All pairs of 'few' are from one document" in said.output
    with Library(home) as library:
        assert library.status("few").model == BUNDLED
        assert library.models.names() == [BUNDLED]


@pytest.mark.minilm
@pytest.mark.train
def test_a_report_folder_that_cannot_be_written_is_named(home: Path, docs: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    run("index", str(docs))
    write(tmp_path / "file", "in the way")
    said = CliRunner().invoke(cli, ["train", "adapter", "docs", "--out", str(tmp_path / "file")])
    assert said.exit_code == 1
    assert "The report cannot be written" in str(said.exception)


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    said = run("train", "adapter", "docs")
    assert said.exit_code == 1
    assert isinstance(said.exception, ExtraMissingError)
    assert Installation.here().adding("train") in error_text(said.exception)


def test_opened_searches_are_shown_and_erased(home: Path) -> None:
    assert "keep_opened = true" in run("train", "opened").output
    line = {"query": "when", "collection": "docs", "path": "/a.md", "title": "", "text": "then"}
    write(home / "train" / "opened.jsonl", json.dumps(line) + "\n")
    assert "when  → /a.md" in run("train", "opened").output
    assert json.loads(run("train", "opened", "--json").stdout) == {
        "query": "when",
        "path": "/a.md",
        "collection": "docs",
    }
    assert "Erased: 1 search." in run("train", "opened", "--erase").output
    assert not (home / "train" / "opened.jsonl").exists()
    assert "Erased: 0 searches." in run("train", "opened", "--erase").output
