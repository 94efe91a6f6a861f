import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchkit.ingest.chunk import PASSAGE_TOKENS, chunk_document
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.segments import estimate_tokens
from searchkit.types import Block, BlockKind, Chunk, ExtractedDocument, line_in_file

_WORD = re.compile(r"\w+|[^\w\s]|\n+")
_FEW = 8  # tokens by which counting parts may differ from counting the whole
_PROMPT = 14

words = st.sampled_from(["sun", "rain", "frost", "Erde", "почва", "leaf", "12", "x.", "root;", "so?", "été"])
lines = st.lists(words, min_size=1, max_size=30).map(" ".join)
kinds = st.sampled_from([BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.TABLE])
heading_names = st.lists(words, min_size=1, max_size=50).map(" ".join)


class Counter:
    """Counts words, signs and line ends as tokens, and how much it was asked for."""

    def __init__(self) -> None:
        self.calls = 0
        self.characters = 0

    def __call__(self, text: str) -> int:
        self.calls += 1
        self.characters += len(text)
        return len(_WORD.findall(text))


def tokens(text: str) -> int:
    return len(_WORD.findall(text))


def cut(*blocks: Block, title: str = "", max_tokens: int = 512) -> list[Chunk]:
    return list(chunk_document(ExtractedDocument(title, blocks), tokens, max_tokens))


def numbered(count: int, first: int = 0) -> str:
    return " ".join(f"w{i}" for i in range(first, first + count))


@st.composite
def documents(draw: st.DrawFn) -> ExtractedDocument:
    """Headings of any length and depth with blocks of all kinds under them."""
    path: list[str] = []
    blocks = []
    for _ in range(draw(st.integers(0, 12))):
        if draw(st.booleans()):
            del path[draw(st.integers(0, len(path))) :]
            path.append(draw(heading_names))
            blocks.append(Block(path[-1], BlockKind.HEADING, tuple(path)))
        else:
            text = "\n".join(draw(st.lists(lines, min_size=1, max_size=20)))
            blocks.append(Block(text, draw(kinds), tuple(path)))
    return ExtractedDocument(draw(st.sampled_from(["", "Garden", "sun"])), tuple(blocks))


def stays_in_order(wanted: list[str], written: list[str]) -> bool:
    rest = iter(written)
    return all(word in rest for word in wanted)


@settings(max_examples=60, deadline=None)
@given(documents(), st.sampled_from([64, 128, 256, 512]))
def test_no_text_is_lost_and_its_order_is_kept(document: ExtractedDocument, max_tokens: int) -> None:
    chunks = list(chunk_document(document, tokens, max_tokens))
    bodies = [word for block in document.blocks if block.kind is not BlockKind.HEADING for word in block.text.split()]
    assert stays_in_order(bodies, [word for chunk in chunks for word in chunk.text.split()])
    everything = "\n".join(f"{chunk.title}\n{chunk.text}" for chunk in chunks)
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            assert stays_in_order(block.text.split(), everything.split())


@settings(max_examples=60, deadline=None)
@given(documents(), st.sampled_from([128, 256, 512]))
def test_no_chunk_is_too_long_for_the_model(document: ExtractedDocument, max_tokens: int) -> None:
    for chunk in chunk_document(document, tokens, max_tokens):
        assert chunk.text.strip()
        assert abs(chunk.token_count - tokens(chunk.text)) <= _FEW
        assert tokens(chunk.title) + tokens(chunk.text) <= min(PASSAGE_TOKENS, max_tokens) - _PROMPT + _FEW


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(lines, st.just(""), st.just("  "), lines.map(lambda line: f"# {line}")), max_size=40),
    st.sampled_from(["text", "markdown", "data", "code"]),
)
def test_the_lines_of_a_chunk_hold_its_text(drawn: list[str], format_name: str) -> None:
    source = [f"{line} line{number}" if line.strip() else line for number, line in enumerate(drawn, 1)]
    document = extract(format_name, "\n".join(source).encode())
    seen = set()
    for chunk in chunk_document(document, tokens, 80):
        assert chunk.line is not None
        assert chunk.line_end is not None
        numbers = {int(number) for number in re.findall(r"line(\d+)", chunk.text)}
        if (
            format_name == "markdown"
        ):  # headings of sections that were joined stand in the text, their lines do not count
            numbers -= {number for number in numbers if source[number - 1].startswith("#")}
        assert numbers <= set(range(chunk.line, chunk.line_end + 1))
        seen |= numbers
    assert seen >= {number for number, line in enumerate(source, 1) if line.strip() and not line.startswith("#")}


@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n\n\n\n"])
def test_each_sentence_of_sections_that_were_joined_has_its_own_line(gap: str) -> None:
    sections = [f"## Section {i}{gap}This is line{{}} of it.\nThis is line{{}} too." for i in range(6)]
    source = ("# Title\n\n" + gap.join(sections)).split("\n")
    source = [line.replace("{}", str(number)) for number, line in enumerate(source, 1)]
    found = 0
    for chunk in chunk_document(extract("markdown", "\n".join(source).encode()), tokens, 200):
        for word in re.finditer(r"line(\d+)", chunk.text):
            assert line_in_file(chunk.text, word.start(), chunk.lines) == int(word[1])
            found += 1
    assert found == 12


@pytest.mark.parametrize("between", ["\n", "\n\n\n"])
def test_source_code_stands_in_a_passage_as_in_its_file(between: str) -> None:
    source = between.join(
        ['"""Two steps."""', "def first(a):\n    return a", "class Second:\n    size = 2", "async def third(): ..."]
    )
    [chunk] = chunk_document(extract("python", source.encode()), tokens, 200)
    assert [line for line in chunk.text.split("\n") if line] == [line for line in source.split("\n") if line]
    for line in re.finditer(r".+", chunk.text):
        assert (
            source.split("\n")[line_in_file(chunk.text, line.start(), chunk.lines or f"0:{chunk.line}") - 1] == line[0]
        )


def test_a_heading_over_an_example_in_a_text_stays_though_the_example_says_it() -> None:
    [chunk] = chunk_document(
        extract("markdown", b"# A\n\n## make\n\n```\nmake all\n```\n\n## rest\n\nText.\n"), tokens, 200
    )
    assert chunk.text == "make\n\n```\nmake all\n```\n\nrest\n\nText."


def test_lines_that_follow_one_another_as_in_the_file_need_no_record() -> None:
    [chunk] = chunk_document(extract("text", b"One line.\nAnother line.\n\nA third one."), tokens, 200)
    assert (chunk.line, chunk.line_end, chunk.lines) == (1, 4, "")


def test_where_a_part_was_set_in_other_lines_its_first_is_named() -> None:
    assert line_in_file("one\n\ntwo\nlong\nlines\nthree", 14, "0:10 5:20 20:22") == 20
    assert line_in_file("one\n\ntwo\nlong", 5, "0:10 5:20") == 20


def test_each_piece_of_a_long_block_has_its_own_lines() -> None:
    rows = [f"row {i} {numbered(20)}" for i in range(100)]
    chunks = cut(Block("\n".join(rows), BlockKind.TABLE, line=11, line_end=110))
    assert len(chunks) > 5
    assert (chunks[0].line, chunks[-1].line_end) == (11, 110)
    for chunk in chunks:
        assert chunk.line is not None
        assert chunk.line_end is not None
        assert chunk.text == "\n".join(rows[chunk.line - 11 : chunk.line_end - 10])


def test_an_empty_document_has_no_chunks() -> None:
    assert cut() == []
    assert cut(Block(""), Block(" \n", BlockKind.TABLE)) == []


def test_pages_are_never_mixed() -> None:
    chunks = cut(*(Block(f"page {page} says {i}", page=page) for page in (1, 2, 3) for i in (1, 2)))
    assert [(chunk.page, chunk.text) for chunk in chunks] == [
        (page, f"page {page} says 1\n\npage {page} says 2") for page in (1, 2, 3)
    ]


def test_headings_stand_in_the_title_with_the_documents_own() -> None:
    section = ("Beds", "Raised")
    (chunk,) = cut(
        Block("Beds", BlockKind.HEADING, ("Beds",)),
        Block("Raised", BlockKind.HEADING, section),
        Block("Fill them with earth.", headings=section),
        title="Garden",
    )
    assert (chunk.title, chunk.text) == ("Garden › Beds › Raised", "Fill them with earth.")


def test_a_title_that_is_the_first_heading_is_said_once() -> None:
    (chunk,) = cut(Block("text", headings=("Garden", "Beds")), title="Garden")
    assert chunk.title == "Garden › Beds"


def test_a_heading_with_nothing_below_it_is_still_found() -> None:
    (chunk,) = cut(Block("Later", BlockKind.HEADING, ("Plans", "Later")))
    assert (chunk.title, chunk.text) == ("Plans", "Later")


def test_tiny_sections_are_joined_and_keep_their_headings() -> None:
    (chunk,) = cut(
        Block("one", headings=("Log", "Monday")),
        Block("two", headings=("Log", "Tuesday")),
    )
    assert chunk.title == "Log"
    assert chunk.text == "Monday\n\none\n\nTuesday\n\ntwo"


def test_long_sections_are_not_joined() -> None:
    chunks = cut(Block(numbered(60), headings=("A",)), Block(numbered(60, 60), headings=("B",)))
    assert [chunk.title for chunk in chunks] == ["A", "B"]


def test_headings_that_come_again_and_again_are_counted_each_time() -> None:
    turns = [Block(f"says {i}", headings=(("User", "Assistant")[i % 2],)) for i in range(400)]
    chunks = cut(*turns)
    assert len(chunks) > 1
    assert max(tokens(chunk.title) + chunk.token_count for chunk in chunks) <= PASSAGE_TOKENS - _PROMPT + _FEW


def test_a_heading_as_long_as_a_paragraph_is_text_as_well() -> None:
    name = numbered(300)
    chunks = cut(Block(name, BlockKind.HEADING, (name,)), Block("below", headings=(name,)))
    assert stays_in_order(name.split(), [word for chunk in chunks for word in chunk.text.split()])
    assert "below" in chunks[-1].text


def test_what_is_a_little_too_long_becomes_two_of_like_size() -> None:
    sizes = [chunk.token_count for chunk in cut(Block("A sentence of six. " * 50), Block("Another of six it is. " * 4))]
    assert len(sizes) == 2
    assert abs(sizes[0] - sizes[1]) < 40


def test_a_block_that_fits_is_not_cut_to_fill_the_chunk_before() -> None:
    first, second = ("One sentence of many. " * count for count in (30, 25))
    assert [chunk.text for chunk in cut(Block(first.strip()), Block(second.strip()))] == [first.strip(), second.strip()]


def test_a_sentence_set_in_lines_is_not_cut_at_one_of_them() -> None:
    sentence = "\n".join([numbered(10), numbered(10, 10), numbered(9, 20) + " end."])
    chunks = cut(Block("\n".join([sentence] * 20)))
    assert len(chunks) > 1
    for chunk in chunks:
        assert chunk.text.startswith("w0")
        assert chunk.text.endswith("end.")


@pytest.mark.parametrize("kind", [BlockKind.CODE, BlockKind.TABLE])
def test_code_and_tables_that_fit_stay_whole(kind: BlockKind) -> None:
    rows = "\n".join(numbered(5, i) for i in range(30))
    assert rows in [chunk.text for chunk in cut(Block(numbered(100)), Block(rows, kind), Block(numbered(100)))]


def test_wide_white_space_inside_a_block_does_not_fill_a_chunk() -> None:
    (chunk,) = cut(Block(f"{numbered(20)}.{' ' * 5000}{numbered(20)}.\n{' ' * 100}\n{numbered(20)}"))
    assert chunk.text.count("\n\n") == 2
    assert len(chunk.text) < 300


def test_pages_and_places_of_joined_blocks_are_those_of_the_first_and_the_last() -> None:
    chunks = cut(*(Block(f"text {i}", page=1 + i // 3, place=f"slide {i}") for i in range(4)))
    assert [(chunk.page, chunk.place) for chunk in chunks] == [(1, "slides 0–2"), (2, "slide 3")]


def test_no_more_than_a_few_chunks_are_held() -> None:
    taken = 0

    def blocks() -> Iterator[Block]:
        nonlocal taken
        for i in range(10_000):
            taken += 1
            yield Block(numbered(20, i))

    for number, _ in enumerate(chunk_document(ExtractedDocument("", blocks()), tokens, 256), 1):
        assert taken < 40 + 12 * number


def test_sentences_are_kept_whole() -> None:
    sentence = numbered(29) + " end. "
    chunks = cut(Block(sentence * 30))
    assert len(chunks) > 1
    for chunk in chunks:
        assert chunk.text.startswith("w0")
        assert chunk.text.endswith("end.")


def test_a_long_line_is_cut_between_words() -> None:
    text = numbered(2000)
    assert " ".join(chunk.text for chunk in cut(Block(text))) == text


def test_a_word_longer_than_a_chunk_is_cut_anywhere() -> None:
    text = "字" * 5000
    chunks = list(chunk_document(ExtractedDocument("", (Block(text),)), len, 256))
    assert "".join(chunk.text for chunk in chunks) == text


def test_a_model_that_takes_hardly_anything_still_gets_chunks() -> None:
    chunks = cut(Block(numbered(100), headings=(numbered(70),)), max_tokens=20)
    assert stays_in_order(numbered(100).split(), [word for chunk in chunks for word in chunk.text.split()])


@pytest.mark.parametrize("kind", [BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.TABLE])
@pytest.mark.parametrize("unit", ["word ", "word.\n", "x"])
def test_the_work_grows_with_the_text_and_not_with_its_square(unit: str, kind: BlockKind) -> None:
    text = unit * (400_000 // len(unit))
    asked = []
    for part in (text[:100_000], text):
        counter = Counter()
        block = Block(part.rstrip(), kind, line=1, line_end=1 + part.rstrip().count("\n"))
        list(chunk_document(ExtractedDocument("", (block,)), counter, 256))
        asked.append((counter.calls, counter.characters))
    assert asked[1][0] < 6 * asked[0][0]
    assert asked[1][1] < 20 * len(text)


class LineText(str):
    """Notes how many characters, of it and of its parts, are looked at in search of line ends, and copied by slicing."""

    touched = 0

    def count(self, *arguments: object) -> int:
        _, start, end = (*arguments, 0, len(self))[:3] if len(arguments) == 1 else arguments
        assert isinstance(start, int)
        assert isinstance(end, int)
        LineText.touched += end - start
        return super().count("\n", start, end)

    def __getitem__(self, key: object) -> "LineText":
        assert isinstance(key, slice)
        part = super().__getitem__(key)
        LineText.touched += len(part)
        return LineText(part)


def test_line_numbers_of_a_long_table_are_counted_in_one_pass() -> None:
    text = LineText("some,row,of,data\n" * 20_000 + "end")
    block = replace(Block("", BlockKind.TABLE, line=1, line_end=20_001), text=text)
    LineText.touched = 0
    chunks = list(chunk_document(ExtractedDocument("", (block,)), tokens, 256))
    assert chunks[-1].line_end == 20_001
    assert LineText.touched < 5 * len(text)


@pytest.mark.parametrize("unit", ["word ", "x"])
def test_what_is_left_of_a_long_line_is_not_copied_at_every_cut(unit: str) -> None:
    text = LineText(unit * (1_000_000 // len(unit)))
    block = replace(Block(""), text=text)
    LineText.touched = 0
    list(chunk_document(ExtractedDocument("", (block,)), lambda part: len(part) // 4, 256))
    assert 0 < LineText.touched < 10 * len(text)


def test_one_line_of_twenty_megabytes_is_counted_a_few_times_over() -> None:
    calls = 0
    characters = 0

    def quarter(text: str) -> int:
        nonlocal calls, characters
        calls += 1
        characters += len(text)
        return len(text) // 4

    text = "abcdefghi " * 2_000_000
    chunks = list(chunk_document(ExtractedDocument("", (Block(text, line=1, line_end=1),)), quarter, 256))
    assert sum(chunk.text.count("i") for chunk in chunks) == 2_000_000
    assert {(chunk.line, chunk.line_end) for chunk in chunks} == {(1, 1)}
    assert calls < 8 * len(chunks)
    assert characters < 8 * len(text)


def test_headings_are_counted_once_each() -> None:
    path = (numbered(5000),)
    counter = Counter()
    blocks = tuple(Block(f"row {i} " + numbered(100), headings=path) for i in range(200))
    list(chunk_document(ExtractedDocument("", blocks), counter, 256))
    assert counter.characters < 20 * (sum(len(block.text) for block in blocks) + len(path[0]))


def test_many_short_sections_ask_for_few_counts() -> None:
    counter = Counter()
    blocks = tuple(Block("few words", headings=("Log", f"Day {i}")) for i in range(5000))
    list(chunk_document(ExtractedDocument("", blocks), counter, 256))
    assert counter.calls < 5 * len(blocks)


@pytest.mark.parametrize(
    ("places", "joined"),
    [
        (("slide 3", "slide 3"), "slide 3"),
        (("row 1", "rows 2–9", "rows 10–12"), "rows 1–12"),
        (("cell 3", "cell 4"), "cells 3–4"),
        (("Costs!A2:F9", "Costs!A10:F30"), "Costs!A2:F30"),
        (("Costs!A2:F9", "Other!A1"), "Costs!A2:F9 – Other!A1"),
        (("00:01:20", "00:02:00"), "00:01:20 – 00:02:00"),
        (("slide 1", "slide 1, notes"), "slide 1"),
        (("", "footnote"), ""),
    ],
)
def test_the_places_of_a_chunks_blocks_become_one(places: tuple[str, ...], joined: str) -> None:
    blocks = tuple(Block(f"part {number}", place=place) for number, place in enumerate(places))
    (chunk,) = chunk_document(ExtractedDocument("", blocks), tokens, 256)
    assert chunk.place == joined


# A text, and its tokens by EmbeddingGemma's tokenizer.
COUNTED = [
    ("The boiler pressure is too low: top up the water until the gauge shows two bar, then close the valve again.", 24),
    ("Die Kündigungsfrist beträgt drei Monate zum Ende eines Kalendervierteljahres; sie beginnt mit dem Zugang.", 25),
    ("La lettre doit être envoyée en recommandé avec accusé de réception au plus tard le quinze du mois.", 21),
    ("Давление в котле слишком низкое: долейте воды, пока стрелка не покажет два бара.", 24),
    ("ボイラーの圧力が低すぎます。計器が二バールを示すまで水を足してください。", 22),
    ("ضغط الغلاية منخفض جدا: أضف الماء حتى يشير المقياس إلى اثنين بار.", 22),
    ("बॉयलर का दबाव बहुत कम है: जब तक गेज दो बार न दिखाए तब तक पानी डालें।", 22),
    ("def read_gauge(path: Path) -> float:\n    return float(path.read_text().split()[-1])\n", 29),
    ("2025-03-14  SA-2025-007  1,248.50 EUR\n2025-03-15  SA-2025-008  310.00 EUR\n", 62),
]


@pytest.mark.parametrize(("text", "count"), COUNTED)
def test_an_estimate_is_near_what_a_model_counts(text: str, count: int) -> None:
    assert 0.9 * count <= estimate_tokens(text) <= 1.4 * count


@given(documents())
@settings(max_examples=50)
def test_chunks_cut_by_the_estimate_are_as_short_as_those_for_a_model(document: ExtractedDocument) -> None:
    for chunk in chunk_document(document, estimate_tokens, PASSAGE_TOKENS):
        assert estimate_tokens(chunk.text) <= PASSAGE_TOKENS
