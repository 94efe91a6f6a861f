"""Reports of training: their pictures, what is said without them, and what holds when one cannot be written."""

import errno
import json
import os
from pathlib import Path

import pytest

from searchkit.errors import TrainingError
from searchkit.train import reports
from searchkit.train.finetune.history import History, Look, draw_history, history_table, read_history
from searchkit.train.gate import CODES, Cell, Comparison
from searchkit.train.reports import Report, draw_comparisons, where_written, write_report_folder
from tests.support.files import write

PNG = b"\x89PNG\r\n"
HISTORY = History(
    {"contrastive": tuple((step, 1 / step) for step in range(1, 61)), "spread": ((1, 0.0), (60, 0.1))},
    (Look(30, 1.0, 0.61), Look(60, 2.0, 0.63)),
)


def comparison(name: str, prefixes: tuple[int, ...] = (768, 128)) -> Comparison:
    cells = tuple(Cell(prefix, code, 0.6, 0.61, -0.7, 0.7, 1, 1, 1, 1) for prefix in prefixes for code in CODES)
    return Comparison(name, 30, cells, 0.01, -0.01, 0.03)


@pytest.fixture
def drawn() -> None:
    pytest.importorskip("matplotlib")


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("count", [1, 4])
def test_comparisons_are_drawn_whatever_their_sets_are_called(tmp_path: Path, count: int) -> None:
    draw_comparisons(tmp_path / "ndcg.png", [comparison(f"{'a long $name^ 日本語 ' * 5}{i}") for i in range(count)])
    assert (tmp_path / "ndcg.png").read_bytes().startswith(PNG)


@pytest.mark.usefixtures("drawn")
def test_a_run_is_drawn(tmp_path: Path) -> None:
    draw_history(tmp_path / "run.png", HISTORY, 0.58)
    assert (tmp_path / "run.png").read_bytes().startswith(PNG)


def test_nothing_to_draw_is_no_picture(tmp_path: Path) -> None:
    draw_comparisons(tmp_path / "ndcg.png", [])
    draw_history(tmp_path / "run.png", History({}, ()), 0.58)
    assert not any(tmp_path.iterdir())


def test_a_run_is_told_epoch_by_epoch() -> None:
    lines = history_table(HISTORY, 0.58).splitlines()
    assert lines[2] == "| epoch | step | nDCG@10 on validation | loss, contrastive | loss, spread |"
    assert lines[4] == "| the base | 0 | 0.5800 | | |"
    assert lines[5].startswith("| 1 | 30 | 0.6100 | 0.1332 |")
    assert lines[6].startswith("| 2 | 60 | 0.6300 | ")


def test_a_history_is_what_the_trainer_has_logged(tmp_path: Path) -> None:
    log = [
        {
            "loss": 3.0,
            "contrastive": 2.0,
            "spread": 1.0,
            "learning_rate": 0.1,
            "grad_norm": 1.0,
            "epoch": 0.5,
            "step": 1,
        },
        {"eval_ndcg_10": 0.5, "eval_runtime": 1.0, "epoch": 1.0, "step": 1},
        {"train_runtime": 2.0, "epoch": 1.0, "step": 1},
    ]
    state = write(tmp_path / "trainer_state.json", json.dumps({"log_history": log}))
    losses = {"contrastive": ((1, 2.0),), "spread": ((1, 1.0),)}
    assert read_history(state, "ndcg_10") == History(losses, (Look(1, 1.0, 0.5),))


def report(model: str = "") -> Report:
    return Report(
        "# A report\n", {"model": model}, {"ndcg.png": lambda file: None if model else write_png(file)}, model
    )


def write_png(file: Path) -> None:
    file.write_bytes(PNG)


def test_a_report_shows_the_pictures_that_there_are_and_none_of_an_earlier_run(tmp_path: Path) -> None:
    write_report_folder(tmp_path / "report", report())
    assert (tmp_path / "report" / "report.md").read_text() == "# A report\n\n![ndcg](ndcg.png)\n"
    write_report_folder(tmp_path / "report", report("made"))
    assert (tmp_path / "report" / "report.md").read_text() == "# A report\n"
    assert json.loads((tmp_path / "report" / "report.json").read_text()) == {"model": "made"}
    assert not (tmp_path / "report" / "ndcg.png").exists()


@pytest.mark.parametrize(("model", "state"), [("made", "The model made was made"), ("", "The base stays")])
def test_a_full_disk_says_what_holds_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, state: str
) -> None:
    def fill(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(reports, "write_atomically", fill)
    with pytest.raises(TrainingError, match=f"No space left on device. {state}"):
        write_report_folder(tmp_path / "report", report(model))


def test_without_matplotlib_the_last_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "can_draw", lambda: False)
    monkeypatch.setattr(reports, "can_draw", lambda: False)
    draw_comparisons(tmp_path / "ndcg.png", [comparison("set")])
    assert not any(tmp_path.iterdir())
    assert where_written(tmp_path, has_figures=True).endswith("report.md (no picture: matplotlib is missing)")
    assert where_written(tmp_path, has_figures=False).endswith("report.md")
