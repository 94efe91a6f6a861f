"""Ids of passages and documents: they open what they were made for, whatever has changed, or nothing."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from searchkit.answer.retrieve import find_sources
from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.connection import reading
from searchkit.display import error_text
from searchkit.errors import CollectionNotFoundError, ReferenceGoneError, UsageError
from searchkit.home import CollectionFolder
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve import references
from searchkit.serve.reference_ids import DocumentId, PassageId
from searchkit.serve.references import PassageText, Reference, open_document, open_passage, references_of
from tests.support.errors import refused
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

ROSES = "# Roses\n\nPrune the roses in March, above an outward bud.\n"
PARTS = "\n\n".join(f"## Part {n}\n\n" + f"Wheel {n} turns the axle of wheel {n}. " * 30 for n in range(12))


@pytest.fixture
def indexed(library: Library, docs: Path) -> Library:
    library.index(docs)
    return library


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A library with one document, in a collection `docs`, that no test changes."""
    folder = tmp_path_factory.mktemp("unchanged")
    write(folder / "docs" / "roses.md", ROSES)
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(folder / "docs")
        yield library


def reference(library: Library, query: str) -> Reference:
    return references_of(library, library.search(query, k=1))[0]


def test_a_hit_can_be_opened_by_its_id(indexed: Library, docs: Path) -> None:
    named = reference(indexed, "prune roses in march")
    opened = open_passage(indexed, named.passage)
    assert opened.passage.text == "Prune the roses in March, above an outward bud."
    assert opened.passage.heading == "Roses"
    assert opened.passage.line == 3
    assert opened.document.path == docs / "garden" / "roses.md"
    assert (opened.document.collection, opened.document.title, opened.document.format) == ("docs", "Roses", "markdown")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", opened.document.date)
    assert opened.passage.id == named.passage
    assert opened.document.id == named.document


def test_a_document_is_put_together_from_its_passages(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "manual.md", f"---\nauthor: Ada\ndate: 2024-03-05\n---\n# Manual\n\n{PARTS}\n")
    library.index(tmp_path / "docs")
    opened = open_document(library, reference(library, '"wheel 7"').document)
    assert [passage.ordinal for passage in opened.passages] == list(range(opened.document.passages))
    assert opened.document.passages >= 12
    assert opened.text.count("[Manual › Part 7]\n\nWheel 7 turns") == 1
    assert opened.text.count("Wheel 11 turns the axle of wheel 11.") == 30
    assert (opened.document.date, opened.document.metadata["author"]) == ("2024-03-05", "Ada")
    assert opened.next_start == 0


def test_a_long_document_comes_in_parts_that_follow_one_another(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "manual.md", f"# Manual\n\n{PARTS}\n")
    library.index(tmp_path / "docs")
    named = reference(library, '"wheel 7"').document
    whole = open_document(library, named)
    start, parts = 0, list[PassageText]()
    while True:
        part = open_document(library, named, start=start, max_characters=2000)
        assert part.passages
        assert len(part.passages) == 1 or sum(len(passage.text) for passage in part.passages) <= 2000
        parts += part.passages
        if not (start := part.next_start):
            break
    assert tuple(parts) == whole.passages
    assert len(open_document(library, named, max_characters=1).passages) == 1


@pytest.mark.parametrize("start", [-1, 1, 10**12])
def test_a_passage_that_a_document_has_not_is_said(unchanged: Library, start: int) -> None:
    with pytest.raises(UsageError, match="1 passage, counted from 0"):
        open_document(unchanged, reference(unchanged, "roses").document, start=start)


def test_neighbours_lead_through_the_document(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "manual.md", f"# Manual\n\n{PARTS}\n")
    library.index(tmp_path / "docs")
    opened = open_passage(library, open_document(library, reference(library, "wheel").document).passages[0].id)
    assert opened.before == ""
    seen = [opened.passage.ordinal]
    while opened.after:
        following = open_passage(library, opened.after)
        assert following.before == opened.passage.id
        opened = following
        seen.append(opened.passage.ordinal)
    assert seen == list(range(opened.document.passages))


def test_ids_hold_when_the_file_moves(indexed: Library, docs: Path) -> None:
    named = reference(indexed, "roses")
    (docs / "garden" / "roses.md").rename(docs / "flowers.md")
    indexed.index(docs)
    assert open_passage(indexed, named.passage).document.path == docs / "flowers.md"
    assert open_document(indexed, named.document).document.path == docs / "flowers.md"


def test_ids_hold_when_other_parts_of_the_file_change(library: Library, tmp_path: Path) -> None:
    manual = write(tmp_path / "docs" / "manual.md", f"# Manual\n\n{PARTS}\n")
    library.index(tmp_path / "docs")
    named = reference(library, '"wheel 7"')
    known = open_passage(library, named.passage)
    write(manual, f"# Manual\n\n{PARTS[PARTS.index('## Part 3') :]}\n")
    library.index(tmp_path / "docs")
    opened = open_passage(library, named.passage)
    assert opened.passage.text == known.passage.text
    assert opened.passage.ordinal < known.passage.ordinal
    assert opened.passage.id != named.passage, "it is known by its new place from now on"
    assert "Wheel 2 " not in open_document(library, named.document).text


def test_ids_hold_when_the_collection_is_made_anew(indexed: Library, docs: Path) -> None:
    named = reference(indexed, "roses")
    indexed.forget(docs)
    write(docs / "a-new-one.md", "# Tulips\n\nPlant tulips in autumn.\n")
    indexed.index(docs)
    assert open_passage(indexed, named.passage).document.path.name == "roses.md"
    assert open_document(indexed, named.document).document.path.name == "roses.md"


def test_a_passage_that_was_rewritten_is_gone_and_never_another(indexed: Library, docs: Path) -> None:
    named = reference(indexed, "roses")
    write(docs / "garden" / "roses.md", "# Roses\n\nNever prune the roses.\n")
    indexed.index(docs)
    with refused(ReferenceGoneError, match="Search again"):
        open_passage(indexed, named.passage)
    assert "Never prune" in open_document(indexed, named.document).text


def test_what_was_forgotten_cannot_be_opened(indexed: Library, docs: Path) -> None:
    named = reference(indexed, "roses")
    indexed.forget(docs / "garden")
    with pytest.raises(ReferenceGoneError):
        open_passage(indexed, named.passage)
    with pytest.raises(ReferenceGoneError):
        open_document(indexed, named.document)


def test_another_document_in_the_same_row_is_not_taken_for_it(indexed: Library, docs: Path) -> None:
    named = DocumentId.read(reference(indexed, "roses").document)
    (docs / "garden" / "roses.md").unlink()
    indexed.index(docs)
    for row in range(1, 10):
        elsewhere = DocumentId(named.collection, row, named.path, named.content)
        with pytest.raises(ReferenceGoneError):
            open_document(indexed, str(elsewhere))


def test_of_equal_passages_in_one_file_each_has_its_own_id(library: Library, tmp_path: Path) -> None:
    filler = "\n".join(f"x{number} = {number}" for number in range(150))
    same = "def stop():\n    return 'the same words in both places, which are long enough to stand alone'\n"
    write(tmp_path / "docs" / "a.txt", "\n\n".join([same * 12, filler, same * 12]))
    library.index(tmp_path / "docs")
    ids = [passage.id for passage in open_document(library, reference(library, "x7").document).passages]
    assert len(set(ids)) == len(ids)
    assert [open_passage(library, each).passage.id for each in ids] == ids


def test_sources_of_answers_have_the_ids_of_their_first_passage_and_document(library: Library, tmp_path: Path) -> None:
    sentences = [f"Boiler gauge and water pressure, part {i} step {j}." for i in range(6) for j in range(25)]
    write(tmp_path / "docs" / "a.md", "\n\n".join(" ".join(sentences[i : i + 25]) for i in range(0, 150, 25)))
    library.index(tmp_path / "docs")
    named = reference(library, "boiler gauge water pressure").document
    passages = open_document(library, named).passages
    (source,) = find_sources(library, SearchRequest("boiler gauge water pressure", 20))
    assert source.text.startswith(passages[0].text)
    assert passages[1].text in source.text
    whole, cut = references_of(library, [source, replace(source, text=source.text[50:500])])
    assert (whole.passage, whole.document) == (passages[0].id, named)
    assert cut == whole
    (elsewhere,) = references_of(library, [replace(source, text="Not in the file.")])
    with pytest.raises(ReferenceGoneError):
        open_passage(library, elsewhere.passage)


def test_a_copy_stands_in_for_what_is_gone(indexed: Library, docs: Path) -> None:
    write(docs / "copy.md", ROSES)
    indexed.index(docs)
    found = indexed.search("roses", k=1)
    (named,) = references_of(indexed, found)
    found[0].path.unlink()
    indexed.index(docs)
    assert open_passage(indexed, named.passage).document.path in found[0].copies_at


def test_a_hit_that_is_gone_by_now_has_ids_that_say_so(indexed: Library, docs: Path) -> None:
    hits = indexed.search("roses", k=1)
    indexed.forget(docs / "garden")
    (named,) = references_of(indexed, hits)
    with pytest.raises(ReferenceGoneError):
        open_passage(indexed, named.passage)
    indexed.forget(docs)
    (named,) = references_of(indexed, hits)
    with pytest.raises(CollectionNotFoundError):
        open_document(indexed, named.document)


def test_a_file_without_text_cannot_be_opened(indexed: Library, docs: Path) -> None:
    write(docs / "empty.md", "")
    indexed.index(docs)
    named = DocumentId.of("docs", 0, docs / "empty.md", None)
    with pytest.raises(ReferenceGoneError):
        open_document(indexed, str(named))


def test_names_of_collections_and_files_may_be_of_any_letters(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write(folder / "Übergröße; 100% «x».md", "# Größen\n\nEin Wal.\n")
    (folder / "bad\udcff.txt").write_text("A walrus.\n")
    library.index(folder, collection="Meine Notizen + Größen@home")
    for query in ("Wal", "walrus"):
        named = reference(library, query)
        for each in (named.passage, named.document):
            assert re.fullmatch(r"[A-Za-z0-9%@._~:-]+", each)
        for passage in (named.passage, unquote(named.passage), f" {named.passage}\n"):
            assert open_passage(library, passage).passage.id == named.passage
        assert open_document(library, named.document).document.id == named.document


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docs",
        "../../etc/passwd",
        "docs:../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "docs:p1.0",
        "docs:p1.0.zz3a2b1c4d5e6f70",
        "docs:p-1.0.9f3a2b1c4d5e6f70",
        "docs:p1.0.9f3a2b1c4d5e6f70' OR 1=1 --",
        "docs:p99999999999999999999.0.9f3a2b1c4d5e6f70",
        "docs:d12.%2e%2e.9f3a2b1c4d5e",
        "docs:p1.0.9f3a2b1c4d5e6f70\0",
        "docs:p١.0.9f3a2b1c4d5e6f70",
        "x" * 100_000,
        "\x1b[31m" * 3,
    ],
)
def test_what_is_no_id_is_refused_and_what_to_do_said(unchanged: Library, text: str) -> None:
    for opens in (open_passage, open_document):
        with pytest.raises(UsageError, match="is not the id of a") as caught:
            opens(unchanged, text)
        said = error_text(caught.value)
        assert "Search first" in said
        assert "\x1b" not in said
        assert len(said) < 300


@pytest.mark.parametrize("name", ["..", "%2e%2e", "../home", "/etc", "%2Fetc%2F", "nope", "docs/../docs", "docs%00"])
def test_no_name_of_a_collection_leads_elsewhere(unchanged: Library, name: str) -> None:
    with pytest.raises(CollectionNotFoundError):
        open_passage(unchanged, f"{name}:p1.0.9f3a2b1c4d5e6f70")
    with pytest.raises(CollectionNotFoundError):
        open_document(unchanged, f"{name}:d1.0c1d2e3f4a5b.9f3a2b1c4d5e")


def test_nothing_is_read_from_the_disk(indexed: Library, docs: Path) -> None:
    named = reference(indexed, "roses")
    write(docs / "garden" / "roses.md", "SECRET written after the index run")
    assert "SECRET" not in open_document(indexed, named.document).text
    (docs / "garden" / "roses.md").unlink()
    assert "Prune the roses" in open_document(indexed, named.document).text


def test_a_catalog_is_opened_once_for_all_hits_of_a_collection(
    indexed: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "more" / "roses.txt", "More roses, more dough, more water.\n")
    indexed.index(tmp_path / "more")
    hits = indexed.search("roses dough water", k=10)
    opened: list[str] = []

    def counted(folder: CollectionFolder) -> AbstractContextManager[CatalogReader]:
        opened.append(folder.name)
        return reading(folder)

    monkeypatch.setattr(references, "reading", counted)
    found = references_of(indexed, hits)
    assert sorted(opened) == ["docs", "more"]
    assert [open_passage(indexed, each.passage).passage.text for each in found] == [hit.text for hit in hits]
    assert references_of(indexed, []) == []


def test_ids_are_what_they_were_read_from() -> None:
    for text in ("docs:p12.3.9f3a2b1c4d5e6f70", "My%20Notes:p0.0.0000000000000000"):
        assert str(PassageId.read(text)) == text
    assert str(DocumentId.read("docs:d12.0c1d2e3f4a5b.9f3a2b1c4d5e")) == "docs:d12.0c1d2e3f4a5b.9f3a2b1c4d5e"
