from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.catalog.fulltext import Stemmer
from searchkit.search.results.highlights import SNIPPET_CHARACTERS, sentence_bounds, snippet_around, snippet_by_words
from searchkit.text import split_sentences

words = st.sampled_from(
    ["bleed", "radiators", "Filter", "naïve", "香菜保存", "x" * 90, "E17", "a.b", "end.", "so?\n", "-"]
)
texts = st.lists(words, max_size=120).map(" ".join)


@pytest.fixture(scope="module")
def stemmer() -> Iterator[Stemmer]:
    opened = Stemmer()
    yield opened
    opened.close()


def marked(snippet: str, marks: tuple[tuple[int, int], ...]) -> list[str]:
    return [snippet[start:end] for start, end in marks]


@given(st.text(alphabet=st.sampled_from('aB. !?。;:"”)\n\t字।…'), max_size=60))
def test_sentences_put_together_are_the_text(text: str) -> None:
    assert "".join(split_sentences(text)) == text
    assert all(split_sentences(text))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One. ", "Two! ", "Three? ", "Four"]),
        ('He said "no." Then left.', ['He said "no." ', "Then left."]),
        ("第一句。第二句!第三", ["第一句。", "第二句!", "第三"]),
        ("यह एक है। वह दो है।", ["यह एक है।", " वह दो है।"]),
        ("- one\n- two\n\nthree", ["- one\n", "- two\n\n", "three"]),
        ("version 2.5 is out", ["version 2.5 is out"]),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@given(texts)
def test_bounds_of_sentences_leave_out_white_space_only(text: str) -> None:
    bounds = sentence_bounds(text)
    assert "".join("".join(text[a:b] for a, b in bounds).split()) == "".join(text.split())
    assert all(a < b and text[b - 1].strip() for a, b in bounds)


@settings(max_examples=150, deadline=None)
@given(texts, st.sets(st.sampled_from(["bleed", "radiators", "Filter", "naïve", "保存", "E17", "missing"])))
def test_marks_lie_inside_the_snippet_and_point_at_the_words(text: str, wanted: set[str]) -> None:
    stemmer = Stemmer()
    stems = set(stemmer.stems(wanted).values())
    spans = stemmer.spans(text)
    snippet, marks = snippet_by_words(text, spans, stems)
    assert snippet in text
    assert len(snippet) <= SNIPPET_CHARACTERS
    assert list(marks) == sorted(marks)
    assert all(0 <= start < end <= len(snippet) for start, end in marks)
    for word in marked(snippet, marks):
        assert {span.stem for span in stemmer.spans(word)} & stems
    assert bool(marks) == any(span.stem in stems for span in spans)
    stemmer.close()


def test_a_snippet_begins_with_a_sentence_and_holds_most_of_the_words(stemmer: Stemmer) -> None:
    text = "The pump is new. " * 30 + "Bleed the radiators when the filter is clogged. " + "It rains. " * 30
    stems = set(stemmer.stems(["bleed", "radiator", "filter"]).values())
    snippet, marks = snippet_by_words(text, stemmer.spans(text), stems)
    assert marked(snippet, marks) == ["Bleed", "radiators", "filter"]
    assert snippet.startswith("The pump is new.")


def test_words_deep_inside_a_long_sentence_are_shown_with_whole_words_before_them(stemmer: Stemmer) -> None:
    text = "endless words without any stop " * 40 + "radiators " + "and so on for ever " * 40
    snippet, marks = snippet_by_words(text, stemmer.spans(text), set(stemmer.stems(["radiator"]).values()))
    assert marked(snippet, marks) == ["radiators"]
    assert snippet.split()[0] in {"endless", "words", "without", "any", "stop"}
    assert snippet.split()[-1] in {"and", "so", "on", "for", "ever"}


def test_a_word_behind_the_last_blank_is_still_shown(stemmer: Stemmer) -> None:
    text = "前" * 170 + " " + "后" * 40 + "香菜" + "后" * 400
    snippet, marks = snippet_by_words(text, stemmer.spans(text), {"香菜"})
    assert marked(snippet, marks) == ["香菜"]


def test_unspaced_pairs_side_by_side_are_one_mark(stemmer: Stemmer) -> None:
    text = "如何保存新鲜的香菜"
    snippet, marks = snippet_by_words(text, stemmer.spans(text), {"保存", "存新", "新鲜"})
    assert marked(snippet, marks) == ["保存新鲜"]


def test_a_text_without_the_words_is_shown_from_its_beginning(stemmer: Stemmer) -> None:
    text = "Nothing of it. " * 40
    snippet, marks = snippet_by_words(text, stemmer.spans(text), {"radiat"})
    assert text.startswith(snippet)
    assert marks == ()
    assert snippet_by_words("", [], {"x"}) == ("", ())


_MAIL = "From: Ann <ann@x.org>\nTo: Max <max@x.org>\nSubject: Re: the roof\n\nHi,\n\nIt leaks again."


@pytest.mark.parametrize(
    ("title", "word", "has_headers"),
    [
        ("Re: the roof", "roof", False),  # what matches stands above
        ("Re: the roof", "leaks", False),
        ("Re: the roof", "", False),
        ("Re: the roof", "Max", True),  # nothing else says so
        ("", "roof", True),
        ("notes", "", True),
    ],
)
def test_headers_of_a_mail_are_not_shown_twice(stemmer: Stemmer, title: str, word: str, *, has_headers: bool) -> None:
    snippet, marks = snippet_by_words(_MAIL, stemmer.spans(_MAIL), set(stemmer.stems([word]).values()), title=title)
    assert ("Subject:" in snippet) == has_headers
    assert "leaks" in snippet
    assert set(marked(snippet, marks)) <= {word, word.lower()}


@pytest.mark.parametrize("end", ["\n", " ", ""])
@pytest.mark.parametrize("length", [40, 159, 200, 318, 319, 320, 321])
def test_a_sentence_that_fits_is_marked_whole(length: int, end: str) -> None:
    sentence = ("word " * 80)[: length - 1].rstrip() + "!"
    text = "Before it. " * 9 + sentence + (end and end + "After. " * 30)
    start = text.index(sentence)
    snippet, marks = snippet_around(text, (start, start + len(sentence)))
    assert len(snippet) <= SNIPPET_CHARACTERS
    shown = marked(snippet, marks)
    assert shown == [sentence] if len(sentence) <= SNIPPET_CHARACTERS else sentence.startswith(shown[0])


@given(texts, st.integers(0, 50))
def test_a_marked_sentence_lies_inside_the_snippet(text: str, number: int) -> None:
    bounds = sentence_bounds(text)
    if not bounds:
        return
    start, end = bounds[number % len(bounds)]
    snippet, ((first, last),) = snippet_around(text, (start, end))
    assert snippet in text
    assert 0 <= first < last <= len(snippet)
    assert text[start:end].startswith(snippet[first:last])
