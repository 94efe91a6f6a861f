"""Shows numbers of spreadsheets as their number formats do, beside what is stored: "0004711 (4711)", "1.234,56 € (1234.56)".

The language of a computer is in no file: unless a format names one, its own currency decides how thousands are parted.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

Show = Callable[[str], str]

_LARGEST = 27  # power of ten beyond which a number is not laid out
_HELD = 1000  # values of one format; those of a column are often alike
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 37: "#,##0_);(#,##0)", 38: "#,##0_);(#,##0)",
    39: "#,##0.00_);(#,##0.00)", 40: "#,##0.00_);(#,##0.00)", 46: "[h]:mm:ss",
}  # fmt: skip
_DATE_IDS = frozenset((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)))  # shown as the computer likes
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)(?:-(?P<language>[0-9A-Fa-f]+))?\]'
    r"|(?P<elapsed>\[(?:h+|m+|s+)\])|\[(?P<condition>[<>=]{1,2}-?[0-9.]+)\]|\[[^\]]*\]|(?P<clock>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+)|(?P<general>General)|(?P<sign>.)",
    re.IGNORECASE | re.DOTALL,
)
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "<>": operator.ne,
}  # fmt: skip
_SECTION = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;"\\\[])*)(;|$)', re.DOTALL)
# The last two hexadecimal digits of a language, and what it puts between thousands and before decimals.
_CONTINENTAL = dict.fromkeys("03 06 07 08 0a 10 13 16 1a 1f 21 2a 2d".split(), (".", ","))
_CONTINENTAL |= dict.fromkeys("02 05 0b 0c 0e 14 15 18 19 1b 1d 22 23 24 25 26 27".split(), (" ", ","))
_CONTINENTAL_CURRENCIES = ("€", "eur", "kr", "zł", "kč", "ft", "лв", "₽", "₴", "₺", "lei")  # behind the number
_MONTHS = {
    "07": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "09": "January February March April May June July August September October November December",
    "0a": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "0c": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "10": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
}
_DAYS = {
    "07": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "09": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "0a": "lunes martes miércoles jueves viernes sábado domingo",
    "0c": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "10": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
}


class _Token(NamedTuple):
    """`kind`: "literal", "date", "sign" (of a number format) or "clock"."""

    kind: str
    text: str


class _Section(NamedTuple):
    """One form of a format, for positive numbers, negative ones, or zero. `language`: its last two digits, "" unknown.

    `is_known_date`: False for names of days in languages that are not known here. `condition`: of the numbers that it is for, such
    as ("<", 1000); None if its place decides.
    """

    tokens: list[_Token]
    language: str
    is_known_date: bool
    condition: tuple[str, Decimal] | None = None

    @property
    def is_date(self) -> bool:
        return any(token.kind in ("date", "elapsed") for token in self.tokens)

    @property
    def is_elapsed(self) -> bool:
        """True for a time that has passed, such as the hours of a week."""
        return any(token.kind == "elapsed" for token in self.tokens)

    def holds(self, number: Decimal) -> bool:
        """True if the form is for a number, as far as conditions go."""
        return self.condition is None or _COMPARISONS[self.condition[0]](number, self.condition[1])


def number_format(identifier: int, code: str | None, *, epoch_1904: bool) -> Show:
    """How cells with a format are read; `code` is None for the built-in formats."""

    def as_date(value: str) -> str:
        return date_text(value, epoch_1904=epoch_1904)

    if code is None:
        if identifier in _DATE_IDS:
            return as_date
        code = BUILT_IN.get(identifier, "General")
    sections = [_section(found.group(1)) for found in _SECTION.finditer(code)][:3]
    sections = sections[: max(1, len(sections) - 1)] if sections[-1].tokens == [] else sections
    if all(token.kind == "general" for token in sections[0].tokens):
        return number_text
    if sections[0].is_elapsed:
        return lru_cache(_HELD)(lambda value: _shown_time(value, sections[0]) or as_date(value))
    if sections[0].is_date:
        return lru_cache(_HELD)(
            lambda value: beside(_shown_date(value, sections[0], epoch_1904=epoch_1904), as_date(value))
        )
    forms = [_form(section) for section in sections]
    if forms[0].percent:
        return lru_cache(_HELD)(lambda value: percentage(_shown_number(value, forms), value))
    return lru_cache(_HELD)(lambda value: beside(_shown_number(value, forms), number_text(value)))


def beside(shown: str, stored: str) -> str:
    """A cell as it is shown, with what is stored in brackets where that is something else."""
    return f"{shown} ({stored})" if shown and stored and shown != stored else shown or stored


def percentage(shown: str, value: str) -> str:
    """A share as it is shown, with the whole percentage unless that is the same, and with the number that is stored."""
    whole, stored = percent_text(value), number_text(value)
    if stored == whole:
        return shown or stored
    same = "".join(shown.split()) in ("", whole)
    return f"{shown or whole} ({stored})" if same else f"{shown} ({whole}, {stored})"


def _section(code: str) -> _Section:
    tokens: list[_Token] = []
    language = ""
    condition = None
    for found in _TOKEN.finditer(code):
        kind = found.lastgroup or ""
        if kind in ("currency", "language"):
            said = found["language"] or ""
            language = said[-2:].lower() if len(said) > 1 else language  # 1 and 2 are the euro, in no language
            tokens.append(_Token("literal", found["currency"]))
        elif kind == "condition":
            condition = _condition(found.group(kind))
        elif kind in ("quoted", "escaped"):
            tokens.append(_Token("literal", found.group(kind)))
        elif kind in ("date", "clock", "general"):
            tokens.append(_Token(kind, found.group().lower()))
        elif kind == "elapsed":
            tokens.append(_Token("elapsed", found.group().strip("[]").lower()))
        elif kind == "sign":
            tokens.append(_Token("sign" if found.group() in "0#?.,%eE/@" else "literal", found.group()))
        elif found.group().startswith("_"):
            tokens.append(_Token("literal", " "))
    names = any(token.kind == "date" and token.text[0] in "md" and len(token.text) > 2 for token in tokens)
    is_known = not names or (language or "09") in _MONTHS
    return _Section(_with_minutes(tokens), language, is_known, condition)


def _condition(code: str) -> tuple[str, Decimal] | None:
    sign = code.rstrip("-.0123456789")
    try:
        return (sign, Decimal(code[len(sign) :])) if sign in _COMPARISONS else None
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class _Form:
    """A number's form, worked out once. `parts`: before, between and behind digits, if these are not parted by other signs.

    `is_shown`: False for kinds that only spreadsheets need, powers and fractions; `is_words`: it has no digits;
    `is_general`: the number as it is stored, between words.
    """

    section: _Section
    is_shown: bool
    is_general: bool
    is_words: bool
    percent: int
    scale: int  # powers of ten
    unit: Decimal  # of the last decimal
    least_decimals: int
    zeros: int
    grouped: bool
    marks: tuple[str, str]
    parts: tuple[str, str] | None


def _form(section: _Section) -> _Form:
    signs = "".join(token.text for token in section.tokens if token.kind == "sign")
    digits = signs.replace("%", "")
    whole, _, decimals = digits.partition(".")
    decimals = decimals.replace(",", "")
    return _Form(
        section,
        is_shown=not (
            any(token.kind in ("general", "elapsed") for token in section.tokens) or set(signs) & set("eE/@")
        ),
        is_general=any(token.kind == "general" for token in section.tokens) and not set(signs) & set("0#?eE/@"),
        is_words=not set(signs) & set("0#?"),
        percent=signs.count("%"),
        scale=2 * signs.count("%") - 3 * (len(digits) - len(digits.rstrip(","))),
        unit=Decimal(1).scaleb(-len(decimals)),
        least_decimals=decimals.rfind("0") + 1,
        zeros=whole.count("0"),
        grouped="," in whole.rstrip(","),
        marks=_marks(section),
        parts=_parts(section.tokens),
    )


def _parts(tokens: list[_Token]) -> tuple[str, str] | None:
    """What stands before and behind the digits, None if there is anything between them."""
    at = [i for i, token in enumerate(tokens) if token.kind == "sign" and token.text in "0#?.,"]
    if not at or at[-1] - at[0] >= len(at):
        return None
    return "".join(token.text for token in tokens[: at[0]]), "".join(token.text for token in tokens[at[-1] + 1 :])


def _shown_number(value: str, forms: list[_Form]) -> str:
    """The number in its form, "" where that is of a kind that is not shown."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return ""
    which = 1 if number < 0 and len(forms) > 1 else 2 if number == 0 and len(forms) > 2 else 0
    if any(form.section.condition for form in forms):
        which = next((i for i, form in enumerate(forms) if form.section.holds(number)), which)
    form = forms[which]
    if form.is_general:
        plain = number_text(f"{abs(number):f}")
        shown = "".join(plain if token.kind == "general" else token.text for token in form.section.tokens)
        return " ".join(f"{'-' if which == 0 and number < 0 else ''}{shown}".split())
    if form.is_words or not form.is_shown:
        words = "".join(token.text for token in form.section.tokens) if form.is_shown else ""
        return " ".join(words.split())
    number = abs(number).scaleb(form.scale)
    if number.adjusted() > _LARGEST:
        return ""
    rounded = number.quantize(form.unit, ROUND_HALF_UP)
    whole, _, fraction = f"{rounded:f}".partition(".")
    least = form.least_decimals
    fraction = fraction[:least] + fraction[least:].rstrip("0")
    digits = whole.lstrip("0").rjust(form.zeros, "0")
    thousands, point = form.marks
    if form.grouped and len(digits) > 3:
        digits = f"{int(digits):,}".replace(",", thousands)
    if form.parts:
        shown = f"{form.parts[0]}{digits}{point if fraction else ''}{fraction}{form.parts[1]}"
    else:
        shown = _laid_out(form.section.tokens, digits, fraction, point, form.grouped)
    sign = "-" if which == 0 and rounded and value.lstrip().startswith("-") else ""
    return " ".join(f"{sign}{shown}".split())


def _marks(section: _Section) -> tuple[str, str]:
    if section.language:
        return _CONTINENTAL.get(section.language, (",", "."))
    literals = [
        token.text.strip().lower() for token in section.tokens if token.kind == "literal" and token.text.strip()
    ]
    is_behind = bool(literals) and section.tokens[-1].kind == "literal" and literals[-1] in _CONTINENTAL_CURRENCIES
    return (".", ",") if is_behind else (",", ".")


def _laid_out(tokens: list[_Token], whole: str, fraction: str, point: str, grouped: bool) -> str:
    """The digits in the places of a format; those for which it has no place stand before the others."""
    places = [i for i, token in enumerate(tokens) if token.kind == "sign" and token.text in "0#?"]
    dot = next((i for i, token in enumerate(tokens) if token == _Token("sign", ".")), len(tokens))
    ours = [i for i in places if i < dot]
    at: dict[int, str] = {}
    rest = whole
    for i in [] if grouped else reversed(ours[1:]):
        rest, at[i] = rest[:-1], rest[-1:]
    if ours:
        at[ours[0]] = rest
    behind = [i for i in places if i > dot]
    at |= {i: fraction[n : n + 1] for n, i in enumerate(behind)}
    shown = []
    for i, token in enumerate(tokens):
        if token.kind != "sign" or token.text == "%":
            shown.append(token.text)
        elif token.text in "0#?":
            shown.append(at.get(i, ""))
        elif i == dot:
            shown.append(point if fraction or not behind else "")
    return "".join(shown)


def _shown_date(value: str, section: _Section, *, epoch_1904: bool) -> str:
    """A date in its form, "" if it is none, or if it has names in a language that is not known here."""
    moment = _moment(value, epoch_1904=epoch_1904)
    if moment is None or not section.is_known_date:
        return ""
    months, days = _MONTHS.get(section.language or "09", ""), _DAYS.get(section.language or "09", "")
    twelve = any(token.kind == "clock" for token in section.tokens)
    shown = []
    for kind, text in section.tokens:
        if kind == "clock":
            shown.append("AM" if moment.hour < 12 else "PM")
        elif kind != "date":
            shown.append("" if text == "@" else text)
        else:
            shown.append(_part(moment, text, months, days, twelve=twelve))
    return " ".join("".join(shown).split())


def _shown_time(value: str, section: _Section) -> str:
    """A time that has passed, whose hours, minutes or seconds are counted beyond a day; "" if it is none."""
    try:
        seconds = round(abs(float(value)) * 86400)
    except (ValueError, OverflowError):
        return ""
    units = {"h": 3600, "m": 60, "n": 60, "s": 1}
    shown = ["-" if float(value) < 0 else ""]
    for kind, text in section.tokens:
        if kind not in ("elapsed", "date"):
            shown.append(text)
        elif text[0] in units:
            number = seconds // units[text[0]]
            number = number if kind == "elapsed" else number % (24 if text[0] == "h" else 60)
            shown.append(f"{number:0{len(text)}d}")
    return " ".join("".join(shown).split())


def _with_minutes(tokens: list[_Token]) -> list[_Token]:
    """Tell minutes from months: an m that stands after hours or before seconds. Minutes are written n from here on."""
    dates = [i for i, token in enumerate(tokens) if token.kind == "date"]
    letters = [tokens[i].text[0] for i in dates]
    found = list(tokens)
    for place, i in enumerate(dates):
        is_timed = "h" in letters[max(0, place - 1) : place] or "s" in letters[place + 1 : place + 2]
        if letters[place] == "m" and len(tokens[i].text) < 3 and is_timed:
            found[i] = _Token("date", "n" * len(tokens[i].text))
    return found


def _part(moment: datetime, code: str, months: str, days: str, *, twelve: bool) -> str:
    letter, width = code[0], len(code)
    if letter == "y":
        return f"{moment.year:04d}" if width > 2 else f"{moment.year % 100:02d}"
    if letter == "m" and width > 2:
        name = months.split()[moment.month - 1]
        return name if width == 4 else name[:3] if width == 3 else name[:1]
    if letter == "d" and width > 2:
        name = days.split()[moment.weekday()]
        return name if width > 3 else name[:3]
    if letter == "h":
        number = (moment.hour - 1) % 12 + 1 if twelve else moment.hour
    else:
        number = {"m": moment.month, "d": moment.day, "n": moment.minute, "s": moment.second}[letter]
    return f"{number:02d}" if width > 1 else str(number)


def _moment(value: str, *, epoch_1904: bool) -> datetime | None:
    try:
        serial = float(value)
        # Excel counts a 29th of February 1900, which never existed.
        epoch = datetime(1904, 1, 1) if epoch_1904 else datetime(1899, 12, 30 if serial >= 60 else 31)
        return epoch + timedelta(days=int(serial), seconds=round(serial % 1 * 86400))
    except (ValueError, OverflowError):
        return None


def number_text(value: str) -> str:
    """A number as people write it: 15 digits as spreadsheets show, no 3.0, no exponent unless it is enormous."""
    if len(value) < 16 and value.isdigit():
        return value
    try:
        shown = f"{float(value):.15g}"
    except ValueError:
        return value
    if "e" in shown and abs(int(shown.partition("e")[2])) <= 20:
        shown = f"{Decimal(shown):f}"
    return "0" if shown == "-0" else shown


def percent_text(value: str) -> str:
    """Write 0.25 as 25%."""
    try:
        return number_text(f"{float(value) * 100:.12g}") + "%"
    except ValueError:
        return value


def date_text(value: str, *, epoch_1904: bool) -> str:
    """Turn a serial day into an ISO date, with the time if it has one; less than a day is a time. Leave anything else as it is."""
    moment = _moment(value, epoch_1904=epoch_1904)
    if moment is None:
        return value
    return _without_seconds(moment.strftime("%H:%M:%S")) if 0 <= float(value) < 1 else iso_text(moment)


def iso_text(moment: datetime) -> str:
    """Write date and time without parts that are zero."""
    if moment.hour == moment.minute == moment.second == 0:
        return moment.date().isoformat()
    return f"{moment.date().isoformat()} {_without_seconds(moment.strftime('%H:%M:%S'))}"


def _without_seconds(time: str) -> str:
    return time.removesuffix(":00") if time.endswith(":00") else time
