"""Converts a sentence-transformers checkpoint to a model folder: graph, tokenizer, description. No torch, no network."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from searchkit.embedding.calibrate import Calibration, TokenIds, calibrate, write_close_graph
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.conversion import Conversion, conversion, key_of, silent
from searchkit.embedding.embedder import normalized
from searchkit.embedding.graph.bert import BertEncoder
from searchkit.embedding.graph.builder import GraphBuilder
from searchkit.embedding.graph.embedding_gemma2 import EmbeddingGemma2Encoder
from searchkit.embedding.graph.encoder import INPUT_IDS, EncoderFactory, write_encoder, write_head
from searchkit.embedding.graph.gemma3 import Gemma3Encoder
from searchkit.embedding.graph.modernbert import ModernBertEncoder
from searchkit.embedding.graph.trained_form import TrainedForm, read_form
from searchkit.embedding.graph.weights import Floats, Weights
from searchkit.embedding.model_folder import (
    CARD_FILE,
    CHECKED_FILE,
    CORRECTION_FILE,
    JUDGED_FILE,
    PROVISIONAL_FILE,
    REFERENCE_FILE,
    ModelCard,
    checksum,
)
from searchkit.embedding.model_info import Fidelity, Prompts, Quantization, prompts_of_checkpoint
from searchkit.embedding.onnx_embedder import OnnxEmbedder
from searchkit.embedding.provisional import write_token_vectors
from searchkit.embedding.quick_tables import write_quick_tokenizer
from searchkit.embedding.sample import SAMPLE_PAIRS, calibration_inputs, sample_inputs
from searchkit.embedding.scale import judged_correction, judged_inputs, measure_scale, write_judged_vectors
from searchkit.embedding.token_table import write_token_table
from searchkit.embedding.tokenizer import TokenizerKind, open_tokenizer
from searchkit.errors import ModelError, UnsupportedCheckpointError, UsageError
from searchkit.reports import ProgressListener
from searchkit.types import Passage
from searchkit_indexes import Vectors

_KNOWN_VECTORS = Path(__file__).parent / "reference_vectors"
_INPUTS_AT_A_TIME = 64  # of the judged set
TRAINED_IN = "trained_in"  # in a card's `source`: the quantization that the checkpoint was trained for
_EXACT = 0.9995  # least cosine of a float encoder's vectors to those of sentence-transformers


@dataclass(frozen=True, slots=True)
class Family:
    """An architecture that can be imported.

    `encoder`: adds its encoder to a graph. `tokens`: the tensor name of its token table. `tokenizers`: acceptable files, the
    best first. `prefix_dimensions`: the Matryoshka prefixes that its models are trained for; empty for the full vector only.
    """

    encoder: EncoderFactory
    tokens: str
    tokenizers: tuple[tuple[str, TokenizerKind], ...]
    prefix_dimensions: tuple[int, ...] = ()


_SENTENCEPIECE = ("tokenizer.model", TokenizerKind.SENTENCEPIECE)
_FAST = ("tokenizer.json", TokenizerKind.TOKENIZERS)
FAMILIES = {
    "bert": Family(BertEncoder, "embeddings.word_embeddings.weight", (_FAST,)),
    "gemma3_text": Family(Gemma3Encoder, "embed_tokens.weight", (_SENTENCEPIECE, _FAST), (768, 512, 256, 128)),
    "embedding_gemma2_text": Family(
        EmbeddingGemma2Encoder, "embed_tokens.weight", (_FAST, _SENTENCEPIECE), (768, 512, 256, 128)
    ),
    "modernbert": Family(ModernBertEncoder, "embeddings.tok_embeddings.weight", (_FAST,)),
}


def import_model(
    source: Path,
    target: Path,
    *,
    quantization: Quantization = Quantization.INT8,
    passages: Sequence[Passage] = (),
    on_progress: ProgressListener = silent,
    finish: Callable[[ModelCard, Path], ModelCard] = lambda card, _: card,
) -> ModelCard:
    """Convert the checkpoint folder `source` to the model folder `target`; the model is named after `target`.

    `passages`: texts to calibrate the quantization with, in addition to the built-in sample. `finish`: gets the card and the
    folder before that becomes `target`, and may refuse it or change the card. The same call continues one that was stopped.

    Raises UnsupportedCheckpointError for a checkpoint that cannot be reproduced exactly, UsageError for passages that would
    have no effect, and ModelError if the result is not sound; `target` then does not exist.
    """
    checkpoint = Checkpoint(source)
    trained = form_for(source, quantization)
    family = _family(checkpoint, quantization, passages, trained)
    checkpoint.check_modules()  # before anything is written
    prompts = prompts_of_checkpoint(checkpoint.prompts)
    with conversion(target, key_of(source, quantization, passages), on_progress) as parts:
        folder = parts.folder
        tokenizer_file, tokenizer = _copy_tokenizer(source, parts, family)
        encode = open_tokenizer(tokenizer, folder / tokenizer_file).encode
        ids = [encode(text, checkpoint.max_tokens) for text in calibration_texts(prompts, passages)]
        calibration = calibrate(checkpoint, family.encoder, ids, parts, trained)
        weights_checksum = checksum(_largest_weights(source))
        _keep_reference(calibration.vectors[: 2 * len(SAMPLE_PAIRS)], weights_checksum, folder)
        fidelity, _ = write_graph(Graph(checkpoint, family, parts, quantization, trained), calibration, ids)
        _write_tables(checkpoint, family, parts)
        card = ModelCard(
            name=target.name,
            architecture=checkpoint.model_type,
            dimension=calibration.vectors.shape[1],
            prefix_dimensions=prefixes_of(checkpoint, calibration.vectors.shape[1]),
            max_tokens=checkpoint.max_tokens,
            prompts=prompts,
            quantization=quantization,
            tokenizer=tokenizer,
            tokenizer_file=tokenizer_file,
            licence=checkpoint.licence,
            source=_source(checkpoint, weights_checksum, len(passages), trained),
            checksums=_checksums(folder),
            similarity_range=(0.0, 1.0),
            fidelity=fidelity,
        )
        return finish(_write_with_scale(card, parts), folder)


def prefixes_of(checkpoint: Checkpoint, dimension: int) -> tuple[int, ...]:
    """The prefixes that vectors of a checkpoint are trained for, the whole vector first: its own, or else its family's."""
    trained = checkpoint.prefix_dimensions or FAMILIES[checkpoint.model_type].prefix_dimensions
    return (dimension, *(size for size in trained if size < dimension))


def calibration_texts(prompts: Prompts, passages: Sequence[Passage] = ()) -> list[str]:
    """List the inputs that quantization is fitted to: those whose vectors are kept first, `passages` last."""
    return [*sample_inputs(prompts), *calibration_inputs(prompts, passages)]


def form_for(source: Path, quantization: Quantization) -> TrainedForm | None:
    """Read the form that a checkpoint was trained for, None if that is not this quantization."""
    form = read_form(source)
    return form if form is not None and form.quantization is quantization else None


def _source(
    checkpoint: Checkpoint, weights_checksum: str, passages: int, trained: TrainedForm | None
) -> dict[str, str]:
    """Describe where a model comes from, what it was trained for, and which other kinds of input were left out."""
    source = {"checkpoint": checkpoint.folder.name, "sha256": weights_checksum, "calibration_passages": str(passages)}
    if trained is not None:
        source[TRAINED_IN] = trained.quantization.value
    return {**source, "left_out": ", ".join(checkpoint.left_out)} if checkpoint.left_out else source


def _family(
    checkpoint: Checkpoint, quantization: Quantization, passages: Sequence[Passage], trained: TrainedForm | None
) -> Family:
    """Find the checkpoint's family. Raises UnsupportedCheckpointError, and UsageError for passages that have no effect."""
    family = FAMILIES.get(checkpoint.model_type)
    if family is None:
        known = ", ".join(FAMILIES)
        raise UnsupportedCheckpointError(
            f"{checkpoint.folder} is a {checkpoint.model_type} model; searchkit can run these families: {known}."
        )
    if passages and not quantization.is_fitted:
        raise UsageError(
            f"Nothing in a model in {quantization} depends on texts.",
            remedy="Import it without calibrating it.",
        )
    if passages and trained is not None:
        raise UsageError(
            f"{checkpoint.folder} was trained in {quantization}: what texts would choose is fixed.",
            remedy="Import it without calibrating it.",
        )
    return family


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph to write into the folder of `parts`. `trained`: the form that the checkpoint was trained for, if it is this one."""

    checkpoint: Checkpoint
    family: Family
    parts: Conversion
    quantization: Quantization
    trained: TrainedForm | None = None


def write_graph(
    graph: Graph, calibration: Calibration, ids: Sequence[TokenIds]
) -> tuple[Fidelity, Mapping[str, Floats]]:
    """Write model.onnx and its weights, and compare them with the exact vectors of the calibration texts.

    Returns how close they are, and the scales by which the inputs of groups are smoothed, by group.
    """
    smoothed_by: dict[str, Floats] = {}
    trained, head = graph.trained, graph.checkpoint.head

    def write(floats: Sequence[str]) -> Mapping[str, float]:
        with GraphBuilder(graph.parts.folder) as builder:
            weights = Weights(
                builder, graph.quantization, observed=calibration.observed, floats=floats, trained=trained
            )
            states = write_encoder(graph.family.encoder(builder, weights, graph.checkpoint))
            embedding = write_head(builder, states, head, small=graph.quantization.has_small_table)
            builder.save({INPUT_IDS: (np.int64, ["batch", "tokens"])}, {"embedding": embedding})
        smoothed_by.clear()
        smoothed_by.update(weights.smoothed_by)
        return weights.noise

    fidelity = write_close_graph(
        write,
        graph.parts,
        ids,
        calibration.vectors,
        may_use_floats=graph.quantization.has_one_scale,
        known=None if trained is None else trained.floats,
    )
    return fidelity, smoothed_by


def _checksums(folder: Path) -> dict[str, str]:
    """The checksums of the files that are finished before the model can run."""
    # Of a conversion that was stopped near its end:
    for later in (CARD_FILE, CHECKED_FILE, JUDGED_FILE, CORRECTION_FILE):
        (folder / later).unlink(missing_ok=True)
    return {path.name: checksum(path) for path in sorted(folder.iterdir())}


def _write_tables(checkpoint: Checkpoint, family: Family, parts: Conversion) -> None:
    """Write the vectors of the model's tokens, which explain hits and from which vectors of passages are guessed."""
    table = checkpoint.table(f"{checkpoint.prefix_of(family.tokens)}{family.tokens}")
    parts.report(0.65, "writing the vectors of its tokens")
    parts.once("token-table", lambda: write_token_table(table, parts.folder))
    if not (parts.folder / PROVISIONAL_FILE).exists():  # also one that was removed because its guesses find too little
        parts.forget("token-vectors")
    parts.once("token-vectors", lambda: write_token_vectors(table, checkpoint.model_type, parts.folder))


def known_vectors(weights_checksum: str) -> Path:
    """Path of the vectors by sentence-transformers for the weights with this SHA-256: (40, dimension) float16.

    tests/data/make_reference_vectors.py writes such files; most weights have none.
    """
    return _KNOWN_VECTORS / f"{weights_checksum[:16]}.npy"


def _keep_reference(vectors: Vectors, weights_checksum: str, folder: Path) -> None:
    """Write the sample's exact vectors, after comparing them with those of sentence-transformers where these are known.

    Raises ModelError if they differ, UnsupportedCheckpointError if they are not numbers.
    """
    if not np.isfinite(vectors).all():
        raise UnsupportedCheckpointError("The checkpoint gives vectors that are not numbers; its weights look damaged.")
    stored = known_vectors(weights_checksum)
    if stored.is_file():
        worst = float((vectors * normalized(np.load(stored).astype(np.float32))).sum(axis=1).min())
        if not worst >= _EXACT:
            raise ModelError(
                f"The converted model's vectors differ from those of sentence-transformers (cosine {worst:.4f});"
                " the checkpoint's configuration may have been changed."
            )
    np.save(folder / REFERENCE_FILE, vectors.astype(np.float16))


def _copy_tokenizer(source: Path, parts: Conversion, family: Family) -> tuple[str, TokenizerKind]:
    parts.report(0, "reading the checkpoint")
    name, kind = find_tokenizer(source, family)
    file = parts.folder / name
    shutil.copyfile(source / name, file)
    parts.once("quick-tokenizer", partial(write_quick_tokenizer, file, kind, parts.folder))
    return name, kind


def find_tokenizer(source: Path, family: Family) -> tuple[str, TokenizerKind]:
    """Find a checkpoint's tokenizer, the best file first. Raises UnsupportedCheckpointError if there is none."""
    for name, kind in family.tokenizers:
        if (source / name).is_file():
            return name, kind
    wanted = " or ".join(name for name, _ in family.tokenizers)
    raise UnsupportedCheckpointError(f"{source} contains no {wanted}.")


def _write_with_scale(card: ModelCard, parts: Conversion) -> ModelCard:
    """Write the card with what is measured on the judged set, its vectors, and what corrects guesses of vectors; returns the card.

    The vectors of tokens, from which vectors are guessed, are removed if the guesses find no more than words do.

    Raises ModelError if the model's vectors are not numbers.
    """
    folder = parts.folder
    card.write(folder)
    embedder = OnnxEmbedder(folder)
    parts.report(0.7, "measuring its scale")
    low, high = parts.fact("similarities") or _similarity_range(embedder)
    similarities = (low, high)
    parts.keep_fact("similarities", similarities)
    vectors = _judged_vectors(embedder, parts)
    write_judged_vectors(folder, vectors)
    scale = measure_scale(vectors, similarities, embedder.count_tokens)
    tokenize = open_tokenizer(card.tokenizer, folder / card.tokenizer_file).encode_many
    correction = None if scale.is_meaningless else judged_correction(folder, tokenize, vectors)
    own = {JUDGED_FILE}
    if correction is None:
        (folder / PROVISIONAL_FILE).unlink(missing_ok=True)
    else:
        np.save(folder / CORRECTION_FILE, correction)
        own.add(CORRECTION_FILE)
    known = {name: digest for name, digest in card.checksums.items() if (folder / name).exists()}
    measured = replace(
        card,
        similarity_range=similarities,
        scale=scale,
        checksums=dict(sorted({**known, **{name: checksum(folder / name) for name in own}}.items())),
    )
    measured.write(folder)
    parts.report(0.95, "verifying it")
    return measured


def _judged_vectors(embedder: OnnxEmbedder, parts: Conversion) -> Vectors:
    """Embed the judged set, some inputs at a time: see `embed_judged_set`."""
    inputs = judged_inputs(embedder.card.prompts)
    found = []
    for start in range(0, len(inputs), _INPUTS_AT_A_TIME):
        parts.report(0.72 + 0.23 * start / len(inputs), f"measuring its scale: {start} of {len(inputs)} texts")
        chosen = inputs[start : start + _INPUTS_AT_A_TIME]
        found.append(parts.arrays(f"judged-{start}", partial(_vectors, embedder, chosen))["vectors"])
    vectors: Vectors = np.concatenate(found)
    return vectors


def _vectors(embedder: OnnxEmbedder, texts: Sequence[str]) -> dict[str, Vectors]:
    return {"vectors": embedder.embed_many(texts)}


def _similarity_range(embedder: OnnxEmbedder) -> tuple[float, float]:
    """Compute the mean cosines of unrelated and of matching pairs of the sample. Raises ModelError if they are not numbers."""
    queries, passages = np.split(embedder.embed_many(sample_inputs(embedder.card.prompts)), 2)
    similarities = queries @ passages.T
    if not np.isfinite(similarities).all():
        raise ModelError("The converted model gives vectors that are not numbers; its weights look damaged.")
    matching = np.eye(len(SAMPLE_PAIRS), dtype=bool)
    unrelated, matched = float(similarities[~matching].mean()), float(similarities[matching].mean())
    return round(unrelated, 4), round(max(unrelated, matched), 4)


def _largest_weights(source: Path) -> Path:
    return max(source.glob("*.safetensors"), key=lambda path: path.stat().st_size)
