"""The days that a query's words mean."""

import calendar
import re
from datetime import date, timedelta

_CALENDAR = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2}))?)?")
_AGO = re.compile(r"([0-9]{1,5})([dwmy])")
_MONTHS = {"m": 1, "y": 12}


def read_days(text: str, today: date) -> tuple[date, date] | None:
    """The first and last day that are meant, None if none is.

    `2025`, `2025-03`, `2025-03-01`, `today`, `yesterday`, or so long ago: `7d`, `2w`, `3m`, `1y`.
    """
    words = text.strip().lower()
    try:
        if words in ("today", "yesterday"):
            day = today - timedelta(days=words == "yesterday")
            return day, day
        if ago := _AGO.fullmatch(words):
            day = _days_ago(int(ago[1]), ago[2], today)
            return day, day
        if written := _CALENDAR.fullmatch(words):
            return _written(int(written[1]), int(written[2] or 0), int(written[3] or 0), words)
    except (ValueError, OverflowError):  # no such day in the calendar
        return None
    return None


def _written(year: int, month: int, day: int, words: str) -> tuple[date, date]:
    """A year, month (0: none) and day (0: none) in the calendar. Raises ValueError."""
    parts = words.count("-")
    first = date(year, month if parts else 1, day if parts == 2 else 1)
    if parts == 2:
        return first, first
    last_month = month if parts else 12
    return first, date(year, last_month, calendar.monthrange(year, last_month)[1])


def _days_ago(count: int, unit: str, today: date) -> date:
    if unit in _MONTHS:
        month = today.year * 12 + today.month - 1 - count * _MONTHS[unit]
        year, month = month // 12, month % 12 + 1
        return date(year, month, min(today.day, calendar.monthrange(year, month)[1]))
    return today - timedelta(days=count * (7 if unit == "w" else 1))
