"""Reads subtitles: the spoken text, without numbers and markup, some sentences per block; a block's place is its time."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from searchkit.ingest.extract.text import decode_text, numbered_lines, paragraph_stream
from searchkit.types import Block, ExtractedDocument

_TIMING = re.compile(r"\s*(?:(\d+):)?(\d{1,2}):(\d\d)[.,]\d{1,3}\s*-->")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_MARKUP = re.compile(
    r"</?(?:[bius]|font|ruby|rt|rp|c|v|lang|\d\d)(?=[\s.:>])[^>]*>|<[\d:.]+>|\{\\[^}]*\}", re.IGNORECASE
)
_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", '."', ".”", "♪")
_ENOUGH, _MUCH = 300, 700  # characters from which the end of a sentence ends the block, and from which any cue does
_NOT_SAID = ("STYLE", "REGION")  # parts of WebVTT that describe its look
_BEGINNING = 2000  # characters within which the header ends


def extract_subtitles(content: bytes) -> ExtractedDocument:
    """Join cues of SubRip or WebVTT. A file without cues is read as plain text."""
    text = decode_text(content)
    if not re.search(_TIMING.pattern, text):
        return ExtractedDocument("", paragraph_stream(text))
    header = text[:_BEGINNING].split("\n\n")[0].lstrip("\ufeff").split("\n") if text.startswith("WEBVTT") else []
    title = header[0].removeprefix("WEBVTT").strip(" -\t") if header else ""
    pairs = (line.partition(":") for line in header[1:] if "-->" not in line)
    metadata = {name.strip().lower(): value.strip() for name, _, value in pairs if value.strip()}
    return ExtractedDocument(title, _blocks(text, len(header)), metadata)


@dataclass(slots=True)
class _Held:
    """The cues that are being joined."""

    place: str = ""
    words: list[str] = field(default_factory=list)
    line: int = 0
    line_end: int = 0
    size: int = 0

    def add(self, number: int, words: str) -> None:
        self.line = self.line or number
        self.line_end = number
        self.words.append(words)
        self.size += len(words) + 1

    def block(self) -> Iterator[Block]:
        if self.words:
            yield Block(" ".join(self.words), line=self.line, line_end=self.line_end, place=self.place)


def _blocks(text: str, header_lines: int) -> Iterator[Block]:
    held, previous, is_shown = _Held(), "", True
    waiting: tuple[int, str] | None = None  # a line that is a cue's number if a timing follows
    for number, raw in numbered_lines(text):
        if number <= header_lines:
            continue
        if found := _TIMING.match(raw):
            hours, minutes, seconds = (int(part or 0) for part in found.groups())
            if held.size > _MUCH or (held.size > _ENOUGH and held.words[-1].endswith(_SENTENCE_END)):
                yield from held.block()
                held = _Held()
            held.place = held.place or f"{hours:02}:{minutes:02}:{seconds:02}"
            waiting, is_shown = None, True
            continue
        if waiting and is_shown:
            held.add(*waiting)
        waiting = None
        line = _words(raw)
        if raw.strip() in _NOT_SAID:
            is_shown = False
        if not raw.strip():
            is_shown = True
        elif raw.strip().isdigit():
            waiting = (number, raw.strip())
        elif line and line != previous and is_shown:  # rolling captions repeat each line
            held.add(number, line)
            previous = line
    if waiting:
        held.add(*waiting)
    yield from held.block()


def _words(line: str) -> str:
    spoken = _VOICE.sub(r"\1: ", line)
    return " ".join(html.unescape(_MARKUP.sub("", spoken)).split())
