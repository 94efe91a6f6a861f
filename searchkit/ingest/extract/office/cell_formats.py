"""Shows numbers of spreadsheets as their number formats do, beside what is stored: "0004711 (4711)", "1.234,56 € (1234.56)".

The language of a computer is in no file: unless a format names one, its own currency decides how thousands are parted.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

Show = Callable[[str], str]

_HELD = 1000  # values of one format; those of a column are often alike
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 37: "#,##0_);(#,##0)", 38: "#,##0_);(#,##0)",
    39: "#,##0.00_);(#,##0.00)", 40: "#,##0.00_);(#,##0.00)",
}  # fmt: skip
_DATE_IDS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))  # shown as the computer likes
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|\[\$(?P<currency>[^\]-]*)(?:-(?P<language>[0-9A-Fa-f]+))?\]'
    r"|(?P<elapsed>\[(?:h+|m+|s+)\])|\[[^\]]*\]|(?P<clock>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+)|(?P<general>General)|(?P<sign>.)",
    re.IGNORECASE | re.DOTALL,
)
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
    """One form of a format, for positive numbers, negative ones, or zero. `language`: its last two digits, "" unknown."""

    tokens: list[_Token]
    language: str
    currency: str

    @property
    def is_date(self) -> bool:
        return any(token.kind == "date" for token in self.tokens)


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
    if sections[0].is_date:
        return lru_cache(_HELD)(
            lambda value: beside(_shown_date(value, sections[0], epoch_1904=epoch_1904), as_date(value))
        )
    if any(token.text == "%" for token in sections[0].tokens):
        return lru_cache(_HELD)(lambda value: percentage(_shown_number(value, sections), value))
    return lru_cache(_HELD)(lambda value: beside(_shown_number(value, sections), number_text(value)))


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
    language = currency = ""
    for found in _TOKEN.finditer(code):
        kind = found.lastgroup or ""
        if kind in ("currency", "language"):
            currency = found["currency"] or currency
            language = (found["language"] or "")[-2:].lower() or language
            tokens.append(_Token("literal", found["currency"]))
        elif kind in ("quoted", "escaped"):
            currency = currency or found.group(kind).strip()
            tokens.append(_Token("literal", found.group(kind)))
        elif kind in ("date", "clock", "general"):
            tokens.append(_Token(kind, found.group().lower()))
        elif kind == "elapsed":
            tokens.append(_Token("elapsed", found.group().strip("[]").lower()))
        elif kind == "sign":
            tokens.append(_Token("sign" if found.group() in "0#?.,%eE/@" else "literal", found.group()))
        elif found.group().startswith("_"):
            tokens.append(_Token("literal", " "))
    return _Section(tokens, language, currency)


def _shown_number(value: str, sections: list[_Section]) -> str:
    """The number in its form, "" where a format is of a kind that only spreadsheets need: powers, fractions."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return ""
    which = 1 if number < 0 and len(sections) > 1 else 2 if number == 0 and len(sections) > 2 else 0
    section = sections[which]
    signs = "".join(token.text for token in section.tokens if token.kind == "sign")
    if any(token.kind in ("general", "elapsed") for token in section.tokens) or set(signs) & set("eE/@"):
        return ""
    if not set(signs) & set("0#?"):  # words alone
        return " ".join("".join(token.text for token in section.tokens).split())
    number = abs(number) * 100 ** signs.count("%")
    whole_signs, _, decimals = signs.replace("%", "").partition(".")
    number = number.scaleb(-3 * (len(signs.rstrip("%")) - len(signs.rstrip("%").rstrip(","))))
    places = sum(sign in "0#?" for sign in decimals)
    if number.adjusted() > 27:
        return ""
    rounded = f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    whole, _, fraction = rounded.partition(".")
    while fraction and fraction[-1] == "0" and decimals.replace(",", "")[len(fraction) - 1] != "0":
        fraction = fraction[:-1]
    thousands, point = _marks(section)
    grouped = "," in whole_signs.rstrip(",")
    digits = whole.lstrip("0").rjust(whole_signs.count("0"), "0")
    shown = _laid_out(section.tokens, _in_groups(digits, thousands) if grouped else digits, fraction, point, grouped)
    is_negative = value.lstrip().startswith("-") and which == 0 and any(digit in "123456789" for digit in rounded)
    return " ".join(f"{'-' * is_negative}{shown}".split())


def _marks(section: _Section) -> tuple[str, str]:
    if section.language:
        return _CONTINENTAL.get(section.language, (",", "."))
    last = section.tokens[-1] if section.tokens else _Token("", "")
    literals = [
        token.text.strip().lower() for token in section.tokens if token.kind == "literal" and token.text.strip()
    ]
    is_behind = last.kind == "literal" and bool(literals) and literals[-1] in _CONTINENTAL_CURRENCIES
    return (".", ",") if is_behind else (",", ".")


def _in_groups(digits: str, mark: str) -> str:
    return f"{int(digits):,}".replace(",", mark) if len(digits) > 3 else digits


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
    months, days = _MONTHS.get(section.language or "09"), _DAYS.get(section.language or "09")
    names = any(token.kind == "date" and token.text[0] in "md" and len(token.text) > 2 for token in section.tokens)
    if moment is None or (names and not (months and days)) or any(t.kind == "elapsed" for t in section.tokens):
        return ""
    dates = [i for i, token in enumerate(section.tokens) if token.kind == "date"]
    twelve = any(token.kind == "clock" for token in section.tokens)
    shown = []
    for i, (kind, text) in enumerate(section.tokens):
        if kind == "clock":
            shown.append("AM" if moment.hour < 12 else "PM")
        elif kind != "date":
            shown.append("" if text == "@" else text)
        elif text[0] == "m" and len(text) < 3 and _is_minute(section.tokens, dates, i):
            shown.append(f"{moment.minute:0{len(text)}d}")
        else:
            shown.append(_part(moment, text, (months or "").split(), (days or "").split(), twelve=twelve))
    return " ".join("".join(shown).split())


def _is_minute(tokens: list[_Token], dates: list[int], at: int) -> bool:
    """True if an m stands after hours or before seconds."""
    place = dates.index(at)
    before = tokens[dates[place - 1]].text[0] if place else ""
    after = tokens[dates[place + 1]].text[0] if place + 1 < len(dates) else ""
    return before == "h" or after == "s"


def _part(moment: datetime, code: str, months: list[str], days: list[str], *, twelve: bool) -> str:
    letter, width = code[0], len(code)
    if letter == "y":
        return f"{moment.year:04d}" if width > 2 else f"{moment.year % 100:02d}"
    if letter == "m" and width > 2:
        name = months[moment.month - 1]
        return name if width == 4 else name[:3] if width == 3 else name[:1]
    if letter == "d" and width > 2:
        name = days[moment.weekday()]
        return name if width > 3 else name[:3]
    hour = (moment.hour - 1) % 12 + 1 if twelve else moment.hour
    number = {"m": moment.month, "d": moment.day, "h": hour, "s": moment.second}[letter]
    return f"{number:0{min(width, 2)}d}"


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
