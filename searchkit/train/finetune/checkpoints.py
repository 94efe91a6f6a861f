"""The states of a run on the disk: which are complete, which are the best, which can be removed.

A state is a folder `checkpoint-STEP` of the trainer's: trained tensors, optimizer, schedule, random numbers, and last of all the
trainer's own state; without that it is not complete.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from searchkit.train.finetune.history import History, read_history
from searchkit.train.finetune.objective import METRIC

_STATE = "trainer_state.json"
TENSORS = "trained.safetensors"
_PREFIX = "checkpoint-"
_ONLY_TO_RESUME = ("optimizer.pt", "scheduler.pt")


@dataclass(frozen=True, slots=True)
class Saved:
    """A state of a run. `score`: on the validation pairs, None if it was saved between two validations."""

    folder: Path
    step: int
    epoch: float
    score: float | None


def complete_states(run: Path) -> list[Saved]:
    """List the complete states, the oldest first."""
    found = [(int(path.name.removeprefix(_PREFIX)), path) for path in run.glob(f"{_PREFIX}*") if _is_complete(path)]
    if not found:
        return []
    scores = _scores(max(found)[1])
    return [Saved(path, step, *scores.get(step, (0.0, None))) for step, path in sorted(found)]


def newest_to_resume(run: Path) -> Path | None:
    """The newest state that can be resumed, None if training has to start over. One kept only for its tensors cannot."""
    found = [saved.folder for saved in complete_states(run) if (saved.folder / _ONLY_TO_RESUME[0]).is_file()]
    return found[-1] if found else None


def remove_unfinished(run: Path) -> None:
    """Remove states that a killed run left incomplete."""
    for path in run.glob(f"{_PREFIX}*"):
        if not _is_complete(path):
            shutil.rmtree(path)


def history_of(run: Path) -> History:
    """The run's history up to its newest state."""
    states = complete_states(run)
    return read_history(states[-1].folder / _STATE, METRIC) if states else History({}, ())


def best_states(run: Path, count: int) -> list[Saved]:
    """The states with the best scores, the best first; of equal ones the earlier first."""
    scored = [saved for saved in complete_states(run) if saved.score is not None]
    return sorted(scored, key=lambda saved: (-(saved.score or 0.0), saved.step))[:count]


def prune(run: Path, keep: int) -> None:
    """Keep the newest state, to resume from, and the tensors of the `keep` best; remove the rest."""
    states = complete_states(run)
    kept = {saved.step for saved in best_states(run, keep)}
    for saved in states[:-1]:
        if saved.step not in kept:
            shutil.rmtree(saved.folder)
            continue
        for name in _ONLY_TO_RESUME:
            (saved.folder / name).unlink(missing_ok=True)


def read_tensors(saved: Path) -> dict[str, Tensor]:
    """Read the trained tensors of a state."""
    from safetensors.torch import load_file

    return load_file(saved / TENSORS)


def _is_complete(path: Path) -> bool:
    try:
        json.loads((path / _STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return path.name.removeprefix(_PREFIX).isdigit()


def _scores(newest: Path) -> dict[int, tuple[float, float]]:
    """Epoch and score by step, from the newest state's history."""
    return {look.step: (look.epoch, look.score) for look in read_history(newest / _STATE, METRIC).looks}
