"""The file that pairs lie in: what people and programs write into one, sound or not."""

import json
from pathlib import Path
from typing import Any

import pytest

from searchkit.errors import Action, Remedy, TrainingError
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.train.pairs.pair_file import read_pairs, write_pairs
from searchkit.types import Passage
from tests.support.files import write

SOUND = {"query": "when does it end", "text": "In March."}


def line(**fields: Any) -> str:
    return json.dumps({**SOUND, **fields}) + "\n"


def test_a_pair_file_reads_as_it_was_written(tmp_path: Path) -> None:
    pairs = [
        Pair("when?", Passage("T", "In März."), Kind.QUESTION, "a.md", Split.TEST, "00ff", (Passage("", "no"),)),
        Pair("how to prune", Passage("", "Cut."), Kind.TITLE, "b.md"),
        Pair("a line of old", Passage("", "one\u2028two\u2029three\x85four\x0bfive\x0csix\rseven"), Kind.TITLE, "c.md"),
    ]
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "pairs.jsonl") == pairs


def test_a_file_of_ones_own_needs_queries_and_texts_alone(tmp_path: Path) -> None:
    (found,) = read_pairs(write(tmp_path / "own.jsonl", line()))
    assert (found.kind, found.split, found.document) == (Kind.USER, Split.TRAIN, "own.jsonl#1")


def test_fields_that_are_null_are_as_good_as_none(tmp_path: Path) -> None:
    content = line(title=None, kind=None, split=None, stored=None, negatives=None, document=None)
    (found,) = read_pairs(write(tmp_path / "own.jsonl", content))
    assert found == Pair(SOUND["query"], Passage("", SOUND["text"]), Kind.USER, "own.jsonl#1")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_other_line_ends_and_a_byte_order_mark_are_no_harm(tmp_path: Path, end: str, mark: bytes) -> None:
    (tmp_path / "own.jsonl").write_bytes(mark + (line() * 2).replace("\n", end).encode())
    assert len(read_pairs(tmp_path / "own.jsonl")) == 2


def test_a_line_of_megabytes_is_read(tmp_path: Path) -> None:
    (found,) = read_pairs(write(tmp_path / "own.jsonl", line(text="word " * 1_000_000)))
    assert len(found.passage.text) == 5_000_000


def test_what_no_tokenizer_takes_is_replaced(tmp_path: Path) -> None:
    (found,) = read_pairs(write(tmp_path / "own.jsonl", '{"query": "what \\ud800 is", "text": "a\\u0000b"}\n'))
    assert (found.query, found.passage.text) == ("what ? is", "a b")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("hello", "not JSON at column 1"),
        ('{"query": "a\0b", "text": "t"}', "not JSON at column 13"),
        ("[" * 100_000, "not usable JSON"),
        ('{"query": ' + "9" * 5_000 + "}", "not usable JSON"),
        ("[]", "not a JSON object"),
        ('{"query": "q"}', "query and text must not be empty"),
        (line(query=" \t"), "query and text must not be empty"),
        (line(query=1), "query must be a string"),
        (line(title=["t"]), "title must be a string"),
        (line(document={}), "document must be a string"),
        (line(split="dev"), "split 'dev' is not one of train, validation, test"),
        (line(kind="guess"), "kind 'guess' is not one of title, heading"),
        (line(stored="zz"), "stored must be what `train pairs` wrote"),
        (line(negatives="no"), "negatives must be a list"),
        (line(negatives=["no"]), "negatives must be a list"),
        (line(negatives=[{"text": 5}]), "text must be a string"),
        (line(negatives=[{"title": "t"}]), "a negative has no text"),
    ],
)
def test_a_line_that_is_no_pair_is_named_with_what_is_wrong(tmp_path: Path, content: str, reason: str) -> None:
    file = write(tmp_path / "own.jsonl", f"{line()}{content}\n")
    with pytest.raises(TrainingError, match=r"own\.jsonl, line 2: ") as refused:
        read_pairs(file)
    assert reason in str(refused.value)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_says_how_to_make_one(tmp_path: Path, content: str) -> None:
    with pytest.raises(TrainingError, match="contains no pairs") as refused:
        read_pairs(write(tmp_path / "own.jsonl", content))
    assert refused.value.remedy == Remedy(Action.MAKE_PAIRS)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_bytes('{"query": "é"}\n'.encode("latin-1"))
    with pytest.raises(TrainingError, match="is not UTF-8"):
        read_pairs(tmp_path / "own.jsonl")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="No such file"):
        read_pairs(tmp_path / "nowhere.jsonl")
