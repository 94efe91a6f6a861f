"""Why a hit stands where it does: every number behind its rank, and what was matched."""

from collections.abc import Iterator, Sequence

from searchkit.display import on_one_line, place, plural, printable
from searchkit.types import Explanation, Hit, Note, NoteKind


def explained(hit: Hit, how: Explanation) -> str:
    """Write the sum that ranks a hit, with the origin of each part."""
    parts = [f"{1 - how.word_weight:.2f} × meaning {how.meaning:.3f} ({_by_meaning(hit, how)})"]
    if how.word_weight:
        bm25 = f"BM25 {hit.evidence.bm25 or 0:.2f} of {how.bm25_best:.2f}"
        weight = f"the passage with most of the query's words has {how.word_coverage:.2f} of them"
        parts.append(f"{how.word_weight:.2f} × words {how.words:.3f} ({bm25}; {weight})")
    parts += [f"literal {how.literal:.1f}"] if how.literal else []
    parts += [f"language {how.language:.1f}"] if how.language else []
    parts += [f"person {how.person:.2f}"] if how.person else []
    return f"ranked by {how.total:.3f} = {' + '.join(parts)}"


def why(hit: Hit, among: Sequence[Hit] = (), notes: Sequence[Note] = ()) -> Iterator[tuple[str, str]]:
    """Yield what is known about a hit, as (name, text) on one line each.

    `among`: the hits of its answer, for its ranks by words and by meaning alone; `notes`: that answer's, for corrected spellings.
    """
    evidence, how = hit.evidence, hit.evidence.explanation
    if evidence.found_by:
        yield "score", f"{hit.score:.2f}{', a weak match' if hit.weak else ''}"
    if evidence.similarity is not None:
        ranks = _rank(evidence.similarity, [each.evidence.similarity for each in among])
        yield "by meaning", f"cosine {evidence.similarity:.3f}{ranks}"
    elif how is not None and evidence.provisional is not None:
        yield "by meaning", _by_meaning(hit, how)
    if evidence.bm25 is not None:
        yield "by words", f"BM25 {evidence.bm25:.2f}{_rank(evidence.bm25, [each.evidence.bm25 for each in among])}"
    if evidence.terms:
        yield "words", ", ".join(map(on_one_line, evidence.terms))
    if spellings := [pair for note in notes if note.kind is NoteKind.CORRECTED for pair in _corrected(note)]:
        yield "spelling", ", ".join(f"{on_one_line(shown)} for {on_one_line(typed)}" for typed, shown in spellings)
    yield "place", place(hit)
    if hit.heading:
        yield "heading", on_one_line(hit.heading)
    if hit.date:
        yield "date", printable(hit.date)
    yield "collection", on_one_line(hit.collection)
    if hit.copies:
        yield "copies", f"{hit.copies:,}"
    if hit.alike:
        yield "like it", plural(len(hit.alike), "hit")
    if how is not None:
        yield "sum", explained(hit, how)


def _by_meaning(hit: Hit, how: Explanation) -> str:
    if hit.evidence.similarity is not None:
        return f"cosine {hit.evidence.similarity:.3f} between {how.similarity_floor:.3f} and {how.similarity_best:.3f}"
    guess = hit.evidence.provisional
    what = "its words" if guess is None else f"its words and a guess of {guess:.3f}"
    return f"not read yet: as {what}, but behind what is"


def _rank(value: float, others: Sequence[float | None]) -> str:
    """`, number 2 of 20`: where a value stands among those that others have; "" for one alone."""
    known = [each for each in others if each is not None]
    return f", number {1 + sum(each > value for each in known)} of {len(known)}" if len(known) > 1 else ""


def _corrected(note: Note) -> Iterator[tuple[str, str]]:
    """Yield each mistyped word with what was searched for instead."""
    yield from zip(note.values[::2], note.values[1::2], strict=True)
