"""Makes a judged set of documentation: passages of HTML files, with headings that were taken out of them as queries.

A heading stands above one section; the passages of this section answer it. It is removed from their titles and texts, so that
no model finds them by the copy and nothing can be learned from it. The set is a folder in BEIR's layout.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from searchkit.errors import UnreadableFileError
from searchkit.files import write_atomically
from searchkit.ingest.chunk import TITLE_SEPARATOR
from searchkit.ingest.extract.readers import extract
from searchkit.train.pairs.pair import is_query, normalize, without_copies, without_number
from searchkit.types import Block, BlockKind

_MOST_WORDS = 90  # of a passage: short ones, since a study of indexes needs many rather than long ones
_LEAST_WORDS = 15
_LEAST_LEFT = 120  # characters of a passage without its heading
_MOST_OF_SECTION = 5  # passages that answer a heading; longer sections say too little about it


@dataclass(frozen=True, slots=True)
class Section:
    """The passages below one heading. `above`: the titles and headings over it, outermost first."""

    above: tuple[str, ...]
    heading: str
    passages: tuple[str, ...]


def make_set(folders: Sequence[Path], out: Path, *, most: int = 60_000, queries: int = 500, seed: int = 0) -> None:
    """Write a set of at most so many passages and queries into `out`; files come in an order by chance."""
    files = sorted(file for folder in folders for file in folder.rglob("*.html") if file.is_file())
    random.Random(seed).shuffle(files)
    sections: list[Section] = []
    seen: set[str] = set()
    for file in files:
        for section in sections_of(file.read_bytes()):
            new = tuple(text for text in section.passages if text not in seen)
            seen.update(new)
            if new:
                sections.append(Section(section.above, section.heading, new))
        if len(seen) >= most:
            break
    write_set(out, sections, queries=queries, seed=seed)


def sections_of(content: bytes) -> list[Section]:
    """Read an HTML file's sections, in order; those without a heading or a passage are left out, and so are unreadable files."""
    try:
        document = extract("html", content)
        blocks = [block for block in document.blocks if block.kind is not BlockKind.HEADING]
    except UnreadableFileError:
        return []
    found = []
    for path, group in groupby(blocks, key=lambda block: block.headings):
        headings = tuple(dict.fromkeys(filter(None, (document.title, *path))))
        passages = tuple(_passages(group))
        if headings and passages:
            found.append(Section(headings[:-1], headings[-1], passages))
    return found


def _passages(blocks: Iterable[Block]) -> Iterator[str]:
    """Join blocks up to the length of a passage, and cut those that are longer."""
    words: list[str] = []
    for block in blocks:
        more = block.text.split()
        if len(words) + len(more) > _MOST_WORDS and len(words) >= _LEAST_WORDS:
            yield " ".join(words)
            words = []
        words += more
        while len(words) > _MOST_WORDS:
            yield " ".join(words[:_MOST_WORDS])
            words = words[_MOST_WORDS:]
    if len(words) >= _LEAST_WORDS:
        yield " ".join(words)


def held_out(sections: Sequence[Section], count: int, seed: int = 0) -> dict[int, Section]:
    """Choose sections whose headings become queries: by number, the section as it is without its heading.

    The heading must be a query by itself, stand above no other section, and leave enough of each passage.
    """
    often = Counter(normalize(section.heading) for section in sections)
    chosen: dict[int, Section] = {}
    order = list(range(len(sections)))
    random.Random(seed).shuffle(order)
    for number in order:
        section = sections[number]
        query = without_number(section.heading)
        if len(chosen) == count:
            break
        if often[normalize(section.heading)] > 1 or len(section.passages) > _MOST_OF_SECTION or not is_query(query):
            continue
        left = tuple(without_copies(text, query).strip() for text in section.passages)
        above = tuple(part for part in section.above if normalize(query) not in normalize(part))
        if min(map(len, left)) >= _LEAST_LEFT and above:
            chosen[number] = Section(above, query, left)
    return chosen


def write_set(out: Path, sections: Sequence[Section], *, queries: int, seed: int = 0) -> None:
    """Write the set's three files; the judgements last, so that a folder with them is complete."""
    chosen = held_out(sections, queries, seed)
    documents, asked, judged = [], [], ["query-id\tcorpus-id\tscore"]
    for number, section in enumerate(sections):
        shown = chosen.get(number)
        titles = shown.above if shown else (*section.above, section.heading)
        for place, text in enumerate((shown or section).passages):
            name = f"{number}-{place}"
            documents.append({"_id": name, "title": TITLE_SEPARATOR.join(titles), "text": text})
            if shown:
                judged.append(f"{number}\t{name}\t1")
        if shown:
            asked.append({"_id": f"{number}", "text": shown.heading})
    (out / "qrels").mkdir(parents=True, exist_ok=True)
    for name, lines in (("corpus", documents), ("queries", asked)):
        content = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        write_atomically(out / f"{name}.jsonl", content.encode("utf-8", "replace"))
    write_atomically(out / "qrels" / "test.tsv", ("\n".join(judged) + "\n").encode())
