"""What a run leaves: the encoder's checkpoint with its card, and the report with the comparison as table and picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from searchkit.errors import ModelError
from searchkit.files import new_folder
from searchkit.train.finetune.caching import Embedding
from searchkit.train.finetune.network import encoder_of, merged_tensors, open_plain, put_tensors
from searchkit.train.finetune.weights import BASE_CARD, write_tuned
from searchkit.train.init.comparison import Cell, Line, comparison_table
from searchkit.train.init.prepare import InitRun
from searchkit.train.init.pretraining import Course
from searchkit.train.init.starts import is_decoder
from searchkit.train.options import FinetuneOptions, writing_to
from searchkit.train.reports import AFTER, BEFORE, Report, can_draw, new_figure, save_picture, write_report_folder

PICTURE = "comparison.png"
_SAME = 0.9999  # cosine of the written checkpoint's vectors to those in memory
_CHECKED_TEXTS = 8


@dataclass(frozen=True, slots=True)
class Made:
    """The outcome. `chosen`: the encoder that was written to `out`. `weights`: their number; `tokens`: of the vocabulary.

    `courses`: of pretraining, by stage.
    """

    chosen: Cell
    lines: tuple[Line, ...]
    courses: Mapping[str, Course]
    weights: int
    tokens: int
    out: Path

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {**asdict(self), "out": str(self.out)}


def write_encoder(run: InitRun, start: Path, tensors: Path, made: Made) -> None:
    """Write the chosen encoder's checkpoint, whole or not at all. `start`: the folder that it started from.

    Raises ModelError if the written checkpoint does not give the vectors of the network in memory.
    """
    from safetensors.torch import load_file

    options = FinetuneOptions(max_tokens=run.options.max_tokens, threads=run.options.threads)
    network = open_plain(start, options)
    network.requires_grad_(True)
    put_tensors(network, load_file(tensors))
    texts = [row.positive for row in run.data.validation[:_CHECKED_TEXTS]]
    expected = Embedding(network, tokens_at_once=1, dtype=None).embed_texts(texts)
    with writing_to(run.out.parent, "The checkpoint"), new_folder(run.out) as folder:
        write_tuned(start, folder, merged_tensors(network, start))
        (folder / BASE_CARD).unlink()
        (folder / "README.md").write_text(model_card(run, made), "utf-8")
        written = open_plain(folder, options)
        worst = float(
            (Embedding(written, tokens_at_once=1, dtype=None).embed_texts(texts) * expected).sum(axis=1).min()
        )
        window = encoder_of(written).config.sliding_window
        if not worst >= _SAME or window != encoder_of(network).config.sliding_window:
            raise ModelError(f"The written checkpoint is not the encoder in memory (worst cosine {worst:.5f}).")


def model_card(run: InitRun, made: Made) -> str:
    """Write the encoder's card as Markdown, with the comparison."""
    chosen, base = made.chosen, run.base
    from_base = "tokenizer and the decoder's first weights are" if is_decoder(base.checkpoint) else "tokenizer is"
    return f"""---
license: {base.licence}
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# A Gemma 3 encoder of its user's own documents

Made by `searchkit train init`. Start: {chosen.start}; pooling: {chosen.pooling}; {made.weights / 1e6:.1f} M weights;
{made.tokens:,} tokens.
The documents are not part of the model, but a model can reveal something about what it was trained on: pass it on only to
people who may read them. The {from_base} from {base.name}, whose licence applies: {base.licence}.

{comparison_table(made.lines)}
"""


def write_report(run: InitRun, made: Made, folder: Path) -> None:
    """Write the report for people and programs. Raises TrainingError if that fails."""
    text = f"{model_card(run, made)}\n{_courses_table(made.courses)}\n\nThe checkpoint: {made.out}"
    pictures = {PICTURE: partial(_draw, lines=made.lines)}
    write_report_folder(folder, Report(text, made.as_json(), pictures, run.out.name))


def _courses_table(courses: Mapping[str, Course]) -> str:
    """The stages of pretraining as Markdown."""
    lines = ["| stage | loss in nats per token, twentieth by twentieth | minutes |", "|---|---|---|"]
    for name, course in courses.items():
        losses = ", ".join(f"{loss:.2f}" for loss in course.losses)
        lines.append(f"| {name} | {losses} | {course.seconds / 60:.1f} |")
    return "\n".join(lines)


def _draw(file: Path, lines: Sequence[Line]) -> None:
    """Draw nDCG@10 of each encoder with its interval and each seed: one panel per set. No line, no picture."""
    if not (lines and can_draw()):
        return
    names = list(dict.fromkeys(line.set for line in lines))
    rows = len(lines) // len(names)
    figure = new_figure(1.6 + 4.2 * len(names), 1.0 + 0.3 * rows)
    for panel, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names, strict=True):
        here = [line for line in lines if line.set == name]
        places = list(range(len(here)))
        panel.hlines(
            places, [line.low for line in here], [line.high for line in here], color=AFTER, alpha=0.3, linewidth=5
        )
        for place, line in enumerate(here):
            panel.plot(line.by_seed, [place] * len(line.by_seed), "|", color=BEFORE)
        panel.plot([line.ndcg for line in here], places, "o", color=AFTER)
        panel.set_yticks(places, [f"{line.start}, {line.pooling}" for line in here])
        panel.set_title(name, fontsize=10, parse_math=False)
        panel.set_xlabel("nDCG@10, 95 % interval over queries")
        panel.set_ylim(len(here) - 0.4, -0.6)
        panel.grid(axis="x", alpha=0.3)
    save_picture(figure, file)
