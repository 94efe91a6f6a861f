"""Finds running headers in the lines of a PDF's pages, the beginnings of paragraphs, and hyphenated words."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_EDGE_LINES = 2  # running headers and footers take up to this many lines
_NEARBY, _OFTEN = (
    4,
    4,
)  # a chapter's header is on at least this many (the second) of the pages up to this many before and after
_PARAGRAPH_GAP = (
    1.25  # times the page's usual distance of lines: typesetters put at least a third more between paragraphs
)
# Fonts name ligatures, and Arabic letters by their shape; people search for words in plain letters. Soft hyphens within a
# line split a word that the page shows whole. Null characters replace unnamed glyphs of a font.
_LETTERS = {
    code: unicodedata.normalize("NFKC", chr(code))
    for code in (*range(0xFB00, 0xFB07), *range(0xFB50, 0xFDFC), *range(0xFE70, 0xFEFD))
} | {0xAD: "", 0: ""}
_PARTED = re.compile(r"([^\W\d_]+)(?:([-\u2010])\n|\u00ad\n|[\ufffe\x02]\n?)(?=([^\W\d_]+))")
_COMPOUND = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)+(?![\w-])")
_ROMAN = re.compile(r"(?=[ivxl])(xl|l?x{0,3})(ix|iv|v?i{0,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or several joined by U+FFFE inside a hyphenated word. Points from the page's lower edge to the baseline of its
    first and last letter; None if unknown.
    """

    text: str
    top: float | None = None
    bottom: float | None = None


def compounds(pages: Iterable[Sequence[Line]]) -> frozenset[str]:
    """Words that the document writes with a hyphen in the middle of a line, in small letters."""
    lines = (line.text for page in pages for line in page if "-" in line.text)
    return frozenset(word.casefold() for line in lines for word in _COMPOUND.findall(line))


def joined(lines: Iterable[str], hyphenated: Container[str] = ()) -> str:
    """Join the lines of a paragraph; a word divided at a line's end becomes one again, those of `hyphenated` with their hyphen."""

    def rejoined(parted: re.Match[str]) -> str:
        if not parted[3].islower():
            return parted[1] + "-\n"
        return parted[1] + "-" * (f"{parted[1]}-{parted[3]}".casefold() in hyphenated)

    paragraph = "\n".join(line.strip() for line in lines)
    whole = _PARTED.sub(rejoined, paragraph).replace("\ufffe", "-\n").replace("\x02", "-\n").translate(_LETTERS)
    return re.sub(r"[ \t\xa0]+", " ", whole).strip()


def paragraph_starts(lines: Sequence[Line]) -> list[int]:
    """Positions of lines that are farther from the line above than is usual on the page, or that follow an empty one.

    A paragraph continues in the next column if its last line does not end a sentence.
    """
    gaps = [_gap(above, line) for above, line in pairwise(lines)]
    usual = median([gap for gap in gaps if gap is not None and 2 < gap < 60] or [0.0])
    return [
        i
        for i, gap in enumerate(gaps, 1)
        if not lines[i - 1].text.strip()
        or (gap is not None and gap > _PARAGRAPH_GAP * usual)
        or (gap is not None and gap < -usual and lines[i - 1].text.rstrip().endswith((".", "?", "!", ":", "。")))
    ]


def _gap(above: Line, line: Line) -> float | None:
    return None if above.bottom is None or line.top is None else above.bottom - line.top


def without_running_lines(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    """Remove headers, footers and page numbers in all their forms from the lines of each page.

    Lines at the edge of most pages are removed; a chapter's stay on its first page. Pages whose lines are all the same keep
    them.
    """
    split = [list(page) for page in pages]
    if len(pages) < 3:
        return split
    edges = [{i: _keys(page[i].text, number) for i in _edges(page)} for number, page in enumerate(split)]
    places: dict[str, list[int]] = {}
    for number, keyed in enumerate(edges):
        for key in set().union(*keyed.values()):
            places.setdefault(key, []).append(number)
    kept = []
    for number, page in enumerate(split):
        dropped = {
            i for i, keys in edges[number].items() if any(_runs(key, places[key], number, len(pages)) for key in keys)
        }
        kept.append([line for i, line in enumerate(page) if i not in dropped])
    return kept if any(line.text.strip() for lines in kept for line in lines) else split


def _runs(key: str, places: list[int], page: int, pages: int) -> bool:
    """True if a line with this key, which is on the pages of `places`, is dropped from one of them."""
    if len(places) > pages / 2:
        return True
    at = bisect_left(places, page)
    near = bisect_right(places, page + _NEARBY) - bisect_left(places, page - _NEARBY)
    has_no_letter = not re.search(r"[^\W\d_]", key)
    return near >= _OFTEN and (has_no_letter or (at > 0 and places[at - 1] >= page - _NEARBY))


def _edges(lines: Sequence[Line]) -> set[int]:
    """Positions of the first and last lines that are not empty, in the file's order and in the page's."""
    filled = [i for i, line in enumerate(lines) if line.text.strip()]
    placed = sorted((i for i in filled if lines[i].top is not None), key=lambda i: lines[i].top or 0.0)
    return {i for order in (filled, placed) for i in (*order[:_EDGE_LINES], *order[-_EDGE_LINES:])}


def _keys(line: str, page: int) -> set[str]:
    """The key by which a line equals another page's: its words, with the first or last number relative to the page's.

    Numbers that do not count pages, such as the totals at the foot of bills, make lines different.
    """
    text = " ".join(line.split())
    if roman := _ROMAN.fullmatch(text):
        return {f"\0{_number(roman) - page}\0"}
    numbers = [number for number in re.finditer(r"\d+", text) if len(number.group()) <= 6]
    from_page = {
        f"{text[: number.start()]}\0{int(number.group()) - page}\0{text[number.end() :]}"
        for number in (numbers[:1] + numbers[-1:])
    }
    return {text} | from_page


def _number(roman: re.Match[str]) -> int:
    tens, ones = roman[1].lower(), roman[2].lower()
    tens_value = {"xl": 40}.get(tens, 50 * tens.count("l") + 10 * tens.count("x"))
    return tens_value + {"ix": 9, "iv": 4}.get(ones, 5 * ones.count("v") + ones.count("i"))
