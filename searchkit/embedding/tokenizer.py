"""Turns text into token ids, special tokens included, cut to the model's length. Two kinds, one protocol."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from searchkit.embedding.known_models import get_again
from searchkit.errors import ModelError, UsageError

_LOST_IN_TEXT = (
    2  # ids whose text has others: a piece from inside a word that stands first, and what is written together
)
# Texts; sentencepiece starts its threads anew at each call, which takes longer than a few sentences do.
_WORTH_THREADS = 32
_CUT_CHARACTER = 3  # bytes of a character that is cut off


class TokenizerKind(StrEnum):
    """The library that reads the model's tokenizer file."""

    SENTENCEPIECE = "sentencepiece"
    TOKENIZERS = "tokenizers"


class Tokenizer(Protocol):
    """Turns text into the ids of a model's vocabulary."""

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Tokenize with special tokens; a longer text loses its end, but keeps the closing token."""
        ...

    def count(self, text: str) -> int:
        """Count the tokens of the bare text."""
        ...


class SentencePieceTokenizer:
    """Gemma's tokenizer: <bos> text <eos>. Control tokens that occur in a text are treated as text."""

    def __init__(self, file: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._processor = SentencePieceProcessor(model_file=str(file))
        self._bos, self._eos = self._processor.bos_id(), self._processor.eos_id()

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """See Tokenizer."""
        ids: list[int] = self._processor.encode(_valid(text))
        return [self._bos, *ids[: max_tokens - 2], self._eos]

    def count(self, text: str) -> int:
        """See Tokenizer."""
        return len(self._processor.encode(_valid(text)))

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many bare texts, without special tokens."""
        valid = [_valid(text) for text in texts]
        if len(valid) < _WORTH_THREADS:
            return [self._processor.encode(text) for text in valid]
        found: list[list[int]] = self._processor.encode(valid)
        return found

    def decode(self, token_ids: Sequence[int]) -> str:
        """Turn ids into text without special tokens. Raises UsageError for ids that are not of the vocabulary."""
        ids = [int(each) for each in token_ids]
        _check(ids, self._processor.vocab_size())
        text = str(self._processor.decode(ids))
        own = {self._bos, self._eos, self._processor.pad_id(), self._processor.unk_id()}
        _check_text(text, [each for each in ids if each not in own], self.encode_many([text])[0], lost=0)
        return text


class FastTokenizer:
    """The tokenizer of a tokenizer.json, with the special tokens that its post-processor adds."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer as TokenizerFile

        self._tokenizer = TokenizerFile.from_file(str(file))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._closing = self._count_closing()

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """See Tokenizer."""
        ids: list[int] = self._tokenizer.encode(_valid(text)).ids
        if len(ids) <= max_tokens:
            return ids
        return [*ids[: max_tokens - self._closing], *ids[len(ids) - self._closing :]]

    def count(self, text: str) -> int:
        """See Tokenizer."""
        return len(self._tokenizer.encode(_valid(text), add_special_tokens=False).ids)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of many bare texts, without special tokens."""
        found = self._tokenizer.encode_batch([_valid(text) for text in texts], add_special_tokens=False)
        return [each.ids for each in found]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Turn ids into text without special tokens. Raises UsageError for ids that are not of the vocabulary."""
        ids = [int(each) for each in token_ids]
        _check(ids, self._tokenizer.get_vocab_size())
        text = str(self._tokenizer.decode(ids))
        own = {number for number, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        _check_text(text, [each for each in ids if each not in own], self.encode_many([text])[0], lost=_LOST_IN_TEXT)
        return text

    def _count_closing(self) -> int:
        """Count the special tokens behind a text."""
        bare = self._tokenizer.encode("a", add_special_tokens=False).ids
        whole = self._tokenizer.encode("a").ids
        ends = range(len(whole) - len(bare), -1, -1)
        return next((end for end in ends if whole[len(whole) - end - len(bare) : len(whole) - end] == bare), 0)


class TokenCounter:
    """Counts tokens of bare texts. It can be pickled, and opens the tokenizer on the first call."""

    def __init__(self, kind: TokenizerKind, file: Path) -> None:
        self._kind = kind
        self._file = file
        self._tokenizer: Tokenizer | None = None

    def __call__(self, text: str) -> int:
        """Count the tokens of a text. Raises ModelError if the tokenizer's file is missing or damaged."""
        if self._tokenizer is None:
            self._tokenizer = open_tokenizer(self._kind, self._file)
        return self._tokenizer.count(text)

    def __reduce__(self) -> tuple[type["TokenCounter"], tuple[TokenizerKind, Path]]:
        return TokenCounter, (self._kind, self._file)


def open_tokenizer(kind: TokenizerKind, file: Path) -> SentencePieceTokenizer | FastTokenizer:
    """Load a tokenizer. Raises ModelError if its file is missing or damaged."""
    again = get_again(file.parent.name)
    if not file.is_file():
        raise ModelError(f"The model folder lacks its tokenizer {file.name}.", remedy=again)
    try:
        return SentencePieceTokenizer(file) if kind is TokenizerKind.SENTENCEPIECE else FastTokenizer(file)
    except Exception as error:  # the libraries raise RuntimeError and plain Exception
        raise ModelError(f"The tokenizer {file} is damaged ({error}).", remedy=again) from error


def _check(token_ids: Sequence[int], vocabulary: int) -> None:
    if strange := [each for each in token_ids if not 0 <= each < vocabulary]:
        raise UsageError(
            f"{strange[0]} is not a token of this model, which has {vocabulary:,}.",
            remedy="Send text, or ids of the model's own vocabulary, which is not that of OpenAI's tiktoken.",
        )


def _check_text(text: str, ids: Sequence[int], again: Sequence[int], *, lost: int) -> None:
    """Refuse ids of another vocabulary: the text that they spell here would never have been written with them.

    `again`: the ids of that text; `lost`: how many may differ. OpenAI's ids (cl100k_base) of passages of `sample_docs`, cut
    anywhere: Gemma's vocabulary refuses 199 of 200 times 64 tokens, 86 % of 16 tokens and half of 5, and none of its own.
    """
    cut = _CUT_CHARACTER if text.startswith("\ufffd") or text.endswith("\ufffd") else 0
    missing = len(ids) - (Counter(ids) & Counter(again)).total()
    if missing > lost + cut:
        raise UsageError(
            "These token ids are of another vocabulary, such as that of OpenAI's tiktoken.",
            remedy="Send text. In LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False.",
        )


def _valid(text: str) -> str:
    """Replace lone surrogates, which no tokenizer accepts, by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
