"""Finds running headers in the lines of a PDF's pages, the beginnings of paragraphs, and hyphenated words."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from searchkit.ingest.extract.data.table import Cell, aligned_rows

_EDGE_LINES = 2  # running headers and footers take up to this many lines
_COUNTED = 3  # on two pages, numbers that follow each other may be anything
_NEARBY, _OFTEN = (
    4,
    4,
)  # a chapter's header is on at least this many (the second) of the pages up to this many before and after
_PARAGRAPH_GAP = (
    1.25  # times the page's usual distance of lines: typesetters put at least a third more between paragraphs
)
_LEAST_ROWS = 3  # of a table whose cells are drawn column by column,
_MOST_COLUMNS = 12
_LONGEST_PIECE = 40  # characters of a cell of one,
_LETTER_WIDTH = 4  # points of its last letter,
_APART = 12  # between the beginning of that and the next column at least,
_SAME = 2  # and at most between baselines in a row
# Fonts name ligatures, and Arabic letters by their shape; people search for words in plain letters. Soft hyphens within a
# line split a word that the page shows whole. Null characters replace unnamed glyphs of a font.
_LETTERS = {
    code: unicodedata.normalize("NFKC", chr(code))
    for code in (*range(0xFB00, 0xFB07), *range(0xFB50, 0xFDFC), *range(0xFE70, 0xFEFD))
} | {0xAD: "", 0: ""}
_PARTED = re.compile(r"(?<![^\W\d_])([^\W\d_]++)(?:([-\u2010])\n|\u00ad\n|[\ufffe\x02]\n?)(?=([^\W\d_]+))")
_COMPOUND = re.compile(r"(?<![\w-])[^\W\d_]+(?:-[^\W\d_]+)+(?![\w-])")
_PAGE_NUMBERS = (
    re.compile(r"\A\W*(?<!\d)(\d{1,6})(?![\d\w])"),
    re.compile(r"(?<![\d.,])(\d{1,6})(?=\W*\Z)"),
    re.compile(r"(?<!\d)(\d{1,6})(?=\s*(?:/|[^\W\d]{1,4})\s*\d{1,6}\W*\Z)"),  # "7 of 12"
)
_LETTER = re.compile(r"[^\W\d_]")
_ROMAN = re.compile(r"(?=[ivxl])(xl|l?x{0,3})(ix|iv|v?i{0,3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or several joined by U+FFFE inside a hyphenated word. Points from the page's lower edge to the baseline of its
    first and last letter; None if unknown. `cells`: its pieces, if there are wide gaps between some. `box`: of the paragraph that
    OCR has found it in, in shares of the page from the upper left. `left`, `right`: where its first and last
    letter begin; None if unknown.
    """

    text: str
    top: float | None = None
    bottom: float | None = None
    cells: tuple[Cell, ...] = ()
    box: tuple[float, float, float, float] | None = None
    left: float | None = None
    right: float | None = None


# Controls, except those that stand for hyphens, letters of private use and replacements: what fonts are given that say nothing of
# their letters.
_STRANGE = re.compile("[\0\x01\x03-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd\U000f0000-\U0010ffff]")
_GLYPH = re.compile(
    r"\(cid:\d+\)|(?<![^\s/])/?(?:[gGcC]|cid|glyph|index|afii)\d{1,5}(?![^\s/])|(?<![^\s/])/?uni[0-9A-F]{4}(?![^\s/])"
)
_MOST_STRANGE, _MOST_GLYPHS = 0.2, 0.3  # shares of a page's letters; bullets of symbol fonts are strange too
_HANGUL = re.compile("[\uac00-\ud7a3]")
# These make up two thirds of any Korean text.
_COMMON_HANGUL = frozenset(
    "이다는의을에가고하로지를은사한기어정도인수시자리나아대그라서일있부들전적과해원보제장상주와동구성만게연안면유공소관해무신문선여모"
    "조계생비지방화미경세행음오학중내마것각분치위진국간물야운던거러되된할며니까습합발업실명개단회용체교식불산작법반강드스트"
)
_LEAST_COMMON = 0.15
_IDEOGRAPH = re.compile("[\u4e00-\u9fff]")
_PAIRED = re.compile("[\u6120-\u7a7a]")  # of ideographs, those that two letters of ASCII make in a wrong encoding
_MOST_PAIRED = 0.6  # of ideographs whose other byte is a letter or a blank too; a twentieth in any text
_KANA = re.compile("[\u3041-\u30ff]")
# These make up a quarter of any Chinese text, in either script, and of lists of names in Chinese and Japanese.
_COMMON_IDEOGRAPHS = frozenset(
    "的一是不了在人有我他这個个们中来來上大为為和国國地到以说說时時要就出会會可也你对對生能而子那得于於着下自之年过過发發后後作里用道行"
    "所然家种種事成方多经經么么去法学學如都同现現当當没沒动動面起看定天分还還进進好小部其些主样樣理心她本前开開但因只从從想实實日月"
    "王李张張刘劉陈陳杨楊黄黃周吴吳田山川林木村井高文明北市区區水公司第号號二三四五六七八九十百千元目表合全加关關及与與或此"
    "東东京都府県县町丁番株式会長长部円金者其曰何無无以而名前内外新西南石松藤佐鈴渡伊加斎橋原島池野"
)
_MANY = 100  # ideographs by which that can be judged
_LEAST_COMMON_IDEOGRAPHS = 0.04  # a fiftieth of that by chance
# Letters that no one writes with any more, or few languages a few of: most of a text is in them only if they stand for others.
_RARE = re.compile(
    "[\u0180-\u019f\u01a2-\u01ae\u01b1-\u0217\u021c-\u024f\u0460-\u0489\u0500-\u052f\u2c00-\u2c7f\ua640-\ua7ff]"
)
_ACCENTED = re.compile("[\u00c0-\u00ff]")  # of letters, in any language that has them, less than half
_ENOUGH = 30  # letters by which a script can be judged
_FREQUENT = frozenset("etaoinsrhldu")
_LEAST_FREQUENT = 0.65
_LEAST_KINDS = 8  # of letters; a row of one, such as W to be filled in, is no text in any code
_SHIFT = 29  # between letters and the numbers of their pictures in many fonts


def is_writing(text: str) -> bool:
    """False if most of a text is not letters of any language, but codes of pictures of letters, or letters of another script."""
    length = len(text) - text.count("\n") - text.count(" ")
    if not length:
        return True
    if len(_STRANGE.findall(text)) > _MOST_STRANGE * length:
        return False
    if text.isascii():
        return sum(map(len, _GLYPH.findall(text))) <= _MOST_GLYPHS * length and not _is_shifted(text)
    return _is_script(text, length)


def lines_of_writing(lines: Sequence[Line]) -> list[Line]:
    """What is certainly writing on a page that mostly is not: lines without a strange letter, or else those in ASCII."""
    sound = [line for line in lines if not _STRANGE.search(line.text) and not _GLYPH.search(line.text)]
    if len(sound) < len(lines) and is_writing("\n".join(line.text for line in sound)):
        return sound
    kept = [line for line in lines if line.text.isascii() and line.text.isprintable()]
    return kept if is_writing("\n".join(line.text for line in kept)) else []


def _is_script(text: str, length: int) -> bool:
    """False if most of a text is letters of another script than it was written in, as their frequencies show."""
    hangul = _HANGUL.findall(text)
    if len(hangul) >= _ENOUGH and 2 * len(hangul) > length:
        return sum(letter in _COMMON_HANGUL for letter in hangul) > _LEAST_COMMON * len(hangul)
    ideographs = _IDEOGRAPH.findall(text)
    if len(ideographs) >= _ENOUGH and 2 * len(ideographs) > length:
        paired = sum(chr(ord(each) & 0xFF).isalpha() and ord(each) & 0xFF < 0x7B for each in _PAIRED.findall(text))
        return paired < _MOST_PAIRED * len(ideographs) and (
            len(ideographs) < _MANY or _KANA.search(text) is not None or _are_common(ideographs)
        )
    rare = len(_RARE.findall(text))
    if rare >= _ENOUGH and 2 * rare > len(_LETTER.findall(text)):
        return False
    accented = len(_ACCENTED.findall(text))
    return accented < _ENOUGH or 2 * accented < len(_LETTER.findall(text))


def _are_common(ideographs: Sequence[str]) -> bool:
    return sum(each in _COMMON_IDEOGRAPHS for each in ideographs) > _LEAST_COMMON_IDEOGRAPHS * len(ideographs)


def _is_shifted(text: str) -> bool:
    """True if letters are as frequent as in no language, but all of them are if each is moved by the usual distance."""
    as_read = [letter for letter in text if letter > " "]
    moved = [chr(ord(letter) + _SHIFT) for letter in as_read]
    lower = [letter for letter in moved if "a" <= letter <= "z"]
    if len(lower) < _ENOUGH or 2 * len(lower) < len(as_read) or len(set(lower)) < _LEAST_KINDS:
        return False
    letters = [letter for letter in as_read if letter.isalpha()]
    return _frequency(lower) > max(_LEAST_FREQUENT, 0.1 + _frequency(letters))


def _frequency(letters: Sequence[str]) -> float:
    """The share of letters that are frequent in the languages of Latin script; .7 to .85 in any text."""
    return sum(letter.lower() in _FREQUENT for letter in letters) / max(1, len(letters))


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


def tables(lines: Sequence[Line]) -> dict[int, list[list[str]]]:
    """The tables on a page: their rows, by the position of their first line."""
    found: dict[int, list[list[str]]] = {}
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].cells:
            end += 1
        if rows := aligned_rows([line.cells for line in lines[start:end]]):
            found[start] = rows
        start = max(end, start + 1)
    return found


def rows_of_columns(lines: Sequence[Line]) -> list[Line]:
    """The lines of a page in which tables that are drawn column by column are lines of cells, row by row.

    Columns of a table stand far apart, on the same baselines, and have short pieces of which few go on with a small letter.
    """
    found: list[Line] = []
    runs = _descents(lines)
    while runs:
        for count in range(min(len(runs), _MOST_COLUMNS), 1, -1):
            if _stand_beside(runs[:count]) and (merged := _merged(runs[:count])):
                found += merged
                runs = runs[count:]
                break
        else:
            found += runs.pop(0)
    return found


def _descents(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines divided wherever one is not below the line before."""
    runs: list[list[Line]] = []
    for line in lines:
        above = runs[-1][-1] if runs else None
        if above is None or line.top is None or above.bottom is None or line.top >= above.bottom - 1:
            runs.append([])
        runs[-1].append(line)
    return runs


def _stand_beside(runs: Sequence[Sequence[Line]]) -> bool:
    """True if runs of lines may be columns of a table: each but the first wholly, of the last one its beginning."""
    return (
        all(len(run) > 1 and line.left is not None and not line.cells for run in runs for line in (run[0], run[-1]))
        and len(runs[0]) >= _LEAST_ROWS
    )


def _merged(runs: Sequence[list[Line]]) -> list[Line]:
    """The lines before a table, its rows and the lines behind it; empty if the runs are not the columns of one."""
    top = max(run[0].top or 0.0 for run in runs[1:]) + _SAME
    bottom = min(run[-1].top or 0.0 for run in runs[:-1]) - _SAME
    before = [line for line in runs[0] if (line.top or 0.0) > top]
    behind = [line for line in runs[-1] if (line.top or 0.0) < bottom]
    columns = [runs[0][len(before) :], *runs[1:-1], runs[-1][: len(runs[-1]) - len(behind)]]
    if min(map(len, columns)) < 2 or not _are_cells([line.text.strip() for column in columns for line in column]):
        return []
    ends = [max(line.right or 0.0 for line in column) for column in columns[:-1]]
    starts = [min(line.left or 0.0 for line in column) for column in columns[1:]]
    if any(end + _APART > start for end, start in zip(ends, starts, strict=True)):
        return []
    rows: dict[float, list[Line]] = {}
    for column in columns:
        for line in column:
            height = next((each for each in rows if abs(each - (line.top or 0.0)) <= _SAME), line.top or 0.0)
            rows.setdefault(height, []).append(line)
    filled = [row for _, row in sorted(rows.items(), reverse=True)]
    if len(filled) < _LEAST_ROWS or 3 * sum(len(row) > 1 for row in filled) < 2 * len(filled):
        return []
    return [*before, *map(_row, filled), *behind]


def _are_cells(texts: Sequence[str]) -> bool:
    """False for lines of running text, which are longer or go on with small letters."""
    return max(map(len, texts)) <= _LONGEST_PIECE and 3 * sum(text[:1].islower() for text in texts) <= len(texts)


def _row(pieces: Sequence[Line]) -> Line:
    cells = tuple(
        Cell(piece.left or 0.0, (piece.right or 0.0) + _LETTER_WIDTH, " ".join(piece.text.split())) for piece in pieces
    )
    return Line(" ".join(cell.text for cell in cells), pieces[0].top, pieces[0].top, cells)


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
    """Remove headers, footers and page numbers in all their forms from the lines of each page but the first that has them.

    Numbers of pages without a word are removed from all. Pages whose lines are all the same keep them.
    """
    split = [list(page) for page in pages]
    if len(pages) < 2:
        return split
    edges = [{i: _keys(page[i].text, number) for i in _edges(page)} for number, page in enumerate(split)]
    places: dict[str, list[int]] = {}
    for number, keyed in enumerate(edges):
        for key in set().union(*keyed.values()):
            places.setdefault(key, []).append(number)
    kept, is_more = [], False
    for number, page in enumerate(split):
        ways = {
            i: max(_runs(key, places[key], number, len(pages)) for key in keys) for i, keys in edges[number].items()
        }
        kept.append([line for i, line in enumerate(page) if ways.get(i, _NOT) < _AGAIN])
        is_more = is_more or any(line.text.strip() and not ways.get(i) for i, line in enumerate(page))
    return kept if is_more else split


_NOT, _FIRST, _AGAIN = range(3)  # a line does not run, runs from here on, runs here too


def _runs(key: str, places: list[int], page: int, pages: int) -> int:
    """Whether a line with this key, which is on the pages of `places`, runs over many of them. Numbers of pages alone say nothing
    the first time either.
    """
    has_letter = _LETTER.search(key) is not None
    if len(places) > pages / 2:
        if not has_letter and pages < _COUNTED:
            return _NOT
        return _FIRST if page == places[0] and (has_letter or "\0" not in key) else _AGAIN
    at = bisect_left(places, page)
    near = bisect_right(places, page + _NEARBY) - bisect_left(places, page - _NEARBY)
    if near < _OFTEN:
        return _NOT
    return _AGAIN if not has_letter or (at > 0 and places[at - 1] >= page - _NEARBY) else _FIRST


def _edges(lines: Sequence[Line]) -> set[int]:
    """Positions of the first and last lines that are not empty, in the file's order and in the page's."""
    filled = [i for i, line in enumerate(lines) if line.text.strip()]
    placed = sorted((i for i in filled if lines[i].top is not None), key=lambda i: lines[i].top or 0.0)
    return {i for order in (filled, placed) for i in (*order[:_EDGE_LINES], *order[-_EDGE_LINES:])}


def _keys(line: str, page: int) -> set[str]:
    """The keys by which a line equals another page's: its words, and those with a number relative to the page's where numbers of
    pages stand: at either end, perhaps with their total.

    Numbers that do not count pages, such as the totals at the foot of bills, make lines different.
    """
    text = " ".join(line.split())
    if roman := _ROMAN.fullmatch(text):
        return {f"\0{_number(roman) - page}\0"}
    numbers = [found for pattern in _PAGE_NUMBERS for found in pattern.finditer(text)]
    from_page = {f"{text[: number.start(1)]}\0{int(number[1]) - page}\0{text[number.end(1) :]}" for number in numbers}
    return {text} | from_page


def _number(roman: re.Match[str]) -> int:
    tens, ones = roman[1].lower(), roman[2].lower()
    tens_value = {"xl": 40}.get(tens, 50 * tens.count("l") + 10 * tens.count("x"))
    return tens_value + {"ix": 9, "iv": 4}.get(ones, 5 * ones.count("v") + ones.count("i"))
