"""Writes the table of the quick tokenizer, from a SentencePiece model or from a tokenizer.json, if it supports them.

Both must be byte pair encoding over unchanged text in which better pieces have smaller ids. A trial on odd texts decides.
"""

import json
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchkit.embedding.quick_tokenizer import (
    BUCKETS,
    PROBE,
    SPACE,
    SYMBOLS_FILE,
    TABLE_FILE,
    QuickTokenizer,
    piece_hash,
)
from searchkit.embedding.tokenizer import FastTokenizer, TokenizerKind
from searchkit.errors import ModelError

_TRIALS = (
    "",
    " ",
    "  two  spaces ",
    "tabs\t\tand\n\n\nlines\r\n",
    "<b>bold</b> <unused7> <bos> <start_of_turn>",
    "naïve Ünïcödé ﬁne ½ №",
    "日本語のテキスト、한국어 문장, العربية हिन्दी ไทย",
    "👩‍👩‍👧 🇩🇪 \u200b\u00ad\ufeff",
    "def f(x): return x**2  # 0xFF",
    "\x00\x07 \U00010348 \ue000",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """A vocabulary. `normal`: pieces that merges form, with their ids; `encode`: its own tokenizer, without special tokens."""

    normal: list[tuple[str, int]]
    symbols: Mapping[str, int]
    first_byte: int
    bos: int
    eos: int
    encode: Callable[[str], list[int]]


def write_quick_tokenizer(file: Path, kind: TokenizerKind, folder: Path) -> bool:
    """Write the table of a tokenizer if the quick one supports it; returns whether it does."""
    pieces = _of_sentencepiece(file) if kind is TokenizerKind.SENTENCEPIECE else _of_tokenizers(file)
    if pieces is None:
        return False
    stored = {
        "bos": pieces.bos,
        "eos": pieces.eos,
        "first_byte": pieces.first_byte,
        "probe": [pieces.bos, *pieces.encode(PROBE), pieces.eos],
        "symbols": pieces.symbols,
    }
    (folder / SYMBOLS_FILE).write_text(json.dumps(stored, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (folder / TABLE_FILE).write_bytes(_table(pieces.normal))
    try:
        quick = QuickTokenizer(folder)
        if all(quick.encode(text, 10_000)[1:-1] == pieces.encode(text) for text in _TRIALS):
            return True
    except ModelError:
        pass  # it tokenizes the probe differently
    for name in (SYMBOLS_FILE, TABLE_FILE):
        (folder / name).unlink()
    return False


def _of_sentencepiece(file: Path) -> _Pieces | None:
    """Read a SentencePiece model; None if it is of another kind than the quick tokenizer's."""
    from sentencepiece import SentencePieceProcessor

    try:
        from sentencepiece import sentencepiece_model_pb2
    except (ImportError, TypeError):  # generated for another version of protobuf
        return None
    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # created by the import
    model.ParseFromString(file.read_bytes())
    processor = SentencePieceProcessor(model_file=str(file))
    kinds = model.SentencePiece
    normal = [(piece.piece, number) for number, piece in enumerate(model.pieces) if piece.type == kinds.NORMAL]
    bytes_ = [number for number, piece in enumerate(model.pieces) if piece.type == kinds.BYTE]
    if not _is_readable(model, [number for _, number in normal], bytes_):
        return None
    symbols = {piece.piece: number for number, piece in enumerate(model.pieces) if piece.type == kinds.USER_DEFINED}
    return _Pieces(normal, symbols, bytes_[0], processor.bos_id(), processor.eos_id(), processor.encode)


def _of_tokenizers(file: Path) -> _Pieces | None:
    """Read a tokenizer.json; None if it is of another kind than the quick tokenizer's."""
    content: Any = json.loads(file.read_text("utf-8"))
    model, added = content["model"], content["added_tokens"]
    if not _is_plain_bpe(content):
        return None
    vocabulary: dict[str, int] = model["vocab"]
    symbols: dict[str, int] = {token["content"]: token["id"] for token in added}
    first_byte = vocabulary.get("<0x00>", -1)
    names = {f"<0x{byte:02X}>": first_byte + byte for byte in range(256)}
    if any(vocabulary.get(name) != number for name, number in names.items()):
        return None
    normal = {piece: number for piece, number in vocabulary.items() if piece not in symbols and piece not in names}
    merges = [tuple(merge if isinstance(merge, list) else merge.split(" ", 1)) for merge in model["merges"]]
    formed = [vocabulary["".join(merge)] for merge in merges if "".join(merge) not in symbols]
    if formed != sorted(formed) or not _all_merges({*merges}, normal, vocabulary):
        return None
    tokenizer = FastTokenizer(file)
    ends = tokenizer.encode("", 2)
    if len(ends) != 2 or tokenizer.encode("a", 9)[0] != ends[0] or tokenizer.encode("a", 9)[-1] != ends[1]:
        return None
    return _Pieces(
        [*normal.items()], symbols, first_byte, ends[0], ends[1], lambda text: tokenizer.encode(text, 10**9)[1:-1]
    )


def _is_plain_bpe(content: Any) -> bool:
    """Return whether a tokenizer.json is byte pair encoding over text in which blanks are replaced, and nothing else."""
    model = content["model"]
    blanks = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    at_blanks = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
    unusual = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")
    odd = ("single_word", "lstrip", "rstrip", "normalized")
    return (
        model["type"] == "BPE"
        and model.get("byte_fallback") is True
        and not any(model.get(name) for name in unusual)
        and content["normalizer"] == blanks
        and content["pre_tokenizer"] in (None, at_blanks)  # no blank is left to split at
        and not any(token[name] for token in content["added_tokens"] for name in odd)
    )


def _all_merges(merges: set[tuple[str, ...]], normal: Mapping[str, int], vocabulary: Mapping[str, int]) -> bool:
    """Return whether any two pieces that form a normal one may be merged, as the quick tokenizer takes it."""
    return all(
        (piece[:end], piece[end:]) in merges
        for piece in normal
        for end in range(1, len(piece))
        if piece[:end] in vocabulary and piece[end:] in vocabulary
    )


def _is_readable(model: Any, normal: list[int], bytes_: list[int]) -> bool:
    """Return whether the model is byte pair encoding over unchanged text, with pieces in the order of their scores."""
    scores = [model.pieces[number].score for number in normal]
    return (
        model.trainer_spec.model_type == model.trainer_spec.BPE
        and not model.normalizer_spec.precompiled_charsmap
        and not model.normalizer_spec.add_dummy_prefix
        and not model.normalizer_spec.remove_extra_whitespaces
        and bytes_ == list(range(bytes_[0], bytes_[0] + 256) if bytes_ else ())
        and len(bytes_) == 256
        and all(piece.type != model.SentencePiece.UNUSED for piece in model.pieces)
        and scores == sorted(set(scores), reverse=True)
    )


def _table(pieces: Iterable[tuple[str, int]]) -> bytes:
    """Build the table: the start of each bucket, the rest of each hash, and the ids in the same order; uint32."""
    rows = sorted((*piece_hash(piece), number) for piece, number in pieces)
    starts = array("I", [0] * (BUCKETS + 1))
    for bucket, _, _ in rows:
        starts[bucket + 1] += 1
    for bucket in range(BUCKETS):
        starts[bucket + 1] += starts[bucket]
    return b"".join(
        [bytes(starts), bytes(array("I", [row[1] for row in rows])), bytes(array("I", [row[2] for row in rows]))]
    )
