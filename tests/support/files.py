"""Files that tests write, and the ones that they find in the checkout or on this machine."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]  # the checkout; processes that tests start run there
SAMPLE_DOCS = ROOT / "sample_docs"
EMBEDDINGGEMMA = Path(
    os.environ.get("SEARCHKIT_TEST_EMBEDDINGGEMMA", "~/.cache/searchkit-dev/embeddinggemma-300m")
).expanduser()


def write(path: Path, text: str) -> Path:
    """Write a text file, its folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
