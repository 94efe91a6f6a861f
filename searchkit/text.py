"""Cutting text into sentences, in every script, so that the pieces put together are the text."""

import itertools
import re

_END = re.compile(r"(?<=[.!?…;:])[\"'”’»)\]]*\s+|(?<=[。!?;।؟।])|\n+")


def split_sentences(text: str) -> list[str]:
    """Sentences, list items and lines, each with the white space behind it; joined they are the text."""
    ends = [match.end() for match in _END.finditer(text) if match.end() > 0]
    bounds = [0, *ends, len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds) if text[a:b]]
