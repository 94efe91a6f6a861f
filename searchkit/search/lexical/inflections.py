"""Finds other forms of a query's words, in languages whose endings SQLite's own stemmer (English) does not know.

The full-text table stores words as written, in any language. At query time, the words of its vocabulary that share a word's
Snowball stem are looked up, and their common beginning is searched for instead of the word. The language of a text is
recognised by its stop words or its script.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import Stemmer, terms_beginning
from searchkit.catalog.passages import sample_texts
from searchkit.text import fold_word

if TYPE_CHECKING:
    from Stemmer import Stemmer as Snowball

_ALGORITHM_OF = {
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "sv": "swedish",
    "da": "danish",
    "no": "norwegian",
    "fi": "finnish",
    "hu": "hungarian",
    "ro": "romanian",
    "tr": "turkish",
    "pl": "polish",
    "cs": "czech",
    "cyrillic": "russian",
    "greek": "greek",
    "armenian": "armenian",
    "devanagari": "hindi",
    "tamil": "tamil",
}
_SHORTEST = 3  # least letters of a beginning to search for
_MOST_FORMS = 300  # words of the vocabulary examined for each of the query
_SAMPLED = 12  # passages, to see which languages a collection is in
_AT_LEAST = 2  # of them, for a language to count


@dataclass(frozen=True, slots=True)
class Inflections:
    """A word's other forms in the full-text table, their common beginning, and an upper bound of the chunks that have any."""

    beginning: str
    forms: frozenset[str]
    count: int


def languages_in(catalog: CatalogReader) -> list[str]:
    """The languages with endings of their own in a sample of a collection's passages, the most frequent first."""
    seen = Counter(map(language_of, sample_texts(catalog, _SAMPLED)))
    return [language for language, count in seen.most_common() if count >= _AT_LEAST and language in _ALGORITHM_OF]


def inflections(
    catalog: CatalogReader, words: Collection[str], languages: Iterable[str], stemmer: Stemmer
) -> dict[str, Inflections]:
    """The words' other forms in the full-text table, in the first of the languages that has any, by the table's own stem."""
    snowballs = [_snowball(_ALGORITHM_OF[language]) for language in languages if language in _ALGORITHM_OF]
    found: dict[str, Inflections] = {}
    for word, stem in stemmer.stems(words).items() if snowballs else ():
        for snowball in snowballs if not any(map(str.isdigit, word)) else ():
            if forms := _of_word(catalog, word, stem, snowball):
                found[stem] = forms
                break
    asked = stemmer.stems([forms.beginning for forms in found.values()])  # the table stems that as well
    return {stem: forms for stem, forms in found.items() if len(asked.get(forms.beginning, "")) >= _SHORTEST}


def _of_word(catalog: CatalogReader, word: str, stem: str, snowball: "Snowball") -> Inflections | None:
    roots = {fold_word(snowball.stemWord(word)), fold_word(snowball.stemWord(stem))}
    root = min(roots, key=len)
    counts = _vocabulary(catalog, _without_last_letter(root) if len(root) > _SHORTEST + 1 else root)  # cheval, chevaux
    forms = {term for term in counts if term == stem or fold_word(snowball.stemWord(term)) in roots}
    if not forms - {stem}:
        return None
    beginning = _common_beginning(min(forms), max(forms))
    return Inflections(beginning, frozenset(forms | {stem}), sum(counts.get(form, 0) for form in forms))


def _without_last_letter(word: str) -> str:
    """A word without its last letter and the marks that belong to it: Tamil's plural changes both (புத்தகம், புத்தகங்கள்)."""
    bare = word
    while unicodedata.category(bare[-1]).startswith("M") and len(bare) > _SHORTEST + 1:
        bare = bare[:-1]
    return bare[:-1]


def _vocabulary(catalog: CatalogReader, beginning: str) -> dict[str, int]:
    """The full-text table's words with this beginning, and the number of chunks with each."""
    if len(beginning) < _SHORTEST:
        return {}
    return terms_beginning(catalog, [beginning], _MOST_FORMS)


def _common_beginning(first: str, last: str) -> str:
    """The common beginning of all words between two, in alphabetical order."""
    different = (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(different, min(len(first), len(last)))]


@cache
def _snowball(algorithm: str) -> "Snowball":
    from Stemmer import Stemmer as Snowball

    return Snowball(algorithm)


_LISTS = {
    "en": "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its"
    " me my no not of on or our she should so some than that the their them then there these they this to us was we were what"
    " when where which who whom why will with would you your am any about after before up down out over under",
    "de": "aber als am an auch auf aus bei bin bis das dass dein dem den der des die dies diese dieser du durch ein eine einem"
    " einen einer eines er es für hat habe haben hatte ich ihr ihre im in ist ja kann kein keine können man mein mich mir mit"
    " nach nicht noch nur oder ob sein seine sich sie sind so über um und uns unser unter vom von vor war waren was wenn wer"
    " wie wir wird wo zu zum zur werden wurde welche welcher welches welchem welchen"
    " wessen wem wen woher wohin worin wodurch warum wann gibt viel viele wieviel wieviele beim seit während wurden hatten"
    " nannte nennt heißt zwischen",
    "fr": "à au aux avec ce ces cette comme d dans de des du elle en est et être il ils j je l la le les leur lui ma mais me mes"
    " mon n ne nos notre nous on ou où par pas pour qu quand que quel quelle quelles quels qui s sa sans se ses si son sont sur"
    " ta te tes ton tu un une vos votre vous y ont été pourquoi comment",
    "es": "a al algo como con cual cuál cuales cuando cuándo cuanto cuánto de del desde donde dónde el ella ellos en entre era es"
    " esa ese eso esta está este esto fue ha han hasta hay la las le les lo los más me mi mis muy no nos o para pero por porque"
    " qué que quien quién se sea si sin sobre son su sus también te tiene tu un una uno y ya",
    "it": "al alla anche che chi ci come con cosa da dal dalla dei del della delle di dove e è gli ha hanno ho i il in io la le lo"
    " ma mi nel nella non o per perché più quale quando questo se si sono su un una uno",
    "pt": "ao aos as até com como da das de do dos e ela ele em entre é foi há isso já mais mas me meu minha na não nas no nos o"
    " os ou para pela pelo por porque qual quando que quem se sem seu sua são também um uma",
    "nl": "aan als bij dat de den der die dit door een en er had heb heeft het hij hoe ik in is je kan maar me met mijn naar niet"
    " nog of om onder ons ook op over te tot uit van voor waar wanneer was wat we wel wie wij zal ze zich zijn zo",
    "ru": "а бы был была были в вы где для до его ее если есть же за и из или им их к как когда кто ли мне мы на не него нее ни но"
    " о об он она они от по при с со так то только у уже что чтобы это я",
}
# Words that identify a language but count in queries: too often they are words of another.
_TELLING = {
    "sv": "och att som på är av för inte ett från hur vad när eller jag vi",
    "da": "og at som på er af ikke et jeg fra hvordan hvad når eller vi",
    "no": "og at som på er av ikke et jeg fra hvordan hva når eller vi",
    "fi": "ja ei että oli joka hän mutta niin kun ovat myös kuin tai mitä miten missä milloin ole",
    "hu": "és hogy nem az egy van volt ez csak mint kell mit hogyan hol mikor vagy",
    "ro": "și este că pe cu care din pentru sunt fi ce cum unde când sau în",
    "tr": "ve bir bu için ile gibi daha çok olarak olan nasıl nerede kadar değil",
    "pl": "w nie że się jest jak dla przez czy gdzie kiedy są oraz lub który która",
    "cs": "je že jak pro kde kdy jsou nebo ale při který která jako také",
}
FUNCTION_WORDS_OF = {language: frozenset(words.split()) for language, words in _LISTS.items()}
STOP_WORDS = frozenset().union(*FUNCTION_WORDS_OF.values())
LANGUAGE_WORDS = {
    **FUNCTION_WORDS_OF,
    **{language: frozenset(words.split()) - STOP_WORDS for language, words in _TELLING.items()},
}


_LOOKED_AT = 600  # characters
_LETTERS = 60  # whose script is looked up, from all over those
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = "latin"
_KANA = ("hiragana", "katakana")
_OF_WORD = {
    word: tuple(language for language, known in LANGUAGE_WORDS.items() if word in known)
    for words in LANGUAGE_WORDS.values()
    for word in words
}


def language_of(text: str) -> str:
    """The script's name in lower case; in Latin script the code of the language, recognised by its stop words; "" if unknown."""
    words = _WORD.findall(text[:_LOOKED_AT])
    script = _script_of("".join(words))
    return _by_words(words) if script == _LATIN else script


def _by_words(words: list[str]) -> str:
    votes = Counter(language for word in words for language in _OF_WORD.get(word.lower(), ()))
    best, second = ([*votes.most_common(2), ("", 0), ("", 0)])[:2]
    return best[0] if best[1] > second[1] else ""


def _script_of(letters: str) -> str:
    looked_at = letters[:: max(1, len(letters) // _LETTERS)]
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0].lower() for letter in looked_at)
    if any(scripts[kana] for kana in _KANA):
        return "japanese"
    return scripts.most_common(1)[0][0] if scripts else ""
