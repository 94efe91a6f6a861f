"""The history of a fine-tuning run: the loss by step and the validation score by epoch, as figures and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.train.reports import AFTER, BEFORE, can_draw, new_figure, save_picture

HISTORY_PICTURE = "run.png"
_NO_PARTS = {"loss", "learning_rate", "grad_norm", "epoch", "step", "num_input_tokens_seen"}
_MOST_LABELS = 10
_NOISY = 40  # steps, from which a smoothed line is drawn
_PARTS = 20  # each point of that line averages 1/20 of the run to either side


@dataclass(frozen=True, slots=True)
class Look:
    """A validation: nDCG@10 on the validation pairs after some steps and epochs."""

    step: int
    epoch: float
    score: float


@dataclass(frozen=True, slots=True)
class History:
    """Figures during training. `losses`: (step, value) by term of the loss; `looks`: the validations."""

    losses: Mapping[str, tuple[tuple[int, float], ...]]
    looks: tuple[Look, ...]


def loss_parts(logged: Mapping[str, Any]) -> dict[str, float]:
    """The terms of the loss among the values that the trainer logs at a step."""
    return {name: float(value) for name, value in logged.items() if name not in _NO_PARTS and "loss" in logged}


def read_history(trainer_state: Path, metric: str) -> History:
    """Read the history from a state of the trainer, which has all steps before it, those of earlier starts included."""
    losses: dict[str, list[tuple[int, float]]] = {}
    looks = []
    for entry in json.loads(trainer_state.read_text("utf-8")).get("log_history", []):
        for name, value in loss_parts(entry).items():
            losses.setdefault(name, []).append((int(entry["step"]), value))
        if (score := entry.get(f"eval_{metric}")) is not None:
            looks.append(Look(int(entry["step"]), float(entry["epoch"]), float(score)))
    return History({name: tuple(values) for name, values in losses.items()}, tuple(looks))


def history_table(history: History, base_score: float, measure: str = "nDCG@10") -> str:
    """The history as Markdown, one line per epoch: its validation, and the mean of each term of the loss over its steps.

    `measure`: what was validated.
    """
    names = tuple(history.losses)
    lines = [
        "## The run",
        "",
        f"| {' | '.join(('epoch', 'step', f'{measure} on validation', *(f'loss, {name}' for name in names)))} |",
        "|" + "---|" * (3 + len(names)),
        f"| the base | 0 | {base_score:.4f} |{' |' * len(names)}",
    ]
    before = 0
    for look in history.looks:
        means = [_mean([value for step, value in history.losses[name] if before < step <= look.step]) for name in names]
        values = (f"{look.epoch:g}", str(look.step), f"{look.score:.4f}", *means)
        lines.append(f"| {' | '.join(values)} |")
        before = look.step
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.4f}" if values else ""


def draw_history(file: Path, history: History, base_score: float, measure: str = "nDCG@10") -> None:
    """Draw a panel for the validations and one for each term of the loss; nothing if there is no validation."""
    if not (history.looks and can_draw()):
        return
    count = 1 + len(history.losses)
    figure = new_figure(7.5, 0.6 + 1.9 * count)
    scored, *lost = figure.subplots(count, 1, squeeze=False, sharex=True).flatten()
    _draw_looks(scored, history.looks, base_score, measure)
    for panel, (name, values) in zip(lost, history.losses.items(), strict=True):
        _draw_part(panel, name, values)
    (lost or [scored])[-1].set_xlabel("step")
    save_picture(figure, file)


def _draw_looks(panel: Any, looks: Sequence[Look], base_score: float, measure: str) -> None:
    steps, scores = [0, *(look.step for look in looks)], [base_score, *(look.score for look in looks)]
    panel.axhline(base_score, color=BEFORE, linestyle="--", linewidth=1)
    panel.plot(steps, scores, "o-", color=AFTER)
    for look in looks[:: -(-len(looks) // _MOST_LABELS)]:
        panel.annotate(
            f"epoch {look.epoch:g}",
            (look.step, look.score),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
    panel.annotate("the base", (0, base_score), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    room = max(0.02 if measure == "nDCG@10" else 0.0005, 0.25 * (max(scores) - min(scores)))
    panel.set_ylim(min(scores) - room, max(scores) + room)
    panel.set_title(f"{measure} on the validation pairs", fontsize=10, loc="left")
    panel.margins(x=0.06)
    panel.grid(alpha=0.3)


def _draw_part(panel: Any, name: str, values: Sequence[tuple[int, float]]) -> None:
    """Draw each step; if there are many, pale and with a smoothed line."""
    steps, losses = zip(*values, strict=True)
    is_noisy = len(losses) >= _NOISY
    panel.plot(steps, losses, color=AFTER, alpha=0.3 if is_noisy else 1, linewidth=1)
    if is_noisy:
        panel.plot(steps, _smoothed(losses, len(losses) // _PARTS), color=AFTER, linewidth=1.6)
    panel.set_title(f"loss, {name}", fontsize=10, loc="left")
    panel.set_ylim(bottom=min(0.0, *losses))
    panel.grid(alpha=0.3)


def _smoothed(values: Sequence[float], reach: int) -> list[float]:
    """The moving average over `reach` values to either side."""
    parts = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(part) / len(part) for part in parts]
