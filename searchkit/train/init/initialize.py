"""One run from a corpus to an encoder: decoder, adaptation, comparison, checkpoint. It can be stopped at any time and resumed.

The checkpoint is the encoder that finds most on the validation pairs, whatever it started with; the report has all of them.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from searchkit.embedding.tokenizer import FastTokenizer
from searchkit.errors import TrainingError
from searchkit.reports import Progress, ProgressListener
from searchkit.train.init.comparison import Cell, ContrastiveStage, Measured, cells, table
from searchkit.train.init.denoising import Texts, extra_tokens, pieces
from searchkit.train.init.encoder_decoder import CausalModel, EncoderDecoder, new_config, new_model
from searchkit.train.init.prepare import InitRun
from searchkit.train.init.pretraining import Course, Stage, pretrain
from searchkit.train.init.result import Made, write_encoder
from searchkit.train.init.starts import Described, is_decoder, random_weights, read_decoder, write_start
from searchkit.train.init.vocabulary import TOKENIZER, Vocabulary, reduce_tokenizer
from searchkit.train.options import InitOptions, Start, writing_to

FEWEST_PIECES = 64
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What pretraining gives: the encoders' weights by start, what their folders say besides, and how the stages went."""

    weights: Mapping[Start, Weights]
    described: Described
    courses: Mapping[str, Course]
    tokens: int


def initialize(run: InitRun, *, on_progress: ProgressListener, say: Callable[[str], None]) -> Made:
    """Make an encoder, or go on making it. Nothing but the run's folder and `out` is touched.

    Raises TrainingError for texts that are too few, an unfinished run with other options or a disk that is too small,
    UnsupportedCheckpointError for a base that is of no use, ModelError if the written checkpoint is not what was in memory.
    """
    if run.options.threads:
        torch.set_num_threads(run.options.threads)
    is_resumed = run.folder.open(run.identity, fresh=run.fresh)
    on_progress(Progress("Reducing the tokenizer", 0, None, ""))
    tokenizer = run.folder.path / "tokenizer"
    tokenizer.mkdir(exist_ok=True)
    known = (*run.texts, *(row.query for row in run.data.train), *(row.positive for row in run.data.train))
    vocabulary = reduce_tokenizer(run.base.folder, known, run.options.vocabulary, tokenizer)
    say(
        f"{'Resuming' if is_resumed else 'Training'}: {len(run.texts):,} texts, {len(vocabulary):,} tokens in the vocabulary."
    )
    pretrained = _pretrain(run, tokenizer, vocabulary, on_progress, say)
    results, starts = _compare(run, pretrained, on_progress, say)
    chosen = _best(results)
    on_progress(Progress("Writing the checkpoint", 0, None, ""))
    count = sum(value.numel() for value in pretrained.weights[chosen.start].values())
    made = Made(chosen, tuple(table(results)), pretrained.courses, count, pretrained.tokens, run.out)
    tensors = ContrastiveStage(run.data, run.sets, run.options, run.folder.path / "cells").tensors(chosen)
    write_encoder(run, starts[chosen], tensors, made)
    return made


def _pretrain(
    run: InitRun, tokenizer: Path, vocabulary: Vocabulary, on_progress: ProgressListener, say: Callable[[str], None]
) -> Pretrained:
    """Train the decoder, adapt it, and give the weights that encoders start with."""
    options = run.options
    drawn = _texts(run, tokenizer, vocabulary)
    config, weights = _decoder(run, vocabulary)
    described = Described(config, tokenizer, run.base.licence)
    model = new_model(config, options.seed, weights)
    run.check_space(sum(value.numel() for value in model.parameters()))
    found: dict[Start, Weights] = {Start.RANDOM: random_weights(config, options.seed)}
    courses: dict[str, Course] = {}
    if set(options.starts) - {Start.RANDOM}:
        stage = _stage(options, "language", "Training the decoder", options.language_steps, 1)
        courses["decoder"] = pretrain(CausalModel(model), drawn.causal, stage, run.folder.path, on_progress)
        found[Start.DECODER] = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        say(_went("Decoder", courses["decoder"]))
    if Start.ENCODER_DECODER in options.starts:
        network = EncoderDecoder(model, extra_tokens(options.max_tokens), options.seed)
        stage = _stage(options, "adaptation", "Adapting it to an encoder-decoder", options.adaptation_steps, 2)
        courses["encoder-decoder"] = pretrain(network, drawn.denoising, stage, run.folder.path, on_progress)
        found[Start.ENCODER_DECODER] = network.kept_encoder()
        say(_went("Encoder-decoder", courses["encoder-decoder"]))
    return Pretrained(found, described, courses, len(vocabulary))


def _texts(run: InitRun, tokenizer: Path, vocabulary: Vocabulary) -> Texts:
    """The pieces to draw from. Raises TrainingError if they are too few."""
    around = len(vocabulary.opening) + len(vocabulary.closing) + 1
    most = run.options.max_tokens - around
    found = pieces(FastTokenizer(tokenizer / TOKENIZER).encode_many(run.texts), most)
    if len(found) < FEWEST_PIECES:
        raise TrainingError(
            f"The texts are {len(found)} pieces of at most {most} tokens; a language model needs {FEWEST_PIECES} at least, and"
            " learns something from many thousands.",
            remedy="Index more documents.",
        )
    return Texts(found, vocabulary, run.options.texts)


def _decoder(run: InitRun, vocabulary: Vocabulary) -> tuple[Any, Weights | None]:
    """The decoder's configuration, and its weights if the base has them."""
    if is_decoder(run.base.checkpoint):
        return read_decoder(run.base.checkpoint, vocabulary)
    options = run.options
    config = new_config(layers=options.layers, width=options.width, tokens=len(vocabulary), pad=vocabulary.pad)
    return config, None


def _stage(options: InitOptions, name: str, says: str, steps: int, number: int) -> Stage:
    return Stage(name, says, steps, options.rate, options.seed, number, options.precision, options.checkpoint_minutes)


def _went(what: str, course: Course) -> str:
    if not course.losses:
        return f"{what}: not trained."
    return f"{what}: loss {course.losses[0]:.3f} → {course.losses[-1]:.3f} nats per token, {course.seconds / 60:.1f} minutes."


def _compare(
    run: InitRun, pretrained: Pretrained, on_progress: ProgressListener, say: Callable[[str], None]
) -> tuple[dict[Cell, Measured], dict[Cell, Path]]:
    """Train and measure every encoder; returns what each finds, and the folder that it started from."""
    stage = ContrastiveStage(run.data, run.sets, run.options, run.folder.path / "cells")
    stage.folder.mkdir(exist_ok=True)
    results: dict[Cell, Measured] = {}
    folders: dict[Cell, Path] = {}
    for cell in cells(run.options):
        weights = pretrained.weights[cell.start]
        if cell.start is Start.RANDOM:  # each seed draws its own
            weights = random_weights(pretrained.described.config, cell.seed)
        folders[cell] = run.folder.path / "starts" / cell.name
        shutil.rmtree(folders[cell], ignore_errors=True)
        with writing_to(run.folder.path, "The start of an encoder"):
            write_start(folders[cell], weights, cell.pooling, pretrained.described)
        results[cell] = stage.measure(cell, folders[cell], on_progress)
        found = ", ".join(f"{name} {sum(values) / len(values):.4f}" for name, values in results[cell].scores.items())
        say(f"{cell.start}, {cell.pooling}, seed {cell.seed}: nDCG@10 {found}")
    return results, folders


def _best(results: Mapping[Cell, Measured]) -> Cell:
    """The best seed of the kind with the best mean on the validation pairs; of equal ones the first."""
    kinds: dict[object, list[Cell]] = {}
    for cell in results:
        kinds.setdefault((cell.start, cell.pooling), []).append(cell)
    best = max(kinds.values(), key=lambda group: sum(results[cell].validation for cell in group) / len(group))
    return max(best, key=lambda cell: results[cell].validation)
