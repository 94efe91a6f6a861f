"""Measures how often literal matches come first: identifiers, phrases and file names, planted in your own folders.

Usage: python -m benchmarks.planted FOLDER [FOLDER ...] [--model NAME] [--files 60] [--queries 40]

Text files of each folder are copied, identifiers put between their words, and the copy is indexed apart from the user's
collections. Then every identifier, sentences from the files with and without quotes, and the files' names are
searched for: alone, and the identifiers also within a question.
"""

import argparse
import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.index_folder import link_models
from searchkit.catalog.connection import reading
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.types import Hit, SearchMode

_SUFFIXES = {".md", ".txt", ".rst", ".html", ".htm", ".py", ".tex", ".org"}
_HIDDEN = re.compile(r"<(head|script|style)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
_MODES = (SearchMode.HYBRID, SearchMode.LEXICAL)
_IDENTIFIERS = (
    lambda n: f"E{n}",
    lambda n: f"HV-2031-{n}",
    lambda n: f"reset_quota_{n}",
    lambda n: f"flushQueue{n}Now",
    lambda n: f"/srv/jobs/{n}/run.sh",
    lambda n: f"CVE-2031-{n}",
)


@dataclass(frozen=True, slots=True)
class Planted:
    """A query, and the text or the file name that the first hit must have."""

    kind: str
    query: str
    text: str = ""
    name: str = ""

    def is_answered_by(self, hit: Hit) -> bool:
        """Normalize white space and case."""
        held = _plain(f"{hit.heading} {hit.text}")
        return hit.path.name == self.name if self.name else _plain(self.text) in held


def main() -> None:
    """Print a table for each folder."""
    options = read_options()
    print("| folder | files | asked | mode | first |\n|---|---|---|---|---|")
    for folder in options.folders:
        with tempfile.TemporaryDirectory() as name:
            place, home = Path(name) / "docs", Path(name) / "home"
            link_models(home)
            asked = plant(folder, place, options)
            with Library(home) as library:
                library.index(place, model=options.model)
                asked = those_indexed(library, asked)
                for mode in _MODES:
                    for kind in dict.fromkeys(one.kind for one in asked):
                        ones = [one for one in asked if one.kind == kind]
                        missed = [one for one in ones if not is_first(library, one, mode)]
                        print(
                            f"| {folder.name} | {options.files} | {kind} | {mode} | {len(ones) - len(missed)} of {len(ones)} |"
                        )
                        for one in missed:
                            print(f"    not first: {one.query!r}")


def is_first(library: Library, asked: Planted, mode: SearchMode) -> bool:
    """True if the first hit is it."""
    hits = library.search(asked.query, k=1, mode=mode)
    return bool(hits) and asked.is_answered_by(hits[0])


def those_indexed(library: Library, asked: list[Planted]) -> list[Planted]:
    """Leave out identifiers that are in no passage, since they got into non-text parts of pages, such as menus."""
    (name,) = library.collections()
    with reading(existing_collection(library.home, name)) as connection:
        everything = _plain("\n".join(row[0] for row in connection.execute("SELECT title || ' ' || text FROM chunks")))
    return [one for one in asked if one.name or _plain(one.text) in everything]


def plant(folder: Path, place: Path, options: argparse.Namespace) -> list[Planted]:
    """Copy files with identifiers planted in them; return the queries."""
    choice = random.Random(options.seed)
    files = sorted(file for file in folder.rglob("*") if file.suffix in _SUFFIXES and file.stat().st_size < 200_000)
    files = choice.sample(files, min(options.files, len(files)))
    asked: list[Planted] = []
    for number, file in enumerate(files):
        text = file.read_text("utf-8", "replace")
        if number < options.queries:
            identifier = choice.choice(_IDENTIFIERS)(choice.randrange(10_000, 99_999))
            text = _with(identifier, text, choice)
            asked += [
                Planted("identifier", identifier, identifier),
                Planted("identifier in a question", f"what is said about {identifier} here?", identifier),
                Planted("file name", file.name, name=file.name),
            ]
            for sentence in _sentences(text, choice):
                asked += [Planted("sentence", sentence, sentence), Planted("in quotes", f'"{sentence}"', sentence)]
        target = place / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    return asked


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", default="all-minilm-l6-v2")
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _with(identifier: str, text: str, choice: random.Random) -> str:
    """Between two words of running text; of HTML, outside tags and what is not shown."""
    hidden = [found.span() for found in _HIDDEN.finditer(text)] if "</" in text else []
    words = (found.start(1) for found in re.finditer(r"[a-z]{3,}( )[a-z]{3,} [a-z]", text))
    places = [at for at in words if not any(start <= at < end for start, end in hidden)]
    at = choice.choice(places) if places else len(text)
    return f"{text[:at]} {identifier} {text[at:].lstrip()}"


def _sentences(text: str, choice: random.Random) -> Iterator[str]:
    """A sentence of plain words, if there is any."""
    found = re.findall(r"(?<=[.] )[A-Z][a-z]+(?: [a-z]+){5,9}(?=[.])", text)
    if found:
        yield choice.choice(found)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


if __name__ == "__main__":
    main()
