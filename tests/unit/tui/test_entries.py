"""Entries of the list of hits: which folders they name, and what is marked in their names."""

from dataclasses import replace
from pathlib import Path

from searchkit.types import Evidence, Explanation, Hit
from searchkit_tui.ask.content import source_entry, source_text
from searchkit_tui.rendering.file_names import MATCH_STYLE, telling_folders, words_of
from searchkit_tui.rendering.hit_content import MARK_STYLE, Around, entry

HOUSE = Path("/house")
_NOTHING = Explanation(0.1, 0.1, 0.5, 0.5, 0, 1, 1, 0, 0)
HIT = Hit(
    "notes", HOUSE / "boiler-notes.md", "", None, 3, 3, 0.9, "The boiler is cold.", "The boiler is cold.", ((4, 10),),
    Evidence(0.5, 1.0, ("boiler",), _NOTHING),
)  # fmt: skip


def test_files_of_one_name_get_the_shortest_folder_that_tells_them_apart() -> None:
    paths = [HOUSE / "a/notes.md", HOUSE / "b/notes.md", HOUSE / "only.md"]
    assert telling_folders(paths) == {paths[0]: "a/", paths[1]: "b/"}
    deep = [HOUSE / "2024/log/notes.md", HOUSE / "2025/log/notes.md", HOUSE / "old/notes.md"]
    assert telling_folders(deep) == {deep[0]: "2024/…/", deep[1]: "2025/…/", deep[2]: "old/"}
    assert telling_folders([HOUSE / "notes.md", HOUSE / "notes.md"]) == {}  # two passages of one file
    assert telling_folders([Path("/notes.md"), HOUSE / "notes.md"]) == {
        Path("/notes.md"): "/",
        HOUSE / "notes.md": "house/",
    }


def test_the_folder_stands_before_the_name_and_fits() -> None:
    around = Around(telling_folders([HIT.path, HOUSE / "attic" / HIT.path.name]))
    assert entry(HIT, 60, around).plain.split("\n")[0] == "  0.90  house/boiler-notes.md:3"
    long = replace(HIT, path=HOUSE / ("x" * 80) / HIT.path.name)
    line = entry(long, 40, Around({long.path: f"{'x' * 80}/"})).plain.split("\n")[0]
    assert len(line) <= 40
    assert "…/boil" in line


def test_letters_of_names_that_match_the_query_are_underlined() -> None:
    around = Around(words=words_of("where is the Boiler type:md a"))
    content = entry(HIT, 60, around)
    assert [content.plain[span.start : span.end] for span in content.spans if span.style == MATCH_STYLE] == ["boiler"]


def test_no_filter_and_no_scrap_is_looked_for_in_names() -> None:
    assert words_of("is boiler type:md a") == ["boiler"]


def test_letters_in_the_middle_of_a_word_are_no_match() -> None:
    content = entry(HIT, 60, Around(words=words_of("oil not")))
    assert [content.plain[span.start : span.end] for span in content.spans if span.style == MATCH_STYLE] == ["not"]


def test_a_letter_is_no_match_in_the_suffix() -> None:
    content = entry(replace(HIT, path=HOUSE / "my.md"), 60, Around(words=["m"]))
    assert [(span.start, span.end) for span in content.spans if span.style == MATCH_STYLE] == [(8, 9)]


def test_files_that_nothing_ranks_have_their_date_for_a_score_and_no_line() -> None:
    listed = replace(HIT, evidence=Evidence(None, None, ()), date="2025-03-02", line=3)
    assert entry(listed, 60).plain.split("\n")[0] == "  2025-03-02  boiler-notes.md"
    assert len(entry(replace(listed, path=HOUSE / ("x" * 80)), 40).plain.split("\n")[0]) <= 40


def test_nothing_stands_out_in_a_weak_hit() -> None:
    content = entry(replace(HIT, score=0.1), 60, Around(words=["boiler"]))
    assert "weak" in content.plain
    assert not [span for span in content.spans if span.style in (MATCH_STYLE, MARK_STYLE)]


def test_a_source_of_an_answer_shows_the_sentence_that_says_it() -> None:
    text = "Flat on the second floor.\n\nThe notice period is three months. Pets are allowed."
    start = text.index("The notice")
    source = replace(HIT, text=text, snippet=text, marks=(), sentence=(start, text.index(" Pets")))
    assert source_entry(1, source).plain.split("\n")[1].strip().startswith("The notice period")
    shown = source_text(1, source)
    said = [shown.plain[span.start : span.end] for span in shown.spans if span.style == MARK_STYLE]
    assert said == ["The notice period is three months."]
    none_known = replace(source, sentence=None)
    assert source_entry(1, none_known).plain.split("\n")[1].strip().startswith("Flat on")
