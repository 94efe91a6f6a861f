"""Pairs: what a collection says itself, without copies of the answer, without doubles, split by document."""

from pathlib import Path

import pytest

from searchkit.errors import TrainingError
from searchkit.library import Library
from searchkit.train.pairs.collect import check_pairs, read_or_mine_pairs
from searchkit.train.pairs.pair import (
    Kind,
    Pair,
    Split,
    deduplicated,
    is_query,
    normalize,
    of_split,
    split_by_document,
    without_beginning,
    without_copies,
)
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage
from tests.support.files import write

pytestmark = pytest.mark.slow

LONG = " It goes on for a while, so that there is something to learn from and not only a line of a few words."


def mined(library: Library, folder: Path) -> dict[str, list[Pair]]:
    library.index(folder, collection="docs")
    pairs, _ = read_or_mine_pairs(library, "docs")
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(pair.kind.value, []).append(pair)
    return found


def pair(query: str, text: str, document: str = "a.md") -> Pair:
    return Pair(query, Passage("", text + LONG), Kind.TITLE, document)


def test_a_heading_asks_for_its_section_and_is_taken_out_of_its_title(library: Library, tmp_path: Path) -> None:
    write(
        tmp_path / "docs" / "boiler.md", f"# The boiler\n\n## Topping up water\n\nOpen the valve until two bar.{LONG}\n"
    )
    (found,) = mined(library, tmp_path / "docs")["heading"]
    assert found.query == "Topping up water"
    assert found.passage.title == "The boiler"
    assert "Topping" not in found.passage.text


def test_a_heading_of_one_word_takes_the_one_above_it_along(library: Library, tmp_path: Path) -> None:
    write(
        tmp_path / "docs" / "boiler.md",
        f"# Boiler manual\n\n## Water\n\nOpen the valve until the gauge is at two bar.{LONG}\n",
    )
    (found,) = mined(library, tmp_path / "docs")["heading"]
    assert found.query == "Boiler manual Water"
    assert found.passage.title == ""


def test_a_title_that_the_text_repeats_is_taken_out_of_it(library: Library, tmp_path: Path) -> None:
    write(
        tmp_path / "docs" / "wing.md",
        f"# A wing in a slipstream\n\na wing in a\nslipstream . The lift was measured.{LONG}\n",
    )
    (found,) = mined(library, tmp_path / "docs")["title"]
    assert found.query == "A wing in a slipstream"
    assert found.passage.text.startswith("The lift")


def test_a_question_asks_for_what_follows_it(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "mail.txt", f"Hello\n\n> When does the lease end?\n\nIn March, after ten years.{LONG}\n")
    (found,) = mined(library, tmp_path / "docs")["question"]
    assert found.query == "When does the lease end?"
    assert found.passage.text.startswith("In March")


def test_a_docstring_asks_for_its_code(library: Library, tmp_path: Path) -> None:
    body = "\n".join(f"    total += prices[{i}] * amounts[{i}]" for i in range(6))
    code = f'def total_price(prices, amounts):\n    """Add up what everything costs."""\n    total = 0\n{body}\n    return total\n'
    write(tmp_path / "docs" / "shop.py", code)
    (found,) = mined(library, tmp_path / "docs")["docstring"]
    assert found.query == "Add up what everything costs."
    assert "Add up" not in found.passage.text and "return total" in found.passage.text


def test_a_link_asks_for_the_document_it_leads_to(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "index.md", "See [how to prune in spring](roses.md).\n")
    write(tmp_path / "docs" / "roses.md", f"Cut above an outward bud.{LONG}\n")
    (found,) = mined(library, tmp_path / "docs")["link"]
    assert (found.query, Path(found.document).name) == ("how to prune in spring", "roses.md")


def test_a_caption_asks_for_the_text_around_it(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "plan.md", f"![The new floor plan](plan.png)\n\nTwo rooms were joined.{LONG}\n")
    (found,) = mined(library, tmp_path / "docs")["caption"]
    assert found.query == "The new floor plan"
    assert "floor plan" not in found.passage.text


@pytest.mark.parametrize("text", ["two words", "Kündigungsfristen", "夏祭りはいつ", "how to descale a kettle"])
def test_a_few_words_are_a_query(text: str) -> None:
    assert is_query(text)


@pytest.mark.parametrize("text", ["doc_1", "Notes", "12 34", "", "2025-03-01"])
def test_a_name_or_a_number_is_no_query(text: str) -> None:
    assert not is_query(text)


def test_words_that_only_begin_alike_are_left() -> None:
    assert without_beginning("Roses are red", "Rose") == "Roses are red"
    assert without_beginning("Roses: are red", "roses") == "are red"


def test_doubles_and_headings_of_everything_are_left_out() -> None:
    everywhere = [pair("See also this", f"Text number {i}.", f"{i}.md") for i in range(3)]
    same = [pair("how to prune", "Cut in March."), pair("How to prune?", "Cut in March.", "b.md")]
    empty = Pair("a long heading about nothing", Passage("", "A long heading about nothing."), Kind.TITLE, "c.md")
    kept, left_out = deduplicated([*everywhere, *same, empty])
    assert [each.query for each in kept] == ["how to prune"]
    assert left_out == {"heads several documents": 3, "duplicate": 1, "hardly longer than its query": 1}


@pytest.mark.parametrize("kind", [Kind.USER, Kind.OPENED, Kind.WRITTEN])
def test_short_answers_that_somebody_has_put_to_a_question_are_kept(kind: Kind) -> None:
    short = Pair("what is the telephone number of the lawyer", Passage("", "0732 445566"), kind, "c.md")
    assert deduplicated([short]) == ([short], {})


def test_copies_of_a_title_behind_navigation_are_taken_out(library: Library, tmp_path: Path) -> None:
    for number, name in enumerate(("Setting up printers", "Sharing")):
        above = f"Download the book\n\nPrev\n\nNext\n\n11.{number}. {name}\n\n"
        body = f"Then {name.lower()} is easy.{LONG}"
        write(tmp_path / "docs" / f"{number}.md", f"# 11.{number}. {name} with cables\n\n{above}{body}\n")
        write(tmp_path / "docs" / f"{number}0.md", f"# 11.{number}. {name}\n\n{above}{body}\n")
    titles = {pair.query: pair.passage.text for pair in mined(library, tmp_path / "docs")["title"]}
    assert "11." not in " ".join(titles)
    text = titles["Setting up printers"]
    assert "setting up printers" not in text.casefold() and "11.0" not in text
    assert text.startswith("Download the book") and text.endswith(LONG.strip())


@pytest.mark.parametrize(
    ("text", "query", "left"),
    [
        ("Prev\n11.5. Samba shares now\nMore", "11.5. Samba shares now", "Prev\n\nMore"),
        ("Wine\nWine is old", "13.8. Wine", "Wine is old"),
        ("Machine-\nreadable data bases exist", "machine-readable data bases", " exist"),
        ("2001 begins", "2001 begins", "2001 begins"[:0]),
        ("nothing of it", "another matter entirely", "nothing of it"),
        ("as they are", "…", "as they are"),
    ],
)
def test_what_is_a_copy_is_taken_out(text: str, query: str, left: str) -> None:
    assert without_copies(text, query) == left


def test_no_document_and_no_text_is_in_two_splits() -> None:
    pairs = [pair(f"query number {i}", f"text {i // 2}", f"{i % 80}.md") for i in range(200)]
    split = split_by_document(pairs, seed=3)
    where: dict[str, set[Split]] = {}
    for each in split:
        where.setdefault(each.document, set()).add(each.split)
        where.setdefault(each.passage.text, set()).add(each.split)
    assert all(len(splits) == 1 for splits in where.values())
    assert split == split_by_document(pairs, seed=3)
    assert split != split_by_document(pairs, seed=4)


def test_the_splits_have_their_shares() -> None:
    split = split_by_document([pair(f"query number {i}", f"text {i}", f"{i}.md") for i in range(200)])
    assert {part: len(of_split(split, part)) for part in Split} == {
        Split.TRAIN: 150,
        Split.VALIDATION: 20,
        Split.TEST: 30,
    }


def checked(library: Library, pairs: list[Pair]) -> None:
    file = library.home.path / "pairs.jsonl"
    library.home.path.mkdir(exist_ok=True)
    write_pairs(file, pairs)
    found, counts = read_or_mine_pairs(library, "docs", file)
    check_pairs(found, counts, "docs")


def test_too_few_pairs_are_refused_with_what_to_do(library: Library) -> None:
    with pytest.raises(TrainingError, match="pairs to train with"):
        checked(library, [pair(f"query number {i}", f"text {i}", f"{i}.md") for i in range(25)])


def test_one_document_is_refused(library: Library) -> None:
    with pytest.raises(TrainingError, match="one document"):
        checked(library, [pair(f"query number {i}", f"text {i}") for i in range(200)])


def test_nothing_but_doubles_is_refused(library: Library) -> None:
    with pytest.raises(TrainingError, match=r"one document.*199 duplicate"):
        checked(library, [pair("how to prune", "Cut.", f"{i}.md") for i in range(200)])


def test_an_empty_validation_split_is_refused(library: Library) -> None:
    split = [*([Split.TRAIN] * 100), *([Split.TEST] * 20)]
    pairs = [
        Pair(f"query number {i}", Passage("", f"text {i}{LONG}"), Kind.USER, f"{i}.md", part)
        for i, part in enumerate(split)
    ]
    with pytest.raises(TrainingError, match="validation split has 0 pairs"):
        checked(library, pairs)


def test_a_collection_without_titles_says_so(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.txt", "just a line\n")
    library.index(tmp_path / "docs", collection="docs")
    found, counts = read_or_mine_pairs(library, "docs")
    with pytest.raises(TrainingError, match="no titles, headings or questions"):
        check_pairs(found, counts, "docs")


SENTENCES = (
    "The pump was replaced in May because its bearings had been loud for weeks. The electrician found the cause in the cellar,"
    " where water had reached the cable. Since then the heating has run without a fault, and nobody has complained about cold"
    " rooms."
)


def test_a_sentence_asks_for_the_passage_that_it_was_taken_out_of(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "mail.txt", f"{SENTENCES}\n")
    (found,) = mined(library, tmp_path / "docs")["sentence"]
    assert found.query in SENTENCES
    assert found.query not in found.passage.text
    assert len(found.passage.text) > len(SENTENCES) / 2


def test_no_copy_of_a_sentence_is_left_in_its_passage(library: Library, tmp_path: Path) -> None:
    for number in range(6):
        once = SENTENCES.replace("May", f"week {number}")
        write(tmp_path / "docs" / f"{number}.txt", f"{once}\n{once.upper() if number % 2 else once}\n")
    for found in mined(library, tmp_path / "docs")["sentence"]:
        assert normalize(found.query) not in normalize(found.passage.text)


def test_a_sentence_of_several_passages_asks_for_none_of_them(library: Library, tmp_path: Path) -> None:
    for number in range(5):
        own = f"Report {number} says that {'the lift of house ' * 3}{number} waits for a spare part from the maker."
        write(tmp_path / "docs" / f"{number}.txt", f"{SENTENCES} {own} {SENTENCES.replace('pump', 'valve')}\n")
    found = mined(library, tmp_path / "docs")["sentence"]
    assert {pair.query.split()[0] for pair in found} == {"Report"}
    assert len(found) == 5


def test_the_same_sentences_are_taken_each_time_and_one_of_a_passage(library: Library, tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path / "docs" / f"{number}.txt", f"Report {number}. {SENTENCES.replace('May', f'week {number}')}\n")
    first = mined(library, tmp_path / "docs")["sentence"]
    again, _ = read_or_mine_pairs(library, "docs")
    assert first == [pair for pair in again if pair.kind is Kind.SENTENCE]
    assert len({pair.stored for pair in first}) == len(first)


def test_no_sentence_is_taken_out_of_code_or_a_short_note(library: Library, tmp_path: Path) -> None:
    code = "\n".join(f"    total = add(total, rows[{number}], keep=True);" for number in range(20))
    write(tmp_path / "docs" / "sums.txt", f"def sums(rows):\n{code}\n    return total\n")
    write(tmp_path / "docs" / "note.txt", "Buy milk and bread. Call the dentist about the appointment on Monday.\n")
    assert "sentence" not in mined(library, tmp_path / "docs")


@pytest.mark.parametrize(("programs", "is_prose"), [(1, True), (3, False)])
def test_no_sentence_is_taken_where_most_is_code(
    library: Library, tmp_path: Path, programs: int, is_prose: bool
) -> None:
    write(tmp_path / "docs" / "licence.txt", f"{SENTENCES}\n")
    write(tmp_path / "docs" / "readme.txt", f"{SENTENCES.replace('pump', 'valve')}\n")
    for number in range(programs):
        code = "\n".join(f"    total = add(total, rows[{number + each}], keep=True);" for each in range(12))
        write(tmp_path / "docs" / f"sums{number}.txt", f"def sums(rows):\n{code}\n    return total\n")
    assert ("sentence" in mined(library, tmp_path / "docs")) is is_prose


def test_finetuning_learns_from_no_sentences(library: Library, tmp_path: Path) -> None:
    write(tmp_path / "docs" / "mail.txt", f"{SENTENCES}\n")
    library.index(tmp_path / "docs", collection="docs")
    assert not read_or_mine_pairs(library, "docs", with_sentences=False)[0]
