"""Measures how fast folders are read, checked and forgotten, without embedding: the figures of docs/benchmarks/reading.md.

    python -m benchmarks.reading [--pdf FOLDER] [--mixed FOLDER] [--megabytes 1000]

Markdown files are made of sample_docs' sentences. `--pdf` and `--mixed` index folders of your own; without --mixed a
mixed corpus of that many megabytes is made (0: left out). The tokens are those of the best model installed.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

from searchkit.embedding.store import BUNDLED
from searchkit.home import Home
from searchkit.library import Library
from searchkit.reports import IndexReport, RunOptions
from searchkit.text import split_sentences

SAMPLE_DOCS = Path(__file__).parents[1] / "sample_docs"
READ_ONLY = RunOptions(is_interrupted=lambda: True)  # embedding ends after its first passages


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pdf", type=Path, help="a folder of PDF files")
    options.add_argument("--mixed", type=Path, help="a large folder of your own")
    options.add_argument("--megabytes", type=int, default=1000, help="size of the mixed corpus that is made otherwise")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place))
        bench.markdown(2000)
        bench.unchanged(10_000)
        bench.long_document(500)
        if chosen.pdf:
            bench.folder("PDF", chosen.pdf)
        if chosen.mixed or chosen.megabytes:
            bench.mixed(chosen.mixed or mixed_corpus(Path(place) / "mixed", chosen.megabytes))


class Bench:
    """Runs over collections of a temporary data directory; the installed models are used."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._home = place / "home"
        self._home.mkdir()
        models = Home.default().models
        if models.is_dir():
            (self._home / "models").symlink_to(models)
        with Library(self._home) as library:
            self._model = next((name for name in library.models.names() if name != BUNDLED), BUNDLED)
            library.models.open(self._model)  # imports the bundled model, if that is the one
        print(f"tokens counted by {self._model}")

    def markdown(self, count: int) -> None:
        """Files of five kilobytes, each with front matter and four sections."""
        sentences = sample_sentences()
        chance = random.Random(1)
        for number in range(count):
            write(self._place / "markdown" / f"part{number % 40}" / f"{number}.md", note(number, sentences, chance))
        self.folder("Markdown", self._place / "markdown")

    def folder(self, what: str, folder: Path) -> None:
        """Measure files, pages and passages per second of a first run."""
        report = self._index(folder)
        rates = [
            f"{count / report.read_seconds:.0f} {unit}/s"
            for count, unit in (
                (report.added, "files"),
                (pages(self._home, report.collection), "pages"),
                (report.chunks, "passages"),
            )
        ]
        print(
            f"{what}: {', '.join(rates)} ({report.added:,} files, {report.files_skipped:,} skipped,"
            f" {report.read_seconds:.1f} s)"
        )

    def unchanged(self, count: int) -> None:
        """Time a second run over many small files: by the library, and by the command from a shell."""
        folder = self._place / "many"
        for number in range(count):
            write(
                folder / f"{number % 20}" / f"{number % 400}" / f"{number}.md", f"# {number}\n\nWords about {number}.\n"
            )
        time.sleep(2.1)  # so that no time stamp is too recent to be trusted
        self._index(folder)
        seconds = [self._index(folder).read_seconds for _ in range(5)]
        with Library(self._home) as library:
            library.index(folder)  # whatever the embedding had left open
        shell = [self._command("index", str(folder)) for _ in range(5)]
        print(f"unchanged {count:,} files: {middle(seconds):.2f} s; the whole command {middle(shell):.2f} s")

    def long_document(self, pages_count: int) -> None:
        """Time forgetting one document of many pages among others, by the library and from a shell."""
        sentences, chance = sample_sentences(), random.Random(2)
        seconds, shell = [], []
        for turn in range(6):
            folder = self._place / f"long{turn}"
            write(folder / "other.md", note(0, sentences, chance))
            text = "\n\n".join(paragraph(sentences, chance, 2500) for _ in range(pages_count))
            write(folder / "long.txt", text)
            report = self._index(folder)
            if turn % 2:
                shell.append(self._command("forget", str(folder / "long.txt")))
                continue
            with Library(self._home) as library:
                started = time.perf_counter()
                library.forget(folder / "long.txt")
                seconds.append(time.perf_counter() - started)
        print(
            f"forgetting {pages_count} pages ({report.chunks:,} passages): {middle(seconds):.2f} s;"
            f" the whole command {middle(shell):.2f} s"
        )

    def mixed(self, folder: Path) -> None:
        """Measure the peak memory of a run over a large folder: this process and its workers together, ten times a second."""
        with PeakMemory() as peak:
            self.folder(f"mixed, {folder_megabytes(folder):,.0f} MB", folder)
        print(
            f"  peak resident memory, workers included: {peak.megabytes:.0f} MB (without them {peak.own_megabytes:.0f})"
        )

    def _index(self, folder: Path) -> IndexReport:
        with Library(self._home) as library:
            return library.index(folder, model=self._model, options=READ_ONLY)

    def _command(self, *arguments: str) -> float:
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "searchkit.cli.main", *arguments],
            env={"SEARCHKIT_HOME": str(self._home), "PATH": ""},
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - started


class PeakMemory:
    """The largest resident memory of this process and its children together while the block ran.

    `own_megabytes`: the largest of this process alone.
    """

    def __init__(self) -> None:
        self.megabytes = self.own_megabytes = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(0.1):
            own, *children = (resident(each) / 1e6 for each in family())
            self.own_megabytes = max(self.own_megabytes, own)
            self.megabytes = max(self.megabytes, own + sum(children))


def family() -> list[str]:
    """This process and its children."""
    children = [
        child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text("ascii").split()
    ]
    return ["self", *children]


def resident(process: str) -> int:
    """Resident bytes of a process, 0 if it has ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def mixed_corpus(folder: Path, megabytes: int) -> Path:
    """Text, Markdown, CSV, JSON Lines, HTML and office files, from 5 kB to 55 MB each."""
    sentences, chance = sample_sentences(), random.Random(3)
    sizes = [55_000_000, 30_000_000, 8_000_000, 1_000_000, 100_000, 5_000]
    kinds = [
        ("txt", as_text),
        ("md", as_text),
        ("csv", as_rows),
        ("jsonl", as_json_lines),
        ("html", as_html),
        ("odt", as_odt),
    ]
    written = number = 0
    while written < megabytes * 1_000_000:
        suffix, render = kinds[number % len(kinds)]
        size = sizes[chance.choices(range(len(sizes)), (1, 1, 4, 30, 200, 200))[0]]
        text = [paragraph(sentences, chance, 1000) for _ in range(max(1, size // 1000))]
        path = folder / f"part{number % 17}" / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        render(path, text)
        written += size
        number += 1
    return folder


def as_text(path: Path, paragraphs: list[str]) -> None:
    path.write_text("\n\n".join(paragraphs), encoding="utf-8")


def as_rows(path: Path, paragraphs: list[str]) -> None:
    path.write_text("number,text\n" + "".join(f'{i},"{p}"\n' for i, p in enumerate(paragraphs)), encoding="utf-8")


def as_json_lines(path: Path, paragraphs: list[str]) -> None:
    import json

    path.write_text("".join(json.dumps({"number": i, "text": p}) + "\n" for i, p in enumerate(paragraphs)), "utf-8")


def as_html(path: Path, paragraphs: list[str]) -> None:
    path.write_text("<html><body>" + "".join(f"<p>{p}</p>\n" for p in paragraphs), encoding="utf-8")


def as_odt(path: Path, paragraphs: list[str]) -> None:
    names = "urn:oasis:names:tc:opendocument:xmlns"
    namespaces = f'xmlns:office="{names}:office:1.0" xmlns:text="{names}:text:1.0"'
    body = "".join(f"<text:p>{p}</text:p>" for p in paragraphs)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr(
            "content.xml",
            f"<office:document-content {namespaces}><office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
        )


def sample_sentences() -> list[str]:
    """Sentences of the sample documents, without characters that a format could interpret."""
    texts = [
        path.read_text("utf-8", errors="replace")
        for path in sorted(SAMPLE_DOCS.rglob("*"))
        if path.suffix in (".md", ".txt")
    ]
    found = [" ".join(sentence.split()) for text in texts for sentence in split_sentences(text)]
    return [sentence for sentence in found if len(sentence) > 30 and not set(sentence) & set('<>&"|#`')]


def paragraph(sentences: list[str], chance: random.Random, characters: int) -> str:
    """Random sentences of about `size` characters."""
    parts: list[str] = []
    while sum(map(len, parts)) < characters:
        parts.append(chance.choice(sentences))
    return " ".join(parts)


def note(number: int, sentences: list[str], chance: random.Random) -> str:
    """A Markdown file of five kilobytes."""
    sections = "\n\n".join(
        f"## Section {section}\n\n{paragraph(sentences, chance, 550)}\n\n{paragraph(sentences, chance, 550)}"
        for section in range(4)
    )
    return f"---\ntitle: Note {number}\ntags: [sample, n{number}]\n---\n\n# Note {number}\n\n{sections}\n"


def pages(home: Path, collection: str) -> int:
    """Count the pages of all documents that have pages."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(home / "collections" / collection / "catalog.db")) as connection:
        query = "SELECT coalesce(sum(last), 0) FROM (SELECT max(page) AS last FROM chunks GROUP BY document_id)"
        return int(connection.execute(query).fetchone()[0])


def folder_megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
