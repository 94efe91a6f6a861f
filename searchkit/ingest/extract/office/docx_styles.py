"""Styles and numbering of a DOCX: which paragraphs are headings of which level, and the numbers that Word puts before them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lxml import etree

from searchkit.ingest.extract.archive import attribute, descendants, local
from searchkit.ingest.extract.office.ooxml import Package

_BODY_TEXT = 9  # the outline level of ordinary text
# By name where no outline level is given: programs other than Word omit it, and translate the names.
_HEADING_NAME = re.compile(
    r"(?:heading|überschrift|berschrift|titre|t[ií]tulo|titolo|kop|rubrik|overskrift|otsikko|nag[łl][óo]wek|nadpis|cmsor"
    r"|заголовок|標題|标题|見出し|제목|başlık)[ _-]*([1-9])(?![\d])",
    re.IGNORECASE,
)
_TITLE_NAMES = frozenset(("title", "titel", "titre", "titolo", "título"))
_ROMAN = {"m": 1000, "cm": 900, "d": 500, "cd": 400, "c": 100, "xc": 90, "l": 50, "xl": 40, "x": 10, "ix": 9}
_ROMAN |= {"v": 5, "iv": 4, "i": 1}


@dataclass(frozen=True, slots=True)
class Style:
    """`level`: of a heading, from 1; 0 is the document's title, None no heading. `numbering`: (list id, its level)."""

    level: int | None = None
    numbering: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _ListLevel:
    start: int
    number_format: str
    pattern: str


class Styles:
    """Looks styles up, and numbers paragraphs, which must be passed in the document's order, once each."""

    def __init__(self, package: Package) -> None:
        self._elements: dict[str, etree._Element] = {}
        self._resolved: dict[str, Style] = {}
        self._default = ""
        for element in _part(package, "styles", "style"):
            if attribute(element, "type") in ("", "paragraph"):
                self._elements[attribute(element, "styleId")] = element
                if attribute(element, "default") in ("1", "true"):
                    self._default = attribute(element, "styleId")
        self._lists, self._abstract = _lists(package)
        self._counts: dict[str, dict[int, int]] = {}

    def of(self, paragraph: etree._Element) -> Style:
        """The paragraph's style, with its own properties."""
        properties = _child(paragraph, "pPr")
        if properties is None:
            return self._style(self._default)
        named = _child(properties, "pStyle")
        style = self._style(attribute(named, "val") if named is not None else self._default)
        level, numbering = _own(properties)
        return Style(
            style.level if level is None else _heading(level),
            style.numbering if numbering is None else _merged(numbering, style.numbering),
        )

    def number(self, paragraph: etree._Element) -> str:
        """The number or bullet before the paragraph with a blank after it, "" if it has none."""
        numbering = self.of(paragraph).numbering
        levels = self._levels(numbering[0]) if numbering else {}
        if not numbering or numbering[1] not in levels:
            return ""
        level = numbering[1]
        counts = self._counts.setdefault(self._lists[numbering[0]][0], {})
        counts[level] = counts.get(level, levels[level].start - 1) + 1
        for below in [deeper for deeper in counts if deeper > level]:
            del counts[below]
        return _shown(levels, counts, level)

    def _style(self, identifier: str) -> Style:
        if identifier not in self._resolved:
            self._resolved[identifier] = Style()  # the result for a circle of styles
            self._resolved[identifier] = self._resolve(identifier)
        return self._resolved[identifier]

    def _resolve(self, identifier: str) -> Style:
        element = self._elements.get(identifier)
        named = identifier
        level, numbering, base = None, None, Style()
        if element is not None:
            for child in element:
                name = local(child.tag)
                if name == "name":
                    named = attribute(child, "val")
                elif name == "basedOn":
                    base = self._style(attribute(child, "val"))
                elif name == "pPr":
                    level, numbering = _own(child)
        by_name = _level_by_name(named, identifier)
        inherited = by_name if by_name is not None else base.level
        found = inherited if level is None else _heading(level)
        return Style(found, base.numbering if numbering is None else _merged(numbering, base.numbering))

    def _levels(self, list_id: str) -> dict[int, _ListLevel]:
        abstract, own = self._lists.get(list_id, ("", {}))
        return self._abstract.get(abstract, {}) | own


def _part(package: Package, kind: str, *names: str) -> Iterable[etree._Element]:
    parts = package.related(package.main, kind)
    root = package.archive.xml(parts[0]) if parts else None
    return () if root is None else [child for child in root if local(child.tag) in names]


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in element if local(child.tag) == name), None)


def _own(properties: etree._Element) -> tuple[int | None, tuple[str, int | None] | None]:
    """The outline level (from 0) and the list that the paragraph's own properties name."""
    level, numbering = None, None
    for child in properties:
        name = local(child.tag)
        if name == "outlineLvl":
            level = _integer(attribute(child, "val"), _BODY_TEXT)
        elif name == "numPr":
            values = {local(part.tag): attribute(part, "val") for part in child}
            at = values.get("ilvl")
            numbering = (values.get("numId", ""), None if at is None else _integer(at, 0))
    return level, numbering


def _merged(own: tuple[str, int | None], base: tuple[str, int] | None) -> tuple[str, int] | None:
    """Combine a list named in part by a paragraph or style, in part by the style that it is based on; list 0 means none."""
    list_id = own[0] or (base[0] if base else "")
    level = own[1] if own[1] is not None else base[1] if base else 0
    return (list_id, level) if list_id not in ("", "0") else None


def _heading(outline_level: int) -> int | None:
    return outline_level + 1 if 0 <= outline_level < _BODY_TEXT else None


def _level_by_name(*names: str) -> int | None:
    for name in names:
        if found := _HEADING_NAME.match(name):
            return int(found.group(1))
        if name.lower() in _TITLE_NAMES:
            return 0
    return None


def _integer(value: str, otherwise: int) -> int:
    try:
        return int(value)
    except ValueError:
        return otherwise


_Levels = dict[int, _ListLevel]


def _lists(package: Package) -> tuple[dict[str, tuple[str, _Levels]], dict[str, _Levels]]:
    """Lists by id as (abstract list, its own levels), and the levels of abstract lists."""
    lists: dict[str, tuple[str, _Levels]] = {}
    abstract: dict[str, _Levels] = {}
    for element in _part(package, "numbering", "num", "abstractNum"):
        levels = {_integer(attribute(level, "ilvl"), 0): _list_level(level) for level in descendants(element, "lvl")}
        if local(element.tag) == "abstractNum":
            abstract[attribute(element, "abstractNumId")] = levels
        else:
            named = _child(element, "abstractNumId")
            lists[attribute(element, "numId")] = (attribute(named, "val") if named is not None else "", levels)
    return lists, abstract


def _list_level(level: etree._Element) -> _ListLevel:
    values = {local(child.tag): attribute(child, "val") for child in level}
    return _ListLevel(_integer(values.get("start", ""), 1), values.get("numFmt", "decimal"), values.get("lvlText", ""))


def _shown(levels: _Levels, counts: dict[int, int], level: int) -> str:
    if levels[level].number_format == "bullet":
        return "- "
    if levels[level].number_format == "none":
        return ""

    def number(found: re.Match[str]) -> str:
        at = int(found.group(1)) - 1
        spec = levels.get(at, levels[level])
        return _FORMATS.get(spec.number_format, str)(counts.get(at, spec.start))

    shown = re.sub(r"%([1-9])", number, levels[level].pattern).strip()
    return f"{shown} " if shown else ""


def _letters(number: int) -> str:
    """Number by letters as Word does: 1 is a, 27 is aa, 28 is bb."""
    return chr(97 + (number - 1) % 26) * min(10, (number - 1) // 26 + 1) if number > 0 else str(number)


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return str(number)
    shown = ""
    for letters, value in _ROMAN.items():
        shown += letters * (number // value)
        number %= value
    return shown


_FORMATS: dict[str, Callable[[int], str]] = {
    "lowerLetter": _letters,
    "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "decimalZero": lambda number: f"{number:02d}",
}
