"""Two hundred flipped bits, in every file: each is found, or no answer differs; and `rebuild` mends what is found."""

import random
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from searchkit.embedding.engine import Engine
from searchkit.embedding.model_folder import CHECKED_FILE
from searchkit.embedding.store import BUNDLED, ModelStore
from searchkit.errors import SearchkitError
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

SEED = 28
IN_COLLECTION, IN_MODEL, IN_WORST_PLACES = 110, 50, 40
MENDED = 4  # of those found in each way; a rebuild each
RUNS = 8  # of index after flips that nothing found
QUESTIONS = ("prune the roses", "knead the dough", "boiler pressure", "zeppelin at noon", "tapir")


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of one file, by its path below the data directory."""

    file: Path
    byte: int
    bit: int

    def apply(self, home: Path) -> None:
        with (home / self.file).open("r+b") as opened:
            opened.seek(self.byte)
            flipped = opened.read(1)[0] ^ 1 << self.bit
            opened.seek(self.byte)
            opened.write(bytes([flipped]))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a collection of some formats, some words and some history."""
    place = tmp_path_factory.mktemp("flipped")
    docs = place / "docs"
    write(docs / "boiler.md", "---\nauthor: Ada\n---\n\n# Boiler\n\nThe boiler pressure is two bar.\n")
    write(docs / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    write(docs / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    write(docs / "words.txt", " ".join(f"{chr(97 + n % 26)}word{n:04}" for n in range(600)))
    mail = "From: Anna <a@b.c>\nTo: c@d.e\nSubject: Travel\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\nThe zeppelin leaves at noon.\n"
    write(docs / "box.mbox", f"From a@b.c Mon Jan  1 00:00:00 2024\n{mail}\n")
    with zipfile.ZipFile(docs / "old.zip", "w") as archive:
        archive.writestr("inner.txt", "Inside the archive a tapir sleeps.")
    write(docs / "gone.txt", "This will be gone.\n")
    with Library(place / "home", embedder=HashEmbedder()) as library:
        library.index(docs)
        (docs / "gone.txt").unlink()
        library.index(docs)
    return place / "home"


def answers(home: Path) -> list[object]:
    """What searches say, and what each word of the collection finds."""
    with Library(home, embedder=HashEmbedder()) as library:
        found: list[object] = [
            (
                str(hit.path),
                hit.text,
                hit.heading,
                hit.place,
                hit.line,
                hit.line_end,
                hit.page,
                hit.lines,
                round(hit.score, 5),
            )
            for question in QUESTIONS
            for hit in library.search(question)
        ]
        catalog = library.collection("docs").searcher().catalog
        terms = [term for (term,) in catalog.execute("SELECT term FROM fulltext_terms")]
        for term in terms:
            rows = catalog.execute("SELECT rowid, bm25(fulltext) FROM fulltext WHERE fulltext MATCH ?", (f'"{term}"',))
            found.append((term, rows.fetchall()))
    return found


def random_flips(home: Path, below: Path, seed: int) -> Iterator[Flip]:
    """Bits of all files of a folder; small files come as often as large ones."""
    chosen = random.Random(seed)
    files = (file for file in sorted((home / below).rglob("*")) if file.is_file() and file.name != CHECKED_FILE)
    sizes = {file.relative_to(home): file.stat().st_size for file in files if file.stat().st_size}
    while True:
        file = chosen.choice(list(sizes))
        yield Flip(file, chosen.randrange(sizes[file]), chosen.randrange(8))


def worst_flips(home: Path) -> Iterator[Flip]:
    """Bits in the pages that words are looked up by, and in texts, vectors and settings."""
    catalog = home / "collections" / "docs" / "catalog.db"
    content, chosen = catalog.read_bytes(), random.Random(SEED)
    queries = (
        "SELECT block FROM fulltext_data WHERE id > 10",
        "SELECT block FROM fulltext_data WHERE id <= 10",
        "SELECT term FROM fulltext_idx WHERE length(term) > 2",
        "SELECT sz FROM fulltext_docsize",
        "SELECT vector FROM vectors",
        "SELECT CAST(fingerprint AS BLOB) FROM models",
        "SELECT CAST(text AS BLOB) FROM chunks",
        "SELECT CAST(path AS BLOB) FROM documents",
        "SELECT CAST(value AS BLOB) FROM meta WHERE length(value) > 4",
    )
    with closing(sqlite3.connect(catalog)) as connection:
        stored = [[row[0] for row in connection.execute(query)] for query in queries]
    while True:
        for values in stored:
            at = -1
            while at < 0:  # what goes on on another page is not found whole
                value = chosen.choice(values)[:2000]
                at = content.find(value)
            where = chosen.choice((chosen.randrange(len(value)), chosen.randrange(min(8, len(value))), len(value) - 1))
            yield Flip(catalog.relative_to(home), at + where, chosen.randrange(8))


def copy_of(home: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(home, target))


def is_found(home: Path) -> bool:
    with Library(home, embedder=HashEmbedder()) as library:
        return bool(verify_collection(library.collection("docs")))


@pytest.mark.parametrize("places", ["random", "worst"])
def test_a_flipped_bit_of_a_collection_is_found_or_changes_no_answer(
    places: str, indexed: Path, tmp_path: Path
) -> None:
    before = answers(indexed)
    if places == "random":
        flips = islice(random_flips(indexed, Path("collections/docs"), SEED), IN_COLLECTION)
    else:
        flips = islice(worst_flips(indexed), IN_WORST_PLACES)
    mended = runs = 0
    for flip in flips:
        home = copy_of(indexed, tmp_path / "home")
        flip.apply(home)
        if not is_found(home):
            assert answers(home) == before, flip
            if (runs := runs + 1) <= RUNS:
                with Library(home, embedder=HashEmbedder()) as library:
                    library.index(indexed.parent / "docs")
                assert answers(home) == before, f"{flip}, after an index run"
        elif mended < MENDED:
            mended += 1
            with Library(home, embedder=HashEmbedder()) as library:
                rebuild_collection(library.collection("docs", must_exist=False), [], lambda _: None)
            assert not is_found(home), flip
            assert texts(home) == texts(indexed), flip
    assert mended


def texts(home: Path) -> list[tuple[str, str]]:
    """The hits, whatever the ids and scores that the order of rows gives them."""
    with Library(home, embedder=HashEmbedder()) as library:
        return [(str(hit.path), hit.text) for question in QUESTIONS for hit in library.search(question, k=2)]


@pytest.mark.minilm
def test_a_flipped_bit_of_a_model_is_found_and_never_embeds(small_model: Path, tmp_path: Path) -> None:
    home = copy_of(small_model, tmp_path / "home")
    store = ModelStore(home / "models")
    store.check(BUNDLED)
    for flip in islice(random_flips(home, Path("models") / BUNDLED, SEED), IN_MODEL):
        flip.apply(home)
        found = store.verify(BUNDLED)
        if flip.file.name == "engine.json":  # decides how fast it is, nothing else
            assert "engine.json is damaged" in found.remark, flip
            assert store.engine(BUNDLED) == (Engine.ONNX_RUNTIME, None), flip
            flip.apply(home)
            continue
        try:
            store.check(BUNDLED)
            store.open(BUNDLED).embed_queries(["anything"])
            is_used = True
        except SearchkitError:
            is_used = False
        assert found.problems, flip
        assert not is_used, flip
        flip.apply(home)
