"""Compares our readers with independent ones: the share of their words that ours read too, by format.

    python -m benchmarks.independent.compare [FOLDER] [--files N] [--seed N] [--worst N]

Without FOLDER, --files files of each format are written by independent libraries, of the extra [bench]. With it, the files of these
formats in it and below are read, at most --files of each. Words are runs of letters and digits, and count as often as they occur,
at most as often as an independent reader finds them; "distinct" counts each once. PDFs are read by pdftotext where it is
installed, else by pdfminer.
"""

import argparse
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.independent.readers import READERS
from benchmarks.independent.writers import WRITERS, Text
from searchkit.errors import UnreadableFileError
from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import extract
from searchkit.ingest.segments import estimate_tokens

_WORD = re.compile(r"[^\W_]+")
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])")
_LIGATURES = str.maketrans({"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl", "\u00ad": ""})


@dataclass(slots=True)
class Tally:
    """The results of a format. Words: those that the independent reader finds, and those of them that ours does."""

    files: int = 0
    refused: int = 0
    expected: int = 0
    found: int = 0
    distinct_expected: int = 0
    distinct_found: int = 0
    recalls: list[tuple[float, str, list[str]]] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--worst", type=int, default=0, help="also show the files of which most is missing, and some words"
    )
    options = parser.parse_args()
    print("| format | files | not read | words | recall | median | distinct |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for suffix in READERS:
            paths = (
                files_of(options.folder, suffix, options.files)
                if options.folder
                else written(Path(place), suffix, options.files, options.seed)
            )
            if paths:
                report(suffix, compared(suffix, paths), options.worst)


def files_of(folder: Path, suffix: str, most: int) -> list[Path]:
    return sorted(path for path in folder.rglob(f"*.{suffix}") if path.is_file())[:most]


def written(place: Path, suffix: str, files: int, seed: int) -> list[Path]:
    paths = [place / f"{number}.{suffix}" for number in range(files)]
    for number, path in enumerate(paths):
        WRITERS[suffix](path, Text(1000 * seed + number, latin=suffix == "pdf"))
    return paths


def compared(suffix: str, paths: Iterable[Path]) -> Tally:
    tally = Tally()
    for path in paths:
        try:
            theirs = words("\n".join(READERS[suffix](path)))
        except Exception:  # noqa: BLE001 (whatever an independent reader fails with, there is nothing to compare with)
            continue
        tally.files += 1
        try:
            ours = words(ours_of(path))
        except UnreadableFileError:
            tally.refused += 1
            continue
        common = theirs & ours
        tally.expected, tally.found = tally.expected + theirs.total(), tally.found + common.total()
        tally.distinct_expected += len(theirs)
        tally.distinct_found += len(common)
        missing = [word for word, _ in (theirs - ours).most_common(12)]
        tally.recalls.append((common.total() / max(1, theirs.total()), str(path), missing))
    return tally


def ours_of(path: Path) -> str:
    """Everything of a file that is in the index: title, metadata, headings and texts of its passages."""
    content = path.read_bytes()
    document = extract(format_of(path, content), content)
    chunks = list(chunk_document(document, estimate_tokens, 512))
    return "\n".join(
        [document.title, *document.metadata.values(), *(f"{chunk.title}\n{chunk.text}" for chunk in chunks)]
    )


def words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(_HYPHEN.sub("", text.translate(_LIGATURES)).casefold()))


def report(suffix: str, tally: Tally, worst: int) -> None:
    recall, distinct = tally.found / max(1, tally.expected), tally.distinct_found / max(1, tally.distinct_expected)
    middle = median([each for each, *_ in tally.recalls] or [0.0])
    print(
        f"| {suffix} | {tally.files} | {tally.refused} | {tally.expected:,} | {recall:.4f} | {middle:.4f} | {distinct:.4f} |",
        flush=True,
    )
    for each, path, missing in sorted(tally.recalls)[:worst]:
        print(f"    {each:.3f} {path}: {' '.join(missing)}")


if __name__ == "__main__":
    main()
