"""Numbers in texts, told apart however they are written: 31.03.2026 and 2026-03-31 agree, and 2,900, 2900, 2 900 and 2'900."""

import re

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
# The thousands of one number, whose parts say nothing: 900 is no part of 2,900.
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}([.,'’])\d{3}(?:\1\d{3})*(?!\d)")
_SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[ \u00a0\u2009\u202f]\d{3})+(?!\d)")


def has_figure(text: str) -> bool:
    """Whether there is a number of two digits and more."""
    return bool(_told(text))


def figures_of(text: str) -> frozenset[str]:
    """Numbers of a source, whole and in their parts, without separators and leading noughts.

    Numbers with blanks between them may be one or several: both are taken.
    """
    text = _GROUPED.sub(_together, text)
    written = _NUMBER.findall(text) + _NUMBER.findall(_SPACED.sub(_together, text))
    return frozenset(part for number in written for part in (_bare(number), *_parts(number)))


def are_figures_in(sentence: str, figures: frozenset[str]) -> bool:
    """Whether all numbers of two digits and more are among those of a source."""
    return all(_bare(number) in figures or figures.issuperset(_telling_parts(number)) for number in _told(sentence))


def _told(text: str) -> list[str]:
    joined = _SPACED.sub(_together, _GROUPED.sub(_together, text))
    return [number for number in _NUMBER.findall(joined) if len(_bare(number)) > 1]


def _together(match: re.Match[str]) -> str:
    return re.sub(r"\D", "", match[0])


def _telling_parts(number: str) -> list[str]:
    """Those of two digits and more: a month may stand there as a word."""
    return [part for part in _parts(number) if len(part) > 1] or [_bare(number)]


def _bare(number: str) -> str:
    return re.sub(r"[.,:/-]", "", number).lstrip("0")


def _parts(number: str) -> list[str]:
    return [part.lstrip("0") for part in re.split(r"[.,:/-]", number)]
