"""Trains a network on drawn batches, step by step, so that a run can be killed at any moment and resumed where it was.

The batch of a step follows from the seed and the step alone. A state has the weights, the optimizer's two numbers for each, and the
step; it is written whole or not at all. Knows nothing of what the network computes except that it is a loss.
"""

import json
import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.network import best_device, compute_dtype
from searchkit.train.init.denoising import Arrays, MakeBatch
from searchkit.train.init.encoder_decoder import TOKENS
from searchkit.train.options import Precision, writing_to

_WARMUP = 0.05  # of the steps
_LEAST = 0.1  # of the rate, at the end of the cosine
_BETAS = (0.9, 0.98)
_LOOKS = 20  # means of the loss that the history has
_WEIGHT, _FIRST, _SECOND = "weight.", "first.", "second."


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of pretraining. `name`: of its state; `says`: what people read. `rate`: the highest learning rate.

    `number`: stages with different ones draw different texts.
    """

    name: str
    says: str
    steps: int
    rate: float
    seed: int
    number: int
    precision: Precision = Precision.AUTO
    checkpoint_minutes: float = 5.0


@dataclass(frozen=True, slots=True)
class Course:
    """How a stage went: the mean loss, in nats per token, of each twentieth of its steps, and its time in all starts."""

    losses: tuple[float, ...]
    seconds: float


def pretrain(network: Any, draw: MakeBatch, stage: Stage, folder: Path, on_progress: ProgressListener) -> Course:
    """Train a network, from the state in `folder` if there is one; the network has the last step's weights afterwards.

    Raises TrainingError if the state cannot be written.
    """
    network.to(best_device())
    optimizer = torch.optim.AdamW(network.parameters(), lr=stage.rate, betas=_BETAS, weight_decay=0.0)
    state = _State(network, optimizer, folder / f"{stage.name}.safetensors")
    done, losses, before = state.read()
    started = saved = time.monotonic()
    network.train()
    for step in range(done, stage.steps):
        note = f"loss {losses[-1]:.3f}" if losses else ""
        on_progress(Progress(stage.says, step, stage.steps, "steps", note=note))
        batch = draw(np.random.default_rng((stage.seed, stage.number, step)))
        losses.append(_step(network, optimizer, batch, _rate(stage, step), compute_dtype(stage.precision)))
        if time.monotonic() - saved > 60 * stage.checkpoint_minutes and step + 1 < stage.steps:
            state.write(step + 1, losses, before + time.monotonic() - started)
            saved = time.monotonic()
    seconds = before + time.monotonic() - started
    if done < stage.steps:
        state.write(stage.steps, losses, seconds, is_last=True)
    return Course(tuple(_means(losses)), seconds)


def _step(network: Any, optimizer: Any, batch: Arrays, rate: float, dtype: torch.dtype | None) -> float:
    """Take one step, and return its loss."""
    device = best_device()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device, dtype) if dtype else nullcontext():
        loss = network(**{name: torch.from_numpy(values).to(device) for name, values in batch.items()})
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    _couple(network, optimizer)
    return float(loss.detach())


def _couple(network: Any, optimizer: Any) -> None:
    """Give all rows of the token table the mean of their second moments, as Coupled Adam does (arXiv 2502.08441).

    Otherwise Adam makes a full step of the tiny gradient of each token that does not occur, and all of them drift in one
    direction: after 250 steps each on Cranfield the mean row had a norm of .95, a row one of 1.06; with this, .03 and .32.
    """
    for name, weight in network.named_parameters():
        if name.endswith(TOKENS):
            moments = optimizer.state[weight]["exp_avg_sq"]
            moments.copy_(moments.mean(dim=0, keepdim=True).expand_as(moments))


def _rate(stage: Stage, step: int) -> float:
    """A short warm-up, then a cosine down to a tenth."""
    warm = max(1, round(_WARMUP * stage.steps))
    if step < warm:
        return stage.rate * (step + 1) / warm
    share = (step - warm) / max(1, stage.steps - warm)
    return stage.rate * (_LEAST + (1 - _LEAST) * (1 + math.cos(math.pi * share)) / 2)


def _means(losses: list[float]) -> list[float]:
    """The mean of each twentieth, or each loss if there are fewer."""
    if not losses:
        return []
    return [float(np.mean(part)) for part in np.array_split(np.array(losses), min(_LOOKS, len(losses)))]


class _State:
    """The file with a stage's state. A finished stage's has no more than the weights."""

    def __init__(self, network: Any, optimizer: Any, file: Path) -> None:
        self._weights: Mapping[str, Tensor] = dict(network.named_parameters())
        self._optimizer = optimizer
        self._file = file

    def read(self) -> tuple[int, list[float], float]:
        """Put the state into network and optimizer; returns the steps done, their losses and the seconds that they took."""
        try:
            with safe_open(self._file, framework="pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is not a mapping
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return 0, [], 0.0
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(tensors[_WEIGHT + name])
                if _FIRST + name in tensors:
                    self._optimizer.state[weight] = {
                        "step": torch.tensor(float(about["step"])),
                        "exp_avg": tensors[_FIRST + name].to(weight.device),
                        "exp_avg_sq": tensors[_SECOND + name].to(weight.device),
                    }
        return int(about["step"]), [float(loss) for loss in about["losses"]], float(about["seconds"])

    def write(self, step: int, losses: list[float], seconds: float, *, is_last: bool = False) -> None:
        """Write the state, whole or not at all."""
        tensors = {_WEIGHT + name: weight.detach().cpu().contiguous() for name, weight in self._weights.items()}
        for name, weight in {} if is_last else self._weights.items():
            numbers = self._optimizer.state.get(weight)
            if numbers:
                tensors[_FIRST + name] = numbers["exp_avg"].cpu()
                tensors[_SECOND + name] = numbers["exp_avg_sq"].cpu()
        about = json.dumps({"step": step, "losses": losses, "seconds": seconds})
        temporary = self._file.with_suffix(".part")
        with writing_to(self._file.parent, "The state of the run", SafetensorError):
            save_file(tensors, temporary, metadata={"about": about})
            temporary.replace(self._file)
