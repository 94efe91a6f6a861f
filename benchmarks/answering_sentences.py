"""Counts how often the sentence that is chosen in a hit is one that answers its query, as judged by hand.

Usage: python -m benchmarks.answering_sentences FOLDER [--model NAME]      (the folder of the judged sets in BEIR's layout)

answering_sentences.jsonl has the judgements: a query, a passage, and the places in it that answer. Of the public sets it names
query, document and offsets in the document's text; passages of sample_docs, and those that were written for it, are in full.
Settings were chosen on the lines with even numbers, from 0; the others are reported beside them.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from searchkit.catalog import documents, roots
from searchkit.catalog.connection import reading, writing
from searchkit.catalog.documents import DocumentRecord
from searchkit.catalog.fulltext import Stemmer
from searchkit.catalog.passages import StoredPassage
from searchkit.embedding.embedder import normalized
from searchkit.embedding.onnx_embedder import OnnxEmbedder, onnx_runtime
from searchkit.embedding.store import ModelStore
from searchkit.embedding.tokenizer import open_tokenizer
from searchkit.evaluate.beir import read_beir
from searchkit.evaluate.retrieval.corpus import as_document
from searchkit.home import CollectionFolder, Home, collection_at
from searchkit.ingest.chunk import chunk_document
from searchkit.search.lexical.bm25 import LexicalQuery, read_query
from searchkit.search.lexical.inflections import language_of, languages_in
from searchkit.search.results.highlights import Highlighter, PassageWords
from searchkit.search.sentences import Bounds, sentences
from searchkit.types import DocumentStatus, Passage
from searchkit_indexes import Vectors

JUDGED = Path(__file__).with_suffix(".jsonl")
_MOST_OF = 0.5  # of a marked sentence, or of a place that answers, that the other has
_SOME_OF = 0.3
Choose = Callable[["Judged"], Bounds | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A query, a passage, and the (start, end) of what answers in its text."""

    name: str
    query: str
    passage: Passage
    answers: tuple[Bounds, ...]

    @property
    def is_code(self) -> bool:
        """True if the passage is of a program."""
        return self.name == "code_chunks"

    @property
    def found(self) -> list[Bounds]:
        """What can be marked."""
        return sentences(self.passage.text, self.passage.title, is_code=self.is_code)

    def is_answered_by(self, chosen: Bounds | None) -> bool:
        """True if what is marked is mostly of what answers."""
        if chosen is None:
            return False
        start, end = chosen
        shared = [max(0, min(end, b) - max(start, a)) for a, b in self.answers]
        is_mostly = sum(shared) >= _MOST_OF * (end - start)
        has_most = any(part >= _MOST_OF * (b - a) for part, (a, b) in zip(shared, self.answers, strict=True))
        return is_mostly or (has_most and sum(shared) >= _SOME_OF * (end - start))


def main() -> None:
    """Print a row for each way to choose."""
    options = read_options()
    embedder = ModelStore(Home.default().models).open(options.model)
    with tempfile.TemporaryDirectory() as name:
        sets = {folder.name: folder for folder in options.folder.iterdir()}
        judged, collections = read_judged(sets, Home(Path(name)), embedder)
        vectors = {query: embedder.embed_queries([query])[0] for query in {each.query for each in judged}}
        ways = Ways(embedder, collections, vectors)
        chosen: dict[str, Choose] = {
            "most of the query's words, by rarity": ways.by_words,
            "guessed from tokens": ways.guessed,
            "by the model, each sentence alone": ways.alone,
            "by the model, in one run over the passage": InContext(embedder, vectors),
            "as marked: the model's choice of the three guessed best": ways.marked,
        }
        print("| sentence chosen | chosen on | others | all | ms a passage |\n|---|---|---|---|---|")
        for way, choose in chosen.items():
            started = time.perf_counter()
            right = [each.is_answered_by(choose(each)) for each in judged]
            milliseconds = 1000 * (time.perf_counter() - started) / len(judged)
            halves = (right[::2], right[1::2], right)
            shares = " | ".join(f"{sum(half) / len(half):.3f}" for half in halves)
            print(f"| {way} | {shares} | {milliseconds:.0f} |", flush=True)
        best = sum(any(map(each.is_answered_by, each.found)) for each in judged)
        far = len(judged) // 2  # in other sets
        mismatched = [Judged(a.name, b.query, a.passage, ()) for a, b in zip(judged, judged[far:], strict=False)]
        unmarked = sum(ways.marked(each) is None for each in mismatched)
        print(
            f"{len(judged)} passages; {best} have a sentence that answers;"
            f" {unmarked} of {len(mismatched)} are not marked for another set's query."
        )


def read_judged(
    sets: Mapping[str, Path], home: Home, embedder: OnnxEmbedder
) -> tuple[list[Judged], dict[str, CollectionFolder]]:
    """Read the judgements, and put each set's documents into a catalog, for the rarity of words."""
    rows: list[dict[str, Any]] = [json.loads(line) for line in JUDGED.read_text("utf-8").splitlines()]
    data = {name: read_beir(sets[name]) for name in {row["set"] for row in rows if "document" in row}}
    judged = []
    for row in rows:
        if "document" in row:
            document = data[row["set"]].documents[row["document"]]
            first, end = row["passage"]
            passage = Passage(document.title, document.text[first:end])
            query = data[row["set"]].queries[row["query"]]
        else:
            first, passage, query = 0, Passage(row["title"], row["text"]), row["query"]
        answers = tuple((a - first, b - first) for a, b in row["answers"])
        judged.append(Judged(row["set"], query, passage, answers))
    texts: dict[str, Sequence[Passage]] = {name: [*each.documents.values()] for name, each in data.items()}
    own = list(dict.fromkeys(each.passage for each in judged if each.name not in texts))
    texts |= dict.fromkeys({each.name for each in judged} - texts.keys(), own)
    return judged, {name: _catalog(home, name, passages, embedder) for name, passages in texts.items()}


def _catalog(home: Home, name: str, passages: Sequence[Passage], embedder: OnnxEmbedder) -> CollectionFolder:
    folder = collection_at(home, name)
    with writing(folder) as catalog, catalog.transaction():
        root = roots.add_root(catalog, Path("/corpus")).id
        for number, passage in enumerate(passages):
            record = DocumentRecord(
                id=0,
                root_id=root,
                path=f"zqx{number:08}",
                content_hash=None,
                size_bytes=len(passage.text),
                mtime_ns=0,
                ctime_ns=0,
                format="text",
                status=DocumentStatus.INDEXED,
                reason="",
                title=passage.title,
                recipe="",
            )
            cut = chunk_document(as_document(passage), embedder.count_tokens, embedder.info.max_tokens)
            documents.put_document(catalog, record, cut)
    return folder


class Ways:
    """Chooses sentences as searches do, with all their parts or with fewer."""

    def __init__(
        self, embedder: OnnxEmbedder, collections: Mapping[str, CollectionFolder], vectors: Mapping[str, Vectors]
    ) -> None:
        self._embedder, self._collections, self._stemmer = embedder, collections, Stemmer()
        self._vectors = vectors

    def by_words(self, judged: Judged) -> Bounds | None:
        """Choose the sentence of the snippet with most of the words."""
        query, stored, words = self._read(judged)
        return Highlighter(query).extract(stored, words).sentence

    def guessed(self, judged: Judged) -> Bounds | None:
        """Choose without running the model on sentences."""
        query, stored, words = self._read(judged)
        return Highlighter(query, self._embedder, self._vectors[judged.query]).extract(stored, words).sentence

    def marked(self, judged: Judged) -> Bounds | None:
        """Choose as a search does that has time."""
        query, stored, words = self._read(judged)
        return (
            Highlighter(query, self._embedder, self._vectors[judged.query], self._embed).extract(stored, words).sentence
        )

    def alone(self, judged: Judged) -> Bounds | None:
        """Choose the sentence whose own vector is nearest."""
        if not (found := judged.found):
            return None
        text = judged.passage.text
        vectors = self._embedder.embed_documents([Passage(judged.passage.title, text[a:b]) for a, b in found])
        return found[int((vectors @ self._vectors[judged.query]).argmax())]

    def _embed(self, wanted: Mapping[bytes, Passage]) -> dict[bytes, Vectors]:
        return dict(zip(wanted, self._embedder.embed_documents([*wanted.values()]), strict=True))

    def _read(self, judged: Judged) -> tuple[LexicalQuery, StoredPassage, PassageWords]:
        with reading(self._collections[judged.name]) as catalog:
            language = language_of(judged.query)
            languages = [language] if language else languages_in(catalog)
            query = read_query(catalog, judged.query, self._stemmer, languages)
        name = "a.py" if judged.is_code else "a.txt"
        text, title = judged.passage.text, judged.passage.title
        stored = StoredPassage(0, 0, 0, b"", "/", name, title, text, None, None, None, "", "", "")
        return query, stored, PassageWords.read(stored, query, self._stemmer)


def with_sentences(file: Path) -> bytes:
    """A model that has the projected means of token states too, by (sentences, tokens) `weights`."""
    model = onnx.load(str(file), load_external_data=False)
    states = [node.input[0] for node in model.graph.node if node.op_type == "ReduceMean"][-1]
    model.graph.node.extend(
        [
            onnx.helper.make_node("Squeeze", [states], ["states"]),
            onnx.helper.make_node("MatMul", ["weights", "states"], ["means"]),
            onnx.helper.make_node("MatMul", ["means", "projection"], ["sentences"]),
        ]
    )
    kind = onnx.TensorProto.FLOAT
    model.graph.input.append(onnx.helper.make_tensor_value_info("weights", kind, ["sentences", "tokens"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("sentences", kind, None))
    return bytes(model.SerializeToString())


class InContext:
    """Chooses by the means of token states of one run over the passage, through the model's own projection."""

    def __init__(self, embedder: OnnxEmbedder, vectors: Mapping[str, Vectors]) -> None:
        self._embedder, self._vectors = embedder, vectors
        self._tokenizer = open_tokenizer(embedder.card.tokenizer, embedder.folder / embedder.card.tokenizer_file)
        runtime = onnx_runtime()
        options = runtime.SessionOptions()
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(embedder.folder))
        model = with_sentences(embedder.folder / "model.onnx")
        self._session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def __call__(self, judged: Judged) -> Bounds | None:
        """Choose the sentence with the nearest mean."""
        if not (found := judged.found):
            return None
        embedder = self._embedder
        whole = embedder.card.prompts.of_passage(judged.passage)
        offset = whole.rindex(judged.passage.text)
        encode = self._tokenizer.encode
        ids = encode(whole, embedder.info.max_tokens)
        texts = [whole[: offset + at] for pair in found for at in pair]
        cuts = [len(encode(text, embedder.info.max_tokens)) - 1 for text in texts]  # without the closing token
        weights = np.zeros((len(found), len(ids)), np.float32)
        for row, (start, end) in enumerate(zip(cuts[::2], cuts[1::2], strict=True)):
            weights[row, start : max(end, start + 1)] = 1 / max(end - start, 1)
        inputs = {"token_ids": np.array([ids], np.int64), "weights": weights}
        means = normalized(self._session.run(["sentences"], inputs)[0])
        return found[int((means @ self._vectors[judged.query]).argmax())]


def read_options() -> argparse.Namespace:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="embeddinggemma-300m")
    return parser.parse_args()


if __name__ == "__main__":
    main()
