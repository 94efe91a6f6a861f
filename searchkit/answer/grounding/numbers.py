"""Compares the numbers of texts, however they are written: 31.03.2026 and 2026-03-31 agree; so do 2,900, 2900 and 2'900."""

import re

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
# Groups of thousands, whose parts mean nothing alone: 900 is not part of 2,900.
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}([.,'’])\d{3}(?:\1\d{3})*(?!\d)")
_SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[ \u00a0\u2009\u202f]\d{3})+(?!\d)")


def has_number(text: str) -> bool:
    """True if the text has a number of two or more digits."""
    return bool(_stated(text))


def numbers_of(text: str) -> frozenset[str]:
    """The numbers of a source, whole and in parts, without separators and leading zeros.

    Numbers separated by blanks may be one or several: both readings are included.
    """
    text = _GROUPED.sub(_together, text)
    written = _NUMBER.findall(text) + _NUMBER.findall(_SPACED.sub(_together, text))
    return frozenset(part for number in written for part in (_bare(number), *_parts(number)))


def has_only(sentence: str, numbers: frozenset[str]) -> bool:
    """True if all of the sentence's numbers of two or more digits are among those of a source."""
    return all(_bare(number) in numbers or numbers.issuperset(_long_parts(number)) for number in _stated(sentence))


def _stated(text: str) -> list[str]:
    joined = _SPACED.sub(_together, _GROUPED.sub(_together, text))
    return [number for number in _NUMBER.findall(joined) if len(_bare(number)) > 1]


def _together(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


def _long_parts(number: str) -> list[str]:
    """The parts of two or more digits: the source may have the month as a word."""
    return [part for part in _parts(number) if len(part) > 1] or [_bare(number)]


def _bare(number: str) -> str:
    return re.sub(r"[.,:/-]", "", number).lstrip("0")


def _parts(number: str) -> list[str]:
    return [part.lstrip("0") for part in re.split(r"[.,:/-]", number)]
