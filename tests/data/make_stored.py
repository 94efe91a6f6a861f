"""Make tests/data/stored: a small data directory as an earlier version left it, and what its searches found.

`home` was made by commit df91d12, and later versions must open it as it is: test_stored_files.py copies it and looks. So it is
not made again when something changes; a version that writes files otherwise gets a folder of its own beside it. This
script says how it came about, and runs at that commit alone (it needs the extra [train] for the tiny checkpoint, and may
create ROOT):

    python -m tests.data.make_stored

The collection's folder was at ROOT, which is on no machine that runs the tests.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from searchkit import Library

STORED = Path(__file__).parent / "stored"
ROOT = Path("/srv/searchkit-stored/docs")
PLAIN, CODED = "stored", "coded"  # collections of the same folder: vectors as they are, and codes of one bit
MODIFIED = 1_750_000_000  # the files' last change, 15 June 2025
QUERIES = (
    "error E07 when the water is cold",
    "bola kamo kala",
    "mula muri rove",
    "nela nemo neri",
    "Möhren im März",
    '"notice period" papers',
    "water -engine",
    "roses type:html",
    "tila 2025 path:harvest.csv",
)
MODES = ("hybrid", "semantic", "lexical")
JUDGED = (
    {"query": "bola kamo kala", "relevant": ["boats.md#7"]},
    {"query": "when are the carrots sown", "relevant": ["garden/kitchen.md"]},
    {"query": "aphids on the roses", "relevant": ["garden/roses.html"]},
)
# What no command does without a terminal or an hour of training, under the names that it had at that commit.
CHECKPOINT = """
import sys
from pathlib import Path
from tests.tiny_checkpoints import write_gemma
write_gemma(Path(sys.argv[1]))
"""
ADAPT = """
import sys
import numpy as np
from searchkit import Library
from searchkit.embedding.adapted_model import Adaptation
from searchkit.types import Passage
from tests.tiny_checkpoints import WORDS
with Library(sys.argv[1]) as library:
    vectors = library.models.open("tiny").embed_documents([Passage("", f"{one} {other}") for one in WORDS for other in WORDS])
    common = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    matrix = (np.eye(32) - 0.97 * np.outer(common, common)).astype(np.float32)  # random weights say the same of everything
    library.models.add_adapted("tiny", "tiny-stored", Adaptation(matrix, (0.1, 0.6), {"adapted_to": "stored"}, "# Tiny\\n"))
"""
CODE = """
import sys
from searchkit import Library
from searchkit.tuning import set_index
from searchkit_indexes import IndexSpec
with Library(sys.argv[1]) as library:
    set_index(library, "coded", IndexSpec.parse("rabitq-1bit-32"))
"""
OPEN = """
import sys
from pathlib import Path
from searchkit import Library
from searchkit.train.opened import note_opened
from searchkit_tui.session.history import History
home, *queries = sys.argv[1:]
history = History(Path(home))
with Library(home) as library:
    for query in queries:
        history.add(query)
        note_opened(Path(home), query, library.search(query, k=1, collections=["stored"])[0])
history.save()
"""


def make() -> None:
    """Make the data directory, and note what is found in it."""
    home = STORED / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(ROOT, ignore_errors=True)
    shutil.copytree(STORED / "docs", ROOT)
    for path in sorted(ROOT.rglob("*")):
        os.utime(path, (MODIFIED, MODIFIED))
    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "tiny"
        run(home, "-c", CHECKPOINT, checkpoint)
        run(home, "-m", "searchkit", "models", "import", checkpoint, "--name", "tiny-int8")
        run(home, "-m", "searchkit", "models", "import", checkpoint, "--name", "tiny", "--quantization", "fp32")
        run(home, "-c", ADAPT, home)
        for collection in (PLAIN, CODED):
            run(home, "-m", "searchkit", "index", ROOT, "-c", collection, "--model", "tiny")
            run(home, "-m", "searchkit", "models", "use", "tiny-stored", "-c", collection)
        run(home, "-c", CODE, home)
        run(home, "-m", "searchkit", "models", "use", "tiny-stored")
        with (home / "config.toml").open("a", encoding="utf-8") as config:
            config.write("keep_opened = true\n")
        for collection in (PLAIN, CODED):
            run(home, "-m", "searchkit", "index", ROOT, "-c", collection)
        run(home, "-c", OPEN, home, *QUERIES[:3])
        judged = Path(place) / "judged.jsonl"
        judged.write_text("".join(json.dumps(one) + "\n" for one in JUDGED), "utf-8")
        evaluate: list[str | Path] = [
            "eval",
            "retrieval",
            "-c",
            PLAIN,
            "--queries",
            judged,
            "--no-latency",
            "--out",
            Path(place) / "out",
        ]
        run(home, "-m", "searchkit", *evaluate)
        (home / "evaluations").mkdir()
        shutil.copy(Path(place) / "out" / "report.json", home / "evaluations" / f"{PLAIN}.json")
    expected = {name: {"status": counts(home, name), "hits": found(home, name, ROOT)} for name in (PLAIN, CODED)}
    (STORED / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", "utf-8")
    shutil.rmtree(ROOT.parent)


def found(home: Path, collection: str, root: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By query and mode: a collection's hits, with paths relative to its folder."""
    with Library(home) as library:
        return {
            query: {
                mode: [
                    {
                        "path": hit.path.relative_to(root).as_posix(),
                        "line": hit.line,
                        "title": hit.heading,
                        "score": round(hit.score, 6),
                    }
                    for hit in library.search(query, k=4, collections=[collection], mode=mode)
                ]
                for mode in MODES
            }
            for query in QUERIES
        }


def counts(home: Path, collection: str) -> dict[str, Any]:
    """The status of a collection, except places and sizes."""
    status = json.loads(run(home, "-m", "searchkit", "status", "-c", collection, "--json"))
    names = (
        "collection",
        "model",
        "files",
        "files_skipped",
        "files_unsupported",
        "files_to_read",
        "chunks",
        "passages",
    )
    return {name: status[name] for name in (*names, "vectors", "unsupported_types", "formats", "index", "updated_at")}


def run(home: Path, *arguments: str | Path) -> str:
    """Run Python with these arguments over a data directory, which must succeed, and return its output."""
    environment = {**os.environ, "SEARCHKIT_HOME": str(home)}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    make()
