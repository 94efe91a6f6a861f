"""What a passage has of a query's words, read once for all that asks for it: coverage, marks, words to name."""

from dataclasses import dataclass
from typing import Self

from searchkit.catalog.passages import StoredPassage
from searchkit.search.lexical.bm25 import LexicalQuery
from searchkit.search.lexical.tokens import Span, Stemmer


@dataclass(frozen=True, slots=True)
class PassageWords:
    """Words of a passage, each with its stem, or where it is another form of a word of the query, with that one's.

    `spans`: of the text. `matching`: the distinct words that the query asks for, as they are written in the text, the
    headings or the path. `coverage`: see LexicalQuery. `is_telling`: whether the text's words show why the passage matches.
    """

    spans: tuple[Span, ...]
    matching: tuple[str, ...]
    coverage: float
    is_telling: bool

    @classmethod
    def read(cls, stored: StoredPassage, query: LexicalQuery, stemmer: Stemmer) -> Self:
        """By everything that the full-text table has of the passage."""
        parts = [
            (part, query.as_asked(stemmer.spans(part))) for part in (stored.text, stored.title, stored.words_outside)
        ]
        matching = (
            part[span.start : span.end].lower() for part, spans in parts for span in spans if span.stem in query.weights
        )
        return cls(
            spans=tuple(parts[0][1]),
            matching=tuple(dict.fromkeys(matching)),
            coverage=query.coverage({span.stem for _, spans in parts for span in spans}),
            is_telling=query.is_telling({span.stem for span in parts[0][1]}),
        )
