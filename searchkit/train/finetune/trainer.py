"""The trainer of sentence-transformers, set up so that a run can be killed at any moment and resumed where it was."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback

from searchkit.reports import Progress, ProgressListener
from searchkit.train.finetune.caching import CachedObjective
from searchkit.train.finetune.checkpoints import TENSORS, newest_to_resume, prune, read_tensors, remove_unfinished
from searchkit.train.finetune.data import Row, SourceBatches
from searchkit.train.finetune.history import loss_parts
from searchkit.train.finetune.network import HEADS, best_device, put_tensors, trained_tensors
from searchkit.train.finetune.objective import METRIC, Validation
from searchkit.train.options import FinetuneOptions, Method, writing_to

_HEAD_RATE = 0.1  # of LoRA's rate: heads are trained as they are, not as small updates
_WARMUP = 0.1  # of the steps


def train(  # noqa: PLR0913 - what a run is made of
    network: Any,
    rows: Sequence[Row],
    objective: CachedObjective,
    validation: Validation,
    options: FinetuneOptions,
    folder: Path,
    *,
    on_progress: ProgressListener,
    on_score: Callable[[float, float], None],
) -> None:
    """Train a network, from the newest state in `folder` if there is one, and leave the best states there.

    `on_score`: epochs done, and the score on the validation pairs.
    """
    remove_unfinished(folder)
    resumed = newest_to_resume(folder)
    watch = _Watch(options, folder, on_progress, on_score)
    trainer = _Trainer(
        model=network,
        args=_arguments(network, options, folder),
        train_dataset=_dataset(rows),
        loss=objective,
        data_collator=_Collator(network),
        evaluator=validation,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)


class _Trainer(SentenceTransformerTrainer):  # type: ignore[misc]
    """Saves only the trained tensors: the rest is the base's, and the token table alone would be most of it."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        from safetensors.torch import save_file

        target = Path(output_dir or str(self.args.output_dir))
        target.mkdir(parents=True, exist_ok=True)
        save_file({name: value.cpu() for name, value in trained_tensors(self.model).items()}, target / TENSORS)

    def _save_checkpoint(self, *arguments: Any, **named: Any) -> None:
        place = Path(str(self.args.output_dir))
        with writing_to(place, "The state of the run", SafetensorError, RuntimeError):  # torch.save raises the latter
            super()._save_checkpoint(*arguments, **named)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing: theirs would embed examples and ask the hub about the base."""

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        put_tensors(self.model, read_tensors(Path(checkpoint_path)))


class _Watch(TrainerCallback):  # type: ignore[misc]
    """Reports progress, has the state saved every few minutes, and removes states that are not needed."""

    def __init__(
        self,
        options: FinetuneOptions,
        folder: Path,
        on_progress: ProgressListener,
        on_score: Callable[[float, float], None],
    ) -> None:
        self._options = options
        self._folder = folder
        self._on_progress = on_progress
        self._on_score = on_score
        self._saved_at = time.monotonic()
        self._note = ""

    def on_step_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Report progress."""
        self._on_progress(Progress("Training", state.global_step, state.max_steps, "steps", note=self._note))

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a save if the last one was some minutes ago."""
        self.on_step_begin(_args, state, control)
        if time.monotonic() - self._saved_at > 60 * self._options.checkpoint_minutes:
            control.should_save = True

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: Any = None, **_: Any) -> None:
        """Remember the loss and its terms."""
        if logs and "loss" in logs:
            parts = ", ".join(f"{name} {value:.3f}" for name, value in loss_parts(logs).items())
            self._note = f"loss {float(logs['loss']):.3f}" + (f" ({parts})" if parts else "")

    def on_evaluate(self, _args: Any, state: Any, _control: Any, metrics: Any = None, **_: Any) -> None:
        """Report the score."""
        if metrics:
            self._on_score(float(state.epoch), float(metrics[f"eval_{METRIC}"]))

    def on_save(self, _args: Any, _state: Any, _control: Any, **_: Any) -> None:
        """Remove states that are not needed."""
        self._saved_at = time.monotonic()
        prune(self._folder, self._options.soup)


def _arguments(network: Any, options: FinetuneOptions, folder: Path) -> Any:
    has_heads = any(re.search(HEADS, name) for name, _ in network.named_parameters())
    rates = {HEADS: options.rate * _HEAD_RATE} if has_heads and options.method is Method.LORA else {}
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        batch_sampler=_batches(options),
        learning_rate=options.rate,
        learning_rate_mapping=rates,
        weight_decay=0.0,  # it would pull towards zero; distillation pulls towards the base
        warmup_steps=_WARMUP,  # a share of the steps
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="steps",
        logging_steps=1,
        seed=options.seed,
        data_seed=options.seed,
        use_cpu=best_device() == "cpu",
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )


def _batches(options: FinetuneOptions) -> Callable[..., SourceBatches]:
    """The trainer's factory of batches."""

    def of_dataset(dataset: Any, batch_size: int, **_: Any) -> SourceBatches:
        return SourceBatches(dataset["source"], batch_size, options.seed)

    return of_dataset


def _dataset(rows: Sequence[Row]) -> Any:
    return Dataset.from_dict(
        {
            "query": [row.query for row in rows],
            "positive": [row.positive for row in rows],
            "negative": [row.negative for row in rows],
            "source": [row.source for row in rows],
            "label": list(range(len(rows))),
        }
    )


class _Collator:
    """Tokenizes the columns of a batch, whose texts already have their prompts."""

    valid_label_columns = ("label",)  # which the trainer needs

    def __init__(self, network: Any) -> None:
        self._network = network

    def __call__(self, batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        columns = ["query", "positive"] + ["negative"] * all(row["negative"] for row in batch)
        found: dict[str, Any] = {"label": torch.tensor([row["label"] for row in batch])}
        for column in columns:
            tokenized = self._network.preprocess([row[column] for row in batch])
            found.update({f"{column}_{name}": value for name, value in tokenized.items()})
        return found
