"""Questions that lean on the ones before: "go on", "yes please", "and the deposit?"."""

import re
from collections.abc import Sequence

from searchkit.answer.models.language_model import Message
from searchkit.search.lexical.inflections import STOP_WORDS

_WORD = re.compile(r"\w+")
# Words that ask for more of the same, or agree to what was offered; a question of nothing else names no subject.
_GOING_ON = frozenset(
    "yes yeah yep ok okay sure please go on continue more tell me next else what anything and then keep going also another other"
    " one ones the first second last that this it them"
    " ja bitte gern gerne weiter mehr erzähl und was noch sonst die der das andere anderen anderes erste zweite letzte"
    " oui svp s il vous te plaît continuez encore plus et puis quoi d autre l autre la le les"
    " sí si por favor sigue continúa más y qué otra otro el los las sim mais continua outra outro sì ancora altro altra per favore"
    " да пожалуйста ещё еще дальше продолжай продолжайте и другой другая".split()
)
_GOES_ON_IN_HAN = re.compile(
    r"(?:はい|お願いします|続けて|もっと|それから|他には|好的?|是的?|继续|繼續|更多|还有呢|還有呢|请|請)+"
)
# How a question begins that leans on the one before.
_LEANS_ON = re.compile(
    r"(?:and|but|or|so|what about|how about|und|aber|oder|was ist mit|wie ist es mit|wie sieht es mit|et|mais|ou|y|pero|o|e|ma"
    r"|а|и|но)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|he|she|him|his|her|there|those|these)\b", re.IGNORECASE)
_FEW, _FEWEST = 4, 2  # content words of a question that leans on the one before: by its beginning, by a pronoun


def goes_on(question: str) -> bool:
    """True if a question names no subject of its own: "yes please", "go on", "and the other one?"."""
    words = [word.casefold() for word in _WORD.findall(question)]
    return bool(words) and (all(word in _GOING_ON for word in words) or all(map(_GOES_ON_IN_HAN.fullmatch, words)))


def with_subject(question: str, history: Sequence[Message]) -> str:
    """The question with the one that it leans on before it, if it does: what can be done without a model."""
    asked = [turn.content for turn in history if turn.role == "user" and not goes_on(turn.content)]
    if not asked:
        return question
    if goes_on(question):
        return asked[-1]
    own = len(stems(question))
    leans = (_LEANS_ON.match(question.strip()) and own <= _FEW) or (_PRONOUN.search(question) and own <= _FEWEST)
    return f"{asked[-1]} {question}" if leans else question


def stems(text: str) -> set[str]:
    """The first letters of the content words, so that all forms of a word count as one."""
    words = {word.casefold() for word in _WORD.findall(text)}
    return {word[:5] for word in words - STOP_WORDS}
