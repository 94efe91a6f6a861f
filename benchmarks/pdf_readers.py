"""Reads real PDFs with each library and with our reader: pages per second, and how close the words come to pdftotext's.

    python -m benchmarks.pdf_readers FOLDER [--readers pypdf,pypdfium2,searchkit] [--files N] [--pages N] [--seed N]

FOLDER: PDFs, also in folders below, of which --files are drawn by the seed. The libraries read the text of a file's first
--pages pages; our reader reads whole files, with outline, metadata, form fields and cleaning. The first --pages pages of each
file are compared. Seconds are processor time of this one process. Words are runs of letters and digits, joined at line ends as
our reader does; headers and page numbers, which it drops, count against its recall. Recall and precision count words as often
as they occur; order is the longest common subsequence of both readings, as a share of the words that both have. The reference
is poppler's pdftotext, which must be installed.
"""

import argparse
import io
import logging
import random
import re
import subprocess
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdf
import pypdfium2

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.pdf.document import extract_pdf
from searchkit.ingest.extract.pdf.lines import joined

_WORD = re.compile(r"[^\W_]+")
Reader = Callable[[bytes, int], list[str]]


@dataclass(slots=True)
class Tally:
    """The results of one reader. Words: those found, the reference's, those in both, and those of these in the same order."""

    seconds: float = 0.0
    pages: int = 0
    failed: int = 0
    found: int = 0
    expected: int = 0
    common: int = 0
    ordered: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readers", default="pypdf,pypdfium2,searchkit")
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worst", type=int, default=0, help="also name the N files whose words fit worst")
    options = parser.parse_args()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    tallies = {name: Tally() for name in options.readers.split(",")}
    worst: dict[str, list[tuple[float, str]]] = {name: [] for name in tallies}
    for path in drawn(options.folder, options.files, options.seed):
        content = path.read_bytes()
        reference = [words(text) for text in with_pdftotext(path, options.pages)]
        for name, tally in tallies.items():
            fit = measure(READERS[name], content, options.pages, reference, tally)
            worst[name].append((fit, str(path)))
    print_table(tallies)
    for name, files in worst.items():
        for fit, file in sorted(files)[: options.worst]:
            print(f"{name} {fit:.3f} {file}")


def drawn(folder: Path, count: int, seed: int) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.pdf") if path.is_file() and not path.is_symlink())
    random.Random(seed).shuffle(found)
    return found[:count]


def measure(reader: Reader, content: bytes, pages: int, reference: list[list[str]], tally: Tally) -> float:
    """Add the file to the tally. Returns the words in the right place as a share of the longer reading."""
    started = time.process_time()
    try:
        texts = reader(content, pages)
    except Exception as error:  # noqa: BLE001 - whatever a library raises for a file counts as a failure
        tally.failed += 1
        tally.seconds += time.process_time() - started
        return 1.0 if isinstance(error, UnreadableFileError) else 0.0
    tally.seconds += time.process_time() - started
    tally.pages += len(texts)
    ordered = longest = 0
    for text, expected in zip(texts, reference, strict=False):
        found = words(joined(text.replace("\r\n", "\n").split("\n")))
        tally.found += len(found)
        tally.expected += len(expected)
        tally.common += (Counter(found) & Counter(expected)).total()
        common = common_subsequence(found, expected)
        tally.ordered += common
        ordered += common
        longest += max(len(found), len(expected))
    return ordered / longest if longest else 1.0


def words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def common_subsequence(one: list[str], other: list[str]) -> int:
    """The length of the longest common subsequence, by bits of one long number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    everything = (1 << len(one)) - 1
    free = everything
    for word in other:
        matched = free & places.get(word, 0)
        free = (free + matched | free - matched) & everything
    return len(one) - free.bit_count()


def with_pdftotext(path: Path, pages: int) -> list[str]:
    command = ["pdftotext", "-enc", "UTF-8", "-l", str(pages), str(path), "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    return [joined(page.split("\n")) for page in done.stdout.decode("utf-8", "replace").split("\f")[:-1]]


def with_pypdf(content: bytes, pages: int) -> list[str]:
    reader = pypdf.PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        reader.decrypt("")
    return [page.extract_text() for page in reader.pages[:pages]]


def with_pypdfium2(content: bytes, pages: int) -> list[str]:
    document = pypdfium2.PdfDocument(content)
    try:
        return list(_pdfium_pages(document, min(pages, len(document))))
    finally:
        document.close()


def _pdfium_pages(document: pypdfium2.PdfDocument, count: int) -> Iterator[str]:
    for index in range(count):
        page = document[index]
        text_page = page.get_textpage()
        yield text_page.get_text_range()
        text_page.close()
        page.close()


def with_searchkit(content: bytes, _: int) -> list[str]:
    """All pages: the caller compares the first ones."""
    document = extract_pdf(content)
    texts: dict[int, str] = {}
    for block in document.blocks:
        if block.page is not None and not block.place:
            texts[block.page] = texts.get(block.page, "") + "\n" + block.text
    return [texts.get(number, "") for number in range(1, max(texts, default=0) + 1)]


READERS: dict[str, Reader] = {"pypdf": with_pypdf, "pypdfium2": with_pypdfium2, "searchkit": with_searchkit}


def print_table(tallies: dict[str, Tally]) -> None:
    """Markdown, as the documentation has it."""
    print("| reader | pages | files not read | pages/s | word recall | word precision | order |")
    print("|---|---|---|---|---|---|---|")
    for name, tally in tallies.items():
        rate = tally.pages / max(tally.seconds, 1e-9)
        recall, precision = tally.common / max(tally.expected, 1), tally.common / max(tally.found, 1)
        order = tally.ordered / max(tally.common, 1)
        print(
            f"| {name} | {tally.pages} | {tally.failed} | {rate:.0f} | {recall:.4f} | {precision:.4f} | {order:.4f} |"
        )


if __name__ == "__main__":
    main()
