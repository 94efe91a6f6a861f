"""Reads data files (JSON, JSON Lines, YAML, TOML, ini, XML) as written, cut where their structure allows, under their keys.

Nothing is evaluated, so that broken data is read too; its beginning shows which kind it is.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from searchkit.ingest.extract.data.xml import xml_blocks
from searchkit.ingest.extract.text import cut_block, decode_text, numbered_lines
from searchkit.types import Block, BlockKind, ExtractedDocument

BLOCK_CHARACTERS = 600
_MOST_HEADINGS = 6
_LONGEST_KEY = 80
_SECTION = re.compile(r"\s*(\[\[?)\s*([^\[\]{},]+?)\s*\]\]?\s*(?:[#;].*)?$")
_TOKEN = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*+:)?|[{}\[\],]', re.DOTALL)
# "\u00e9", two of them for a character beyond the first plane, "\n"; a backslash after a backslash is none of them.
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[0-9a-fA-F]{4})|(.))", re.DOTALL)
_FIRST_KEY = re.compile(r'\s*+"([^"\\]{1,80})"\s*+:')
_KEY = re.compile(
    r"([ \t]*(?:-[ \t]+)*)(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|([^\s#\"'{\[&*!|>%@`,-][^:#\n]{0,200}?))[ \t]*:(?:[ \t]+(.*))?$"
)


def extract_data(content: bytes) -> ExtractedDocument:
    """Blocks of about six hundred characters; headings are the keys above a block, its place is where it begins."""
    text = decode_text(content)
    start = text.lstrip("\ufeff \t\n")[:1]
    is_json = start in ("{", "[") and start != "" and not _SECTION.match(_first_line(text))
    if "\\" in text:
        text = _ESCAPE.sub(lambda escape: _unescaped(escape, in_json=is_json), text)
    if start == "<":
        blocks = xml_blocks(text)
    elif is_json:
        blocks = _record_blocks(text) if _are_records(text) else json_blocks(text)
    else:
        blocks = _line_blocks(text)
    return ExtractedDocument("", (piece for block in blocks for piece in cut_block(block)))


def _unescaped(escape: re.Match[str], *, in_json: bool) -> str:
    """The character behind an escape, which people look for. Those that structure data stay as they are written."""
    code, sign = escape[1], escape[2]
    if not code:
        return " " if in_json and sign in "nrt" else escape[0]
    units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in code.split("\\u"))
    character = units.decode("utf-16-be", "replace")
    return character if character > "\x7f" else escape[0]


def _first_line(text: str) -> str:
    begin = re.search(r"\S[^\n]{0,500}", text)
    return begin.group() if begin else ""


def _are_records(text: str) -> bool:
    """True if the first two lines are each a whole value."""
    lines = (line for _, line in numbered_lines(text) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    if not second or first.strip()[-1:] not in ("}", "]"):
        return False
    try:
        json.loads(first)
        json.loads(second)
    except (ValueError, RecursionError):
        return False
    return True


def _record_blocks(text: str) -> Iterator[Block]:
    """Blocks of records, several short ones together."""
    held: list[str] = []
    size = first_line = first = last = count = 0
    for line, record in numbered_lines(text):
        if not record.strip():
            continue
        if held and size + len(record) > BLOCK_CHARACTERS:
            yield _records(held, first_line, first, last)
            held, size = [], 0
        count, last = count + 1, line
        if not held:
            first_line, first = line, count
        if len(record) > 4 * BLOCK_CHARACTERS:
            for block in json_blocks(record, line):
                yield replace(block, place=", ".join(part for part in (f"record {count}", block.place) if part))
            continue
        held.append(record.strip())
        size += len(record) + 1
    if held:
        yield _records(held, first_line, first, last)


def _records(held: list[str], line: int, first: int, last: int) -> Block:
    place = f"record {first}" if len(held) == 1 else f"records {first}–{first + len(held) - 1}"
    return Block("\n".join(held), BlockKind.TABLE, line=line, line_end=last, place=place)


@dataclass(slots=True)
class _Level:
    """An open container: its last key, or its number of values so far."""

    is_list: bool
    key: str = ""
    index: int = 0


@dataclass(slots=True)
class _Candidate:
    """The character after which a block may end, its depth, and the path to what follows."""

    end: int
    depth: int
    keys: tuple[str, ...]
    place: str


@dataclass(slots=True)
class _Way:
    """The containers around a position in JSON."""

    levels: list[_Level] = field(default_factory=list)

    def keys(self) -> tuple[str, ...]:
        above = self.levels[: min(len(self.levels) - 1, _MOST_HEADINGS)]
        return tuple(level.key for level in above if level.key)

    def place(self, text: str, at: int) -> str:
        """The path to the value that begins at a position, such as users[3].name."""
        parts = [
            f"[{level.index}]" if level.is_list else f".{level.key}" for level in self.levels[: _MOST_HEADINGS + 2]
        ]
        if self.levels and not self.levels[-1].is_list and (key := _FIRST_KEY.match(text, at)):
            parts.append(f".{key.group(1)}")
        return "".join(part for part in parts if part != ".").removeprefix(".")


def json_blocks(text: str, first_line: int = 1) -> Iterator[Block]:
    """Cut after commas, those of outer values first, so that short values stay whole."""
    way, start = _Way(), 0
    keys: tuple[str, ...] = ()
    place = ""
    candidates: list[_Candidate] = []  # each behind and inside of the one before
    line, counted = first_line, 0
    for token in _TOKEN.finditer(text):
        _follow(way, token)
        if token.group() not in (",", "{", "["):
            continue
        while candidates and token.end() - start > BLOCK_CHARACTERS:
            best = candidates.pop(0)
            line, counted = line + text.count("\n", counted, start), start
            yield from _json_block(text[start : best.end], line, keys, place)
            start, keys, place = best.end, best.keys, best.place
        depth = len(way.levels)
        if token.group() == "," or (not candidates and token.end() - start > BLOCK_CHARACTERS):
            while candidates and candidates[-1].depth >= depth:
                candidates.pop()
            if len(candidates) < _MOST_HEADINGS:
                candidates.append(_Candidate(token.end(), depth, way.keys(), way.place(text, token.end())))
    line += text.count("\n", counted, start)
    yield from _json_block(text[start:], line, keys, place)


def _follow(way: _Way, token: re.Match[str]) -> None:
    """Update the path after a token."""
    sign = token.group()
    if sign in ("{", "["):
        way.levels.append(_Level(sign == "["))
    elif sign in ("}", "]"):
        if way.levels:
            way.levels.pop()
    elif way.levels and sign == ",":
        way.levels[-1].index += 1
        way.levels[-1].key = ""
    elif way.levels and token.group(2) and not way.levels[-1].is_list:
        way.levels[-1].key = token.group(1)[:_LONGEST_KEY]


def _json_block(text: str, line: int, keys: tuple[str, ...], place: str) -> Iterator[Block]:
    if text.strip():
        begin = len(text) - len(text.lstrip())
        body = text.strip() if "\n" not in text[:begin] else text[text.rindex("\n", 0, begin) + 1 :].rstrip()
        line += text.count("\n", 0, begin)
        yield Block(body, BlockKind.TABLE, keys, line=line, line_end=line + body.count("\n"), place=place)


@dataclass(slots=True)
class _Lines:
    """Lines that are being collected, and the keys above the first of them."""

    headings: tuple[str, ...] = ()
    first: int = 0
    texts: list[str] = field(default_factory=list)
    size: int = 0

    def block(self) -> Iterator[Block]:
        text = "\n".join(self.texts).rstrip()
        if text.strip():
            last = self.first + text.count("\n")
            yield Block(text, BlockKind.TABLE, self.headings, line=self.first, line_end=last)


def _line_blocks(text: str) -> Iterator[Block]:
    """Cut YAML, TOML, ini and properties at sections and keys; at the outermost ones as soon as there is enough text."""
    section: tuple[str, ...] = ()
    path: list[tuple[int, str]] = []
    held = _Lines()
    for number, line in numbered_lines(text):
        if found := _SECTION.match(line):
            section, path = (found.group(2).strip("\"' ")[:_LONGEST_KEY],), []
            yield from held.block()
            held = _Lines(section, number)
        elif key := _KEY.match(line):
            indent, name = len(key.group(1)), next(part for part in key.group(2, 3, 4) if part)
            path = [(above, known) for above, known in path if above < indent]
            is_enough = held.size > (BLOCK_CHARACTERS // 2 if indent == 0 else BLOCK_CHARACTERS)
            if is_enough or (indent == 0 and held.headings != section and held.size):
                yield from held.block()
                held = _Lines(_headings(section, path), number)
            if not (key.group(5) or "").split("#")[0].strip(" |>-+"):
                path.append((indent, name.strip()[:_LONGEST_KEY]))
                if held.size == 0:
                    held.headings = _headings(section, path)
        elif held.size > 2 * BLOCK_CHARACTERS:
            yield from held.block()
            held = _Lines(_headings(section, path), number)
        if not held.texts:
            held.first = number
        if line.strip() or held.texts:
            held.texts.append(line)
            held.size += len(line) + 1
    yield from held.block()


def _headings(section: tuple[str, ...], path: list[tuple[int, str]]) -> tuple[str, ...]:
    return (*section, *(name for _, name in path))[:_MOST_HEADINGS]
