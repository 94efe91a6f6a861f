"""One collection, opened for searching."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from searchkit.catalog.catalog import CatalogReader, readable_errors
from searchkit.catalog.fulltext import Stemmer
from searchkit.catalog.meta import COVERED, MODEL
from searchkit.catalog.passages import (
    chunks_of_hashes,
    count_chunks,
    hashes_of_chunks,
    names_without_text,
    newest_passages,
    passages_of_hashes,
    seen_by_model,
)
from searchkit.catalog.stored_documents import documents_at
from searchkit.errors import Action, CatalogError, ModelError, Remedy
from searchkit.home import CollectionFolder
from searchkit.search.fusion import Candidates, ScoreCalibration, rank_by_both, rank_by_meaning, rank_by_words
from searchkit.search.lexical.bm25 import LexicalQuery, lexical_candidates, read_query
from searchkit.search.lexical.exact_matches import exact_bonuses, file_names, has_no_content_words, people_bonuses
from searchkit.search.lexical.inflections import language_of, languages_in
from searchkit.search.on_demand import (
    QUERY_TOKENS,
    READ_ON_DEMAND,
    OnDemandReader,
    ReadingTime,
    as_kept,
    beginning_of,
    keep,
)
from searchkit.search.query.allowed import AllowedChunks, Constraints, allowed_chunks
from searchkit.search.query.filters import with_known_types
from searchkit.search.query.parse import ParsedQuery
from searchkit.search.request import SearchRequest
from searchkit.search.results.alike import AlikeFolder
from searchkit.search.results.highlights import Highlighter, PassageWords, beginning, hit_of
from searchkit.search.results.passages import SelectedPassage, Selection, select_passages
from searchkit.types import Evidence, Explanation, GroupBy, Hit, Passage, SearchMode

if TYPE_CHECKING:
    from searchkit.embedding.embedder import Embedder
    from searchkit.search.dense import ProvisionalIndex
    from searchkit_indexes import Ids, SearchableIndex, Vectors

_SCORED = 10  # passages whose scores are made to fall together: those of the first few do not depend on how many are asked for
# Of the chunks: the ids of their guesses are looked up; of more, guesses are looked at until enough of them are allowed.
_FEW_ALLOWED = 0.05
_BEYOND = 30  # passages after those that are shown, looked at for what says the same
_CANDIDATES = 200  # of each arm; the depth at which score fusion was measured


@dataclass(frozen=True, slots=True)
class _Ranking:
    """Content hashes, best first, with the explanation of each rank and each arm's scores."""

    ranked: Mapping[bytes, Explanation]
    similarities: Mapping[bytes, float]
    bm25: Mapping[bytes, float]
    guesses: Mapping[bytes, float] = field(default_factory=dict)

    def evidence(
        self, choice: SelectedPassage, terms: tuple[str, ...] = (), *, has_every_word: bool = False
    ) -> Evidence:
        """Why a passage is a hit."""
        key = choice.stored.content_hash
        similarity = self.similarities.get(key)
        guess = self.guesses.get(key) if similarity is None else None
        return Evidence(similarity, self.bm25.get(key), terms, self.ranked[key], has_every_word, guess)


class _Scored(NamedTuple):
    choice: SelectedPassage
    words: PassageWords
    evidence: Evidence
    score: float


@dataclass(frozen=True, slots=True)
class _Shown:
    """Makes hits of the passages chosen from a ranking."""

    collection: str
    ranking: _Ranking
    query: LexicalQuery
    stemmer: Stemmer
    scale: ScoreCalibration
    highlighter: Highlighter
    has_content: bool

    def first(self, chosen: Sequence[SelectedPassage], k: int) -> list[Hit]:
        """The first k of them."""
        return [self._hit(each) for each in self._scored(chosen)[:k]]

    def folded(self, chosen: Sequence[SelectedPassage], k: int) -> list[Hit]:
        """The first k that say different things; the others that say the same as one of those are below it."""
        folder = AlikeFolder(k)
        first = self._scored(chosen[: max(k, _SCORED)])
        last = 1.0
        for at, choice in enumerate(chosen):
            if at < k or not folder.is_full or folder.may_be_alike(choice.stored.text):
                each = first[at] if at < len(first) else self._scored([choice])[0]
                last = min(last, each.score)
                folder.add(self._hit(each._replace(score=last)))
        return folder.hits

    def _scored(self, chosen: Sequence[SelectedPassage]) -> list[_Scored]:
        words = [PassageWords.read(choice.stored, self.query, self.stemmer) for choice in chosen]
        evidence = [
            self.ranking.evidence(choice, of.matching, has_every_word=self.has_content and of.coverage >= 1)
            for choice, of in zip(chosen, words, strict=True)
        ]
        scores = self.scale.scores(evidence, [of.coverage for of in words], _SCORED)
        return list(map(_Scored, chosen, words, evidence, scores))

    def _hit(self, each: _Scored) -> Hit:
        is_weak = each.evidence.is_weak(each.score)
        extract = self.highlighter.extract(each.choice.stored, each.words, is_weak=is_weak)
        return hit_of(self.collection, each.choice, each.evidence, extract, score=each.score)


class CollectionSearcher:
    """Searches one collection. The model and the index are loaded when a query first needs them."""

    def __init__(
        self,
        folder: CollectionFolder,
        catalog: CatalogReader,
        open_embedder: Callable[[], "Embedder"],
        reader: OnDemandReader,
    ) -> None:
        self._folder = folder
        self._catalog = catalog
        self._open_embedder = open_embedder
        self._reader = reader
        self.corrected: Mapping[str, str] = {}  # of the last search: what was searched for instead of mistyped words
        self.cut: tuple[int, int] | None = None  # of it: how many words of how many the model has read; None for all
        self.is_hurried = False  # it read less than it might have, since others waited
        self.unknown: frozenset[str] | None = None  # of it: all words that no passage has; None if none was looked up
        self._seen_version: Hashable = None
        self._former_index: SearchableIndex | None = None  # as it was before another process wrote
        self._opened_as = self._identity()
        self._collection_languages: list[str] | None = None
        self._last_constraints: tuple[Constraints, AllowedChunks | None] = (Constraints(), None)
        self._last_vector_ids: tuple[AllowedChunks, Ids] | None = None
        self._provisional: ProvisionalIndex | None = None
        self.model_error: ModelError | None = None  # of the last search: why it was not by meaning

    def close(self) -> None:
        """Close the catalog."""
        self._catalog.close()

    def is_current(self) -> bool:
        """True if the catalog is still what was opened, with the same model: neither rebuilt, switched nor broken off since."""
        if self._folder.url is None:
            return self._catalog.database.is_open and self._identity() == self._opened_as
        with suppress(CatalogError), readable_errors(self._folder):  # a server may have been restarted meanwhile
            return self._catalog.database.is_open and self._identity() == self._opened_as
        return False

    def _identity(self) -> tuple[int, int, str]:
        return *self._folder.identity(), self._catalog.meta(MODEL) or ""

    def search(self, query: ParsedQuery, request: SearchRequest, reading: ReadingTime) -> list[Hit]:
        """The best passages for a query that is not empty, best first, one hit for each distinct passage.

        A query of filters alone gets the first passages of the documents they leave, the newest first. `reading`: in which the
        model may read passages that are not embedded yet. Where the model is missing or damaged, a hybrid search is by words alone.

        Raises ModelError if meaning alone is asked for, and the model is missing or damaged.
        """
        self.corrected, self.unknown, self.model_error, self.is_hurried, self.cut = {}, None, None, False, None
        with self._one_state() as stemmer:
            allowed = self._allowed(_constraints(query, request))
            if allowed is not None and not allowed:
                return []
            if not query.text:
                return self._newest(allowed, request.k)
            by_words = replace(request, mode=SearchMode.LEXICAL)
            try:
                is_possible = request.mode is not SearchMode.HYBRID or self._has_meaning()
                return self._hits(query, request if is_possible else by_words, stemmer, allowed, reading)
            except ModelError as error:
                self.model_error = error
                self.__dict__.pop("_embedder", None)  # the next search looks again
                if request.mode is SearchMode.SEMANTIC:
                    instead = Remedy(Action.SEARCH_BY_WORDS)
                    error.remedy = error.remedy | instead if error.remedy else instead
                    raise
            return self._hits(query, by_words, stemmer, allowed, reading)

    def _hits(
        self,
        query: ParsedQuery,
        request: SearchRequest,
        stemmer: Stemmer,
        allowed: AllowedChunks | None,
        reading: ReadingTime,
    ) -> list[Hit]:
        """Search in the mode of the request. Raises ModelError if that needs the model, and it is missing or damaged."""
        lexical_query = self._read_query(query, stemmer)
        vector = (
            None if request.mode is SearchMode.LEXICAL else self._vector_of(self._read_by_model(lexical_query, request))
        )
        ranking = self._rank(lexical_query, vector, request, stemmer, allowed, reading)
        if not ranking.ranked and query.phrases:  # of signs alone, which the full-text table does not know
            return self._newest(allowed, request.k)
        if request.ranking_only:
            return self._in_order(ranking, _scope(request, allowed))
        scope = replace(_scope(request, allowed), named=file_names(query.text))
        folds = request.fold and not scope.by_file
        most = max(scope.k, _SCORED) + (_BEYOND if folds else 0)
        chosen = select_passages(self._catalog, ranking.ranked, replace(scope, k=most))
        shown = _Shown(
            self.name,
            ranking,
            lexical_query,
            stemmer,
            self._scale(query.text, ranking),
            self._highlighter(lexical_query, query.phrases, vector, reading),
            has_content=not has_no_content_words(query.text),
        )
        return shown.folded(chosen, scope.k) if folds else shown.first(chosen, scope.k)

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._folder.name

    @property
    def catalog(self) -> CatalogReader:
        """The catalog, open for reading."""
        return self._catalog

    @contextmanager
    def allowing(self, query: ParsedQuery, request: SearchRequest) -> Iterator[AllowedChunks | None]:
        """One state of the catalog, with the chunks of it that a search may find; None for all."""
        with self._one_state():
            yield self._allowed(_constraints(query, request))

    def files_without_text(self, parts: Sequence[str], limit: int) -> list[tuple[str, str, str]]:
        """See `names_without_text`."""
        with readable_errors(self._folder):
            return names_without_text(self._catalog, parts, limit)

    @property
    def is_by_words(self) -> bool:
        """True if the collection has no model: it was indexed before there was one."""
        return not self._opened_as[-1]

    @property
    def has_model(self) -> bool:
        """True once a search has opened the model."""
        return "_embedder" in self.__dict__

    @property
    def is_meaningless(self) -> bool:
        """True if a search has opened the model, and it does not distinguish texts: hybrid searches use words alone."""
        return self.has_model and self._embedder.info.scale.is_meaningless

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the model that embedded the collection. Raises ModelNotFoundError if there is none."""
        return self._embedder.info.fingerprint

    def documents_at(self, path: Path) -> list[int]:
        """Ids of the documents with text at an absolute path."""
        with readable_errors(self._folder):
            return [document.id for document in documents_at(self._catalog, path) if document.chunk_count]

    def vector_of(self, document_id: int, line: int | None) -> "Vectors | None":
        """See `vector_of_document`."""
        from searchkit.search.dense import vector_of_document

        with readable_errors(self._folder):
            return vector_of_document(self._catalog, self._embedder.info.fingerprint, document_id, line)

    def similar(self, vector: "Vectors", request: SearchRequest, excluding: Sequence[int]) -> list[Hit]:
        """The passages nearest to a passage's vector, best first; none from the documents `excluding`. Scores are cosines."""
        from searchkit.search.dense import DenseQuery, dense_candidates
        from searchkit_indexes import EXACT_TOP_K

        with self._one_state():
            allowed = self._allowed(
                Constraints((with_known_types(request.filters),), excluded_documents=tuple(excluding))
            )
            depth = max(_CANDIDATES, request.k)
            asked = DenseQuery(vector, depth, max(EXACT_TOP_K, request.k), self._vector_ids(allowed))
            found = dense_candidates(self._catalog, self._index, asked)
            chosen = select_passages(self._catalog, found, _scope(request, allowed))
        cosines = [found[choice.stored.content_hash] for choice in chosen]
        return [
            hit_of(self.name, choice, Evidence(cosine, None, ()), beginning(choice), score=min(max(0.0, cosine), 1.0))
            for choice, cosine in zip(chosen, cosines, strict=True)
        ]

    @contextmanager
    def _one_state(self) -> Iterator[Stemmer]:
        """Read one state of the catalog throughout."""
        stemmer = Stemmer()
        try:
            with readable_errors(self._folder):
                self._notice_changes()
                with self._catalog.one_state():
                    yield stemmer
        finally:
            stemmer.close()

    def _notice_changes(self) -> None:
        """Drop the index if another process has written since the last search."""
        version = self._catalog.data_version
        if version != self._seen_version:
            self._former_index = self.__dict__.pop("_index", self._former_index)
            self._collection_languages = None
            self._last_constraints = (Constraints(), None)
            self._seen_version = version

    def _has_meaning(self) -> bool:
        """Return whether there is a model that distinguishes texts; otherwise words are all that a hybrid search can use.

        Raises ModelError if the collection's model is missing or broken.
        """
        return not self.is_by_words and not self._embedder.info.scale.is_meaningless

    @cached_property
    def _embedder(self) -> "Embedder":
        return self._open_embedder()

    @cached_property
    def _index(self) -> "SearchableIndex":
        from searchkit.index_store import open_index

        return open_index(self._folder, self._catalog, self._embedder, self._former_index)

    def _read_by_model(self, query: LexicalQuery, request: SearchRequest) -> str:
        """The query for the model: with the corrections of words that its tokenizer has to take to pieces. What it has as a whole
        is a word, though the collection lacks it, or a mistake so common that the model has learned it.
        """
        if not query.corrected or request.mode is SearchMode.SEMANTIC:
            return query.text
        from searchkit.search.lexical.corrections import with_corrections

        count = self._embedder.count_tokens
        unheard = {word: meant for word, meant in query.corrected.items() if min(count(word), count(f" {word}")) > 1}
        return with_corrections(query.text, unheard)

    def _vector_of(self, query: str) -> "Vectors":
        """A query's vector; of a pasted page that of its beginning."""
        limit = min(QUERY_TOKENS, self._embedder.info.max_tokens)
        read = beginning_of(query, self._embedder.count_tokens, limit)
        if len(read) < len(query):
            self.cut = (len(read.split()), len(query.split()))
        return self._reader.query_vector(self._embedder, read)

    def _allowed(self, constraints: Constraints) -> AllowedChunks | None:
        """The chunks that meet the constraints, None for all. Caches the last result for search-as-you-type."""
        if constraints != self._last_constraints[0]:
            self._last_constraints = (constraints, allowed_chunks(self._catalog, constraints))
        return self._last_constraints[1]

    def _read_query(self, query: ParsedQuery, stemmer: Stemmer) -> LexicalQuery:
        quoted = (*query.phrases, *query.ignored_phrases, *query.as_written)
        found = read_query(self._catalog, query.text, stemmer, self._languages(query.text), quoted)
        self.corrected, self.unknown = found.corrected, found.unknown
        return found

    def _languages(self, query: str) -> list[str]:
        """The languages whose endings the query's words may have: its own if recognised, else the collection's."""
        if language := language_of(query):
            return [language]
        if self._collection_languages is None:
            self._collection_languages = languages_in(self._catalog)
        return self._collection_languages

    def _vector_ids(self, allowed: AllowedChunks | None) -> "Ids | None":
        """Ids of the vectors of allowed passages, None for all."""
        if allowed is None:
            return None
        if self._last_vector_ids is None or self._last_vector_ids[0] is not allowed:
            from searchkit.catalog.vectors import allowed_vector_ids

            ids = allowed_vector_ids(self._catalog, self._embedder.info.fingerprint, allowed.mask)
            self._last_vector_ids = (allowed, ids)
        return self._last_vector_ids[1]

    def _newest(self, allowed: AllowedChunks | None, k: int) -> list[Hit]:
        """Build hits that filters alone have found: nothing ranks them, and each is a full match."""
        found = newest_passages(self._catalog, allowed.mask, k) if allowed else []
        evidence = Evidence(None, None, ())
        chosen = map(SelectedPassage, found)
        return [hit_of(self.name, passage, evidence, beginning(passage), score=1.0) for passage in chosen]

    def _rank(
        self,
        query: LexicalQuery,
        vector: "Vectors | None",
        request: SearchRequest,
        stemmer: Stemmer,
        allowed: AllowedChunks | None,
        reading: ReadingTime,
    ) -> _Ranking:
        mode, depth = request.mode, max(_CANDIDATES, request.k)
        words = self._by_words(query, mode, allowed)
        if vector is None:
            return _Ranking(rank_by_words(self._with_people(query, words)), {}, words.bm25)
        from searchkit.search.dense import DenseQuery, dense_candidates, exact_similarities
        from searchkit_indexes import EXACT_TOP_K

        asked = DenseQuery(vector, depth, max(EXACT_TOP_K, request.k), self._vector_ids(allowed))
        dense = dense_candidates(self._catalog, self._index, asked)
        others = [key for key in dict.fromkeys([*words.bm25, *words.literal]) if key not in dense]
        similarities = {
            **dense,
            **exact_similarities(self._catalog, self._embedder.info.fingerprint, others, vector),
        }
        floor = min(dense.values(), default=0.0)
        if len(dense) < depth:  # a small collection: even its last passage may be a good one
            floor = min(floor, self._embedder.info.similarity_range[0])
        coverage = self._told_by_words(query, words.bm25, stemmer) if mode is SearchMode.HYBRID else 0.0
        found = replace(
            words,
            similarities=similarities,
            floor=floor,
            coverage=coverage,
            trust=query.trust(coverage),
            expected=self._embedder.info.similarity_range,
            guesses=self._guesses([*words.bm25, *words.literal], vector, allowed),
        )
        found = self._with_read(found, vector, reading, most=READ_ON_DEMAND if request.wait else 0)
        if mode is SearchMode.SEMANTIC:
            by_meaning = replace(found, bm25={}, literal={})
            return _Ranking(rank_by_meaning(by_meaning), found.similarities, {}, found.guesses)
        ranked = rank_by_both(self._catalog, query.text, self._with_people(query, found))
        return _Ranking(ranked, found.similarities, words.bm25, found.guesses)

    def _with_people(self, query: LexicalQuery, found: Candidates) -> Candidates:
        """The candidates with what is added for mail from and to people whom the query names."""
        keys = list(dict.fromkeys([*found.bm25, *found.literal, *found.similarities]))
        return replace(found, people=people_bonuses(self._catalog, query.understood, keys))

    def _with_read(self, found: Candidates, vector: "Vectors", reading: ReadingTime, *, most: int) -> Candidates:
        """Have the model read the most promising candidates that it has not read yet; returns all with what it read."""
        read = self._read(found.unread()[:most], vector, reading)
        reading.collections -= 1
        guesses = {key: guess for key, guess in found.guesses.items() if key not in read}
        return replace(found, similarities={**found.similarities, **read}, read=tuple(read), guesses=guesses)

    def _guesses(
        self, by_words: Sequence[bytes], vector: "Vectors", allowed: AllowedChunks | None
    ) -> dict[bytes, float]:
        """See ProvisionalIndex; none where everything is embedded, or the model has no provisional vectors."""
        if self._catalog.meta(COVERED) == self._embedder.info.fingerprint:
            return {}
        from searchkit.catalog.provisional import allowed_provisional_ids
        from searchkit.search.dense import DenseQuery, provisional_index

        self._provisional = provisional_index(
            self._folder, self._catalog, self._embedder.info.fingerprint, self._provisional
        )
        if self._provisional is None:
            return {}
        share = 1.0 if allowed is None else len(allowed) / max(1, count_chunks(self._catalog))
        if allowed is None or share < _FEW_ALLOWED:
            ids = None if allowed is None else allowed_provisional_ids(self._catalog, allowed.mask)
            return self._provisional.guesses(self._catalog, DenseQuery(vector, _CANDIDATES, allowed_ids=ids), by_words)
        found = self._provisional.guesses(self._catalog, DenseQuery(vector, int(_CANDIDATES / share)), by_words)
        kept = {key for key, chunk in chunks_of_hashes(self._catalog, list(found)) if chunk in allowed}
        return {key: guess for key, guess in found.items() if key in kept}

    def _by_words(self, query: LexicalQuery, mode: SearchMode, allowed: AllowedChunks | None) -> Candidates:
        """The candidates by words. By meaning alone they only choose what the model reads, if anything is left to read."""
        if mode is SearchMode.SEMANTIC and self._catalog.meta(COVERED) == self._embedder.info.fingerprint:
            return Candidates({}, {}, {})
        bm25 = self._bm25(query, allowed)
        literal = (
            {}
            if mode is SearchMode.SEMANTIC
            else exact_bonuses(self._catalog, query.text, allowed.mask if allowed else None)
        )
        if allowed is not None:
            kept = {key for key, chunk in chunks_of_hashes(self._catalog, list(literal)) if chunk in allowed}
            literal = {key: bonus for key, bonus in literal.items() if key in kept}
        return Candidates({}, bm25, literal)

    def _read(self, unread: Sequence[bytes], vector: "Vectors", reading: ReadingTime) -> dict[bytes, float]:
        """Have the model read passages: their cosines, as far as the time goes. What it read is kept."""
        if not unread:
            return {}
        seen = seen_by_model(self._catalog, unread)
        wanted, waiting = {key: seen[key] for key in unread if key in seen}, self._reader.waiting()
        started = time.monotonic()
        found = self._reader.read(self._embedder, wanted, reading.share / (1 + waiting))
        self.is_hurried = waiting > 0 and len(found) < len(wanted)
        reading.seconds -= time.monotonic() - started
        if found:
            keep(self._folder, self._embedder.info.fingerprint, found)
        return {key: float(of @ vector) for key, of in as_kept(self._catalog, found).items()}

    def _highlighter(
        self, query: LexicalQuery, phrases: Sequence[str], vector: "Vectors | None", reading: ReadingTime
    ) -> Highlighter:
        """The highlighter for the hits of a search, which has the model read sentences as long as the time for marks lasts."""
        if vector is None:
            return Highlighter(query, phrases=phrases)

        def read(wanted: Mapping[bytes, Passage]) -> "Mapping[bytes, Vectors]":
            started = time.monotonic()
            found = self._reader.read(self._embedder, wanted, reading.marking_seconds)
            reading.marking_seconds -= time.monotonic() - started
            return found

        return Highlighter(query, self._embedder, vector, read, phrases)

    def _told_by_words(self, query: LexicalQuery, bm25: Mapping[bytes, float], stemmer: Stemmer) -> float:
        """The share of the query in the best lexical candidate, 0 to 1."""
        places = passages_of_hashes(self._catalog, [next(iter(bm25))]) if bm25 else {}
        return max((PassageWords.read(places[key][0], query, stemmer).coverage for key in places), default=0.0)

    def _bm25(self, query: LexicalQuery, allowed: AllowedChunks | None) -> dict[bytes, float]:
        """BM25 by content hash; of equal passages the best place counts."""
        by_chunk = lexical_candidates(self._catalog, query, _CANDIDATES, None if allowed is None else allowed.mask)
        hashes = hashes_of_chunks(self._catalog, list(by_chunk))
        found: dict[bytes, float] = {}
        for chunk, score in by_chunk.items():
            found.setdefault(hashes[chunk], score)
        return found

    def _in_order(self, ranking: _Ranking, scope: Selection) -> list[Hit]:
        chosen = select_passages(self._catalog, ranking.ranked, replace(scope, are_near_copies_one=False))
        return [hit_of(self.name, choice, ranking.evidence(choice), beginning(choice)) for choice in chosen]

    def _scale(self, query: str, ranking: _Ranking) -> ScoreCalibration:
        if not ranking.similarities:
            return ScoreCalibration.of(query)
        return ScoreCalibration.of(query, self._embedder.info, self._embedder.count_tokens(query))


def _constraints(query: ParsedQuery, request: SearchRequest) -> Constraints:
    """The request's constraints: phrases apply where words rank, exclusions and filters always."""
    return Constraints(
        filters=(with_known_types(query.filters), with_known_types(request.filters)),
        phrases=() if request.mode is SearchMode.SEMANTIC else query.phrases,
        excluded_words=query.excluded_words,
        excluded_phrases=query.excluded_phrases,
    )


def _scope(request: SearchRequest, allowed: AllowedChunks | None) -> Selection:
    return Selection(request.k, allowed, request.group_by is GroupBy.FILE)
