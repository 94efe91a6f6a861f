"""Counts how many texts in old encodings are decoded correctly.

    python -m benchmarks.encodings FOLDER

FOLDER: a folder for each encoding, with Python's name for it or a language added (iso-8859-2-czech), containing files. A
file is read right if its characters are those of the folder's encoding. Files that this encoding cannot read have no right
answer and are counted apart, as are texts that differ only in look-alike characters that two encodings read from the same bytes.
"""

import codecs
import re
import sys
import time
import unicodedata
from collections import Counter
from pathlib import Path

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.text import decode_text

_NAMES = {"EUC-TW": "", "MacCyrillic": "mac_cyrillic", "MacRoman": "mac_roman"}  # Python has no EUC-TW
_ALIKE = str.maketrans("―・〜∥−￠￡￢", "—·～‖－¢£¬")


def main(folder: str) -> None:
    outcomes: Counter[str] = Counter()
    seconds = size = 0.0
    for path in sorted(Path(folder).glob("*/*")):
        content = path.read_bytes()
        started = time.perf_counter()
        got = read(content)
        seconds += time.perf_counter() - started
        size += len(content)
        outcome = judge(content, got, path.parent.name)
        outcomes[outcome] += 1
        if outcome != "right":
            print(f"{outcome}: {path.parent.name}/{path.name}")
    files = outcomes.total()
    print(f"{files} files: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    print(f"right: {outcomes['right'] / files:.1%}; {size / 1e6 / seconds:.1f} MB/s")


def read(content: bytes) -> str | None:
    try:
        return decode_text(content)
    except UnreadableFileError:
        return None


def judge(content: bytes, got: str | None, folder: str) -> str:
    try:
        expected = content.decode(encoding_of(folder)).removeprefix("\ufeff")
    except (UnicodeDecodeError, LookupError):
        return "without a right answer"
    expected = expected.replace("\r\n", "\n").replace("\r", "\n")
    if got == expected:
        return "right"
    if got is None:
        return "refused"
    same = unicodedata.normalize("NFC", got.translate(_ALIKE)) == unicodedata.normalize(
        "NFC", expected.translate(_ALIKE)
    )
    return "right except look-alike characters" if same else "wrong"


def encoding_of(folder: str) -> str:
    name = _NAMES.get(folder, folder)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return re.sub(r"-[a-z]+$", "", name)


if __name__ == "__main__":
    main(*sys.argv[1:])
