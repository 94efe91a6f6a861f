from searchkit.ingest.extract.data.subtitles import extract_subtitles
from searchkit.types import Block


def blocks(source: str) -> list[Block]:
    return list(extract_subtitles(source.encode()).blocks)


def cue(number: int, second: int, words: str) -> str:
    return f"{number}\n00:{second // 60:02}:{second % 60:02},000 --> 00:59:00,000\n{words}\n\n"


def test_cues_are_joined_without_numbers_and_markup() -> None:
    source = cue(1, 80, "<i>The roof</i> leaks") + cue(2, 82, "{\\an8}again.")
    assert blocks(source) == [Block("The roof leaks again.", line=3, line_end=7, place="00:01:20")]


def test_a_block_ends_with_a_sentence_after_some_of_them() -> None:
    found = blocks("".join(cue(i, i * 3, f"These are the words of the {i}th cue.") for i in range(1, 61)))
    assert len(found) > 3
    assert all(200 < len(block.text) < 800 for block in found[:-1])
    assert found[0].place == "00:00:03"
    assert " ".join(block.text for block in found).count("cue.") == 60


def test_what_is_said_may_be_a_number() -> None:
    assert blocks(cue(1, 1, "How many?") + cue(2, 2, "42") + cue(3, 3, "1000\nwow"))[0].text == "How many? 42 1000 wow"


def test_webvtt_has_a_title_voices_and_styles() -> None:
    document = extract_subtitles(
        b"WEBVTT - The roof\nLanguage: en\n\nSTYLE\n::cue { color: red }\n\n7\n"
        b"01:02.000 --> 01:03.000 align:start\n<v.loud Ann>Tiles &amp; <c.x>slate</c> 2 < 3\n"
    )
    assert (document.title, document.metadata) == ("The roof", {"language": "en"})
    assert [(b.text, b.place) for b in document.blocks] == [("Ann: Tiles & slate 2 < 3", "00:01:02")]


def test_captions_that_roll_are_said_once() -> None:
    assert blocks(cue(1, 1, "so the roof") + cue(2, 2, "so the roof\nis wet"))[0].text == "so the roof is wet"


def test_a_file_without_cues_is_text() -> None:
    assert [b.text for b in blocks("just words\n\nmore\n")] == ["just words", "more"]
