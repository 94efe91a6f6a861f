"""Tells sentences that only say that nothing is said ("The sources do not say.") from claims that deny something."""

import re

_SOURCE = r"(?:sources?|documents?|passages?|excerpts?|context|text)"
_SAY = r"(?:say|state|mention|contain|specify|provide|include|hold|give|tell|answer|cover|address|describe|indicate)"
# Between the source and its verb nothing else may stand: "according to the document it does not …" is a claim.
_WHICH = r"(?:\s+(?:above|below|here|provided|given|available|retrieved|themselves|alone|\w+ly|and|or|documents?))*"
_KNOWN = r"(?:information|mention|answer|details?|statement|indication)"
_SAGEN = (
    r"(?:(?:sag|nenn|erwähn|enthalten|enthält|beantwort|besag|liefer|steh|find|geht|gehen)\w*\b[^.,]{0,40}\b(?:nicht|nichts|keine?[nrms]?)"
    r"|(?:gibt|geben|macht|machen)\b[^.,]{0,40}\b(?:nicht an|keine?n?\s+(?:auskunft|antwort|hinweise?|informationen|angaben?)))"
)
_NOT_SAID = re.compile(
    rf"\b{_SOURCE}{_WHICH}\s+(?:(?:do(?:es)? not|don['’]t|doesn['’]t)(?:\s+\w+ly)?\s+{_SAY}|{_SAY}s?\s+(?:no|nothing))\b"
    rf"|\b(?:no|none of the|none of these)\s+{_SOURCE}\s+{_SAY}s?\b"
    rf"|\bno {_KNOWN}\b[^.]*\b(?:in|from|by)\s+(?:the|these|your)\s+(?:\w+\s+)?{_SOURCE}"
    rf"|\b(?:quellen?|dokumente?|texte?|auszüge?n?)\s+{_SAGEN}\b|\bquellen\s+nicht\b"
    r"|\bles sources ne (?:le )?(?:disent|mentionnent|précisent|contiennent|donnent|indiquent|permettent)\b"
    r"|\blas fuentes no (?:lo )?(?:dicen|mencionan|contienen|indican|especifican|dan)\b",
    re.IGNORECASE,
)
_ACCORDING = re.compile(r"\b(?:according to|laut|gemäß|zufolge)\b", re.IGNORECASE)
_GOES_ON = re.compile(r";|\b(?:but|however|yet|although|though|aber|jedoch|doch|sondern|mais|pero)\b", re.IGNORECASE)


def says_nothing_is_said(sentence: str) -> bool:
    """Whether it says that the sources do not say it, and nothing else: no number, and no "but" behind it."""
    found = _NOT_SAID.search(sentence)
    if found is None or re.search(r"\d", sentence) or _ACCORDING.search(sentence):
        return False
    return not _GOES_ON.search(sentence, found.end())
