"""Finds a wrong detail in a sentence that its source seems to say: a "not" too many, a number or name from elsewhere in it.

The embedding model judges: the sentence is put right, and is wrong if it comes nearer to what the source says. A "not" that was
left out, and what changes places within one sentence of the source, are seldom seen.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from searchkit.answer.grounding.numbers import NUMBER, has_only, numbers_of

if TYPE_CHECKING:
    from searchkit_indexes import Vectors

# Set on the tuning half of checked_answers.jsonl (docs/benchmarks/answers.md), in nearness: 0 unrelated, 1 matching texts.
_WITHOUT_NOT = 0.02  # nearer without its "not", where the nearest sentence of the source has none,
_WITHOUT_ITS_NOT = 0.05  # and where it has one
_PUT_RIGHT = 0.08  # nearer with the number or name of the nearest sentence
_TRIED = 12  # sentences with another number or name
# Words that negate, without those that are something else in another of the languages; with a capital, "not" and "mai" are German
# nouns. "Without" denies nothing that is said.
_NEGATION = re.compile(
    r"\b(?:(?-i:not|mai)|no|never|nobody|none|nothing|neither|nor|cannot|\w+n['’]t"
    r"|nicht|kein(?:e[nrms]?)?|nie|niemals|niemand|nichts|nein|niet|geen"
    r"|ne|pas|jamais|aucune?|rien|non|nunca|jamás|ningun[ao]s?|ningún|nada|nadie|tampoco|nessun[ao]?|niente|nulla|não|nenhuma?"
    r"|не|нет|никогда|никто|никому|ничего|нельзя|لا|لم|لن|ليس|ليست|नहीं)(?!\w)|\bn['’]"
    r"|并不是|没有|不是|并不|不|没|ではありません|ではない|ません|なかった|ない(?=[。、です])",
    re.IGNORECASE,
)
# What stands there once a sentence no longer denies it; everything else that negates is left out.
_AFFIRMED = (
    (re.compile("ではありませんでした"), "でした"),
    (re.compile("ではありません|ではない"), "です"),
    (re.compile("ません"), "ます"),
    (re.compile("нельзя", re.IGNORECASE), "можно"),
    (re.compile(r"\bkein(e[nrms]?)?\b", re.IGNORECASE), r"ein\1"),
    (re.compile(r"\b(?:do|does|did) not ", re.IGNORECASE), ""),
    (re.compile(r"\bcan(?:not|['’]t)\b", re.IGNORECASE), "can"),
    (_NEGATION, ""),
)
_WORD = re.compile(r"(?:--)?\w+(?:[-_.,:/]\w+)*")


class Evidence(Protocol):
    """A source, for one sentence. `pieces`: its sentences."""

    @property
    def pieces(self) -> Sequence[str]:
        """What the source is made of."""

    def nearness(self, sentences: Sequence[str]) -> "Vectors":
        """(sentences, pieces), 0 for what is unrelated and 1 for what matches."""


def is_negated(sentence: str, source: Evidence) -> bool:
    """True if the sentence denies what its source says: without its "not" it is nearer."""
    affirmed = _affirmed(sentence)
    if affirmed == sentence:
        return False
    as_it_is, without = source.nearness([sentence, affirmed])
    has_one = _NEGATION.search(source.pieces[int(as_it_is.argmax())])
    return float(without.max() - as_it_is.max()) > (_WITHOUT_ITS_NOT if has_one else _WITHOUT_NOT)


def is_swapped(sentence: str, source: Evidence) -> bool:
    """True if the sentence has a number or name from elsewhere in its source: with that of the nearest sentence it is nearer."""
    if not _details(sentence):
        return False
    near = source.nearness([sentence])[0]
    others = list(islice(_put_right(sentence, source.pieces, int(near.argmax())), _TRIED))
    return bool(others) and float(source.nearness(others).max() - near.max()) > _PUT_RIGHT


def _affirmed(sentence: str) -> str:
    text = sentence
    for pattern, instead in _AFFIRMED:
        text = pattern.sub(instead, text)
    return sentence if text == sentence else " ".join(text.split())


def _put_right(sentence: str, pieces: Sequence[str], nearest: int) -> Iterator[str]:
    """The sentence with each detail that is not in or beside the nearest piece, but elsewhere, replaced by each that is in it.

    Beside it, since what is said may go over two sentences: that alone were nine of ten false alarms.
    """
    around, whole = "\n".join(pieces[max(0, nearest - 1) : nearest + 2]), "\n".join(pieces)
    own = _details(sentence)
    there = [each for each in _details(pieces[nearest]) if each not in own]
    for each in own:
        if _has(around, each) or not _has(whole, each):
            continue
        for other in there:
            if _is_number(other) == _is_number(each):
                yield sentence.replace(each, other)


def _details(text: str) -> list[str]:
    """The numbers and names of a text, each once; a name has a capital and is not the first word, or has a mark within."""
    found = []
    for at, match in enumerate(_WORD.finditer(text)):
        word = match[0]
        is_name = (word[0].isupper() and at > 0) or any(mark in word for mark in "-_")
        if _is_number(word) or is_name or any(map(str.isdigit, word)):
            found.append(word)
    return list(dict.fromkeys(found))


def _is_number(word: str) -> bool:
    return NUMBER.fullmatch(word) is not None


def _has(text: str, detail: str) -> bool:
    if _is_number(detail):
        return has_only(detail, numbers_of(text)) and (len(detail) > 1 or detail in NUMBER.findall(text))
    return detail.casefold() in text.casefold()
