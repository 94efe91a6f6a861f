"""`searchkit train finetune` as it is called: what it refuses, what it installs, and that it touches nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch", reason="PyTorch is not installed (extra [train])")

from searchkit.cli.main import cli
from searchkit.display import error_text
from searchkit.embedding.graph.trained_form import TrainedForm, write_form
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import ModelStore
from searchkit.errors import SearchkitError
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage
from tests.support.finetune_runs import tiny_pairs
from tests.support.tiny_checkpoints import write_bert

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore"),
]  # the libraries warn of each other
Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("SEARCHKIT_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, ["train", "finetune", *arguments])

    return run


def pair_file(path: Path, pairs: list[Pair]) -> str:
    write_pairs(path, pairs)
    return str(path)


def refused(result: Result) -> str:
    assert result.exit_code == 1
    assert isinstance(result.exception, SearchkitError)
    return error_text(result.exception)


def installed(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir()) if (home / "models").is_dir() else []


def test_too_few_pairs_are_refused_before_anything_is_written(tmp_path: Path, command: Command) -> None:
    pairs = pair_file(tmp_path / "few.jsonl", tiny_pairs()[:20])
    reason = refused(command("--pairs", pairs, "--base", str(write_bert(tmp_path / "base"))))
    assert "at least 32 are needed" in reason
    assert installed(tmp_path / "home") == []
    assert not (tmp_path / "home" / "training").exists()


def test_pairs_of_one_document_are_refused(tmp_path: Path, command: Command) -> None:
    def of_one(number: int, document: str, split: Split) -> Pair:
        text = (
            f"It is {number}, of which nobody has told more than that it came after {number - 1} and before the next."
        )
        return Pair(f"what is number {number}", Passage("", text), Kind.USER, document, split)

    one = [of_one(number, "d", Split.TRAIN) for number in range(50)]
    val = [of_one(number, "e", Split.VALIDATION) for number in range(50, 60)]
    pairs = pair_file(tmp_path / "one.jsonl", [*one, *val])
    assert "from 1 document" in refused(command("--pairs", pairs, "--base", str(write_bert(tmp_path / "base"))))


def test_a_model_whose_weights_are_not_here_says_what_to_name(tmp_path: Path, command: Command) -> None:
    pairs = pair_file(tmp_path / "pairs.jsonl", tiny_pairs())
    assert "No model named 'nothing'" in refused(command("--pairs", pairs, "--base", "nothing"))


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path, command: Command) -> None:
    (tmp_path / "empty").mkdir()
    pairs = pair_file(tmp_path / "pairs.jsonl", tiny_pairs())
    assert "contains no config.json" in refused(command("--pairs", pairs, "--base", str(tmp_path / "empty")))


def test_a_folder_of_general_queries_that_is_none_is_refused_before_the_training(
    tmp_path: Path, command: Command
) -> None:
    (tmp_path / "empty").mkdir()
    pairs, base = pair_file(tmp_path / "pairs.jsonl", tiny_pairs()), str(write_bert(tmp_path / "base"))
    assert "corpus.jsonl" in refused(command("--pairs", pairs, "--base", base, "--general", str(tmp_path / "empty")))
    assert not (tmp_path / "home" / "training").exists()


def test_without_a_collection_pairs_and_a_base_are_needed(command: Command) -> None:
    result = command("--base", "somewhere")
    assert result.exit_code == 2
    assert "--pairs FILE --base MODEL" in result.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--quantize", "int5"), "'int5' is not one of 'int8', 'int4', 'mixed'"),
        (("--quantize", "fp32"), "'fp32' is not one of"),
        (("--quantize", "int4", "--quantization", "int8"), "leave out --quantization"),
        (("--contrastive", "0"), "leaves nothing to learn"),
        (("--contrastive", "0", "--quantize", "int4", "--keep-near", "0"), "leaves nothing to learn"),
    ],
)
def test_a_quantization_that_is_not_trained_in_is_refused(
    command: Command, arguments: tuple[str, ...], reason: str
) -> None:
    result = command("docs", *arguments)
    assert result.exit_code == 2
    assert reason in " ".join(result.output.split())


def test_a_form_that_a_checkpoint_cannot_have_is_refused_before_the_training(tmp_path: Path, command: Command) -> None:
    pairs, base = pair_file(tmp_path / "pairs.jsonl", tiny_pairs()), str(write_bert(tmp_path / "base"))
    reason = refused(command("--pairs", pairs, "--base", base, "--quantize", "int4"))
    assert "products with 48 inputs" in reason
    assert not (tmp_path / "home" / "training").exists()


def test_weights_that_were_trained_in_four_bits_are_not_trained_in_floats(tmp_path: Path, command: Command) -> None:
    pairs, base = pair_file(tmp_path / "pairs.jsonl", tiny_pairs()), write_bert(tmp_path / "base", inner=64)
    write_form(base, TrainedForm(Quantization.INT4))
    for arguments in ((), ("--quantize", "int8")):
        reason = refused(command("--pairs", pairs, "--base", str(base), *arguments))
        assert "was trained in int4" in reason
        assert "train it in int4 again" in reason
    assert not (tmp_path / "home" / "training").exists()


@pytest.mark.slow
@pytest.mark.minilm
def test_the_small_model_is_trained_in_four_bits_and_proven_in_them(tmp_path: Path, command: Command) -> None:
    pairs = pair_file(tmp_path / "pairs.jsonl", [_maintenance(number) for number in range(80)])
    settings = ("--method", "full", "--epochs", "1", "--batch-size", "16", "--max-tokens", "32", "--threads", "1")
    result = command(
        "--pairs", pairs, "--base", "all-minilm-l6-v2", *settings, "--quantize", "int4", "--force", "--json",
        "--checkpoint", str(tmp_path / "kept"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["model"] == "all-minilm-l6-v2-pairs-full-int4"
    assert told["quantize"] == "int4"
    assert told["float_score"] > 0
    assert [cell["prefix"] for cell in told["in_floats"]["cells"]] == [384] * 3
    card = json.loads((tmp_path / "home" / "models" / told["model"] / "model.json").read_text())
    assert (card["quantization"], card["source"]["trained_in"]) == ("int4", "int4")
    report = (Path(told["report"]) / "report.md").read_text()
    assert (
        "| held-out pairs, prefix | base in floats | base in int4 | tuned, before rounding | tuned in int4 |" in report
    )
    imported = CliRunner().invoke(cli, ["models", "import", str(tmp_path / "kept"), "--name", "again"])
    assert imported.exit_code == 0, imported.output
    assert "trained in int4" in imported.output
    weights = [tmp_path / "home" / "models" / name / "weights.bin" for name in ("again", told["model"])]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def _maintenance(number: int) -> Pair:
    split = [Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST][number % 4]
    subject = f"{['pump', 'valve', 'gasket', 'rotor', 'boiler'][number % 5]} {number}"
    text = f"Maintenance of {subject[:-1]} number {number} is due every {number} weeks, after a look at its gauge."
    return Pair(f"when to look after the {subject}", Passage("", text), Kind.USER, f"d{number}", split)


@pytest.mark.slow
@pytest.mark.minilm
def test_the_small_model_is_trained_proven_installed_and_its_base_stays(tmp_path: Path, command: Command) -> None:
    pairs = pair_file(tmp_path / "pairs.jsonl", [_maintenance(number) for number in range(80)])
    settings = ("--method", "full", "--epochs", "1", "--batch-size", "16", "--max-tokens", "32", "--threads", "1")
    result = command(
        "--pairs", pairs, "--base", "all-minilm-l6-v2", *settings, "--name", "mine", "--force", "--json",
        "--checkpoint", str(tmp_path / "kept"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["model"] == "mine"
    assert installed(tmp_path / "home") == ["mine"]
    card = json.loads((tmp_path / "home" / "models" / "mine" / "model.json").read_text())
    assert (card["licence"], card["source"]["base"]) == ("apache-2.0", "all-minilm-l6-v2")
    assert ModelStore(tmp_path / "home" / "models").best() == "all-minilm-l6-v2"
    report = Path(told["report"]) / "report.md"
    assert all(part in report.read_text() for part in ("nDCG@10 before", "## The run", "(ndcg.png)", "(run.png)"))
    history = json.loads(report.with_suffix(".json").read_text())["history"]
    assert [look["epoch"] for look in history["looks"]] == [1.0]
    assert {name: len(values) for name, values in history["losses"].items()} == {"contrastive": 3, "distillation": 3}
    assert (tmp_path / "kept" / "model.safetensors").is_file()
    assert not any((tmp_path / "home" / "training").iterdir())
    again = command("--pairs", pairs, "--base", str(tmp_path / "kept"), "--name", "mine")
    assert "installed already" in refused(again)
