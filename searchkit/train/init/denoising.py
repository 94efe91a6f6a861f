"""Batches of token ids for pretraining: causal language modelling, and UL2's mixture of denoisers. Knows no network.

UL2 (Tay et al. 2022, arXiv 2205.05131, section 3.1 and table 1) corrupts a text in one of seven ways, which are drawn with equal
shares here, and says in which mode by a token before the input: R, short spans at a low rate; X, long spans or a high rate; S, the
text's end (a prefix language model). T5Gemma (Zhang et al. 2025, arXiv 2504.06225) adapts decoders to encoder-decoders by it.
Spans are drawn as in T5's code (Raffel et al. 2020, arXiv 1910.10683): the corrupted tokens are divided at random into spans,
the others into what is between them, and each span leaves one sentinel token, behind which the target repeats it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from searchkit.train.init.vocabulary import Vocabulary

Ids = npt.NDArray[np.int64]
Arrays = Mapping[str, npt.NDArray[np.int64]]
MakeBatch = Callable[[np.random.Generator], Arrays]
IGNORED = -100  # the label of positions that the loss leaves out, as cross entropy in torch takes it
_LEAST_TOKENS = 8  # of a piece; from fewer nothing can be taken out


class Mode(IntEnum):
    """UL2's modes; their tokens come first behind the vocabulary."""

    R = 0
    S = 1
    X = 2


@dataclass(frozen=True, slots=True)
class Denoiser:
    """A way to corrupt a text. `span`: mean tokens of a span, 0 for the text's end. `rate`: the share of corrupted tokens."""

    mode: Mode
    span: int
    rate: float


UL2 = (
    Denoiser(Mode.R, 3, 0.15),
    Denoiser(Mode.R, 8, 0.15),
    Denoiser(Mode.S, 0, 0.25),
    Denoiser(Mode.X, 3, 0.5),
    Denoiser(Mode.X, 8, 0.5),
    Denoiser(Mode.X, 64, 0.15),
    Denoiser(Mode.X, 64, 0.5),
)


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A corrupted text: what the encoder reads, and what the decoder has to write."""

    source: Ids
    target: Ids


def extra_tokens(max_tokens: int) -> int:
    """Number of token rows that denoising adds behind the vocabulary, for modes and sentinels; no text has them."""
    return len(Mode) + max(_span_count(max_tokens, denoiser) for denoiser in UL2)


def pieces(texts: Sequence[Sequence[int]], max_tokens: int) -> list[Ids]:
    """Cut tokenized texts, without special tokens, into pieces of at most so many tokens; rests that are too short are left out."""
    found = []
    for text in texts:
        for start in range(0, len(text), max_tokens):
            piece = np.array(text[start : start + max_tokens], np.int64)
            if len(piece) >= _LEAST_TOKENS:
                found.append(piece)
    return found


def corrupt(piece: Ids, denoiser: Denoiser, first_extra: int, generator: np.random.Generator) -> Corrupted:
    """Corrupt a piece. `first_extra`: the id of the first mode token, which the sentinels follow."""
    mode = np.array([first_extra + denoiser.mode], np.int64)
    count = len(piece)
    if denoiser.mode is Mode.S:  # a uniform length whose mean is the rate
        length = int(generator.integers(1, max(2, round(2 * denoiser.rate * count) + 1)))
        return Corrupted(np.concatenate([mode, piece[: count - length]]), piece[count - length :])
    corrupted = _corrupted_count(count, denoiser)
    spans = _span_count(count, denoiser)
    kept_parts = _divided(count - corrupted, spans, generator)
    taken_parts = _divided(corrupted, spans, generator)
    source, target, place = [mode], [], 0
    for number, (kept, taken) in enumerate(zip(kept_parts, taken_parts, strict=True)):
        sentinel = np.array([first_extra + len(Mode) + number], np.int64)
        source += [piece[place : place + kept], sentinel]
        target += [sentinel, piece[place + kept : place + kept + taken]]
        place += kept + taken
    return Corrupted(np.concatenate(source), np.concatenate(target))


def _corrupted_count(count: int, denoiser: Denoiser) -> int:
    return min(max(round(count * denoiser.rate), 1), count - 1)


def _span_count(count: int, denoiser: Denoiser) -> int:
    """Number of spans in a text of `count` tokens; each has one token at least, and one before it."""
    if not denoiser.span:
        return 0
    corrupted = _corrupted_count(count, denoiser)
    return max(1, min(round(corrupted / denoiser.span), corrupted, count - corrupted))


def _divided(count: int, parts: int, generator: np.random.Generator) -> list[int]:
    """Divide `count` at random into so many parts of 1 at least; every division is equally likely."""
    ends = np.sort(generator.choice(count - 1, parts - 1, replace=False) + 1)
    return [int(part) for part in np.diff([0, *ends, count])]


@dataclass(frozen=True, slots=True)
class Texts:
    """What batches are drawn from: the pieces, their vocabulary, and how many make a batch."""

    pieces: Sequence[Ids]
    vocabulary: Vocabulary
    per_batch: int

    def causal(self, generator: np.random.Generator) -> Arrays:
        """Draw a batch for a causal language model: `ids` and `labels`, (batch, tokens)."""
        words = self.vocabulary
        whole = [np.array([*words.opening, *piece, *words.closing], np.int64) for piece in self._drawn(generator)]
        return {
            "ids": _padded([text[:-1] for text in whole], words.pad),
            "labels": _padded([text[1:] for text in whole], IGNORED),
        }

    def denoising(self, generator: np.random.Generator) -> Arrays:
        """Draw a batch for an encoder-decoder, each text with a denoiser of its own.

        `ids`, `mask` (1 for tokens), `written` (what the decoder has written so far) and `labels`: (batch, tokens).
        """
        words = self.vocabulary
        sources, written, labels = [], [], []
        for piece in self._drawn(generator):
            denoiser = UL2[int(generator.integers(len(UL2)))]
            corrupted = corrupt(piece, denoiser, len(words), generator)
            sources.append(np.array([*words.opening, *corrupted.source, *words.closing], np.int64))
            target = np.array([*corrupted.target, *(words.closing[-1:] or (words.pad,))], np.int64)
            written.append(np.array([*(words.opening[-1:] or (words.pad,)), *target[:-1]], np.int64))
            labels.append(target)
        return {
            "ids": _padded(sources, words.pad),
            "mask": _padded([np.ones(len(source), np.int64) for source in sources], 0),
            "written": _padded(written, words.pad),
            "labels": _padded(labels, IGNORED),
        }

    def _drawn(self, generator: np.random.Generator) -> list[Ids]:
        chosen = generator.choice(len(self.pieces), min(self.per_batch, len(self.pieces)), replace=False)
        return [self.pieces[number] for number in chosen]


def _padded(rows: Sequence[Ids], value: int) -> Ids:
    """Rows of different lengths as one array, filled up with a value."""
    found = np.full((len(rows), max(map(len, rows))), value, np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found
