"""Checks the citations in an answer against its sources."""

import re

# [1], [1, 2], [1-3], [[1]], [^1], [Source 1], 【1】; longer numbers are years and the like.
_CITATION = re.compile(
    r"(?:\[{1,2}|【)\s*\^?\s*(?:sources?|quellen?|source no\.?|ref\.?)?\s*:?\s*\[?"
    r"(\d{1,2}(?:\s*[,;&–-]\s*\d{1,2})*)\s*(?:†[^\]】]*)?(?:\]{1,2}|】)",
    re.IGNORECASE,
)
_WITH_BLANK = re.compile(rf"(\s*)(?:{_CITATION.pattern})", re.IGNORECASE)
_LABEL = r"(?:see\s+|siehe\s+)?(?:sources?|quellen?|refs?\.?)?\s*:?\s*"
_IN_BRACKETS = re.compile(rf"\s*\({_LABEL}(?:(?:{_CITATION.pattern})[\s,;]*(?:and|und|&)?\s*)+\)", re.IGNORECASE)
_RANGE = re.compile(r"(\d{1,2})\s*[–-]\s*(\d{1,2})")


class CitationChecker:
    """Brings citations into one form, [1][2], and removes those of sources that do not exist."""

    def __init__(self, source_count: int) -> None:
        self._source_count = source_count
        self.cited: set[int] = set()
        self.removed: list[str] = []

    def checked(self, text: str) -> str:
        """Keep only valid citations. A blank before one that is removed goes too, and so does `(Source )` around it."""
        text = _IN_BRACKETS.sub(self._without_brackets, text)
        return _WITH_BLANK.sub(self._replaced, text)

    def _without_brackets(self, match: re.Match[str]) -> str:
        listed = _CITATION.findall(match[0])
        has_any = any(1 <= number <= self._source_count for each in listed for number in _numbers(each))
        if not has_any:
            _WITH_BLANK.sub(self._replaced, match[0])  # records what is removed
        return match[0] if has_any else ""

    def _replaced(self, match: re.Match[str]) -> str:
        numbers = _numbers(match.group(2))
        known = [number for number in numbers if 1 <= number <= self._source_count]
        self.removed += [f"[{number}]" for number in numbers if number not in known]
        self.cited.update(known)
        return match.group(1) + "".join(f"[{number}]" for number in known) if known else ""


def cited_in(text: str) -> list[int]:
    """The numbers cited in a checked text, each once, in order."""
    return list(dict.fromkeys(int(number) for number in re.findall(r"\[(\d{1,2})\]", text)))


def without_citations(text: str) -> str:
    """A checked text without its citations."""
    return re.sub(r"(?<!\s)\s*\[\d{1,2}\]", "", text)


def _numbers(listed: str) -> list[int]:
    for match in _RANGE.finditer(listed):
        first, last = int(match.group(1)), int(match.group(2))
        if first <= last:
            listed = listed.replace(match.group(0), ",".join(map(str, range(first, last + 1))))
    return list(dict.fromkeys(int(number) for number in re.findall(r"\d{1,2}", listed)))
