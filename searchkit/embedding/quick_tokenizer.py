"""Gemma's tokenizer for short texts, which looks pieces up in a mapped file instead of loading the vocabulary.

SentencePiece needs 60 ms and 50 MB to load 262,144 pieces, of which a query uses a dozen. Its algorithm is byte pair encoding
(Sennrich et al. 2016): user-defined symbols are split off first, then the adjacent pair that forms the most frequent piece is
merged repeatedly; characters that are not a piece become bytes.

`quick_tables.py` writes the table. It contains 48 bits of a hash of each piece, in 65,536 buckets by the first 16 bits.
"""

import hashlib
import json
import mmap
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from pathlib import Path

from searchkit.embedding.known_models import get_again
from searchkit.errors import ModelError

TABLE_FILE = "pieces.bin"
SYMBOLS_FILE = "pieces.json"
LONGEST_TEXT = 2000  # characters; for longer texts loading the vocabulary pays off
PROBE = "title: none | text: Nunc est bibendum, 今日は良い天気です <b>ok</b>"
SPACE = "\u2581"  # how a blank is written; tokenizers differ in what they make of one that a text contains
BUCKETS = 1 << 16


class QuickTokenizer:
    """Tokenizes short texts exactly as the model's own tokenizer does. The constructor maps the table and tests it.

    Raises ModelError if one of its files is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._open(folder)
            sound = self.encode(PROBE, len(PROBE)) == self._expected
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            sound = False
        if not sound:
            raise ModelError(
                f"{SYMBOLS_FILE} or {TABLE_FILE} in {folder} is damaged.",
                remedy=get_again(folder.name),
            )

    def _open(self, folder: Path) -> None:
        stored = json.loads((folder / SYMBOLS_FILE).read_text("utf-8"))
        self._bos, self._eos, self._first_byte = stored["bos"], stored["eos"], stored["first_byte"]
        self._expected: list[int] = stored["probe"]
        self._symbols: dict[str, int] = stored["symbols"]
        self._symbol_lengths = _lengths_by_first_character(self._symbols)
        with (folder / TABLE_FILE).open("rb") as file:
            table = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("I")
        count = (len(table) - BUCKETS - 1) // 2
        self._starts = table[: BUCKETS + 1]
        self._rests = table[BUCKETS + 1 : BUCKETS + 1 + count]
        self._ids = table[BUCKETS + 1 + count :]

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """See Tokenizer."""
        valid = text.encode("utf-8", "replace").decode("utf-8").replace(" ", SPACE)
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
        bucket, rest = piece_hash(piece)
        for place in range(self._starts[bucket], self._starts[bucket + 1]):
            if self._rests[place] == rest:
                return self._ids[place]
        return None


def piece_hash(piece: str) -> tuple[int, int]:
    """Hash a piece to 16 and 32 bits."""
    digest = hashlib.blake2b(piece.encode(), digest_size=6).digest()
    return int.from_bytes(digest[:2], "little"), int.from_bytes(digest[2:], "little")


def _lengths_by_first_character(symbols: Iterable[str]) -> dict[str, tuple[int, ...]]:
    lengths: dict[str, set[int]] = {}
    for symbol in symbols:
        lengths.setdefault(symbol[0], set()).add(len(symbol))
    return {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}
