"""`searchkit train distill` as it is called: what it refuses, what it installs, and that it touches nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

from searchkit.cli.main import cli
from searchkit.display import error_text
from searchkit.embedding.store import BUNDLED, ModelStore
from searchkit.errors import SearchkitError
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage
from tests.support import homes
from tests.support.tiny_checkpoints import write_bert

pytestmark = [
    pytest.mark.train,
    pytest.mark.minilm,
    pytest.mark.filterwarnings("ignore"),
]  # the libraries warn of each other
Command = Callable[..., Result]


@pytest.fixture
def home(small_model: Path, tmp_path: Path) -> Path:
    return homes.copied(small_model, tmp_path / "home")


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("SEARCHKIT_HOME", str(home))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["train", "distill", *arguments])

    return run


def one(number: int) -> Pair:
    split = [Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST][number % 4]
    subject = f"{['pump', 'valve', 'gasket', 'rotor', 'boiler'][number % 5]} {number}"
    text = f"Maintenance of {subject[:-1]} number {number} is due every {number} weeks, after a look at its gauge."
    return Pair(f"when to look after the {subject}", Passage("", text), Kind.USER, f"d{number}", split)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    write_pairs(tmp_path / "pairs.jsonl", [one(number) for number in range(160)])
    return str(tmp_path / "pairs.jsonl")


def refused(result: Result) -> str:
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SearchkitError)
    return error_text(result.exception)


def installed(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir())


def test_what_makes_no_sense_is_a_usage_error(tmp_path: Path, command: Command, pairs: str) -> None:
    known = ("--pairs", pairs, "--teacher", BUNDLED)
    for arguments, reason in (
        (("--pairs", pairs), "--pairs FILE --teacher MODEL"),
        ((*known, "--layers", "6"), "has 6 layers; --layers says how many of them stay"),
        ((*known, "--layers", "7"), "has 6 layers"),
        ((*known, "--layers", "0"), "x>=1"),
        ((*known, "--student", "a", "--base", "b"), "not of both"),
        ((*known, "--use"), "--use needs the collection"),
        ((*known, "--checkpoint", str(tmp_path)), "exists already"),
    ):
        result = command(*arguments)
        assert result.exit_code == 2, result.output
        assert reason in " ".join(result.output.split())


def test_bad_input_is_refused_before_anything_is_written(
    tmp_path: Path, home: Path, command: Command, pairs: str
) -> None:
    known = ("--pairs", pairs, "--teacher", BUNDLED)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jsonl").write_text('{"query": "x"\n')
    write_pairs(tmp_path / "few.jsonl", [one(number) for number in range(20)])
    write_pairs(tmp_path / "some.jsonl", [one(number) for number in range(100)])
    other = write_bert(tmp_path / "modern")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_type": "modernbert"}))
    for arguments, reason in (
        (("nowhere",), "No collection"),
        (("--pairs", pairs, "--teacher", "nothing"), "No model named 'nothing'"),
        (("--pairs", str(tmp_path / "bad.jsonl"), "--teacher", BUNDLED), "line 1"),
        (("--pairs", str(tmp_path / "no.jsonl"), "--teacher", BUNDLED), "no.jsonl"),
        (("--pairs", str(tmp_path / "few.jsonl"), "--teacher", BUNDLED), "validation pairs; 8 different ones"),
        (("--pairs", str(tmp_path / "some.jsonl"), "--teacher", BUNDLED), "50 passages to learn from"),
        ((*known, "--student", str(tmp_path / "empty")), "contains no config.json"),
        ((*known, "--base", str(tmp_path / "empty")), "contains no config.json"),
        ((*known, "--student", str(other), "--layers", "1"), "Layers can be removed from these families"),
        ((*known, "--general", str(tmp_path / "empty")), "corpus.jsonl"),
        ((*known, "--name", BUNDLED), "installed already"),
        ((*known, "--name", "../up"), "cannot be a model's name"),
    ):
        assert reason in refused(command(*arguments)), arguments
    assert installed(home) == [BUNDLED]
    assert not (home / "training").exists()


SETTINGS = ("--epochs", "1", "--batch-size", "16", "--threads", "1", "--json")


@pytest.mark.slow
def test_a_student_is_made_proven_and_installed_beside_its_teacher(
    tmp_path: Path, home: Path, command: Command, pairs: str
) -> None:
    known = ("--pairs", pairs, "--teacher", BUNDLED, "--name", "mine", *SETTINGS)
    result = command(*known, "--layers", "2", "--max-loss", "1", "--checkpoint", str(tmp_path / "kept"))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["verdict"]["passed"], told["verdict"]
    assert (told["model"], len(told["layers"]), told["of_layers"]) == ("mine", 2, 6)
    assert [step["name"] for step in told["steps"]][:3] == [
        f"teacher ({BUNDLED})",
        "layers removed",
        "head fitted",
    ]
    assert told["speeds"]["gain"] > 1.1
    assert installed(home) == [BUNDLED, "mine"]
    card = json.loads((home / "models" / "mine" / "model.json").read_text())
    assert (card["licence"], card["source"]["teacher"], card["source"]["method"]) == ("apache-2.0", BUNDLED, "distill")
    assert ModelStore(home / "models").best() == BUNDLED
    report = Path(told["report"]) / "report.md"
    shown = ("What each step was worth", "passages per second", "nDCG@10 before", "(speed.png)", "(ndcg.png)")
    assert all(part in report.read_text() for part in shown)
    assert (tmp_path / "kept" / "README.base.md").is_file()
    assert not any((home / "training").iterdir())


@pytest.mark.slow
def test_a_student_that_loses_too_much_is_not_installed_and_says_why(home: Path, command: Command, pairs: str) -> None:
    known = ("--pairs", pairs, "--teacher", BUNDLED, "--name", "mine", *SETTINGS, "--layers", "1", "--max-loss", "0")
    told = json.loads(command(*known).stdout)
    assert told["model"] is None
    assert "against its teacher; 0 is allowed" in told["verdict"]["reason"]
    assert installed(home) == [BUNDLED]
    again = command(*known, "--force")
    assert json.loads(again.stdout)["model"] == "mine"
    assert "Choosing layers" not in again.stderr


@pytest.mark.slow
def test_another_checkpoint_learns_the_teacher_s_space(
    tmp_path: Path, home: Path, command: Command, pairs: str
) -> None:
    student = write_bert(tmp_path / "student", 2)
    result = command(
        "--pairs", pairs, "--teacher", BUNDLED, "--student", str(student), "--name", "mine", "--force", *SETTINGS
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["steps"][1]["name"] == "as it is"
    assert told["steps"][1]["cosine"] is None
    card = json.loads((home / "models" / "mine" / "model.json").read_text())
    assert card["dimension"] == 384
