"""Mines pairs from a collection's texts: titles, headings, questions, documentation in code, links and captions.

The query is always removed from its passage and from the passage's title, so that nothing is learned from the copy.
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import PurePosixPath

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.passages import all_passages
from searchkit.ingest.chunk import TITLE_SEPARATOR
from searchkit.text import split_sentences
from searchkit.train.pairs.pair import (
    Kind,
    Pair,
    is_query,
    normalize,
    without_beginning,
    without_copies,
    without_number,
)
from searchkit.types import Passage

_LEAST_TEXT = 80  # characters of a passage
MOST_SENTENCES = 2600  # pairs, of which 2,000 are learned from: each takes two texts to embed
_LEAST_WORDS, _MOST_WORDS = 5, 40  # of a sentence that is taken out
_LEAST_LEFT = 160  # characters of its passage
_CODE = 0.4  # share of lines that look like code, from which a text is code
_MOST_CODE = 0.5  # share of passages that are code, above which a collection is one of code
_QUESTION = re.compile(
    r"(?:^|\n)[>\s]*(?:(?:Q|F|Question|Frage)\s*\d*\s*[:.)]\s*)?([^\n?？]{8,240}[?？])[ \t]*\n+", re.IGNORECASE
)
_ANSWER = re.compile(r"^[>\s]*(?:A|Answer|Antwort)\s*\d*\s*[:.)]\s*", re.IGNORECASE)
_DOCSTRING = re.compile(r'(?P<quotes>"""|\'\'\')(?P<doc>.+?)(?P=quotes)', re.DOTALL)
_COMMENT = re.compile(
    r"\A\s*(?:/\*(?:[^*]|\*(?!/))*\*/[ \t]*\n|(?:[ \t]*(?://[/!]?|#(?!!|include|define|if|end)|--)[^\n]*\n)+)"
)
_MARKS = re.compile(r"^[ \t]*(?://[/!]?|#+|--|/?\*+/?)[ \t]?|\*/", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]\n]{8,240})\]\([^)\n]*\)")
_CAPTION = re.compile(
    r"(?:^|\n)(?:Fig(?:ure|\.)?|Abb(?:ildung|\.)?|Tab(?:le|elle|\.)?)\s*\d+[.:]\s*([^\n]{12,240})\n?", re.IGNORECASE
)
_LINK = re.compile(r"(?<!!)\[([^\]\n]{3,160})\]\(<?([^)\s>#]+)[^)]*\)")
_WIKI_LINK = re.compile(r"\[\[([^\]|#\n]+)(?:#[^\]|\n]*)?(?:\|([^\]\n]+))?\]\]")
_CODE_LINE = re.compile(
    r"(?:[;{}(),\]]|:)[ \t]*$|^\s*(?:def|class|return|import|from|fn|func|let|const|var|if|for)\b", re.MULTILINE
)
_CODE_WORDS = re.compile(r"[;{}()=]|\bdef\b|\bfn\b|\bfunc\b|\bclass\b")


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A stored passage and its document."""

    document: str
    title: str
    text: str
    stored: str

    @property
    def path(self) -> tuple[str, ...]:
        """Title and headings, outermost first."""
        return tuple(part for part in self.title.split(TITLE_SEPARATOR) if part)


def mine_pairs(catalog: CatalogReader) -> Iterator[Pair]:
    """Mine all pairs of a collection's catalog, in the order of its documents."""
    for pair in _mined(catalog):
        text = without_copies(pair.passage.text, pair.query).strip()
        if len(text) >= _LEAST_TEXT:
            yield replace(pair, passage=Passage(pair.passage.title, text))


def mine_sentences(catalog: CatalogReader, most: int = MOST_SENTENCES) -> list[Pair]:
    """Mine pairs of a sentence and the passage that it was taken out of, one of a passage, of at most so many passages.

    They need no title: the inverse cloze task (Lee et al. 2019). Which passages and sentences are chosen follows from their texts.
    None are taken where most passages are code: what looks like a sentence there is mostly licences and pieces of comments.
    A sentence of several passages asks for none of them.
    """
    chosen: dict[str, _Chunk] = {}
    passages = code = 0
    for chunk in _chunks(catalog):
        passages += 1
        if _is_code(chunk.text):
            code += 1
            continue
        chosen[chunk.stored] = chunk
        if len(chosen) > 4 * most:
            chosen = {key: chosen[key] for key in sorted(chosen)[: 2 * most]}
    if code > _MOST_CODE * passages:
        return []
    sentences = {key: _sentences(chosen[key].text) for key in sorted(chosen)[: 2 * most]}
    shared = _shared(catalog, {each for of_one in sentences.values() for each in of_one})
    found = (
        _cloze(chosen[key], [said for each, said in of_one.items() if each not in shared])
        for key, of_one in sentences.items()
    )
    return list(islice((pair for pair in found if pair is not None), most))


def _sentences(text: str) -> dict[str, str]:
    """A passage's sentences by their words."""
    return {normalize(_plain(each)): each.strip() for each in split_sentences(text)}


def _shared(catalog: CatalogReader, sentences: Set[str]) -> set[str]:
    """Those of some sentences that different passages have."""
    first: dict[str, str] = {}
    return {
        each
        for chunk in _chunks(catalog)
        for each in _sentences(chunk.text)
        if each in sentences and first.setdefault(each, chunk.stored) != chunk.stored
    }


def _cloze(chunk: _Chunk, sentences: Sequence[str]) -> Pair | None:
    """The pair of one of a passage's sentences, of which no copy is left; None if no sentence leaves enough of the passage."""
    said = [each for each in sentences if _LEAST_WORDS <= len(each.split()) <= _MOST_WORDS and is_query(each)]
    first = int(chunk.stored[:8], 16) % max(1, len(said))
    for sentence in said[first:] + said[:first]:
        rest = without_copies(chunk.text, sentence).strip()
        if len(rest) >= _LEAST_LEFT:
            return _pair(_plain(sentence), Kind.SENTENCE, chunk, chunk.title, rest)
    return None


def _mined(catalog: CatalogReader) -> Iterator[Pair]:
    firsts: dict[str, _Chunk] = {}
    links: list[tuple[str, str, str]] = []
    for document, group in groupby(_chunks(catalog), key=lambda chunk: chunk.document):
        chunks = list(group)
        firsts[document] = chunks[0]
        yield from _headed(chunks)
        for chunk in chunks:
            yield from _inside(chunk)
            links += [(chunk.document, text, target) for text, target in _links(chunk.text)]
    yield from _linked(links, firsts)


def _chunks(catalog: CatalogReader) -> Iterator[_Chunk]:
    for one in all_passages(catalog):
        yield _Chunk(one.path.as_posix(), one.title, one.text, one.content_hash.hex())


def _headed(chunks: Sequence[_Chunk]) -> Iterator[Pair]:
    """Pairs of each title or heading with the first passage below it. A heading that says too little is joined to the one above."""
    seen: set[str] = set()
    for chunk in chunks:
        if chunk.title in seen or not chunk.path:
            continue
        seen.add(chunk.title)
        *above, last = chunk.path
        query, kind = without_number(last), Kind.HEADING if above else Kind.TITLE
        if not is_query(query) and above:
            query = f"{above.pop()} {last}"
        kind = Kind.QUESTION if query.rstrip().endswith(("?", "？")) else kind
        body = without_beginning(chunk.text, last)
        above = [part for part in above if normalize(query) not in normalize(part)]
        if is_query(query) and len(body) >= _LEAST_TEXT:
            yield _pair(query, kind, chunk, TITLE_SEPARATOR.join(above), body)


def _inside(chunk: _Chunk) -> Iterator[Pair]:
    """Pairs inside a passage: questions with what follows, documentation with its code, captions with the rest."""
    for match in _QUESTION.finditer(chunk.text):
        question, answer = _plain(match[1]), _ANSWER.sub("", chunk.text[match.end() :])
        if is_query(question) and _begins_sentence(question) and len(answer) >= _LEAST_TEXT:
            yield _pair(question, Kind.QUESTION, chunk, chunk.title, answer)
            break  # what follows the first contains the others
    yield from _documented(chunk)
    for pattern in (_IMAGE, _CAPTION):
        for match in pattern.finditer(chunk.text):
            rest = f"{chunk.text[: match.start()]}\n{chunk.text[match.end() :]}".strip()
            if is_query(match[1]) and len(rest) >= _LEAST_TEXT and normalize(match[1]) not in normalize(rest):
                yield _pair(_plain(match[1]), Kind.CAPTION, chunk, chunk.title, rest)


def _is_code(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return sum(bool(_CODE_LINE.search(line)) for line in lines) >= _CODE * len(lines)


def _documented(chunk: _Chunk) -> Iterator[Pair]:
    """A pair of code and the comment or docstring that says what it does."""
    if not _is_code(chunk.text):
        return
    found = _DOCSTRING.search(chunk.text)
    comment = None if found else _COMMENT.match(chunk.text)
    if found and re.search(r"\b(?:def|class)\b", chunk.text[: found.start()]):
        said, start, end = found["doc"], found.start(), found.end()
    elif comment:
        said, start, end = _MARKS.sub("", comment[0]), comment.start(), comment.end()
    else:
        return
    query = re.split(r"\n\s*\n|(?<=[.!?])\s", _plain(said), maxsplit=1)[0]
    code = f"{chunk.text[:start].rstrip()}\n{chunk.text[end:].lstrip()}".strip()
    if is_query(query) and len(code) >= _LEAST_TEXT and _CODE_WORDS.search(code):
        yield _pair(query, Kind.DOCSTRING, chunk, chunk.title, code)


def _links(text: str) -> Iterator[tuple[str, str]]:
    for match in _LINK.finditer(text):
        yield match[1], match[2]
    for match in _WIKI_LINK.finditer(text):
        yield match[2] or match[1], match[1]


def _linked(links: Sequence[tuple[str, str, str]], firsts: dict[str, _Chunk]) -> Iterator[Pair]:
    """Pairs of the texts of links to a document, with its beginning."""
    by_name: dict[str, list[_Chunk]] = {}
    for document, chunk in firsts.items():
        by_name.setdefault(PurePosixPath(document).stem.casefold(), []).append(chunk)
    for source, text, target in links:
        named = by_name.get(PurePosixPath(target).stem.casefold(), [])
        if len(named) != 1 or named[0].document == source or "://" in target:
            continue
        chunk, query = named[0], _plain(text)
        if not is_query(query) or len(chunk.text) < _LEAST_TEXT:
            continue
        title = "" if normalize(query) in normalize(chunk.title) else chunk.title
        body = without_beginning(chunk.text, query)
        if len(body) >= _LEAST_TEXT:
            yield _pair(query, Kind.LINK, chunk, title, body)


def _pair(query: str, kind: Kind, chunk: _Chunk, title: str, text: str) -> Pair:
    return Pair(" ".join(query.split()), Passage(title, text.strip()), kind, chunk.document, stored=chunk.stored)


def _begins_sentence(question: str) -> bool:
    """True unless it is the end of a sentence that began on the line before, or a comment in code."""
    return question[0].isalnum() and not question[0].islower() and not _CODE_WORDS.search(question)


def _plain(text: str) -> str:
    """The text on one line, without Markdown's marks."""
    return " ".join(re.sub(r"[*_`]+", "", text).split())
