"""Checks that half-typed and mistyped words find what was meant: words of judged collections, with slips of the keys.

Usage: python -m benchmarks.typos XQUAD_FOLDER [--seed 1] [--words 60]

In each language: words that one passage alone has, mistyped, by themselves (right: one of the first five for the word itself) and
beside another word of the passage (right: that passage); and half-typed from the third letter on, behind two of its words. By
words alone, without a model. Also how many correct words, of passages that were left out, are taken for others.
"""

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from benchmarks.spellings import Indexed
from searchkit.catalog.fulltext import query_words
from searchkit.library import Library
from searchkit.search.lexical.inflections import STOP_WORDS
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, SearchMode

_SHORTEST = 5  # letters of a word that is mistyped
_LONG = 9  # letters from which on half of the words have two slips
_LEFT_OUT = 10  # one passage in so many, whose words say how often a correct one is taken for another
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю")
_FROM_JUDGED_SET = ("fr", "es", "it")  # together, since they are few


def main() -> None:
    """Print a row for each language."""
    options = read_options()
    choice = random.Random(options.seed)
    print(
        "| language | mistyped: asked | first | beside another word | half-typed: first five | correct words corrected |"
    )
    print("|---|---|---|---|---|---|")
    sums: Counter[str] = Counter()
    for language, texts in collections(options.folder).items():
        counts = measured(texts, choice, options.words)
        sums.update(counts)
        print(row(language, counts), flush=True)
    print(row("all", sums))


def row(name: str, counts: Mapping[str, int]) -> str:
    """A row of the table."""
    shares = (counts[kind] / max(1, counts["asked"]) for kind in ("alone", "beside", "half"))
    cells = " | ".join(f"{share:.3f}" for share in shares)
    return f"| {name} | {counts['asked']} | {cells} | {counts['wrongly']} of {counts['unknown']} |"


def collections(folder: Path) -> dict[str, list[str]]:
    """Passages by language."""
    found = defaultdict(list)
    for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        if (language := one["_id"].partition("-")[0]) != "zh":  # which has no letters
            found[language].append(one["text"])
    for line in files("searchkit.embedding").joinpath("judged_set.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        if one["language"] in _FROM_JUDGED_SET and "right" in one:
            found["fr, es, it"] += [one["right"], one["wrong"]]
    return dict(found)


def measured(texts: Sequence[str], choice: random.Random, most: int) -> Counter[str]:
    """The numbers of queries of each kind, and of those that are answered."""
    kept = [text for number, text in enumerate(texts) if number % _LEFT_OUT]
    words_of = [set(filter(_is_fit, query_words(text))) for text in kept]
    spread = Counter(word for words in words_of for word in words)
    rare = [(number, word) for number, words in enumerate(words_of) for word in sorted(words) if spread[word] == 1]
    left_out = {word for text in texts[::_LEFT_OUT] for word in query_words(text) if _is_fit(word)} - spread.keys()
    unknown = choice.sample(sorted(left_out), min(most, len(left_out)))
    counts: Counter[str] = Counter(unknown=len(unknown))
    with Indexed({f"{number}.txt": text for number, text in enumerate(kept)}) as library:
        for number, word in choice.sample(rare, min(most, len(rare))):
            others = sorted(words_of[number] - {word})
            typed = mistyped(word, choice, spread)
            half = word[: choice.randrange(3, max(4, len(word)))]
            counts["asked"] += 1
            counts["alone"] += bool(set(first(library, word)).intersection(first(library, typed)[:1]))
            counts["beside"] += first(library, f"{typed} {choice.choice(others or [typed])}")[:1] == [number]
            counts["half"] += number in first(library, " ".join([*choice.sample(others, min(2, len(others))), half]))
        for word in unknown:
            notes = library.find(SearchRequest(word, mode=SearchMode.LEXICAL)).notes
            counts["wrongly"] += any(note.kind is NoteKind.CORRECTED for note in notes)
    return counts


def _is_fit(word: str) -> bool:
    return len(word) >= _SHORTEST and word not in STOP_WORDS and re.search(r"\d", word) is None


def mistyped(word: str, choice: random.Random, known: Mapping[str, int]) -> str:
    """The word with one or two slips, which is no word of the collection."""
    while True:
        typed = word
        for _ in range(2 if len(word) >= _LONG and choice.random() < 0.5 else 1):
            typed = _slip(typed, choice)
        if typed not in known and typed != word:
            return typed


def _slip(word: str, choice: random.Random) -> str:
    place = choice.randrange(1 if choice.random() < 0.9 else 0, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match choice.randrange(4):
        case 0:
            return before + after
        case 1:
            return before + after[0] + letter + after[1:]
        case 2:
            return before + letter + letter + after
        case _:
            return before + _near(letter, choice, word) + after


def _near(letter: str, choice: random.Random, word: str) -> str:
    for keys in _ROWS:
        if (at := keys.find(letter)) >= 0:
            return choice.choice([key for key in (keys[at - 1 : at] or "", keys[at + 1 : at + 2]) if key])
    return choice.choice(word)


def first(library: Library, query: str) -> list[int]:
    """Numbers of the first five passages."""
    hits = library.search(query, k=5, mode=SearchMode.LEXICAL)
    return [int(hit.path.stem) for hit in hits]


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--words", type=int, default=60, help="of each language")
    return parser.parse_args()


if __name__ == "__main__":
    main()
