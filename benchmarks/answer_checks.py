"""Counts what the checks of an answer notice, and how often they are wrong: a scripted language model answers from a table.

Usage: python -m benchmarks.answer_checks FOLDER [--show]      (the folder of the judged sets in BEIR's layout)

checked_answers.jsonl has, for questions of known_answers_*.jsonl (some in another language), an answer that is right in every way
and spoilt ones: with a "not", without one, with another name or amount of its source, or true and about something else. Each goes
through a server of the scripted model, the prompt and the checks as `searchkit ask` has it. Where nothing would be answered, since
all passages are weak, they are the sources all the same. Settings were chosen on the questions t…; h… are reported beside them.
"""

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from searchkit.answer.context import Context, Window, pack
from searchkit.answer.grounding.answer_stream import AnswerReport, answer_from
from searchkit.answer.grounding.checked_text import CheckedSentence
from searchkit.answer.models.language_model import estimated_tokens
from searchkit.answer.models.server_info import ServerModel
from searchkit.answer.models.server_model import HttpLanguageModel, ServerOptions
from searchkit.answer.retrieve import find_passages, find_sources, joined
from searchkit.embedding.embedder import Embedder
from searchkit.embedding.store import ModelStore
from searchkit.evaluate.answers import KnownAnswer, read_known_answers
from searchkit.evaluate.beir import read_beir
from searchkit.home import Home
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.text import folded
from searchkit.types import Hit, Passage
from searchkit_indexes import Vectors
from tests.support.fake_llm import MODEL, FakeLlm, fake_llm

HERE = Path(__file__).parent
SPOILT = ("negated", "unnegated", "swapped", "beside")
_WINDOW = 8192
_EVERY = {"xquad": 16, "product_docs": 3}  # documents that are indexed beside those that answer


@dataclass(frozen=True, slots=True)
class Case:
    """A question with its sources; `right`: the numbers of those that hold the answer; `texts`: the answer and its spoilt kinds."""

    id: str
    language: str
    question: str
    texts: Mapping[str, str]
    context: Context
    right: tuple[int, ...]


class Remembering:
    """An embedder that embeds a text once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder, self.info = embedder, embedder.info
        self._known: dict[object, Vectors] = {}

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As the embedder does."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed_queries(new), strict=True))
        return np.stack([self._known[text] for text in texts])

    def embed_documents(self, passages: Sequence[Passage]) -> Vectors:
        """As the embedder does."""
        new = [passage for passage in dict.fromkeys(passages) if passage not in self._known]
        if new:
            self._known.update(zip(new, self._embedder.embed_documents(new), strict=True))
        return np.stack([self._known[passage] for passage in passages])


def main() -> None:
    """Print a table of what is noticed, and one of false alarms."""
    options = read_options()
    embedder = Remembering(ModelStore(Home.default().models).open(options.model))
    with tempfile.TemporaryDirectory() as name, Library(Path(name) / "home") as library, fake_llm() as llm:
        (Path(name) / "home").mkdir(exist_ok=True)
        (Path(name) / "home" / "models").symlink_to(Home.default().models)
        index_sets(library, options.folder, Path(name), options.model)
        tallies: dict[str, Tally] = defaultdict(Tally)
        for case in read_cases(library):
            scripted = Scripted(llm, embedder, case)
            for half in (case.id[0], "all"):
                tallies[half].cases[case.language] += 1
            for kind, noticed, shown in scripted.outcomes():
                for half in (case.id[0], "all"):
                    tallies[half].add(kind, noticed)
                if options.show and bool(noticed) == (kind == "right"):
                    print(case.id, case.language, kind, noticed, shown)
    print_tables(tallies)


class Tally:
    """Counts of one half: of each kind of answer how many there are, and what was noticed in how many."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.all: Counter[str] = Counter()
        self.noticed: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, kind: str, noticed: str) -> None:
        """Count an answer."""
        self.all[kind] += 1
        self.noticed[kind][noticed] += 1


class Scripted:
    """Answers one question in all its kinds."""

    def __init__(self, llm: FakeLlm, embedder: Remembering, case: Case) -> None:
        self._llm, self._embedder, self._case = llm, embedder, case

    def outcomes(self) -> Iterator[tuple[str, str, str]]:
        """The kind of each answer, what was noticed ("" for nothing), and how it was shown."""
        case, number = self._case, self._case.right[0]
        report = self._report("answer", number)
        yield "right", _noticed(report.sentences[0]), report.answer
        for wrong in range(1, len(case.context.sources) + 1):
            if wrong not in case.right:
                report = self._report("answer", wrong)
                is_righted = bool(cited := report.sentences[0].citations) and set(cited) <= set(case.right)
                yield "wrong number", "righted" if is_righted else _noticed(report.sentences[0]), report.answer
        for kind in SPOILT:
            if kind in case.texts:
                report = self._report(kind, number)
                yield kind, _noticed(report.sentences[0]), report.answer
        others = [hit for i, hit in enumerate(case.context.sources, 1) if i not in case.right]
        if others:
            report = self._report("answer", 1, replace(case.context, sources=tuple(others)))
            yield "not in the sources", _noticed(report.sentences[0]), report.answer

    def _report(self, kind: str, number: int, context: Context | None = None) -> AnswerReport:
        context = context or self._case.context
        self._llm.answers(f"{self._case.texts[kind]} [{number}]")
        model = HttpLanguageModel(self._llm.base, ServerModel(MODEL, {}), ServerOptions(context_tokens=_WINDOW))
        stream = answer_from(model, self._case.question, context, lambda _: context, lambda _: self._embedder)  # type: ignore[arg-type,return-value]
        for _ in stream:
            continue
        model.close()
        assert stream.report is not None
        return stream.report


def _noticed(sentence: CheckedSentence) -> str:
    if sentence.supported is False:
        return "unsupported"
    if sentence.doubt:
        return str(sentence.doubt)
    return "other number" if sentence.added_citations else ""


def read_cases(library: Library) -> Iterator[Case]:
    """Find the sources of each question; one whose answer is in none of them is left out, and said to be."""
    known: dict[str, KnownAnswer] = {}
    for half in ("tune", "held"):
        file = HERE / f"known_answers_{half}.jsonl"
        ids = [json.loads(line)["id"] for line in file.read_text("utf-8").splitlines()]
        known |= dict(zip(ids, read_known_answers(file), strict=True))
    for line in (HERE / "checked_answers.jsonl").read_text("utf-8").splitlines():
        row: dict[str, Any] = json.loads(line)
        each = known[row["id"]]
        question = row.get("question") or each.question
        request = SearchRequest(question, 8, collections=each.collections)
        hits = find_sources(library, request) or joined(library, find_passages(library, request))
        context = pack(question, hits, Window(_WINDOW, _WINDOW, estimated_tokens))
        right = tuple(n for n, hit in enumerate(context.sources, 1) if _holds(each, hit))
        if right:
            texts = {kind: row[kind] for kind in ("answer", *SPOILT) if kind in row}
            yield Case(row["id"], row["lang"], question, texts, context, right)
        else:
            print("not among the sources:", row["id"], row["lang"], question)


def _holds(known: KnownAnswer, hit: Hit) -> bool:
    text = " ".join(folded(hit.text).split())
    is_file = any(hit.path.as_posix().endswith(source) for source in known.sources)
    return is_file and any(all(" ".join(folded(part).split()) in text for part in each) for each in known.answers)


def index_sets(library: Library, judged: Path, folder: Path, model: str) -> None:
    """Index sample_docs, and of two judged sets the documents that answer, with some others."""
    library.index(HERE.parent / "sample_docs", model=model)
    rows = [
        line
        for half in ("tune", "held")
        for line in (HERE / f"known_answers_{half}.jsonl").read_text("utf-8").splitlines()
    ]
    wanted = {(row["folder"], row.get("source")) for row in map(json.loads, rows)}
    for name, every in _EVERY.items():
        (folder / name).mkdir()
        for place, (document, passage) in enumerate(read_beir(judged / name).documents.items()):
            short = document.split("/en/")[-1].replace("/", "_").replace("#", "__")
            file = f"{short}.txt" if name == "xquad" else f"{short}.md"
            if (name, file) in wanted or place % every == 0:
                (folder / name / f"{file[:120]}").write_text(passage.text, "utf-8")
        library.index(folder / name, model=model)


def print_tables(tallies: Mapping[str, Tally]) -> None:
    """Print rows for the halves and all."""
    names = {"t": "tuning", "h": "held back", "all": "all"}
    for half, tally in sorted(tallies.items(), reverse=True):
        count = tally.all["right"]
        print(
            f"\n{names[half]}: {count} answers, {dict(tally.cases)}\n\n| answer | | noticed | as |\n|---|---|---|---|"
        )
        for kind, all_of in tally.all.items():
            seen = {name: number for name, number in tally.noticed[kind].most_common() if name}
            as_what = ", ".join(f"{name} {number}" for name, number in seen.items())
            print(f"| {kind} | {all_of} | {sum(seen.values()) / all_of:.0%} | {as_what} |")


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    parser.add_argument("--show", action="store_true", help="show what was not noticed, and false alarms")
    return parser.parse_args()


if __name__ == "__main__":
    main()
