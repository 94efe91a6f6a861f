"""Splits text into sentences and words, and folds spellings: what is written in two ways is one word, by Unicode's rules.

The full-text table, the words of a query, marks in hits and quoted phrases all see texts through this module.
"""

import itertools
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

_END = re.compile(r"(?<=[.!?…;:])[\"'”’»)\]]*\s+|(?<=[。!?;।؟।])|\n+")


def split_sentences(text: str) -> list[str]:
    """Split into sentences, list items and lines, each with the white space after it; joined, they are the text."""
    ends = [match.end() for match in _END.finditer(text) if match.end() > 0]
    bounds = [0, *ends, len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds) if text[a:b]]


_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # a terminal's colours, in logs


def strip_ansi(text: str) -> str:
    """Replace a terminal's control sequences by as many blanks."""
    return _STEERING.sub(lambda found: " " * len(found.group()), text) if "\x1b" in text else text


# Written without blanks between words, or (Hangul) with endings glued to them: Thai, Lao, Burmese, Hangul, Khmer, kana, Han.
_UNSPACED = (  # a pattern with these would take as long to compile as the rest of the module
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1100, 0x11FF),
    (0x1780, 0x17FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3134F),
)
_NO_LETTERS = "ʻʼ"  # letters to Unicode, apostrophes to those who type


def _is_in_unspaced(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _UNSPACED)


class Shapes(dict[int, str]):
    """What each character is, found once: `w` part of a word, `u` the same in a script without blanks, `m` a mark, or a blank."""

    def __missing__(self, code: int) -> str:
        self[code] = shape = self._of(chr(code))
        return shape

    @staticmethod
    def _of(character: str) -> str:
        category = unicodedata.category(character)
        if category[0] == "M" or category == "Cf" or character in _INSIDE_HEBREW:
            return "m"
        if category in ("Cs", "Cc", "Co") or character in _NO_LETTERS:
            return " "
        plain = unicodedata.normalize("NFKC", character)  # a letter in a square or a circle is one
        if unicodedata.category(plain[0])[0] == "M":  # half-width voicing of kana
            return "m"
        if not any(map(str.isalnum, plain)):
            return " "
        return "u" if _is_in_unspaced(plain[0]) and unicodedata.decimal(character, None) is None else "w"


class _Apart(dict[int, str]):
    """The characters of words as they are, blanks for all others, and `_PAIRED` for those of scripts without blanks."""

    def __missing__(self, code: int) -> str:
        self[code] = kept = {" ": " ", "u": _PAIRED}.get(_SHAPES[code], chr(code))
        return kept


class _Letters(dict[int, str | None]):
    """What each character of a text in NFKC and without case is folded to.

    Marks are optional where Unicode's combining classes say that they point (Hebrew, Arabic, Syriac: 10 to 36) or are set
    above, below or through any letter (1, 200 to 240); others, such as the vowel signs of Indic and Thai letters, the virama and
    the voicing of kana, belong to the word. In Cyrillic they make letters of their own, except ё. Traditional Han characters
    become simplified ones.
    """

    def __missing__(self, code: int) -> str | None:
        self[code] = folded = self._of(chr(code))
        return folded

    def _of(self, character: str) -> str | None:
        name = unicodedata.name(character, "")
        if unicodedata.category(character) == "Cf" or _is_optional(character) or character in _INSIDE_HEBREW + _TATWEEL:
            return None
        if (digit := unicodedata.decimal(character, None)) is not None:
            return str(digit)
        if name.startswith("CJK "):
            return _simplified().get(character, character)
        if name.startswith("KATAKANA LETTER "):
            return _named(name.replace("KATAKANA", "HIRAGANA", 1), character)
        is_whole = character in _SAME_AS or (name.startswith("CYRILLIC ") and character not in _CYRILLIC_WITH_MARKS)
        return _SAME_AS.get(character, character) if is_whole else self._without_marks(character, name)

    def _without_marks(self, character: str, name: str) -> str:
        letters = "".join(part for part in unicodedata.normalize("NFD", character) if not _is_optional(part))
        if name.startswith("LATIN ") and " WITH " in name and letters == character:  # ø is no o with a mark to Unicode
            return _named(name.partition(" WITH ")[0], character).lower()
        return letters if len(letters) == 1 or letters == character else letters.translate(self)


def _is_optional(character: str) -> bool:
    kind = unicodedata.combining(character)
    return kind == 1 or 10 <= kind <= 36 or 200 <= kind <= 240


def _named(name: str, otherwise: str) -> str:
    try:
        return unicodedata.lookup(name)
    except KeyError:
        return otherwise


# Letters that are typed for others, of which Unicode's data say nothing.
_SAME_AS = {
    "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i",
    "ى": "ي", "ی": "ي", "ې": "ي", "ة": "ه", "ہ": "ه", "ھ": "ه", "ٱ": "ا", "ک": "ك",
}  # fmt: skip
_TATWEEL = "ـ"  # makes Arabic words longer
_CYRILLIC_WITH_MARKS = "ёѐѝ"
_INSIDE_HEBREW = "\u05f3\u05f4"  # signs of abbreviations and of foreign sounds, for which many type quotes
_QUOTE_IN_HEBREW = re.compile("(?<=[\u05d0-\u05ea])[\"'\u2018-\u201f](?=[\u05d0-\u05ea])")
_PAIRED = "\0"  # no character of a word
_SHAPES = Shapes()
_APART = _Apart()
_LETTERS = _Letters()
_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_WORD = re.compile("[wu][wum]*")  # of shapes
_RUN = re.compile("u[um]*|w[wm]*")  # the same, in one kind of script
# The blocks of Indic scripts are laid out alike, 128 characters each; Tamil writes no nasal as a dot.
_BLOCKS = [block for block in range(0x900, 0xD80, 0x80) if block != 0xB80]
_ROWS = ((0x15, 0x19), (0x1A, 0x1E), (0x1F, 0x23), (0x24, 0x28), (0x2A, 0x2E))  # consonants, their nasal last
_DOT, _MOON_DOT, _NUKTA, _VIRAMA = 0x02, 0x01, 0x3C, 0x4D
_NUKTAS_OF_LETTERS = (0x980, 0xB00)  # in Bengali and Odia they make letters; elsewhere many leave them out
_HEBREW = re.compile("[\u05d0-\u05ea]+")
_PARTICLES = "הובלמשכ"  # article, conjunction and prepositions
_FEWEST_AFTER_PARTICLES = 3
_ARABIC = re.compile("[\u0600-\u06ff]")
_PREFIXES = re.compile("(?:و?ال|بال|كال|فال|لل)(?=..)|و(?=...)")
_SUFFIXES = ("ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي")  # as they are folded
_FEWEST_LETTERS = 2  # that are left
_INDIC = re.compile("[\u0900-\u0d7f]")
_NUKTA_LEFT_OUT = re.compile(
    f"[{''.join(chr(block + _NUKTA) for block in _BLOCKS if block not in _NUKTAS_OF_LETTERS)}]"
)
_MOON_DOTS = re.compile(f"[{''.join(chr(block + _MOON_DOT) for block in _BLOCKS)}]")
_JOINING = re.compile("[\u1160-\u11ff]")  # later letters of a Hangul syllable
_TONE_AFTER_DOT = re.compile("\u0e4d([\u0e48-\u0e4b])")  # Thai, as it is typed one way or the other


@cache
def _nasals() -> re.Pattern[str]:
    """The nasals of Indic scripts before the consonants of their rows, where many write a dot; compiled for the first such text."""
    return re.compile(
        "|".join(
            f"{chr(block + last)}{chr(block + _VIRAMA)}(?=[{chr(block + first)}-{chr(block + last - 1)}])"
            for block in _BLOCKS
            for first, last in _ROWS
        )
    )


@cache
def _simplified() -> dict[str, str]:
    """The simplified characters of traditional ones; read for the first text with Han characters."""
    lines = Path(__file__).with_name("han_variants.txt").read_text("utf-8").splitlines()
    traditional, simplified = (line for line in lines if not line.startswith("#"))
    return dict(zip(traditional, simplified, strict=True))


def _plain(text: str) -> str:
    """A text without what steers terminals, and with the sign for a quote inside a Hebrew word; as long as it was."""
    text = strip_ansi(text)
    return text if text.isascii() else _QUOTE_IN_HEBREW.sub("\u05f4", text)


class Word(NamedTuple):
    """A word's place in a text, and its folded form."""

    start: int
    end: int
    text: str


def words(text: str) -> Iterator[Word]:
    """Every word of a text, and every pair of characters where words have no blanks between them; a single one by itself."""
    text = _plain(text)
    if text.isascii():
        for found in _ASCII_WORD.finditer(text):
            yield Word(*found.span(), found.group().lower())
        return
    shapes = text.translate(_SHAPES)
    for found in _RUN.finditer(shapes):
        if shapes[found.start()] == "u":
            yield from _pairs(text, *found.span())
        else:
            yield from (Word(*found.span(), part) for part in _folded_parts(text[slice(*found.span())]))


def word_texts(text: str) -> list[str]:
    """The words of a text as `words` folds them, without their places: several times as fast."""
    text = _plain(text)
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    apart = text.translate(_APART)
    if _PAIRED in apart:
        return [word.text for word in words(text)]
    return [part for written in apart.split() for part in _parts_of(written)]


@lru_cache(maxsize=1 << 16)
def _parts_of(written: str) -> tuple[str, ...]:
    return tuple(word.text for word in words(written))


def folded(text: str) -> str:
    """Fold a text as its words are, signs kept; each run of white space becomes one blank, and none is left at the ends."""
    text = _plain(text)
    if text.isascii():
        return " ".join(text.lower().split())
    parts, at = [], 0
    for found in _RUN.finditer(text.translate(_SHAPES)):
        start, end = found.span()
        is_unspaced = found.group().startswith("u")
        parts += [_signs(text[at:start]), _joined(text, start, end) if is_unspaced else fold_word(text[start:end])]
        at = end
    return " ".join("".join((*parts, _signs(text[at:]))).split())


@lru_cache(maxsize=1 << 16)
def fold_word(word: str) -> str:
    """Fold a word in a script with blanks between words; of some characters, such as a half, several words come."""
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    plain = unicodedata.normalize("NFC", plain.translate(_LETTERS))
    if _INDIC.search(plain):
        plain = _NUKTA_LEFT_OUT.sub("", _nasals().sub(lambda found: _dot(found.group()), plain))
        plain = _MOON_DOTS.sub(lambda found: _dot(found.group()), plain)
    return plain


_EXPANDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


def name_words(text: str, *, expanded: bool = False) -> list[str]:
    """The folded words of a name, whole in every script. `expanded`: ü as ue, and the like, as many write it."""
    if expanded:
        text = unicodedata.normalize("NFC", text.casefold()).translate(_EXPANDED)
    plain = folded(text)
    return "".join(c if shape != " " else " " for c, shape in zip(plain, plain.translate(_SHAPES), strict=True)).split()


def spelled_out(text: str) -> list[str]:
    """The folded words of a name and, behind a bar, those of its other spelling if it has one: müller is muller | mueller."""
    found = name_words(text)
    other = found if text.isascii() else name_words(text, expanded=True)
    return found if other == found else [*found, "|", *other]


def is_in_unspaced_script(text: str) -> bool:
    """True if a text begins with a character that is indexed in pairs."""
    return text != "" and _is_in_unspaced(text[0]) and unicodedata.decimal(text[0], None) is None


def has_unspaced_runs(text: str) -> bool:
    """True if any part of a text is indexed as pairs."""
    return not text.isascii() and "u" in text.translate(_SHAPES)


def _folded_parts(word: str) -> list[str]:
    folded_word = fold_word(word)
    if _ARABIC.match(folded_word):
        folded_word = _without_affixes(folded_word)
    elif _HEBREW.fullmatch(folded_word):
        folded_word = _without_particles(folded_word)
    if folded_word.isalnum():
        return [folded_word]
    return [folded_word[slice(*found.span())] for found in _WORD.finditer(folded_word.translate(_SHAPES))]


@lru_cache(maxsize=1 << 16)
def _without_affixes(word: str) -> str:
    """An Arabic word without article, conjunction, prepositions and endings, which are written in one with it.

    Larkey, Ballesteros and Connell, "Light Stemming for Arabic Information Retrieval" (2007), until nothing is left to take off.
    """
    before = ""
    while word != before:
        before = word
        if found := _PREFIXES.match(word):
            word = word[found.end() :]
        for suffix in _SUFFIXES:
            if len(word) - len(suffix) >= _FEWEST_LETTERS:
                word = word.removesuffix(suffix)
    return word


def _without_particles(word: str) -> str:
    """A Hebrew word without the article, conjunction and prepositions that are written in one with it.

    Nothing tells them from a word's own first letters, so all go that can, until three letters are left: a word and the same word
    with any of them end alike. Before two letters only the article goes.
    """
    while len(word) > _FEWEST_AFTER_PARTICLES and word[0] in _PARTICLES:
        word = word[1:]
    return word[1:] if len(word) == _FEWEST_AFTER_PARTICLES and word[0] == "ה" else word


def _pairs(text: str, start: int, end: int) -> Iterator[Word]:
    characters = _characters(text, start, end)
    if len(characters) == 1:
        yield characters[0]
    for one, other in itertools.pairwise(characters):
        yield Word(one.start, other.end, one.text + other.text)


def _joined(text: str, start: int, end: int) -> str:
    return "".join(character.text for character in _characters(text, start, end))


def _characters(text: str, start: int, end: int) -> list[Word]:
    """The folded characters of a run without blanks, each with the place of the letter and the marks that it comes of."""
    found: list[Word] = []
    while start < end:
        after = start + 1
        while after < end and (_SHAPES[ord(text[after])] == "m" or _JOINING.match(text, after)):
            after += 1
        for character in _TONE_AFTER_DOT.sub("\\1\u0e4d", fold_word(text[start:after])):
            before = found[-1].text if found else ""
            if before == character == "เ":  # as two signs it looks the same
                found[-1] = Word(found[-1].start, after, "แ")
            else:
                found.append(Word(start, after, _resolved(character, before)))
        start = after
    return found


def _resolved(character: str, before: str) -> str:
    """The character that an iteration mark stands for; any other as it is."""
    if before and character in "々〻ゝヽ":
        return before
    return unicodedata.normalize("NFC", before + "\u3099") if before and character in "ゞヾ" else character


def _dot(nasal: str) -> str:
    return chr(ord(nasal[0]) // 0x80 * 0x80 + _DOT)


_SIGNS = str.maketrans({**dict.fromkeys("‘’‚‛ʼʻ", "'"), **dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‐‑‒–—−", "-")})


def _signs(text: str) -> str:
    """Fold what is between words."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKC", text.translate(_SIGNS)).translate(_SIGNS)
    return "".join(character for character in plain if _SHAPES[ord(character)] != "m")
