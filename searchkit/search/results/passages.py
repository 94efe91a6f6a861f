"""The passages behind candidates: which text a hit shows, and where it stands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from searchkit.catalog.catalog import CatalogReader
from searchkit.catalog.fulltext import said_of_itself
from searchkit.files import path_from_text
from searchkit.search.query.allowed import AllowedChunks
from searchkit.search.query.dates import LAST_MOMENT
from searchkit.search.results.near_duplicates import Wording

_PASSAGE = f"""
    SELECT c.id, c.document_id, r.path, d.path, c.title, c.text, c.page, c.line, c.line_end, c.place,
        CASE c.ordinal WHEN 0 THEN d.metadata ELSE '' END, {LAST_MOMENT}
    FROM chunks c JOIN documents d ON d.id = c.document_id JOIN roots r ON r.id = d.root_id
"""
_Row = tuple[int, int, str, str, str, str, int | None, int | None, int | None, str, str, str]


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage where it first stands; `copies_at`: the files of its further places.

    `name`: the path below the root, and with a document's first passage what it says of itself: words found besides the text.
    `moment`: of the document, in ISO 8601, as far as it is known: its own date, else its file's last change.
    """

    document_id: int
    path: Path
    name: str
    title: str
    text: str
    page: int | None
    line: int | None
    line_end: int | None
    place: str
    moment: str
    copies_at: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What hits are chosen from a ranking: the first `k`, of the allowed places (None: all), of each file one if `by_file`.

    `are_near_copies_one`: of passages that say the same in nearly the same words, the first stands for all. `named`: what the
    query may name a file by; of a passage's places one in such a file is shown.
    """

    k: int
    allowed: AllowedChunks | None = None
    by_file: bool = False
    are_near_copies_one: bool = True
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A passage to show. `more_in_file`: passages of its file that the ranking has besides, 0 unless chosen by file."""

    content_hash: bytes
    stored: StoredPassage
    more_in_file: int = 0


def hashes_of_chunks(catalog: CatalogReader, chunk_ids: Sequence[int]) -> dict[int, bytes]:
    """Content hash by chunk id."""
    marks = ",".join("?" * len(chunk_ids))
    return dict(catalog.execute(f"SELECT id, content_hash FROM chunks WHERE id IN ({marks})", chunk_ids).fetchall())


def allowed_hashes(catalog: CatalogReader, hashes: Iterable[bytes], allowed: AllowedChunks) -> set[bytes]:
    """Those of the content hashes that stand in an allowed place."""
    return {
        content_hash
        for content_hash in hashes
        for (chunk,) in catalog.execute("SELECT id FROM chunks WHERE content_hash = ?", (content_hash,))
        if chunk in allowed
    }


def read_passage(
    catalog: CatalogReader,
    content_hash: bytes,
    allowed: AllowedChunks | None = None,
    named: Sequence[str] = (),
) -> StoredPassage | None:
    """The passage of a content hash at the first of its places, of the allowed ones alone unless None.

    `named`: ends of paths, which go before others.

    None if there is no such place, as when the last document that held it is gone.
    """
    rows = catalog.execute(
        f"{_PASSAGE} WHERE c.content_hash = ? ORDER BY r.path, d.path, c.ordinal", (content_hash,)
    ).fetchall()
    places = [row for row in rows if allowed is None or row[0] in allowed]
    passages = [_passage(row) for row in places]
    if named and len(passages) > 1:
        ends = tuple(name.lower() for name in named)
        passages.sort(key=lambda passage: not str(passage.path).lower().endswith(ends))
    return replace(passages[0], copies_at=tuple(copy.path for copy in passages[1:])) if passages else None


def newest_passages(catalog: CatalogReader, allowed: AllowedChunks, count: int) -> list[StoredPassage]:
    """The first allowed passage of each document, the newest documents first."""
    chunks = catalog.execute(
        "SELECT c.id FROM (SELECT id, min(ordinal) FROM chunks WHERE substr(?, id + 1, 1) = x'01' GROUP BY document_id) f"
        " JOIN chunks c ON c.id = f.id JOIN documents d ON d.id = c.document_id"
        f" ORDER BY {LAST_MOMENT} DESC, d.path LIMIT ?",
        (allowed.mask, count),
    ).fetchall()
    return [_passage(catalog.execute(f"{_PASSAGE} WHERE c.id = ?", chunk).fetchone()) for chunk in chunks]


def choose_passages(catalog: CatalogReader, ranked: Iterable[bytes], scope: Scope) -> list[Choice]:
    """The first passages of a ranking that the scope leaves, in its order."""
    found = ((content_hash, read_passage(catalog, content_hash, scope.allowed, scope.named)) for content_hash in ranked)
    choices = (Choice(content_hash, stored) for content_hash, stored in found if stored)
    if scope.by_file:
        return _of_each_file(choices)[: scope.k]
    return _of_each_wording(choices, scope.k) if scope.are_near_copies_one else list(islice(choices, scope.k))


def _of_each_file(choices: Iterable[Choice]) -> list[Choice]:
    best: dict[int, Choice] = {}
    for choice in choices:
        document = choice.stored.document_id
        if known := best.get(document):
            best[document] = replace(known, more_in_file=known.more_in_file + 1)
        else:
            best[document] = choice
    return list(best.values())


def _of_each_wording(choices: Iterable[Choice], k: int) -> list[Choice]:
    """The first k; those that are nearly copies of one before them are counted as its copies."""
    chosen: list[Choice] = []
    wordings: list[Wording] = []
    for choice in choices:
        wording = Wording.of(choice.stored.title, choice.stored.text)
        same = next((i for i, known in enumerate(wordings) if wording.is_nearly(known)), None)
        if same is not None:
            chosen[same] = _with_copy(chosen[same], choice.stored)
        elif len(chosen) < k:
            chosen.append(choice)
            wordings.append(wording)
        else:
            break
    return chosen


def _with_copy(choice: Choice, copy: StoredPassage) -> Choice:
    copies_at = (*choice.stored.copies_at, copy.path, *copy.copies_at)
    return replace(choice, stored=replace(choice.stored, copies_at=copies_at))


def _passage(row: _Row) -> StoredPassage:
    _, document_id, root, name, title, text, page, line, line_end, place, metadata, moment = row
    path = path_from_text(root) / path_from_text(name)
    words = f"{name} {said_of_itself(metadata)}".rstrip()
    return StoredPassage(document_id, path, words, title, text, page, line, line_end, place, moment)
