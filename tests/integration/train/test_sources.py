"""Sources of pairs other than the text itself: opened searches, a language model; and hard negatives."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from searchkit.answer.models.language_model import Message
from searchkit.catalog.connection import reading
from searchkit.catalog.documents import content_hash
from searchkit.cli.main import cli
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.search.click_log import erase_opened, note_opened, read_opened
from searchkit.train.options import PairOptions
from searchkit.train.pairs import generated_questions
from searchkit.train.pairs.collect import collect_pairs, opened_pairs, read_or_mine_pairs
from searchkit.train.pairs.pair import Kind, Pair, Split
from searchkit.train.pairs.vectors import CorpusVectors, Sources, VectorCache, vectors_of_pairs
from searchkit.types import Passage
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

pytestmark = pytest.mark.slow

FILLER = " These lines are here so that the note is long enough to be asked about and to be learned from by somebody else later."


@pytest.fixture
def notes(library: Library, tmp_path: Path) -> Library:
    """Notes about plants, two of which say the same."""
    folder = tmp_path / "notes"
    write(folder / "roses.md", f"# Pruning the roses\n\nCut roses above an outward bud in March.{FILLER}\n")
    write(folder / "copy.md", f"# Pruning a rose\n\nCut roses above an outward bud in March.{FILLER}\n")
    write(
        folder / "apples.md", f"# Pruning apple trees\n\nCut apple trees in winter, never the roses in March.{FILLER}\n"
    )
    write(folder / "bread.md", f"# Baking rye bread\n\nLet the dough rest overnight.{FILLER}\n")
    library.index(folder, collection="notes")
    return library


def test_opened_searches_are_kept_only_if_one_says_so(notes: Library) -> None:
    hit = notes.search("roses in March", k=1)[0]
    assert not note_opened(notes.home, "roses in March", hit)
    assert not notes.home.click_log.exists()


def test_opened_searches_are_visible_become_pairs_and_can_be_erased(notes: Library) -> None:
    write(notes.home.path / "config.toml", "keep_opened = true\n")
    hit = notes.search("when are roses cut", k=1)[0]
    assert note_opened(notes.home, "when are roses cut", hit)
    assert notes.home.click_log.stat().st_mode & 0o077 == 0
    with notes.home.click_log.open("a") as file:
        file.write('{"cut')  # by a crash
    (kept,) = read_opened(notes.home)
    assert (kept.query, kept.collection, kept.path) == ("when are roses cut", "notes", hit.path)
    pairs, counts = collect_pairs(notes, "notes", PairOptions())
    assert counts.kinds["opened"] == 1
    assert read_or_mine_pairs(notes, "notes")[1].kinds["opened"] == 1  # what `train adapter` learns from
    assert any((pair.kind, pair.query) == (Kind.OPENED, "when are roses cut") for pair in pairs)
    assert erase_opened(notes.home) == 1
    assert read_opened(notes.home) == [] and not notes.home.click_log.exists()


def test_what_filters_alone_find_is_not_kept_and_of_other_queries_the_words_are_learned(notes: Library) -> None:
    write(notes.home.path / "config.toml", "keep_opened = true\n")
    hit = notes.search("when are roses cut", k=1)[0]
    assert not any(note_opened(notes.home, query, hit) for query in ("", "  ", "type:md since:2020"))
    assert note_opened(notes.home, "when are roses  cut type:md -apples", hit)
    assert read_opened(notes.home)[0].query == "when are roses  cut type:md -apples"
    assert [pair.query for pair in opened_pairs(notes.home, "notes")] == ["when are roses cut"]
    assert [pair.stored for pair in opened_pairs(notes.home, "notes")] == [content_hash(hit.heading, hit.text).hex()]


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\x1c", "\n", "\udc80"])
def test_no_sign_in_a_text_costs_its_line_and_what_is_opened_again_is_there_once(notes: Library, sign: str) -> None:
    write(notes.home.path / "config.toml", "keep_opened = true\n")
    hit = replace(notes.search("when are roses cut", k=1)[0], text=f"Cut{sign}roses")
    for query in ("when are roses cut", "when are roses cut", "roses in March"):
        assert note_opened(notes.home, query, hit)
    assert [one.query for one in read_opened(notes.home)] == ["when are roses cut", "roses in March"]


def test_a_line_that_a_crash_cut_costs_no_other_and_what_is_no_line_is_passed_over(notes: Library) -> None:
    write(notes.home.path / "config.toml", "keep_opened = true\n")
    hit = notes.search("when are roses cut", k=1)[0]
    foreign = {"query": ["x"], "collection": "notes", "path": 5, "title": "", "text": ""}
    write(notes.home.click_log, f'5\n[]\n{{}}\n{json.dumps(foreign)}\n{{"cut')
    assert note_opened(notes.home, "when are roses cut", hit)
    assert [one.query for one in read_opened(notes.home)] == ["when are roses cut"]


def test_what_is_forgotten_is_erased_from_what_was_opened(notes: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    write(notes.home.path / "config.toml", "keep_opened = true\n")
    hits = notes.search("when are roses cut", k=4)
    for hit in hits:
        assert note_opened(notes.home, "when are roses cut", hit)
    gone = hits[1].path
    monkeypatch.setenv("SEARCHKIT_HOME", str(notes.home))
    said = CliRunner().invoke(cli, ["forget", str(gone)])
    assert "1 file forgotten" in said.output and "1 opened hit erased" in said.output
    assert [one.path for one in read_opened(notes.home)] == [hit.path for hit in hits if hit.path != gone]
    assert gone.name not in notes.home.click_log.read_text()
    assert notes.home.click_log.stat().st_mode & 0o077 == 0
    CliRunner().invoke(cli, ["forget", str(gone.parent)])
    assert not notes.home.click_log.exists()


def test_a_hard_negative_is_near_of_another_file_and_no_copy(notes: Library) -> None:
    pairs, counts = collect_pairs(notes, "notes", PairOptions(negatives=2))
    with_some = [pair for pair in pairs if pair.negatives]
    assert counts.with_negatives == len(with_some) > 0
    for pair in with_some:
        assert pair.passage.text not in [negative.text for negative in pair.negatives]
    of_roses = [pair for pair in with_some if "Cut roses" in pair.passage.text]
    assert of_roses
    assert "Cut roses" not in "\n".join(negative.text for pair in of_roses for negative in pair.negatives)


class ScriptedModel:
    """A language model that gives scripted replies."""

    name, server, remote, is_small = "scripted", "here", False, False
    window_tokens = comfortable_tokens = 4096

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = iter(replies)
        self.asked: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text)

    def reply(self, messages: Sequence[Message], max_tokens: int) -> "ScriptedReply":  # noqa: ARG002
        self.asked.append(messages[-1].content)
        return ScriptedReply(next(self._replies))

    def close(self) -> None:
        self._replies = iter(())


class ScriptedReply:
    is_cut_short = False

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[str]:
        yield self._text

    def stop(self) -> None:
        self._text = ""


def test_a_written_question_is_kept_if_it_finds_its_passage_and_copies_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, subject in enumerate(("roses", "bread", "boiler", "lease", "piano")):
        write(tmp_path / "five" / f"{number}.txt", f"{subject} {subject}: it needs care in its month.{FILLER * 2}\n")
    for number in range(20):
        write(tmp_path / "five" / f"other{number}.txt", f"What was taken to number {number} and which was there. ")
    library.index(tmp_path / "five", collection="five")

    def question(prompt: str) -> str:
        subject = next(name for name in ("roses", "bread", "boiler", "lease", "piano") if name in prompt)
        return {
            "roses": "Here is the question:\nWhich roses need looking after?",
            "bread": "Which boiler was taken to the cellar?",
            "boiler": "Why is it that the note is long enough to be asked about?",
            "lease": "lease",
            "piano": "Which piano needs looking after?",
        }[subject]

    model = ScriptedModel([])
    monkeypatch.setattr(model, "reply", lambda messages, _: ScriptedReply(question(messages[-1].content)))
    monkeypatch.setattr(generated_questions, "choose_model", lambda *_: model)
    pairs, counts = collect_pairs(library, "five", PairOptions(llm="auto"))
    assert {pair.query for pair in pairs} == {"Which roses need looking after?", "Which piano needs looking after?"}
    assert counts.kinds == {"written": 2}


def test_another_run_embeds_only_what_is_new(notes: Library, tmp_path: Path, embedder: HashEmbedder) -> None:
    pairs, _ = collect_pairs(notes, "notes", PairOptions())
    with reading(existing_collection(notes.home, "notes")) as connection:
        corpus = CorpusVectors.read(connection, embedder)
    first = VectorCache(tmp_path / "cache.bin", embedder)
    found = vectors_of_pairs(pairs, corpus, first)
    first.save()
    second = VectorCache(tmp_path / "cache.bin", embedder)
    again = vectors_of_pairs(pairs, corpus, second)
    assert first.embedded and not second.embedded
    assert (found.queries == again.queries).all() and (found.passages == again.passages).all()
    assert VectorCache(tmp_path / "cache.bin", HashEmbedder(48)).queries(["x y"]).shape == (1, 48)


def test_quick_training_embeds_no_passage_that_is_stored(
    notes: Library, tmp_path: Path, embedder: HashEmbedder
) -> None:
    pairs, _ = collect_pairs(notes, "notes", PairOptions())
    training = [Pair(p.query, p.passage, p.kind, p.document, Split.TRAIN, p.stored) for p in pairs]
    foreign = Pair("of no file", Passage("", "somewhere else"), Kind.USER, "x")
    with reading(existing_collection(notes.home, "notes")) as connection:
        corpus = CorpusVectors.read(connection, embedder)
    embedder.embedded.clear()
    found = vectors_of_pairs([*training, foreign], corpus, VectorCache(tmp_path / "c", embedder), Sources.STORED)
    assert embedder.embedded == ["somewhere else"]
    assert found.rows.tolist()[-1] == -1 and len(found) == len(training) + 1
