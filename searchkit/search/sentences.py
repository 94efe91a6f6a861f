"""What of a passage can be marked as its answer: sentences, list items, rows of tables, lines of code, each one whole.

Headers of mails, headings, dates by themselves, rules and fences only lead to what is said, so they are never marked. Knows no
query.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from searchkit.text import folded, has_unspaced_runs

Bounds = tuple[int, int]

_STOP = re.compile(r"(?<=[.!?…])[\"'”’»)\]*_]*\s+(?!$)|(?<=[。！？।؟۔])[」』”’）]*\s*(?!$)")
# What a full stop follows without an end: a single letter, a number by itself, an abbreviation of up to three letters such as Dr.
_NO_END = re.compile(r"(?:^|[\s(.])(?:\w|\d{1,3}|[A-Z][a-z]{1,2}|bzw|ca|vs|e\.g|i\.e|cf|núm|tél|\w*str)\.$")
_ENDS = re.compile(r"[.!?…。！？।؟۔:：][\"'”’»)\]*_」』）]*$")
_BEGINS = re.compile(r"\s*(?:[-*+•–—▪◦☐☑✓✗]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[[ xX✓]?\])\s")  # an item of a list
_BOX = re.compile(r"\s*(?:[-*+•]\s+)?\[[ xX✓]?\]\s*")
_ROW = re.compile(r"\s*\||[^|]*\S \| \S|[^|]*\|[^|]*\|[^|]*$|[^\t]*\S\t+\S")
_RULE = re.compile(r"[\s|:+=\-_*~#.─━═┄┼│]*$")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_HEADING = re.compile(r"\s*(?:#{1,6}\s|=+\s+.*\s=+$|\*{1,3}[^*]{1,80}\*{1,3}:?$|__[^_]{1,80}__:?$)")
_COMMENT = re.compile(r"\s*(?:///?!?|\*|#|--|;;|%)\s")  # of a program
_CODE = re.compile(
    r"[{}\[;]\s*,?\s*(?://.*)?$|[\w\])]\(.*[);:]$|\"\s*:\s|\w\s[-+:!<>=]?=[=>]?\s|^\s*(?:import|using|return|def|class|#include)\s"
)
_HEADER = re.compile(
    r"(?:from|to|cc|bcc|date|sent|subject|reply-to|attachments?|attached|message-id|in-reply-to|received|return-path|mime-version"
    r"|content-[a-z-]+|von|an|kopie|datum|gesendet|betreff|anhang|anlagen?|de|à|a|date|envoyé|objet|para|fecha|enviado|asunto"
    r"|da|data|inviato|oggetto|van|aan|onderwerp|od|do|temat|от|кому|дата|тема|差出人|宛先|日時|件名|发件人|收件人|日期|主题)\s?[:：]\s*\S",
    re.IGNORECASE,
)
_HEADERS_AT_LEAST = 2  # one by itself may be a sentence: "To: be done"
_DATE_WORDS = re.compile(
    r"(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|mié|jeu|jue|ven|vie|sam|sáb|dim|dom|jan|ene|feb|fév|märz|mär|apr|avr|abr"
    r"|may|mai|jun|juin|jul|juil|aug|aoû|ago|sep|okt|oct|nov|dec|dez|déc|dic)\w*|uhr|am|pm|utc|gmt|cet|cest|at|um|de|le|the|den|on|of|date|datum"
    r"|fecha|th|st|nd|rd|created|updated|stand|[tz]",
    re.IGNORECASE,
)
_NOT_A_DATE = re.compile(r"[^\W\d_]")
_LABEL = re.compile(r"\s*[\w '’-]{1,24}[:：]\s")
_LINE = re.compile(r"[^\n]*\n?")
_LONGEST_HEADING = 80
_NO_HEADING = re.compile(r"[.!?…。！？।؟۔,;][\"'”’»)\]*_」』）]*$")
_WRAPPED = 40  # characters; a shorter line ends because its writer ended it, unless the next one begins in lower case
_ABOUT = 0.85
_FEWEST_WORDS, _FEWEST_UNSPACED = 3, 6  # of a sentence that says something by itself; without blanks, characters


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str
    kind: str  # prose, item, row, code, comment (of a program), or "" for what is never marked


def sentences(text: str, title: str = "", *, is_code: bool = False) -> list[Bounds]:
    """(start, end) of what can be marked, in order, without white space around it; lines that were broken to fit are joined.

    `title`: the passage's headings, which are not marked where the text repeats them. `is_code`: of a program.
    """
    headings = {folded(part).strip(" .") for part in (title, *title.split(" › "))}
    found: list[Bounds] = []
    for start, end, kind in _stretches(_lines(text, is_code=is_code)):
        found += _split(text, start, end) if kind in ("prose", "item") else [(start, end)]
    return [
        (a, b)
        for a, b in (_stripped(text, *bounds) for bounds in found)
        if b > a and not is_date(text[a:b]) and folded(text[a:b]).strip(" .") not in headings
    ]


def is_date(text: str) -> bool:
    """True for a date or a time by itself."""
    return any(map(str.isdigit, text)) and not _NOT_A_DATE.search(_DATE_WORDS.sub("", text))


def header_lines(text: str) -> int:
    """The end of the headers at the beginning of a mail's text; 0 if it begins with none."""
    end = count = 0
    for found in _LINE.finditer(text):
        if not _HEADER.match(found.group()):
            break
        end, count = found.end(), count + 1
    return end if count >= _HEADERS_AT_LEAST else 0


def lines_of_code(text: str, *, is_code: bool = False) -> list[str]:
    """The lines of a text that are code, without comments. `is_code`: of a program."""
    return [line.text for line in _lines(text, is_code=is_code) if line.kind == "code"]


def shown_lines(text: str) -> list[Bounds]:
    """(start, end) of what is shown on a line of its own: rows, items, headings, a mail's headers together, and prose between them.

    Rules and blank lines are left out.
    """
    found: list[tuple[int, int, str]] = []
    lines = _lines(text, is_code=False)
    blank = _Line(0, 0, "", "")
    for before, line, following in zip([blank, *lines], lines, [*lines[1:], blank], strict=False):
        if not any(map(str.isalnum, line.text)):
            continue
        kind = "header" if not line.kind and _HEADER.match(line.text) else line.kind
        if kind == "prose" and _is_like_a_heading(before, line, following):
            kind = "heading"
        if found and kind == found[-1][2] and kind in ("prose", "header"):
            found[-1] = (found[-1][0], line.end, kind)
        elif found and kind == "prose" and found[-1][2] == "item" and "\n\n" not in text[found[-1][1] : line.start + 1]:
            found[-1] = (found[-1][0], line.end, "item")  # the rest of an item that was broken to fit
        else:
            found.append((line.start, line.end, kind))
    return [(start, end) for start, end, _ in found]


def _is_like_a_heading(before: _Line, line: _Line, following: _Line) -> bool:
    """True if a line of prose stands by itself and is no sentence: so passages have the headings inside them."""
    is_alone = not (before.text.strip() or following.text.strip())
    return is_alone and len(line.text) <= _LONGEST_HEADING and not _NO_HEADING.search(line.text)


def _lines(text: str, *, is_code: bool) -> list[_Line]:
    raw = [found for found in _LINE.finditer(text) if found.group()]
    headers = {i for i, found in enumerate(raw) if _HEADER.match(found.group())}
    headers = {i for i in headers if {i - 1, i + 1} & headers}
    lines, is_fenced = [], False
    for i, found in enumerate(raw):
        line = found.group().rstrip()
        following = raw[i + 1].group().strip() if i + 1 < len(raw) else ""
        kind = "" if i in headers else _kind(line, following, is_code=is_code or is_fenced)
        is_fenced ^= bool(_FENCE.match(line))
        lines.append(_Line(found.start(), found.start() + len(line), line, kind))
    return lines


def _kind(line: str, following: str, *, is_code: bool) -> str:
    if not any(map(str.isalnum, _BOX.sub("", line, count=1))) or _FENCE.match(line):
        return ""
    if is_code:
        return "comment" if _COMMENT.match(line) else "code"
    is_underlined = len(following) > 2 and len(set(following)) == 1 and following[0] in "=-~^"
    is_head_of_table = "|" in line and "-" in following and "|" in following and bool(_RULE.match(following))
    if _HEADING.match(line) or is_underlined or is_head_of_table:
        return ""
    if _ROW.match(line):
        return "row"
    if _CODE.search(line):
        return "code"
    return "item" if _BEGINS.match(line) else "prose"


def _stretches(lines: list[_Line]) -> Iterator[tuple[int, int, str]]:
    """Lines with those that go on with them: start, end and kind of the first."""
    first: _Line | None = None
    widest = _width([len(line.text) for line in lines if line.kind in ("prose", "item")])
    for line, following in pairwise([*lines, _Line(0, 0, "", "")]):
        if not line.kind:
            continue
        first = first or line
        if not _goes_on(line, following, widest):
            yield first.start, line.end, first.kind
            first = None


def _width(lengths: list[int]) -> float:
    """The width that lines were broken to fit; without bound if no two of them are about as long as the longest."""
    longest = max(lengths, default=0)
    return longest if sum(length >= _ABOUT * longest for length in lengths) > 1 else math.inf


def _goes_on(line: _Line, following: _Line, widest: float) -> bool:
    """True if a line was broken to fit: the next one's first word had no room in it, or begins in lower case."""
    if line.kind == "comment":
        return following.kind == "code" or (following.kind == "comment" and not _ENDS.search(line.text))
    if line.kind not in ("prose", "item") or following.kind != "prose" or _ENDS.search(line.text):
        return False
    word = following.text.split(maxsplit=1)[0]
    if word[0].islower() and not _LABEL.match(following.text):
        return True
    return len(line.text) >= _WRAPPED and len(line.text) + 1 + len(word) > widest


def _split(text: str, start: int, end: int) -> Iterator[Bounds]:
    """The sentences of a stretch; one that is too short to say anything goes with the next, the last with the one before."""
    ends = [
        found
        for found in _STOP.finditer(text, start, end)
        if not (_NO_END.search(text[max(start, found.start() - 12) : found.start()].rstrip("\"'”’»)]*_")))
        and not text[found.end()].islower()
    ]
    found: list[Bounds] = []
    at = start
    for stop, following in [*((each.start(), each.end()) for each in ends), (end, end)]:
        if says_something(text[at:stop]):
            found.append((at, stop))
            at = following
    if at < end:
        found = [*found[:-1], (found[-1][0] if found else at, end)]
    yield from found


def says_something(part: str) -> bool:
    """True if a part of a text is more than a name, a greeting or a label."""
    words = len(part.split()) - bool(_BEGINS.match(part))
    return words >= _FEWEST_WORDS or (len(part) >= _FEWEST_UNSPACED and has_unspaced_runs(part))


def _stripped(text: str, start: int, end: int) -> Bounds:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())
