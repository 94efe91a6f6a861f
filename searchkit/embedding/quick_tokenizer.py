"""Gemma's tokenizer for short texts, which looks pieces up in a mapped file instead of loading the vocabulary.

SentencePiece needs 60 ms and 50 MB to load 262,144 pieces, of which a query uses a dozen. Its algorithm is byte pair encoding
(Sennrich et al. 2016): user-defined symbols are split off first, then the adjacent pair that forms the most frequent piece is
merged repeatedly; characters that are not a piece become bytes.

The table contains 48 bits of a hash of each piece, in 65,536 buckets by the first 16 bits.
"""

import hashlib
import json
import mmap
from array import array
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from searchkit.errors import Action, ModelError, Remedy

TABLE_FILE = "pieces.bin"
SYMBOLS_FILE = "pieces.json"
LONGEST_TEXT = 2000  # characters; for longer texts loading the vocabulary pays off
_PROBE = "title: none | text: Nunc est bibendum, 今日は良い天気です <b>ok</b>"
_SPACE = "\u2581"
_BUCKETS = 1 << 16
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


class QuickTokenizer:
    """Tokenizes short texts exactly as SentencePiece does. The constructor maps the table and tests it.

    Raises ModelError if one of its files is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._open(folder)
            sound = self.encode(_PROBE, len(_PROBE)) == self._expected
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            sound = False
        if not sound:
            raise ModelError(
                f"{SYMBOLS_FILE} or {TABLE_FILE} in {folder} is damaged.",
                remedy=Remedy(Action.IMPORT_MODEL, model=folder.name),
            )

    def _open(self, folder: Path) -> None:
        stored = json.loads((folder / SYMBOLS_FILE).read_text("utf-8"))
        self._bos, self._eos, self._first_byte = stored["bos"], stored["eos"], stored["first_byte"]
        self._expected: list[int] = stored["probe"]
        self._symbols: dict[str, int] = stored["symbols"]
        self._symbol_lengths = _lengths_by_first_character(self._symbols)
        with (folder / TABLE_FILE).open("rb") as file:
            table = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("I")
        count = (len(table) - _BUCKETS - 1) // 2
        self._starts = table[: _BUCKETS + 1]
        self._rests = table[_BUCKETS + 1 : _BUCKETS + 1 + count]
        self._ids = table[_BUCKETS + 1 + count :]

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """See Tokenizer."""
        valid = text.encode("utf-8", "replace").decode("utf-8").replace(" ", _SPACE)
        ids: list[int] = []
        plain_from = position = 0
        while position < len(valid):
            length = self._symbol_length(valid, position)
            if length:
                ids += self._joined(valid[plain_from:position])
                ids.append(self._symbols[valid[position : position + length]])
                plain_from = position + length
            position += length or 1
        ids += self._joined(valid[plain_from:])
        return [self._bos, *ids[: max_tokens - 2], self._eos]

    def _symbol_length(self, text: str, position: int) -> int:
        """Return the length of the longest user-defined symbol that begins there, else 0."""
        for length in self._symbol_lengths.get(text[position], ()):
            if text[position : position + length] in self._symbols:
                return length
        return 0

    def _joined(self, text: str) -> Iterator[int]:
        """Merge pairs, the best piece first, then the leftmost. Pieces with smaller ids are better."""
        parts: list[str] = list(text)
        following = list(range(1, len(parts) + 1))
        preceding = list(range(-1, len(parts) - 1))
        queue: list[tuple[int, int, int]] = []  # (id, left part, length of the merged text)

        def offer(left: int, right: int) -> None:
            joined = parts[left] + parts[right]
            if (found := self._id(joined)) is not None:
                heappush(queue, (found, left, len(joined)))

        for left in range(len(parts) - 1):
            offer(left, left + 1)
        while queue:
            _, left, length = heappop(queue)
            right = following[left]
            if right >= len(parts) or not parts[left] or len(parts[left]) + len(parts[right]) != length:
                continue  # one of the two has been merged with another part
            parts[left] += parts[right]
            parts[right] = ""
            following[left] = after = following[right]
            if after < len(parts):
                preceding[after] = left
                offer(left, after)
            if preceding[left] >= 0:
                offer(preceding[left], left)
        for part in filter(None, parts):
            found = self._id(part)
            yield from [found] if found is not None else (self._first_byte + byte for byte in part.encode())

    def _id(self, piece: str) -> int | None:
        bucket, rest = _hash(piece)
        for place in range(self._starts[bucket], self._starts[bucket + 1]):
            if self._rests[place] == rest:
                return self._ids[place]
        return None


def write_quick_tokenizer(model_file: Path, folder: Path) -> bool:
    """Write the table of a SentencePiece model if this tokenizer supports it; returns whether it does."""
    from sentencepiece import SentencePieceProcessor

    try:
        from sentencepiece import sentencepiece_model_pb2
    except (ImportError, TypeError):  # generated for another version of protobuf
        return False
    model: Any = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # created by the import
    model.ParseFromString(model_file.read_bytes())
    processor = SentencePieceProcessor(model_file=str(model_file))
    kinds = model.SentencePiece
    normal = [(piece.piece, number) for number, piece in enumerate(model.pieces) if piece.type == kinds.NORMAL]
    bytes_ = [number for number, piece in enumerate(model.pieces) if piece.type == kinds.BYTE]
    if not _is_readable(model, [number for _, number in normal], bytes_):
        return False
    stored = {
        "bos": processor.bos_id(),
        "eos": processor.eos_id(),
        "first_byte": bytes_[0],
        "probe": [processor.bos_id(), *processor.encode(_PROBE), processor.eos_id()],
        "symbols": {
            piece.piece: number for number, piece in enumerate(model.pieces) if piece.type == kinds.USER_DEFINED
        },
    }
    (folder / SYMBOLS_FILE).write_text(json.dumps(stored, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (folder / TABLE_FILE).write_bytes(_table(normal))
    try:
        quick = QuickTokenizer(folder)
        if all(quick.encode(text, 10_000)[1:-1] == processor.encode(text) for text in _TRIALS):
            return True
    except ModelError:
        pass  # it tokenizes the probe differently from SentencePiece
    for name in (SYMBOLS_FILE, TABLE_FILE):
        (folder / name).unlink()
    return False


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
    rows = sorted((*_hash(piece), number) for piece, number in pieces)
    starts = array("I", [0] * (_BUCKETS + 1))
    for bucket, _, _ in rows:
        starts[bucket + 1] += 1
    for bucket in range(_BUCKETS):
        starts[bucket + 1] += starts[bucket]
    return b"".join(
        [bytes(starts), bytes(array("I", [row[1] for row in rows])), bytes(array("I", [row[2] for row in rows]))]
    )


def _hash(piece: str) -> tuple[int, int]:
    """Hash a piece to 16 and 32 bits."""
    digest = hashlib.blake2b(piece.encode(), digest_size=6).digest()
    return int.from_bytes(digest[:2], "little"), int.from_bytes(digest[2:], "little")


def _lengths_by_first_character(symbols: Iterable[str]) -> dict[str, tuple[int, ...]]:
    lengths: dict[str, set[int]] = {}
    for symbol in symbols:
        lengths.setdefault(symbol[0], set()).add(len(symbol))
    return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}
