"""The numbers in sentences and sources, compared as a reader does: whole and in parts, whatever separates their digits."""

import re

NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
# Groups of thousands, whose parts mean nothing alone: 900 is not part of 2,900.
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}([.,'’])\d{3}(?:\1\d{3})*(?!\d)")
_SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[ \u00a0\u2009\u202f]\d{3})+(?!\d)")
_IN_HAN = re.compile(r"[〇一二三四五六七八九十百千]+(?:[万萬][〇一二三四五六七八九十百千]*)?")
_HAN_DIGITS = "〇一二三四五六七八九"
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}


def has_number(text: str) -> bool:
    """True if the text has a number of two or more digits."""
    return bool(_stated(text))


def numbers_of(text: str) -> frozenset[str]:
    """The numbers of a source, whole and in parts, without separators and leading zeros.

    Numbers separated by blanks may be one or several: both readings are included.
    """
    text = _GROUPED.sub(_together, _IN_HAN.sub(_in_digits, text))
    written = NUMBER.findall(text) + NUMBER.findall(_SPACED.sub(_together, text))
    return frozenset(part for number in written for part in (_bare(number), *_parts(number)))


def has_only(sentence: str, numbers: frozenset[str]) -> bool:
    """True if all of the sentence's numbers of two or more digits are among those of a source."""
    return all(_bare(number) in numbers or numbers.issuperset(_long_parts(number)) for number in _stated(sentence))


def _stated(text: str) -> list[str]:
    joined = _SPACED.sub(_together, _GROUPED.sub(_together, text))
    return [number for number in NUMBER.findall(joined) if len(_bare(number)) > 1]


def _in_digits(match: re.Match[str]) -> str:
    """A number in Han characters with itself in digits behind it: 八万二千 82000 ."""
    parts = re.split("[万萬]", match[0])
    value = _below_ten_thousand(parts[0]) * (10_000 if len(parts) > 1 else 1)
    return f"{match[0]} {value + _below_ten_thousand(''.join(parts[1:]))} "


def _below_ten_thousand(text: str) -> int:
    if not any(unit in text for unit in _HAN_UNITS):
        return int("".join(str(_HAN_DIGITS.index(digit)) for digit in text) or 0)
    total = pending = 0
    for character in text:
        if character in _HAN_UNITS:
            total += (pending or 1) * _HAN_UNITS[character]
            pending = 0
        else:
            pending = _HAN_DIGITS.index(character)
    return total + pending


def _together(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


def _long_parts(number: str) -> list[str]:
    """The parts of two or more digits: the source may have the month as a word."""
    return [part for part in _parts(number) if len(part) > 1] or [_bare(number)]


def _bare(number: str) -> str:
    return re.sub(r"[.,:/-]", "", number).lstrip("0")


def _parts(number: str) -> list[str]:
    return [part.lstrip("0") for part in re.split(r"[.,:/-]", number)]
