"""Filters, phrases and exclusions leave the right documents, find all of them, and show them where they may stand."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from searchkit.catalog import roots
from searchkit.catalog.connection import writing
from searchkit.catalog.documents import DocumentRecord, content_hash, put_document
from searchkit.catalog.meta import MODEL, set_meta
from searchkit.catalog.vector_codes import as_stored
from searchkit.catalog.vectors import put_vectors
from searchkit.errors import UsageError
from searchkit.home import Home, collection_at
from searchkit.library import Library
from searchkit.search.query.filters import Filters
from searchkit.types import Chunk, DocumentStatus, Passage, SearchMode, Storage
from searchkit_indexes import Vectors
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.both_homes

MODES = list(SearchMode)
MAIL = (
    "From: Anna <a@example.org>\nTo: b@example.org\nDate: {date} 10:00:00 +0100\nSubject: The roof\n\n"
    "The roof leaks again. {filler}\n"
)
FILLER = "Nothing else happened on this day. " * 22
MAILBOX = (
    "From a@example.org Sat Feb  1 10:00:00 2025\n{first}\nFrom b@example.org Sun Mar  2 10:00:00 2025\n{second}\n"
)
HOSTILE = [
    "x" * 10_000, "-" * 10_000, '"' * 10_000, "?!.," * 2_500, "(" * 500 + ")", "* OR NEAR(a b) AND NOT col:x ^y +z",
    "\0roof\0", "\ud800 roof \udfff", '"\ud800"', "💧🏠", '"💧"', "\u202eroof\u202c \u200f", "\x1b[31mroof\x1b[0m", '"roof',
    '"roof" "', 'roof -"', "roof -", '""', '"_"', '"__ __"', '"->"', '"\u0301"', "-roof", '-"roof"', "path:[", "path:[!]",
    "folder:**", "type:md path:*", "since:7d", "until:1y", '"水"', "-水", "roof -水", 'roof -"!"', '"roof" -roof', "since:0001",
]  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Documents on one subject, of several types, places and dates; files were last changed on 10 June 2024."""
    folder = tmp_path_factory.mktemp("files") / "house"
    write(
        folder / "roof.md",
        "---\ndate: 2025-02-03\nauthor: Jane Doe\n---\n\n# Roof\n\nThe roof leaks at the Chimney  pot.\n",
    )
    write(folder / "plan.txt", "The plan for the roof: new tiles, a Brûlée-brown chimney, and no pot.\n")
    write(folder / "My Notes" / "draft-roof.txt", "A drafted idea: paint the roof green; see HV-2025-48213.\n")
    write(folder / "My Notes" / "2024" / "roof.py", "def mend_the_roof(tiles):\n    return max_size(tiles)\n")
    write(folder / "mail" / "one.eml", mail("Wed, 05 Mar 2025"))
    first, second = (
        mail("Sat, 01 Feb 2025"),
        mail("Sun, 02 Mar 2025"),
    )
    write(folder / "mail" / "all.mbox", MAILBOX.format(first=first.replace("leaks", "is dry"), second=second))
    write(folder / "zh.txt", "把根部插入水杯,用塑料袋罩住叶子,roof。\n")
    changed = datetime(2024, 6, 10, 12).timestamp()
    for file in folder.rglob("*.*"):
        os.utime(file, (changed, changed))
    with Library(tmp_path_factory.mktemp("home"), embedder=HashEmbedder()) as library:
        library.index(folder)
        yield library


def mail(day: str) -> str:
    return MAIL.format(date=day, filler=FILLER)


def names(
    library: Library, query: str, *, mode: SearchMode = SearchMode.HYBRID, filters: Filters | None = None
) -> set[str]:
    return {hit.path.name for hit in library.search(query, k=100, mode=mode, filters=filters or Filters())}


ALL = {"roof.md", "plan.txt", "draft-roof.txt", "roof.py", "one.eml", "all.mbox", "zh.txt"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", ALL),
        ("type:md", {"roof.md"}),
        ("type:mail,python", {"one.eml", "all.mbox", "roof.py"}),
        ("type:code", {"roof.py"}),
        ("-type:mail -type:txt", {"roof.md", "roof.py"}),
        ("path:*.txt", {"plan.txt", "draft-roof.txt", "zh.txt"}),
        ("path:mail/*", {"one.eml", "all.mbox"}),
        ("-path:**/roof.*", ALL - {"roof.md", "roof.py"}),
        ('folder:"my notes"', {"draft-roof.txt", "roof.py"}),
        ("folder:2024 folder:mail", {"roof.py", "one.eml", "all.mbox"}),
        ("-folder:mail type:text", {"plan.txt", "draft-roof.txt", "zh.txt"}),
        ("since:2025-03", {"one.eml", "all.mbox"}),
        ("until:2024", {"plan.txt", "draft-roof.txt", "roof.py", "zh.txt"}),
        ("since:2025-02 until:2025-02", {"roof.md", "all.mbox"}),
        ("since:2030", set()),
        ("type:pdf", set()),
    ],
)
def test_filters_leave_these_documents(house: Library, mode: SearchMode, given: str, found: set[str]) -> None:
    assert names(house, f"roof {given}", mode=mode) == found


def test_options_and_the_querys_own_filters_must_hold_both(house: Library) -> None:
    texts = Filters(types=("text",))
    assert names(house, "roof", filters=texts) == {"plan.txt", "draft-roof.txt", "zh.txt"}
    assert names(house, "roof path:*roof*", filters=texts) == {"draft-roof.txt"}
    assert names(house, "roof type:md", filters=texts) == set()
    assert names(house, "", filters=Filters(since=date(2025, 3, 5))) == {"one.eml"}


def test_of_a_mailbox_the_messages_of_the_days_are_found(house: Library) -> None:
    (hit,) = house.search("roof type:mailbox until:2025-02")
    assert "is dry" in hit.text
    assert hit.date == "2025-02-01"


def test_filters_alone_list_the_newest_documents_first(house: Library) -> None:
    hits = house.search("-folder:2024 -type:txt")
    assert [hit.path.name for hit in hits] == [
        "one.eml",
        "all.mbox",
        "roof.md",
        "all.mbox",
    ]  # a mailbox by its messages
    assert [hit.date for hit in hits] == ["2025-03-05", "2025-03-02", "2025-02-03", "2025-02-01"]
    assert {(hit.score, hit.evidence.similarity, hit.evidence.bm25) for hit in hits} == {(1.0, None, None)}
    assert [hit.path.name for hit in house.search("-folder:2024 -type:txt", k=1)] == ["one.eml"]


@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.LEXICAL])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('"chimney pot"', {"roof.md"}),
        ('"CHIMNEY\tpot" roof', {"roof.md"}),
        ('"brulee-brown"', {"plan.txt"}),
        ('"roofs"', set()),
        ('"leak"', set()),
        ('"leaks" "again"', {"one.eml", "all.mbox"}),
        ('"max_size(tiles)"', {"roof.py"}),
        ('"HV-2025-48213"', {"draft-roof.txt"}),
        ('"HV 2025 48213"', {"draft-roof.txt"}),
        ('"draft-roof"', {"draft-roof.txt"}),
        ('"Jane Doe"', {"roof.md"}),
        ('"塑料袋"', {"zh.txt"}),
        ('"水"', {"zh.txt"}),
        ('",用"', {"zh.txt"}),
        ('"->"', set()),
        ('"nowhere at all" roof', set()),
    ],
)
def test_a_quoted_phrase_must_occur_as_written(house: Library, mode: SearchMode, query: str, found: set[str]) -> None:
    assert names(house, query, mode=mode) == found


def test_by_meaning_alone_a_phrase_is_no_condition(house: Library) -> None:
    assert names(house, '"chimney pot"', mode=SearchMode.SEMANTIC) == ALL


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "gone"),
    [
        ("roof -leak", {"roof.md", "one.eml"}),
        ("roof -draft", {"draft-roof.txt"}),
        ('roof -"chimney pot"', {"roof.md"}),
        ('roof -"leak"', set()),
        ("roof -nowhere", set()),
        ("roof -塑料袋", {"zh.txt"}),
        ('roof -"水" -green', {"zh.txt", "draft-roof.txt"}),
    ],
)
def test_an_exclusion_takes_out_what_holds_it(house: Library, mode: SearchMode, query: str, gone: set[str]) -> None:
    assert names(house, query, mode=mode) == ALL - gone


@pytest.mark.parametrize("mode", MODES)
def test_no_query_text_breaks_a_search(house: Library, mode: SearchMode) -> None:
    for query in HOSTILE:
        assert all(0 <= hit.score <= 1 for hit in house.search(query, mode=mode)), query
    for query in (
        " ".join(f"path:{i}*" for i in range(2000)),
        '"a b" ' * 10 + " ".join(f"-ab{i}" for i in range(2000)),
    ):
        with pytest.raises(UsageError, match="more than"):
            house.search(query, mode=mode)


def test_a_copy_in_another_place_is_not_shown_where_it_may_not_stand(library: Library, tmp_path: Path) -> None:
    for name in ("a/secret.md", "b/open.md", "b/open.txt"):
        write(tmp_path / "docs" / name, "The tenancy ends on 30 June.\n")
    library.index(tmp_path / "docs")
    for mode in MODES:
        (hit,) = library.search("tenancy folder:b", mode=mode)
        assert (hit.path.name, hit.copies) == ("open.md", 1)
        (hit,) = library.search("tenancy -secret", mode=mode)
        assert (hit.path.name, hit.copies) == ("open.md", 1)


def test_filters_hold_over_several_roots_and_collections(library: Library, tmp_path: Path) -> None:
    for root in ("one", "two", "three"):
        write(tmp_path / root / "notes" / f"{root}.md", f"The tenancy of house {root} ends.\n")
    library.index(tmp_path / "one", collection="homes")
    library.index(tmp_path / "two", collection="homes")
    library.index(tmp_path / "three")
    assert names(library, "tenancy path:notes/*") == {"one.md", "two.md", "three.md"}
    assert names(library, "tenancy folder:two folder:three") == {"two.md", "three.md"}
    assert names(library, f"tenancy path:{tmp_path}/one/**") == {"one.md"}
    found = library.search("tenancy -folder:one", collections=["homes"])
    assert [hit.path.name for hit in found] == ["two.md"]


def test_what_a_writer_changes_is_filtered_anew(library: Library, docs: Path) -> None:
    library.index(docs)
    assert names(library, "water type:md") == {"boiler.md", "roses.md"}
    write(docs / "new.md", "New water.\n")
    with Library(library.home, embedder=HashEmbedder()) as other:
        other.index(docs)
    assert names(library, "water type:md") == {"boiler.md", "roses.md", "new.md"}


def test_of_each_file_the_best_passage_is_shown_and_the_others_counted(library: Library, tmp_path: Path) -> None:
    sections = "".join(f"# Part {i}\n\n{'water ' * i}{'sand stone gravel ' * 70}\n\n" for i in range(1, 5))
    write(tmp_path / "docs" / "long.md", sections)
    write(tmp_path / "docs" / "short.md", "A little water.\n")
    library.index(tmp_path / "docs")
    for mode in MODES:
        plain = library.search("water", mode=mode)
        hits = library.search("water", mode=mode, group_by="file")
        assert sorted(hit.path.name for hit in hits) == ["long.md", "short.md"]
        assert hits[0].text == plain[0].text
        more = {hit.path.name: hit.more_in_file for hit in hits}
        assert more == {"long.md": sum(1 + hit.copies for hit in plain) - 2, "short.md": 0}
        assert len(library.search("water", mode=mode, group_by="file", k=1)) == 1
    with pytest.raises(UsageError, match="grouped by 'folder'"):
        library.search("water", group_by="folder")


@dataclass(frozen=True, slots=True)
class Many:
    """A library over many documents, with their texts and vectors in order."""

    library: Library
    texts: list[str]
    vectors: Vectors


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    """6,000 documents of a passage each in 100 folders."""
    home, embedder, random = tmp_path_factory.mktemp("home"), HashEmbedder(), np.random.default_rng(7)
    texts = [" ".join(f"word{i}" for i in random.integers(0, 300, 8)) for _ in range(6000)]
    embedded = embedder.embed_documents([Passage("", text) for text in texts])
    folder = collection_at(Home(home), "many")
    with writing(folder) as connection, connection.transaction():
        root = roots.add_root(connection, home / "many")
        set_meta(connection, MODEL, embedder.info.name)
        for i, text in enumerate(texts):
            path = f"b{i % 100:02}/{i}.md"
            record = DocumentRecord(0, root.id, path, b"", 1, 0, 0, "markdown", DocumentStatus.INDEXED, "", "", "")
            put_document(connection, record, [Chunk(text, "", None, 1, 1, 8)])
        put_vectors(connection, embedder.info.fingerprint, [content_hash("", text) for text in texts], embedded)
    with Library(home, embedder=embedder) as library:
        yield Many(library, texts, embedded)


@pytest.mark.parametrize(("given", "buckets"), [("folder:b07", 1), ("folder:b1?", 10), ("folder:b[0-4]?", 50)])
def test_recall_holds_under_filters(many: Many, given: str, buckets: int) -> None:
    random, embedder = np.random.default_rng(11), HashEmbedder()
    first = {1: 7, 10: 10, 50: 0}[buckets]
    allowed = np.array([i for i in range(len(many.texts)) if i % 100 - first in range(buckets)])
    recalls = []
    for _ in range(20):
        query = " ".join(f"word{i}" for i in random.integers(0, 300, 4))
        scores = as_stored(many.vectors[allowed], Storage.STANDARD) @ embedder.embed_queries([query])[0]
        best = set(allowed[np.argsort(-scores)[:10]].tolist())
        found = {int(hit.path.stem) for hit in many.library.search(f"{query} {given}", mode=SearchMode.SEMANTIC)}
        assert found <= set(allowed.tolist())
        recalls.append(len(best & found) / 10)
    assert np.mean(recalls) >= 0.99
    found_by_words = many.library.search(f"word1 {given}", mode=SearchMode.LEXICAL, k=1000)
    holding = [i for i in allowed.tolist() if "word1" in many.texts[i].split()]
    assert {int(hit.path.stem) for hit in found_by_words} == set(holding)
