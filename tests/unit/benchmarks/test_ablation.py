"""The ablation takes out what it says, and puts it back."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.ablation import PARTS, AblatedSet, Part
from searchkit.evaluate.metrics import Metric
from searchkit_indexes import Vectors
from tests.support.hash_embedder import HashEmbedder

_DOCUMENTS = {
    "d1": "The boats were connecting the islands along the coast.",
    "d2": "长城非常漂亮，每年都有很多人去看。",
    "d3": "Error E07 means that the pump is dry.",
    "d4": "Bread needs flour, water and patience.",
    **{f"n{number}": f"第{number}号笔记，与此无关。" for number in range(9)},
}
_QUERIES = {"q1": ("connectivity", "d1"), "q2": ("漂亮的长城", "d2"), "q3": ("pump E07", "d3")}


class _NoMeaning(HashEmbedder):
    """Every text is as near as any other, so that words alone decide."""

    def _embed(self, texts: Sequence[str]) -> Vectors:
        return super()._embed(["same"] * len(texts))


@pytest.fixture
def judged(tmp_path: Path) -> AblatedSet:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    corpus = [json.dumps({"_id": key, "title": "", "text": text}) for key, text in _DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(corpus), "utf-8")
    queries = [json.dumps({"_id": key, "text": text}) for key, (text, _) in _QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(queries), "utf-8")
    rows = [f"{key}\t{document}\t1" for key, (_, document) in _QUERIES.items()]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *rows]), "utf-8")
    return AblatedSet(folder, tmp_path / "home", _NoMeaning(), 100)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_can_be_left_out_and_comes_back(judged: AblatedSet, part: Part) -> None:
    whole = judged.scores().mean(Metric.NDCG_10)
    assert 0 <= judged.scores(part).mean(Metric.NDCG_10) <= 1
    assert judged.scores().mean(Metric.NDCG_10) == whole


@pytest.mark.parametrize(("name", "query"), [("English stems", 0), ("pairs of characters", 1)])
def test_what_the_full_text_table_does_without_is_not_found(judged: AblatedSet, name: str, query: int) -> None:
    [part] = [part for part in PARTS if part.name == name]
    assert judged.scores().values[Metric.MRR_10][query] == 1
    assert judged.scores(part).values[Metric.MRR_10][query] < 1
