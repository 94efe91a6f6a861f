"""Generates texts with an exact number of tokens from given passages."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from searchkit.errors import UsageError

_FILLER = " a"  # one token in every vocabulary


def fixed_length_texts(
    passages: Sequence[str], tokens: int, count_tokens: Callable[[str], int], *, seed: int
) -> Iterator[str]:
    """Yield texts of `tokens` tokens without end, counted by `count_tokens`, which may include a prompt.

    The passages are concatenated in ever new orders and cut. Raises UsageError if even an empty text is longer.
    """
    if count_tokens("") > tokens:
        raise UsageError(f"No text fits into {tokens} tokens: the model's prompt is longer. Ask for more tokens.")
    source = _endless(passages, np.random.default_rng(seed))
    while True:
        text = next(source)
        while count_tokens(text) <= tokens:
            text += " " + next(source)
        yield _cut(text, tokens, count_tokens)


def _endless(passages: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    cleaned = [" ".join(passage.split()) for passage in passages]
    usable = [passage for passage in cleaned if passage]
    if not usable:
        raise UsageError("The texts are all empty. Name a file with words in it.")
    while True:
        for index in rng.permutation(len(usable)):
            yield usable[index]


def _cut(text: str, tokens: int, count_tokens: Callable[[str], int]) -> str:
    """Cut a text to the number of tokens, and fill it up where no cut has exactly that many."""
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count_tokens(text[:middle].strip()) <= tokens:
            fits = middle
        else:
            too_long = middle
    for end in range(fits, -1, -1):  # the first one fits, except for rare words that merge with the filler
        cut = text[:end].strip()
        filled = (cut + _FILLER * (tokens - count_tokens(cut))).strip()
        if count_tokens(filled) == tokens:
            return filled
    raise UsageError(f"No text of exactly {tokens} tokens can be made of these. Name others.")
