"""Where pairs come from besides the text itself: opened searches, a language model; and hard negatives."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from searchkit.answer.language_model import Message
from searchkit.catalog.access import reading
from searchkit.catalog.collection_folder import existing_collection
from searchkit.library import Library
from searchkit.train import written
from searchkit.train.collect import CollectOptions, collect_pairs
from searchkit.train.opened import erase_opened, note_opened, opened_file, read_opened
from searchkit.train.pairs import Kind, Pair, Split
from searchkit.train.vectors import CorpusVectors, Sources, VectorCache, vectors_of_pairs
from searchkit.types import Passage
from tests.conftest import write
from tests.hash_embedder import HashEmbedder

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
    assert not opened_file(notes.home).exists()


def test_opened_searches_are_visible_become_pairs_and_can_be_erased(notes: Library) -> None:
    write(notes.home / "config.toml", "keep_opened = true\n")
    hit = notes.search("when are roses cut", k=1)[0]
    assert note_opened(notes.home, "when are roses cut", hit)
    assert opened_file(notes.home).stat().st_mode & 0o077 == 0
    with opened_file(notes.home).open("a") as file:
        file.write('{"cut')  # by a crash
    (kept,) = read_opened(notes.home)
    assert (kept.query, kept.collection, kept.path) == ("when are roses cut", "notes", hit.path)
    pairs, counts = collect_pairs(notes, "notes", CollectOptions())
    assert counts.kinds["opened"] == 1
    assert any((pair.kind, pair.query) == (Kind.OPENED, "when are roses cut") for pair in pairs)
    assert erase_opened(notes.home) == 1
    assert read_opened(notes.home) == [] and not opened_file(notes.home).exists()


def test_a_hard_negative_is_near_of_another_file_and_no_copy(notes: Library) -> None:
    pairs, counts = collect_pairs(notes, "notes", CollectOptions(negatives=2))
    with_some = [pair for pair in pairs if pair.negatives]
    assert counts.with_negatives == len(with_some) > 0
    for pair in with_some:
        said = [negative.text for negative in pair.negatives]
        assert not any("Cut roses" in text for text in said) or "Cut roses" not in pair.passage.text
        assert all(text != pair.passage.text for text in said)


class ScriptedModel:
    """A language model that gives scripted replies."""

    name, where, is_remote, is_small = "scripted", "here", False, False
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
    monkeypatch.setattr(written, "choose_model", lambda *_: model)
    pairs, counts = collect_pairs(library, "five", CollectOptions(llm="auto"))
    assert {pair.query for pair in pairs} == {"Which roses need looking after?", "Which piano needs looking after?"}
    assert counts.kinds == {"written": 2}


def test_another_run_embeds_only_what_is_new(notes: Library, tmp_path: Path, embedder: HashEmbedder) -> None:
    pairs, _ = collect_pairs(notes, "notes", CollectOptions())
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
    pairs, _ = collect_pairs(notes, "notes", CollectOptions())
    training = [Pair(p.query, p.passage, p.kind, p.document, Split.TRAIN, p.stored) for p in pairs]
    foreign = Pair("of no file", Passage("", "somewhere else"), Kind.OWN, "x")
    with reading(existing_collection(notes.home, "notes")) as connection:
        corpus = CorpusVectors.read(connection, embedder)
    embedder.embedded.clear()
    found = vectors_of_pairs([*training, foreign], corpus, VectorCache(tmp_path / "c", embedder), Sources.STORED)
    assert embedder.embedded == ["somewhere else"]
    assert found.rows.tolist()[-1] == -1 and len(found) == len(training) + 1
