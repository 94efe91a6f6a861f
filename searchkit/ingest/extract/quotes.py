"""Divides the text of a mail into what its sender wrote and what is quoted of others, each person's words by themselves.

A quotation is known by its marks (">", a block that is cited in HTML) or by the line or headers that programs put before it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from searchkit.types import Block

CITED, UNCITED, CITED_END = "\ue000", "\ue001", "\ue002"  # stand for <blockquote> in the text of a mail's HTML
_MOST_LEVELS = 12  # people who quote each other
_INLINE_LINES = 3  # a quotation of so few lines, between answers and with no line before it, stays with its answer
_MARKED = re.compile(r"[ \t]?>[ \t]?")
_WROTE = (
    "wrote|writes|schrieb|geschrieben|a écrit|écrit|escribió|escribio|ha scritto|schreef|geschreven|skrev|escreveu|napisał|napisała"
    "|написал|писал|пишет|kirjoitti|napsal|napísal|írta|a scris|yazdı|さんは書きました|写道|寫道|のメール|작성"
)
_SAID = re.compile(rf"(?=.{{4,300}}$).*[\d@<].*\b(?:{_WROTE})\b.{{0,80}}[:：]\s*$", re.IGNORECASE | re.DOTALL)
_FORWARDED = re.compile(
    r"\s*(?:-{2,}|_{5,}|Begin |Anfang |Début )\s*(?:original|ursprüngliche|forwarded|weitergeleitete|message d.origine"
    r"|message transféré|mensaje original|mensaje reenviado|messaggio originale|messaggio inoltrato|oorspronkelijk|doorgestuurd"
    r"|der weitergeleiteten)",
    re.IGNORECASE,
)
_SUBJECTS = "Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp|Ämne|Emne|Assunto|Temat|Тема|件名|主题"
_FIELDS = (
    "From|Von|De|Da|Van|Från|Fra|От|差出人|发件人|Sent|Gesendet|Envoyé|Enviado|Inviato|Verzonden|Skickat|Sendt|Date|Datum|Fecha"
    "|Data|Дата|To|An|À|Para|A|Aan|Till|Til|Кому|Cc|Kopie|Reply-To|日期|收件人|宛先|送信日時"
)
_FIELD = re.compile(rf"[ \t]*\*{{0,2}}({_SUBJECTS}|{_FIELDS})[ \t]?[:：]\*{{0,2}}[ \t]*\S", re.IGNORECASE)
_SUBJECT = re.compile(rf"[ \t]*\*{{0,2}}(?:{_SUBJECTS})[ \t]?[:：]", re.IGNORECASE)
_FIELDS_OF_A_MAIL = 3  # one of them the subject: from, to and date are also those of a journey


@dataclass(frozen=True, slots=True)
class Part:
    """Words of one person in a mail. `level`: 0 for its sender, 1 for what the sender quotes, 2 for what is quoted there."""

    level: int
    text: str


def parts_of_text(text: str, level: int = 0) -> list[Part]:
    """Divide a plain text, without the marks of the quotations. Together the parts have every word of it."""
    lines = text.split("\n")
    parts: list[Part] = []
    start = at = 0
    while at < len(lines):
        end = _quoted_until(lines, start, at)
        if end is None or level >= _MOST_LEVELS:
            at += 1
            continue
        parts += _own(lines[start:at], level)
        if _MARKED.match(lines[at]):
            parts += parts_of_text("\n".join(_MARKED.sub("", line, count=1) for line in lines[at:end]), level + 1)
        else:  # headers, and behind them all that is left
            fields = _fields_from(lines, at)
            inner = parts_of_text("\n".join(lines[fields:end]), level + 1)
            head = "\n".join(lines[at:fields])
            first = inner[0] if inner and inner[0].level == level + 1 else Part(level + 1, "")
            parts += [Part(level + 1, f"{head}\n\n{first.text}"), *(inner[1:] if first.text else inner)]
        start = at = end
    return parts + _own(lines[start:], level)


def _own(lines: list[str], level: int) -> list[Part]:
    text = "\n".join(lines)
    return [Part(level, text)] if text.strip() else []


def _quoted_until(lines: list[str], start: int, at: int) -> int | None:
    """The end of the quotation that begins at a line, None if none does."""
    if _begins_with_fields(lines, at):
        return len(lines)
    if not _MARKED.match(lines[at]):
        return None
    end = at
    while end < len(lines) and (_MARKED.match(lines[end]) or (not lines[end].strip() and _is_marked(lines, end + 1))):
        end += 1
    is_last, is_first = not any(line.strip() for line in lines[end:]), not any(line.strip() for line in lines[start:at])
    is_announced = _SAID.search("\n".join(_before(lines, at))) is not None
    return end if is_announced or is_last or is_first or end - at > _INLINE_LINES else None


def _is_marked(lines: list[str], at: int) -> bool:
    return at < len(lines) and _MARKED.match(lines[at]) is not None


def _before(lines: list[str], at: int) -> list[str]:
    """The last two lines with text before one: an announcement may be broken in two."""
    return [line for line in lines[max(0, at - 4) : at] if line.strip()][-2:]


def _begins_with_fields(lines: list[str], at: int) -> bool:
    """True at the headers of a mail that is quoted whole, or at the line that announces them."""
    if not (
        lines[at].strip() and (_FIELD.match(lines[at]) or _FORWARDED.match(lines[at]) or lines[at].startswith("_____"))
    ):
        return False
    return _fields_from(lines, at) > at


def _fields_from(lines: list[str], at: int) -> int:
    """The line after the headers that begin at a line, perhaps after an announcement; `at` if there are too few."""
    begin = at
    if not _FIELD.match(lines[begin]):
        begin += 1
        while begin < len(lines) and not lines[begin].strip():
            begin += 1
    end = begin
    while end < len(lines) and (_FIELD.match(lines[end]) or (end > begin and lines[end].startswith((" ", "\t")))):
        end += 1
    fields = [line for line in lines[begin:end] if _FIELD.match(line)]
    is_mail = len(fields) >= _FIELDS_OF_A_MAIL and any(_SUBJECT.match(line) for line in fields)
    return end if is_mail else at


def levels_of_blocks(blocks: Iterable[Block]) -> Iterator[tuple[int, Block]]:
    """The level of each block of a mail's HTML, whose cited blocks are between marks; the marks are removed."""
    held = list(blocks)
    depth = announced = 0
    stack: list[int] = []
    for number, block in enumerate(held):
        if block.text.strip() in (CITED, UNCITED):
            was_announced = any(_SAID.search(before.text) for before in held[max(0, number - 2) : number])
            stack.append(1 if block.text.strip() == CITED or was_announced else 0)
            depth += stack[-1]
        elif block.text.strip() == CITED_END:
            depth -= stack.pop() if stack else 0
        else:
            announced += _begins_with_fields([each.text.split("\n")[0] for each in held[number : number + 8]], 0)
            yield min(depth + announced, _MOST_LEVELS), block
