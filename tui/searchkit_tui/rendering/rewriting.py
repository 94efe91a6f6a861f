"""Text with parts replaced and styled, where all offsets are those of the original text.

So the engine's marks survive whatever is done to make a passage readable.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from textual.content import Content, Span

# Whatever could steer a terminal or reorder its cells: control characters except line ends and tabs, and characters that
# change the direction of writing.
_UNSAFE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_UNSEEN = "\u061c\u200e\u200f\ufeff"  # they only help to lay out the text around them
_DELETE = 0x7F


@dataclass(slots=True)
class Rewriting:
    """Edits (start, end, replacement) and styles (start, end, style) of a text, in any order. Of overlapping edits the first
    counts."""

    text: str
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    styles: list[tuple[int, int, str]] = field(default_factory=list)

    def content(self) -> Content:
        """Apply edits and styles, with visible signs for control characters."""
        edits = _apart([*self.edits, *_made_visible(self.text)])
        parts, shown_at, original_at, at, length = [], [0], [0], 0, 0
        for start, end, replacement in edits:
            parts += [self.text[at:start], replacement]
            length += start - at
            # Between these two, offsets of the original lie inside what was replaced.
            original_at += [start, end]
            shown_at += [length, length + len(replacement)]
            length += len(replacement)
            at = end
        parts.append(self.text[at:])

        def shown(offset: int) -> int:
            piece = bisect_right(original_at, offset) - 1
            beyond = offset - original_at[piece]
            if piece % 2:  # inside a replacement: its beginning, or its end if all of it is over
                return shown_at[piece]
            return shown_at[piece] + beyond

        spans = [Span(shown(start), shown(end), style) for start, end, style in self.styles]
        return Content("".join(parts), [span for span in spans if span.end > span.start])


def _apart(edits: Sequence[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Sort the edits, and drop those that begin inside an earlier one."""
    kept: list[tuple[int, int, str]] = []
    for edit in sorted(edits, key=lambda each: (each[0], -each[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept


def _made_visible(text: str) -> Iterable[tuple[int, int, str]]:
    return ((found.start(), found.end(), sign_of(found.group())) for found in _UNSAFE.finditer(text))


def sign_of(character: str) -> str:
    """Choose the visible sign for a control character; "" for one that only helps to lay out text."""
    code = ord(character)
    if character in _UNSEEN:
        return ""
    if character == "\r":
        return ""
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == _DELETE else "␦"


def visible(text: str, *, one_line: bool = False) -> str:
    """Replace control characters by visible signs; with `one_line`, also line ends and tabs by blanks."""
    shown = _UNSAFE.sub(lambda found: sign_of(found.group()), text)
    return re.sub(r"\s+", " ", shown).strip() if one_line else shown


def lines_of(text: str) -> list[tuple[int, int]]:
    """List (start, end) of each line, without its line end."""
    ends = [-1, *(found.start() for found in re.finditer("\n", text)), len(text)]
    return [(before + 1, end) for before, end in pairwise(ends)]
