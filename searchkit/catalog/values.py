"""Finds numbers, dates, phone numbers and references in a text, and names each the same however it is written.

13860 is 13,860 and 13.860,00, and 2.8.2025 is 2 August 2025. Where a spelling has two meanings (1.234, 3/4/2025), it has two names.
"""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from searchkit.text import fold_word

_POINT = "ˑ"  # a letter to Unicode, so that a number with decimals is one word: 613ˑ45
_MONTH = "ˑm"  # 2025ˑm08; a day of any year is ˑ0802


class Value(NamedTuple):
    """A value's place in a text, and its names as words of the full-text table.

    `names`: each of its meanings, the likeliest first. `wider`: what it is one of: the month of a day, and the day without a year.
    """

    start: int
    end: int
    names: tuple[str, ...]
    wider: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """True of numbers, days and telephone numbers: the words that it is written with say nothing by themselves."""
        return self.names[0].replace(_POINT, "").isdigit()

    @property
    def is_telling(self) -> bool:
        """True of days, telephone numbers and references, which name one thing; numbers and months do not."""
        first = self.names[0]
        return self.without_year == first or (len(first) >= _FEWEST_DIGITS and _POINT not in first)

    @property
    def without_year(self) -> str:
        """The name of a day of any year, for a day; "" for others."""
        return next((name for name in (*self.names, *self.wider) if name.startswith(_POINT)), "")


class _Plain(dict[int, str]):
    """Characters of all scripts as those that the patterns know, one for one."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = self._of(chr(code))
        return plain

    @staticmethod
    def _of(character: str) -> str:
        if (digit := unicodedata.decimal(character, None)) is not None:
            return str(digit)
        category = unicodedata.category(character)
        if category == "Zs":
            return " "
        if category == "Pd" or character == "−":
            return "-"
        folded = fold_word(unicodedata.normalize("NFKC", character))
        if len(folded) != 1 or folded.isspace():
            return character
        return folded.upper() if character.isupper() else folded


_PLAIN = _Plain({ord("٫"): ".", ord("٬"): ",", ord("’"): "'"})
_DIGITS = re.compile(r"\d+")
_REACH = 64  # characters beside a digit; the longest are references
_NAMES = (
    "january jan januar janner janvier enero gennaio janeiro januari января январь stycznia ledna ocak يناير",
    "february feb februar fevrier fevr febrero febbraio fevereiro februari февраля февраль lutego unora subat فبراير",
    "march mar marz mars marzo marco maart марта март marca brezna mart مارس",
    "april apr avril avr abril abr aprile апреля апрель kwietnia dubna nisan ابريل",
    "may mai mayo maggio mag maio mei maj мая май maja kvetna mayis مايو",
    "june jun juni juin junio giugno giu junho июня июнь czerwca cervna haziran يونيو",
    "july jul juli juillet juil julio luglio lug julho июля июль lipca cervence temmuz يوليو",
    "august aug aout agosto ago augustus augusti августа август sierpnia srpna agustos اغسطس",
    "september sep sept septembre septiembre settembre set setembro сентября сентябрь wrzesnia zari eylul سبتمبر",
    "october oct oktober okt octobre octubre ottobre ott outubro out октября октябрь pazdziernika rijna ekim اكتوبر",
    "november nov novembre noviembre novembro ноября ноябрь listopada listopadu kasim نوفمبر",
    "december dec dezember dez decembre diciembre dic dicembre dezembro декабря декабрь grudnia prosince aralik ديسمبر",
)
_MONTH_OF = {name: number for number, names in enumerate(_NAMES, 1) for name in names.split()}
_OTHER_WORDS = frozenset({"set", "out"})  # months only beside a year
_FEWEST_DIGITS = 6  # of a reference in digits alone: 10-15 is a span
_LONGEST = 34  # letters and digits of a reference, as many as an IBAN may have
_PHONE_DIGITS = range(7, 16)
_COUNTRIES_OF_TWO = frozenset(
    "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92"
    " 93 94 95 98".split()
)
_NO_DIGIT = r"(?<![\d])(?<!\d[.,'])"
_NO_NAME = r"(?<!\w)(?<!\d[.,'])(?<![^\W\d]-)"  # nor part of one, as in Q3.2. and B-12
_WORD = r"[^\W\d_]{3,12}"
_YEAR_FIRST = re.compile(
    _NO_DIGIT + r"(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일])(?!\d)"
)
_YEAR_LAST = re.compile(_NO_DIGIT + r"(\d{1,2})([./-]) ?(\d{1,2})\2 ?(\d{4}|\d\d)(?![\d]|[./-]\d)")
_DAY_FIRST = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|[.ºª])? ?(?:de |of |d')?({_WORD})\.?,? (?:de |del |of )?(\d{{4}})(?!\d)",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(rf"\b({_WORD})\.? (\d{{1,2}})(?:st|nd|rd|th)?,? (\d{{4}})(?!\d)")
_DAY_AND_NAME = re.compile(
    rf"{_NO_NAME}(\d{{1,2}})(?:st|nd|rd|th|er|[.ºª])? ?(?:de |of |d')?({_WORD})(?!\w)", re.IGNORECASE
)
_NAME_AND_DAY = re.compile(rf"\b({_WORD})\.? (\d{{1,2}})(?:st|nd|rd|th)?(?!\w|[.,:/]\d|%)")
_DAY_IN_HAN = re.compile(_NO_DIGIT + r"(\d{1,2})[月월] ?(\d{1,2})[日일]")
_DAY_DOT_MONTH = re.compile(_NO_NAME + r"(\d{1,2})\. ?(\d{1,2})\.(?! ?\d)")
_NAME_BEFORE = re.compile(rf"\b({_WORD})\.?,? (?:de |del |of )?\Z")
_LONGEST_NAME = 20  # with what follows it
_MONTH_ALONE = re.compile(rf"\b({_WORD})\.?,? (?:de |del |of )?(\d{{4}})(?!\d)")
_MONTH_IN_DIGITS = re.compile(_NO_DIGIT + r"(?:(\d{4})-(\d\d)|(\d{1,2})/(\d{4}))(?![\d]|[-/.]\d)")
_PHONE = re.compile(
    r"(?<![\w.,/+-])(?:\+ ?\d|00\d|\(?0\d|\(\d{3}\)|\d{3}[ .-]\d{3}[ .-]\d{4}(?!\d))(?:[ ()/.-]{0,3}\d)*(?!\w)"
)
_NUMBER = re.compile(
    r"(?<![\w])(?<!\d[.,'])"
    r"(?:\d{1,3}(?:([.,' ])\d{3})(?:\1\d{3})*(?:(?!\1)[.,]\d{1,9})?|\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d{1,9})?|\d+[.,]\d+)"
    r"(?!\d)(?![.,']\d)"
)
_ACCOUNT = re.compile(r"(?<![\w-])[A-Z]{2}\d\d(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?![\w-])")
_JOINED = re.compile(r"(?<![^\W_])[^\W_]+(?:[-/._:#][^\W_]+)+")
_GROUPS = re.compile(r"(?<![\w-])(?:[A-Z]{1,5}[ -])?[A-Z]*\d[A-Z\d]*(?: [A-Z]*\d[A-Z\d]*)+(?![\w-])")
_SIGNS = re.compile(r"[\W_]+")
_OF_TIMES = re.compile(r"[.:]")  # and of addresses of machines, versions and sections


def values(text: str, *, is_typed: bool = False) -> list[Value]:
    """The values in a text, in order; those inside a larger one are left out. `is_typed`: perhaps without capitals."""
    if not _DIGITS.search(text):
        return []
    plain = text if text.isascii() else text.translate(_PLAIN)
    digits = [run.start() for run in _DIGITS.finditer(plain)]
    found: list[Value] = []
    taken = bytearray(len(text))
    for pattern, begin, read in _READERS:
        asked = _in_capitals(plain) if is_typed and pattern is _GROUPS else plain
        for match in _anywhere(pattern, asked, digits) if begin is None else _at(pattern, asked, digits, begin):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            if value := read(match):
                found.append(value)
                taken[start:end] = b"\1" * (end - start)
    return sorted(found)


def _at(pattern: re.Pattern[str], plain: str, digits: list[int], begin: "_Begin") -> Iterator[re.Match[str]]:
    """The matches of a pattern that has its first digit at a known place: no other place of the text is tried."""
    last = 0
    for digit in digits:
        start = begin(plain, digit)
        if start < last:
            continue
        match = pattern.match(plain, start) or (pattern.match(plain, digit) if start < digit else None)
        if match:
            last = match.end()
            yield match


def _anywhere(pattern: re.Pattern[str], plain: str, digits: list[int]) -> Iterator[re.Match[str]]:
    """The matches of a pattern near digits, without which it has none."""
    start = end = 0
    for digit in digits:
        if digit - _REACH > end:
            yield from pattern.finditer(plain, start, end)
            start = digit - _REACH
        end = digit + _REACH
    yield from pattern.finditer(plain, start, end)


def _at_digit(_: str, digit: int) -> int:
    return digit


def _at_capitals(_: str, digit: int) -> int:
    """The country of an account is two letters before its first digit."""
    return digit - 2


def _at_sign(plain: str, digit: int) -> int:
    """A telephone number may begin with a sign before its first digit."""
    if plain[digit - 1 : digit] in ("(", "+"):
        return digit - 1
    return digit - 2 if plain[max(0, digit - 2) : digit] == "+ " else digit


def _at_month(plain: str, digit: int) -> int:
    """The name of a month before a digit; -1 if there is none."""
    name = _NAME_BEFORE.search(plain, max(0, digit - _LONGEST_NAME), digit)
    return name.start() if name and name[1].lower() in _MONTH_OF else -1


def _in_capitals(plain: str) -> str:
    """One for one, so that places stay: ß has no capital of one character."""
    return "".join(capital if len(capital := character.upper()) == 1 else character for character in plain)


def canonical(text: str, *, has_years: bool = True) -> str:
    """A text with each value by its first name, by which spellings are compared. `has_years`: else days are of any year."""
    parts, at = [], 0
    for value in values(text):
        parts += [text[at : value.start], (not has_years and value.without_year) or value.names[0]]
        at = value.end
    return "".join((*parts, text[at:]))


def _day(match: re.Match[str], year: str, days_months: Iterator[tuple[int, int]]) -> Value | None:
    written = int(year) if len(year) == 4 else (2000 if int(year) < 70 else 1900) + int(year)
    days = []
    for day, month in days_months:
        try:
            days.append(date(written, month, day))
        except ValueError:
            continue
    if not days:
        return None
    names = dict.fromkeys(f"{each:%Y%m%d}" for each in days)
    wider = [name for each in days for name in (_month(each.year, each.month), _day_of_any_year(each.month, each.day))]
    return Value(*match.span(), tuple(names), tuple(dict.fromkeys(wider)))


def _month(year: int, month: int) -> str:
    return f"{year}{_MONTH}{month:02}"


def _day_of_any_year(month: int, day: int) -> str:
    return f"{_POINT}{month:02}{day:02}"


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= monthrange(2000, month)[1]


def _year_first(match: re.Match[str]) -> Value | None:
    year, month, day = (part for part in match.groups() if part)
    return _day(match, year, iter([(int(day), int(month))]))


def _year_last(match: re.Match[str]) -> Value | None:
    first, sign, second, year = match.groups()
    orders = [(int(first), int(second)), (int(second), int(first))]
    return _day(match, year, iter(orders[:1] if sign == "." else orders))


def _named_day(match: re.Match[str], day: str, name: str, year: str) -> Value | None:
    month = _MONTH_OF.get(name.lower())
    return _day(match, year, iter([(int(day), month)])) if month else None


def _without_year(match: re.Match[str], day: str, month: str) -> Value | None:
    name = month.lower()
    number = int(month) if month.isdigit() else 0 if name in _OTHER_WORDS else _MONTH_OF.get(name, 0)
    return Value(*match.span(), (_day_of_any_year(number, int(day)),)) if _is_day(number, int(day)) else None


def _day_dot_month(match: re.Match[str]) -> Value | None:
    day, month = int(match[1]), int(match[2])
    number = (_named_number(match[1], match[2]),) if " " not in match.group() else ()  # 3.1. may be a section
    return Value(*match.span(), (*number, _day_of_any_year(month, day))) if _is_day(month, day) else None


def _month_alone(match: re.Match[str]) -> Value | None:
    month = _MONTH_OF.get(match[1].lower())
    return Value(*match.span(), (_month(int(match[2]), month),)) if month else None


def _month_in_digits(match: re.Match[str]) -> Value | None:
    year, month = int(match[1] or match[4]), int(match[2] or match[3])
    return Value(*match.span(), (_month(year, month),)) if 1 <= month <= 12 and 1900 <= year < 2100 else None


def _phone(match: re.Match[str]) -> Value | None:
    written = match.group().replace("(0)", "")
    digits = _SIGNS.sub("", written)
    if len(digits) not in _PHONE_DIGITS or (digits == written and not digits.startswith("0")):
        return None
    if not written.startswith(("+", "00")):
        return Value(*match.span(), (digits.lstrip("0"),)) if digits.strip("0") else None
    digits = digits.lstrip("0")
    code = 1 if digits[:1] in ("1", "7") else 2 if digits[:2] in _COUNTRIES_OF_TWO else 3
    national = digits[code:].lstrip("0")
    return Value(*match.span(), (national, digits[:code] + national)) if national else None


def _number(match: re.Match[str]) -> Value | None:
    written = match.group().replace(" ", "").replace("'", "")
    signs = [sign for sign in written if sign in ".,"]
    whole, _, decimals = written.rpartition(signs[-1]) if signs else (written, "", "")
    as_groups, as_decimal = _named_number(_SIGNS.sub("", written), ""), _named_number(_SIGNS.sub("", whole), decimals)
    if not signs or signs.count(signs[-1]) > 1:
        return Value(*match.span(), (as_groups,))
    is_clear = len(set(signs)) > 1 or written != match.group() or len(decimals) != len("000")
    if is_clear or not whole.lstrip("0"):
        return Value(*match.span(), (as_decimal,))
    return Value(*match.span(), (as_groups, as_decimal) if len(whole) <= len("000") else (as_decimal,))


def _named_number(whole: str, decimals: str) -> str:
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (_POINT + decimals if decimals else "")


def _reference(match: re.Match[str]) -> Value | None:
    joined = _SIGNS.sub("", match.group()).lower()
    digits = sum(map(str.isdigit, joined))
    if not digits or len(joined) > _LONGEST:
        return None
    if digits == len(joined) and (digits < _FEWEST_DIGITS or _OF_TIMES.search(match.group())):
        return None
    return Value(*match.span(), (joined,))


_Begin = Callable[[str, int], int]
_READERS: tuple[tuple[re.Pattern[str], _Begin | None, Callable[[re.Match[str]], Value | None]], ...] = (
    (_ACCOUNT, _at_capitals, _reference),
    (_YEAR_FIRST, _at_digit, _year_first),
    (_DAY_FIRST, _at_digit, lambda match: _named_day(match, match[1], match[2], match[3])),
    (_MONTH_FIRST, _at_month, lambda match: _named_day(match, match[2], match[1], match[3])),
    (_YEAR_LAST, _at_digit, _year_last),
    (_DAY_AND_NAME, _at_digit, lambda match: _without_year(match, match[1], match[2])),
    (_NAME_AND_DAY, _at_month, lambda match: _without_year(match, match[2], match[1])),
    (_DAY_IN_HAN, _at_digit, lambda match: _without_year(match, match[2], match[1])),
    (_DAY_DOT_MONTH, _at_digit, _day_dot_month),
    (_PHONE, _at_sign, _phone),
    (_NUMBER, _at_digit, _number),
    (_MONTH_IN_DIGITS, _at_digit, _month_in_digits),
    (_JOINED, None, _reference),
    (_GROUPS, None, _reference),
    (_MONTH_ALONE, _at_month, _month_alone),
)
