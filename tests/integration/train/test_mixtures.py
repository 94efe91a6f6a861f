"""`train mixture` and `train soup` as a user meets them: a model or the base, a report, and bad input that changes nothing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")
pytest.importorskip("optuna", reason="optuna is not installed (extra [train])")

from searchkit.cli.main import cli
from searchkit.display import error_text
from searchkit.embedding.store import BUNDLED
from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit.train.pairs.pair import Kind, Pair
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage
from tests.support import homes
from tests.support.files import write
from tests.support.notes import MATTERS, SUBJECTS, made_notes

pytestmark = [pytest.mark.minilm, pytest.mark.train]


@pytest.fixture(scope="module")
def home(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a collection of 120 notes, one of notes without titles, and a file of pairs."""
    folder = tmp_path_factory.mktemp("mixtures")
    pairs: list[Pair] = []
    for note in made_notes():
        write(folder / "docs" / note.subject / f"{note.matter}.md", note.markdown)
        write(folder / "plain" / note.subject / f"{note.matter}.txt", f"{note.text}\n")
        asked = f"who knows about {note.matter} of a {note.subject}"
        pairs.append(Pair(asked, Passage("", note.text), Kind.USER, ""))
    write_pairs(homes.copied(small_model, folder / "home") / "asked.jsonl", pairs)
    with Library(folder / "home") as library:
        library.index(folder / "docs")
        library.index(folder / "plain")
    return folder / "home"


def run(home: Path, *arguments: str) -> Result:
    return CliRunner(env={"SEARCHKIT_HOME": str(home)}).invoke(cli, ["train", *arguments])


def refused(home: Path, *arguments: str) -> str:
    ended = run(home, *arguments)
    assert ended.exit_code == 1, ended.output
    assert isinstance(ended.exception, SearchkitError)
    return error_text(ended.exception)


def test_mixtures_are_tried_kept_and_made_a_model_of_and_soups_are_averages(home: Path, tmp_path: Path) -> None:
    mixed = run(
        home, "mixture", "docs", "--trials", "4", "--force", "--name", "mixed", "--out", str(tmp_path / "mixed")
    )
    assert mixed.exit_code == 0, mixed.output
    assert "4 mixtures tried, 0 of them kept from an earlier run." in mixed.output
    report = json.loads((tmp_path / "mixed" / "report.json").read_text())
    assert report["model"] == "mixed" and set(report["sources"]) == {"title", "sentence"}
    assert len(report["trials"]) == 4 and report["trials"][0]["weights"].keys() == report["sources"].keys()
    assert report["targets"] and report["general"]  # proven, whatever came of it
    assert {row["name"] for row in report["blends"]} >= {"uniform soup", "greedy soup", "mixture 0"}
    text = (tmp_path / "mixed" / "report.md").read_text()
    assert "## Mixtures that were tried" in text and "over | nDCG@10" in text
    assert (tmp_path / "mixed" / "mixtures.png").is_file() and (tmp_path / "mixed" / "ndcg.png").is_file()
    assert "Licence, inherited from it: **apache-2.0**" in (home / "models" / "mixed" / "README.md").read_text()

    again = run(home, "mixture", "docs", "--trials", "4", "--force", "--name", "same", "--out", str(tmp_path / "same"))
    assert "4 mixtures tried, 4 of them kept from an earlier run." in again.output
    assert json.loads((tmp_path / "same" / "report.json").read_text())["trials"] == report["trials"]
    with Library(home) as library:
        matrices = [library.models.adapter(name) for name in ("mixed", "same")]
        assert matrices[0] is not None and matrices[1] is not None and np.array_equal(matrices[0], matrices[1])

    both = run(
        home, "soup", "docs", "--ingredients", "both", "--force", "--name", "both", "--out", str(tmp_path / "both")
    )
    assert both.exit_code == 0, both.output
    rows = json.loads((tmp_path / "both" / "report.json").read_text())["blends"]
    assert {"title", "sentence", "mixture 0"} <= {row["name"] for row in rows}
    assert "Held-out pairs, nDCG@10 of the uniform soup:" in both.output

    installed = run(home, "soup", "docs", "--of", "mixed", "--of", "both", "--force", "--json", "--name", "mean")
    assert installed.exit_code == 0, installed.output
    fields = json.loads(installed.stdout)
    assert {row["name"] for row in fields["blends"]} == {"mixed", "both", "uniform soup", "greedy soup"}
    assert fields["trials"] == []
    with Library(home) as library:
        assert library.status("docs").model == BUNDLED  # nothing was switched
        for name in ("mixed", "same", "both", "mean"):
            library.remove_model(name)


def test_a_file_of_pairs_is_one_more_source_and_gives_a_collection_without_titles_its_second(home: Path) -> None:
    assert "All pairs of 'plain' are from one source, sentence" in refused(home, "soup", "plain")
    made = run(home, "soup", "plain", "--pairs", str(home / "asked.jsonl"), "--json")
    assert made.exit_code == 0, made.output
    assert set(json.loads(made.stdout)["sources"]) == {"sentence", "asked"}


def test_half_of_many_judged_queries_choose_and_the_others_decide(home: Path, tmp_path: Path) -> None:
    lines = [
        json.dumps({"query": f"a neighbour and the {matter} of {subject}", "relevant": [f"{subject}/{matter}.md"]})
        for subject in SUBJECTS
        for matter in MATTERS[:4]
    ]
    many = write(tmp_path / "many.jsonl", "\n".join(lines))
    few = write(tmp_path / "few.jsonl", "\n".join(lines[:20]))
    ran = [json.loads(run(home, "soup", "docs", "--queries", str(file), "--json").stdout) for file in (many, few)]
    assert [fields["judged"] for fields in ran] == [24, 0]
    assert [fields["targets"][0]["queries"] for fields in ran] == [24, 20]
    assert all(row["measured"]["judged"] is not None for row in ran[0]["blends"])
    assert all(row["measured"]["judged"] is None for row in ran[1]["blends"])
    for fields in ran:
        if fields["model"]:
            with Library(home) as library:
                library.remove_model(fields["model"])


def test_bad_input_is_refused_and_changes_nothing(home: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(home, tmp_path / "home"))
    for command in ("mixture", "soup"):
        assert "No collection named 'nowhere'" in refused(copied, command, "nowhere")
        assert "installed already" in refused(copied, command, "docs", "--name", BUNDLED)
        assert "cannot be a model's name" in refused(copied, command, "docs", "--name", "../up")
        bad = write(tmp_path / "bad.jsonl", "{not json\n")
        assert "line 1: not JSON" in refused(copied, command, "docs", "--pairs", str(bad))
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert "corpus.jsonl" in refused(copied, command, "docs", "--general", str(tmp_path / "empty"))
        assert run(copied, command, "docs", "--pairs", str(tmp_path / "missing")).exit_code == 2
    assert run(copied, "mixture", "docs", "--trials", "1").exit_code == 2
    assert "needs two models" in refused(copied, "soup", "docs", "--of", BUNDLED)
    assert "No model named 'nothing'" in refused(copied, "soup", "docs", "--of", BUNDLED, "--of", "nothing")
    found = refused(copied, "soup", "docs", "--ingredients", "mixtures", "--seed", "7")
    assert "No mixtures of 'docs' are kept" in found and "Search mixtures of it first" in found
    with Library(copied) as library:
        assert library.models.names() == [BUNDLED]
        assert library.status("docs").model == BUNDLED
