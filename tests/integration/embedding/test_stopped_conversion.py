"""A conversion that is stopped goes on where it was: nothing is done twice, nothing is left, and the model is the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from searchkit.embedding.conversion import Conversion, conversion, key_of
from searchkit.embedding.model_folder import read_model_card
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.store import BUNDLED, UNFINISHED, ModelStore, bundled_checkpoint
from searchkit.reports import Progress

STOPS = ("floats: layer 2 of", "floats: layer 6 of", "quantizing", "comparing", "tokens", "scale: 128 of", "verifying")
KILLED = """
import os, signal, sys
from pathlib import Path
from searchkit.embedding.store import BUNDLED, ModelStore
def listen(progress):
    if sys.argv[2] in progress.note:
        os.kill(os.getpid(), signal.SIGKILL)
ModelStore(Path(sys.argv[1])).open(BUNDLED, listen)
"""


def parts_of(place: Path) -> dict[str, tuple[int, int]]:
    """The identity of each finished part; the states of the last layer are replaced as it goes on."""
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (place / "parts").iterdir()
        if path.suffix in (".npz", ".json") and path.stem not in ("states", "written", "similarities")
    }


@pytest.mark.minilm
@pytest.mark.slow
def test_a_conversion_that_is_stopped_again_and_again_does_nothing_twice(small_model: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    place = models / f".{BUNDLED}{UNFINISHED}"
    before: dict[str, tuple[int, int]] = {}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(models), STOPS[0]], check=False)
    assert killed.returncode == -signal.SIGKILL
    for stop in STOPS[1:]:

        def listen(progress: Progress, stop: str = stop) -> None:
            if stop in progress.note:
                raise KeyboardInterrupt

        now = parts_of(place)
        assert before.items() <= now.items()
        assert len(now) > len(before) or stop == STOPS[4], f"nothing was kept before {stop}"
        before = now
        assert ModelStore(models).names() == [BUNDLED], "the package alone"
        with pytest.raises(KeyboardInterrupt):
            ModelStore(models).open(BUNDLED, listen)
    reports: list[Progress] = []
    ModelStore(models).open(BUNDLED, reports.append)
    shares = [each.done for each in reports]
    assert (shares, {each.unit for each in reports}) == (sorted(shares), {"%"})
    assert [path.name for path in models.iterdir()] == [BUNDLED]
    assert read_model_card(models / BUNDLED) == read_model_card(small_model / "models" / BUNDLED)


def once(target: Path, key: str, done: list[str], *, error: type[BaseException] | None = None) -> None:
    """A conversion of two steps that notes the steps that it does, and fails behind them if it is to."""

    def step(parts: Conversion, name: str) -> None:
        def work() -> None:
            (parts.folder / name).write_text(key)
            done.append(name)

        parts.once(name, work)

    with conversion(target, key) as parts:
        step(parts, "first")
        step(parts, "second")
        if error is not None:
            raise error


def test_parts_of_the_same_checkpoint_are_used_and_removed_when_it_is_finished(tmp_path: Path) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        once(tmp_path / "model", "a", done, error=KeyboardInterrupt)
    assert [path.name for path in tmp_path.iterdir()] == [".model.unfinished"]
    once(tmp_path / "model", "a", done)
    assert done == ["first", "second"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with pytest.raises(FileExistsError):
        once(tmp_path / "model", "a", done)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_parts_of_another_checkpoint_are_removed(tmp_path: Path) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        once(tmp_path / "model", "a", done, error=KeyboardInterrupt)
    once(tmp_path / "model", "b", done)
    assert done == ["first", "second", "first", "second"]
    assert (tmp_path / "model" / "first").read_text() == "b"


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        once(tmp_path / "model", "a", [], error=ValueError)
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_is_cut_is_made_again(tmp_path: Path) -> None:
    import numpy as np

    parts = Conversion(tmp_path, tmp_path)
    made: list[int] = []

    def compute() -> dict[str, np.ndarray]:
        made.append(1)
        return {"values": np.arange(1000)}

    for _ in range(2):
        assert parts.arrays("some", compute)["values"][-1] == 999
    os.truncate(tmp_path / "some.npz", 500)
    assert parts.arrays("some", compute)["values"][-1] == 999
    assert len(made) == 2


def test_a_key_is_of_all_that_a_model_is_made_of(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("as it was")
    first = key_of(tmp_path, Quantization.INT8, ())
    (tmp_path / "README.md").write_text("something")
    assert key_of(tmp_path, Quantization.INT8, ()) == first
    assert key_of(tmp_path, Quantization.INT4, ()) != first
    (tmp_path / "model.safetensors").write_text("as it is")
    assert key_of(tmp_path, Quantization.INT8, ()) != first


@pytest.mark.minilm
def test_a_conversion_that_nobody_went_on_with_is_removed_after_two_weeks(tmp_path: Path) -> None:
    assert bundled_checkpoint() is not None
    for name, days in ((".old.unfinished", 20), (".recent.unfinished", 3)):
        (tmp_path / name).mkdir()
        moment = (tmp_path / name).stat().st_mtime - days * 86400
        os.utime(tmp_path / name, (moment, moment))
    ModelStore(tmp_path)._clear_unfinished("another")
    assert [path.name for path in tmp_path.iterdir()] == [".recent.unfinished"]
