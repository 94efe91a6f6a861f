import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchkit.errors import EvaluationDataError
from searchkit.evaluate.chunking.chunkers import ByStructure, Chunker, FixedWindows, LocatedChunk
from searchkit.evaluate.chunking.data import (
    Question,
    SourceDocument,
    SourceText,
    Span,
    covered,
    merged,
    read_chunking_data,
    shared,
)
from searchkit.evaluate.chunking.measure import (
    ChunkingEvaluation,
    ChunkingReport,
    overlap_scores,
    report_as_json,
    report_as_text,
)
from searchkit.evaluate.statistics import paired_interval
from searchkit.ingest.extract.readers import extract
from searchkit.reports import Progress
from searchkit.types import BlockKind, Passage
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: (min(ends), max(ends))), max_size=8)
HANDBOOK = """Read this first.

# Boiler

## Pressure

Top up the water until the gauge shows two bar.

| part | price |
|------|-------|
| pump | 40    |

## The `valve` *itself*

- turn it left
- wait

```sh
valve --open

valve --shut
```

# Roses [in March](https://example.org)

Prune them above an outward bud. [1]

[1]: https://example.org/roses

"""
WORDS = "sun rain frost leaf root soil bud thorn".split()


def characters(found: list[Span]) -> set[int]:
    return {place for start, end in found for place in range(start, end)}


def folder_of(tmp_path: Path, documents: dict[str, str], questions: dict[str, tuple[str, str]]) -> Path:
    """Judged data: by question the document and the words in it that answer it."""
    for name, text in documents.items():
        write(tmp_path / "documents" / name, text)
    queries = [{"_id": str(i), "text": text} for i, text in enumerate(questions)]
    answers = []
    for i, (name, answer) in enumerate(questions.values()):
        start = documents[name].index(answer)
        answers.append({"_id": str(i), "file": name.split(".")[0], "spans": [[start, start + len(answer)]]})
    write(tmp_path / "queries.jsonl", "\n".join(map(json.dumps, queries)))
    write(tmp_path / "spans.jsonl", "\n".join(map(json.dumps, answers)) + "\n")
    return tmp_path


@given(spans, spans)
def test_spans_are_counted_as_the_sets_of_their_characters(some: list[Span], others: list[Span]) -> None:
    assert characters(merged(some)) == characters(some)
    assert all(a[1] < b[0] for a, b in zip(merged(some), merged(some)[1:], strict=False))
    assert covered(some) == len(characters(some))
    assert shared(some, others) == len(characters(some) & characters(others))


def test_recall_precision_and_iou_are_those_of_the_characters() -> None:
    question = Question("?", "a", ((10, 20), (30, 40)))
    chunks = [
        LocatedChunk(Passage("", ""), "a", ((0, 15),)),
        LocatedChunk(Passage("", ""), "a", ((10, 18),)),  # counted once where it overlaps the first
        LocatedChunk(Passage("", ""), "b", ((10, 32),)),
    ]
    recall, precision, iou = overlap_scores(question, chunks)
    assert recall == pytest.approx(8 / 20)
    assert precision == pytest.approx(8 / (18 + 22))
    assert iou == pytest.approx(8 / (20 + 18 + 22 - 8))
    assert overlap_scores(question, []) == (0, 0, 0)


def document_of(text: str) -> SourceDocument:
    extracted = extract("markdown", text.encode())
    return SourceDocument(extracted, text)


def blocks_of(text: str) -> list[str]:
    return [block.text for block in extract("markdown", text.encode()).blocks if block.kind is not BlockKind.HEADING]


LONG = f"# Long\n\n{' '.join(f'Sentence {i} is one of many.' for i in range(500))}\n\n# End\n\nIt ends.\n"


@pytest.mark.parametrize("text", [HANDBOOK, HANDBOOK * 3, LONG], ids=["short", "repeated", "long"])
def test_every_character_of_a_markdown_document_is_in_a_chunk_or_its_title(text: str, embedder: HashEmbedder) -> None:
    cut = list(ByStructure().chunk(document_of(text), embedder))
    found = [span for _, located in cut for span in located]
    everything = " ".join(f"{passage.title} {passage.text}" for passage, _ in cut)
    heading_lines = set()
    for block in document_of(text).extracted.blocks:
        if block.kind is BlockKind.HEADING:
            heading_lines.add(block.line)
            assert block.text in everything
    at = 0
    for number, line in enumerate(text.split("\n"), 1):
        if number not in heading_lines:
            assert {at + i for i, sign in enumerate(line) if not sign.isspace()} <= characters(found), line
        at += len(line) + 1
    assert len(characters(found)) == sum(end - start for start, end in found)  # nothing twice


@given(
    st.lists(st.lists(st.sampled_from([*WORDS, "#", "##", "\n", "\n\n", "."]), max_size=60).map(" ".join), max_size=12)
)
def test_what_is_not_in_a_heading_is_found_again_wherever_it_stands(parts: list[str]) -> None:
    text = "\n".join(parts)
    embedder = HashEmbedder()
    embedder.info = replace(embedder.info, max_tokens=60)
    document = document_of(text)
    found = [span for _, located in ByStructure().chunk(document, embedder) for span in located]
    wanted = sum(len("".join(body.split())) for body in blocks_of(text))
    assert sum(len("".join(text[start:end].split())) for start, end in merged(found)) >= wanted


def test_a_passage_is_found_in_order_and_a_part_that_is_not_there_is_left_out() -> None:
    source = SourceText("the sun\n\n## Rain `now`\n\nthe  rain falls\n\nthe sun")
    assert source.locate("the sun") == [(0, 7)]
    assert source.locate("Rain now\n\nthe rain falls") == [(24, 39)]
    assert source.locate("the sun") == [(41, 48)]
    assert source.locate("the moon") == []


def test_a_heading_that_is_found_too_far_behind_does_not_hide_what_stands_before() -> None:
    source = SourceText("# *Rain*\n\nthe sun shines\n\nRain falls")
    assert source.locate("Rain falls\n\nthe sun shines") == [(10, 24)]


@pytest.mark.parametrize("overlap", [0, 5])
def test_windows_hold_so_many_tokens_and_together_the_whole_text(overlap: int, embedder: HashEmbedder) -> None:
    text = " ".join(WORDS[i % 8] + str(i) for i in range(333))
    cut = list(FixedWindows(20, overlap).chunk(document_of(text), embedder))
    located = [span for _, (span,) in cut]
    assert merged(located) == [(0, len(text))]
    assert {embedder.count_tokens(passage.text) for passage, _ in cut[:-1]} == {20}
    assert sum(end - start for start, end in located) - covered(located) >= overlap * 5 * (len(cut) - 2)
    assert all(passage.text == text[start:end] for (passage, _), (start, end) in zip(cut, located, strict=True))


def test_a_window_of_text_without_blanks_ends_inside_it(embedder: HashEmbedder) -> None:
    text = "字," * 100
    cut = list(FixedWindows(20).chunk(document_of(text), embedder))
    assert "".join(passage.text for passage, _ in cut) == text
    assert len(cut) == 10


def measured(folder: Path, embedder: HashEmbedder, *chunkers: Chunker, k: int = 1) -> ChunkingReport:
    steps: list[Progress] = []
    evaluation = ChunkingEvaluation(read_chunking_data(folder), embedder, k, steps.append)
    report = evaluation.run(chunkers, chunkers[-1])
    assert {step.stage for step in steps} == {chunker.name for chunker in chunkers}
    assert all(step.total is not None and step.done <= step.total for step in steps)
    return report


def test_sections_beat_windows_that_cut_through_the_answers(tmp_path: Path, embedder: HashEmbedder) -> None:
    words = {name: " ".join(f"{name}{i}" for i in range(60)) for name in WORDS}
    text = "\n\n".join(f"# {name}\n\n{body}" for name, body in words.items())
    questions = {words[name]: ("garden.md", words[name]) for name in WORDS}
    report = measured(folder_of(tmp_path, {"garden.md": text}, questions), embedder, ByStructure(), FixedWindows(100))
    structure, windows = report.rows
    assert (report.documents, report.queries, report.reference) == (1, 8, "windows of 100")
    assert (structure.recall.mean, structure.iou.mean, structure.pieces) == (1, 1, 8)
    assert windows.recall.mean < 1
    assert structure.recall.difference == pytest.approx(1 - windows.recall.mean)
    assert structure.recall.low is not None
    assert structure.recall.low > 0
    assert windows.recall.difference is None
    assert windows.located == 1
    assert structure.located > 0.9


def test_a_report_is_a_table_or_json(tmp_path: Path, embedder: HashEmbedder) -> None:
    folder = folder_of(tmp_path, {"a.md": "# Sun\n\nIt shines."}, {"what shines": ("a.md", "It shines.")})
    report = measured(folder, embedder, ByStructure(), FixedWindows(256))
    text = report_as_text(report)
    assert "1 document, 1 query, hash, the best 1 chunks by exact search" in text
    assert "1.0000 (+0.0000: +0.0000 to +0.0000)" in text
    assert "Note: 30.8% of the text is in no chunk of structure" in text
    rows = report_as_json(report)["rows"]
    assert [row["cutting"] for row in rows] == ["structure", "windows of 256"]
    assert json.dumps(rows)


def test_documents_that_are_no_text_are_counted_in_their_blocks(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, {"a.html": "<h1>Sun</h1><p>It shines.</p><p>Often.</p>"}, {"when": ("a.html", "Often.")}
    )
    write(folder / "spans.jsonl", json.dumps({"_id": "0", "file": "a", "spans": [[17, 23]]}))
    data = read_chunking_data(folder)
    assert data.documents["a"].text == "Sun\n\nIt shines.\n\nOften."
    assert data.questions == (Question("when", "a", ((17, 23),)),)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("spans.jsonl", "", "is empty"),
        ("spans.jsonl", "x", "line 1: not valid JSON"),
        ("spans.jsonl", "[]", "line 1: expected a JSON object"),
        ("spans.jsonl", '{"_id": "9", "file": "a", "spans": [[0, 1]]}', "no query '9'"),
        ("spans.jsonl", '\n{"_id": "0", "file": "b", "spans": [[0, 1]]}', "line 2: there is no document 'b'"),
        ("spans.jsonl", '{"_id": "0", "file": "a", "spans": [[0, 999]]}', "pairs of a start and an end, 0 to 8"),
        ("spans.jsonl", '{"_id": "0", "file": "a", "spans": [[0, "x"]]}', "pairs of a start and an end"),
        ("spans.jsonl", '{"_id": "0", "file": "a", "spans": [[3, 3]]}', "pairs of a start and an end"),
        ("spans.jsonl", '{"_id": "0", "file": "a"}', "pairs of a start and an end"),
        ("documents/b.md", "\0\0\0", "cannot be read"),
        ("documents/b.exe", "x", "not of a kind that is read"),
    ],
)
def test_data_that_cannot_be_used_gets_a_clear_message(tmp_path: Path, file: str, content: str, message: str) -> None:
    folder = folder_of(tmp_path, {"a.md": "the sun."}, {"what": ("a.md", "sun")})
    write(folder / file, content)
    with pytest.raises(EvaluationDataError, match=message):
        read_chunking_data(folder)


@pytest.mark.parametrize("missing", ["queries.jsonl", "spans.jsonl", "documents/a.md"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    folder = folder_of(tmp_path, {"a.md": "the sun."}, {"what": ("a.md", "sun")})
    (folder / missing).unlink()
    with pytest.raises(EvaluationDataError, match="There is no file"):
        read_chunking_data(folder)


def test_an_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    low, high = paired_interval([1.0, 0.5, 0.9, 0.7] * 20, [0.8, 0.6, 0.5, 0.7] * 20)
    assert low < 0.125 < high
    assert (low, high) == paired_interval([1.0, 0.5, 0.9, 0.7] * 20, [0.8, 0.6, 0.5, 0.7] * 20)
    assert paired_interval([0.5], [0.5]) == (0, 0)
