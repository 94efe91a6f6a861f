"""`train init` on a judged set: its titles are the pairs, its texts the corpus, its judged queries the measure.

    python -m benchmarks.init shared/data/retrieval/cranfield OUT [options of `train init`]

OUT is the new folder for the best encoder. The same command resumes a run that was stopped.
"""

import sys
import tempfile
from pathlib import Path

from searchkit.cli.main import cli
from searchkit.evaluate.beir import read_beir
from searchkit.train.pairs.pair import Kind, Pair, deduplicated, is_query, split_by_document, without_copies
from searchkit.train.pairs.pair_file import write_pairs
from searchkit.types import Passage


def title_pairs(folder: Path) -> list[Pair]:
    """The titles of a set's documents, each with the text below it."""
    pairs = []
    for name, passage in read_beir(folder).documents.items():
        text = without_copies(passage.text, passage.title).strip()
        if is_query(passage.title) and text:
            pairs.append(Pair(passage.title, Passage("", text), Kind.TITLE, name))
    kept, _ = deduplicated(pairs)
    return split_by_document(kept)


def main() -> None:
    """Run it."""
    folder, out, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "pairs.jsonl"
        write_pairs(file, title_pairs(Path(folder)))
        cli(["train", "init", "--pairs", str(file), "--judged", folder, "--out", out, *options])


if __name__ == "__main__":
    main()
